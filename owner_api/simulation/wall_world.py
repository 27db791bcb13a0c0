"""The world in real time: what a simulated park asks of a world, answered by the wall clock."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, override

from .virtual_clock import VirtualClock
from .world import Bell, World


class WallWorld(World):
    """Processes that sleep for real; use as ``async with WallWorld() as world``.

    The block ends when every process has; the first failure of one ends them all.
    """

    def __init__(self) -> None:
        super().__init__(VirtualClock(datetime.now(UTC)), _nothing)
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._group.__aexit__(kind, error, trace)

    @override
    def now(self) -> datetime:
        return datetime.now(UTC)

    @override
    def spawn(self, process: Coroutine[object, object, None]) -> None:
        self._group.create_task(_to_its_end(process))

    @override
    async def until(self, moment: datetime) -> None:
        await asyncio.sleep(self._seconds_to(moment))

    @override
    async def wait(self, bell: Bell, moment: datetime) -> bool:
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        bell.add(waiter)
        try:
            async with asyncio.timeout(self._seconds_to(moment)):
                return await waiter
        except TimeoutError:
            return False

    @override
    def ring(self, bell: Bell) -> None:
        for waiter in bell.take():
            waiter.set_result(True)

    @override
    def note_deadline(self, key: str, moment: datetime) -> None:
        """Do nothing: the API runs elsewhere and minds its deadlines itself."""

    def _seconds_to(self, moment: datetime) -> float:
        return max(0.0, (moment - self.now()).total_seconds())


async def _to_its_end(process: Coroutine[object, object, None]) -> None:
    await process


async def _nothing() -> None:
    """Settle nothing: real time waits for nobody."""
