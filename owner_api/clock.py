"""Where the time comes from: injected everywhere, so that a simulation can own it."""

import asyncio
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of the present and a way to wait for later."""

    def now(self) -> datetime:
        """Return the present instant, aware and in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Return when this clock has advanced by ``seconds``."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present instant, aware and in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds`` of real time."""
        await asyncio.sleep(seconds)
