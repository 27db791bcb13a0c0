"""A world for trust: one real server, one owner, one park."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.owner_api.deal_world import World, open_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Return a running server with a clock that the test moves."""
    async with open_world(tmp_path) as opened:
        yield opened
