"""These tests' loop notices what asyncio notices in debug mode only."""

import asyncio

import pytest


async def test_a_call_into_the_loop_from_another_thread_fails() -> None:
    loop = asyncio.get_running_loop()
    with pytest.raises(RuntimeError, match="Non-thread-safe operation"):
        await asyncio.to_thread(loop.call_soon, print)
