"""A clock that stands still until the simulation moves it."""

import asyncio
from datetime import UTC, datetime, timedelta
import heapq
import itertools


class VirtualClock:
    """Time for the API and the world alike: aware UTC, moved only by ``advance_to``."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("the start needs a time zone")
        self._now = start.astimezone(UTC)
        self._order = itertools.count()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """Return the virtual instant, aware UTC."""
        return self._now

    def advance_to(self, moment: datetime) -> None:
        """Move to ``moment`` and wake whoever slept until then; ValueError when it lies behind."""
        if moment < self._now:
            raise ValueError(f"time cannot run back from {self._now} to {moment}")
        self._now = moment
        while self._sleepers and self._sleepers[0][0] <= moment:
            _, _, sleeper = heapq.heappop(self._sleepers)
            if not sleeper.done():
                sleeper.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has moved ``seconds`` on; returns at once for 0 or less."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        wake_at = self._now + timedelta(seconds=seconds)
        heapq.heappush(self._sleepers, (wake_at, next(self._order), sleeper))
        await sleeper
