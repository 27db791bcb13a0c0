"""The event loop of the simulation: processes that sleep in virtual time, the API ticking along.

Real sockets and virtual time meet like this: time only moves once every process sleeps or waits,
and the API has ticked and its streams have been read to their heads.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
import heapq
import itertools

from .virtual_clock import VirtualClock

# A process waiting on the real network longer than this has lost its answer.
_REAL_PATIENCE_S = 120.0
# A real server ticks twice a second: after an idle span it would have done so before anyone acts.
_IDLE_SPAN = timedelta(seconds=90)


class StuckError(RuntimeError):
    """A process neither slept, waited nor ended within the real time allowed."""


class Bell:
    """Something processes wait for; ringing wakes all who wait now."""

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[bool]] = []

    def add(self, waiter: asyncio.Future[bool]) -> None:
        """Register one waiter."""
        self._waiters.append(waiter)

    def take(self) -> list[asyncio.Future[bool]]:
        """Return and forget the waiters that still wait."""
        waiting = [waiter for waiter in self._waiters if not waiter.done()]
        self._waiters.clear()
        return waiting


class World:
    """Runs processes over a virtual clock; ``settle`` lets the API and its streams catch up."""

    def __init__(self, clock: VirtualClock, settle: Callable[[], Awaitable[None]]) -> None:
        self.clock = clock
        self._settle = settle
        self._agenda: list[tuple[datetime, int, asyncio.Future[bool] | str]] = []
        self._deadlines: dict[str, datetime] = {}
        self._order = itertools.count()
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    def now(self) -> datetime:
        """Return the virtual instant."""
        return self.clock.now()

    def spawn(self, process: Coroutine[object, object, None]) -> None:
        """Start a process; time waits until it sleeps. Its failure ends the run."""
        self._resume()
        task = asyncio.get_running_loop().create_task(process)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def until(self, moment: datetime) -> None:
        """Sleep until a virtual instant; returns at once when it has passed."""
        if moment > self.now():
            await self._park(moment, None)

    async def wait(self, bell: Bell, moment: datetime) -> bool:
        """Wait for a bell, at most until an instant; True when it rang."""
        if moment <= self.now():
            return False
        return await self._park(moment, bell)

    def ring(self, bell: Bell) -> None:
        """Wake all processes that wait for this bell."""
        for waiter in bell.take():
            self._resume()
            waiter.set_result(True)

    def note_deadline(self, key: str, moment: datetime) -> None:
        """Have the API tick at an instant at which it may have to act on its own.

        A later note under the same key replaces an earlier one, as a renewed lease does.
        """
        self._deadlines[key] = moment
        if moment > self.now():
            heapq.heappush(self._agenda, (moment, next(self._order), key))

    async def run(self) -> None:
        """Run until no process is left; raises a process's own failure, or StuckError."""
        try:
            while True:
                await self._everyone_sleeps()
                await self._settle()
                if self._running:
                    continue
                self._forget_what_is_over()
                if not self._tasks or not self._agenda:
                    break
                await self._next_instant()
        finally:
            await self._cancel()

    async def _next_instant(self) -> None:
        moment = self._agenda[0][0]
        idle = moment - self.now() > _IDLE_SPAN
        self.clock.advance_to(moment)
        if idle:
            await self._settle()
        while self._agenda and self._agenda[0][0] <= moment:
            _, _, sleeper = heapq.heappop(self._agenda)
            if isinstance(sleeper, str):
                self._deadlines.pop(sleeper, None)
            elif not sleeper.done():
                self._resume()
                sleeper.set_result(False)

    def _forget_what_is_over(self) -> None:
        """Drop entries nobody waits for any more, so that time does not stop at them."""
        while self._agenda:
            moment, _, sleeper = self._agenda[0]
            if isinstance(sleeper, str):
                over = self._deadlines.get(sleeper) != moment
            else:
                over = sleeper.done()
            if not over:
                return
            heapq.heappop(self._agenda)

    async def _park(self, moment: datetime, bell: Bell | None) -> bool:
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._agenda, (moment, next(self._order), waiter))
        if bell:
            bell.add(waiter)
        self._pause()
        return await waiter

    def _resume(self) -> None:
        self._running += 1
        self._idle.clear()

    def _pause(self) -> None:
        self._running -= 1
        if self._running == 0:
            self._idle.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()):
            self._failure = self._failure or failure
            self._idle.set()
        self._pause()

    async def _everyone_sleeps(self) -> None:
        try:
            async with asyncio.timeout(_REAL_PATIENCE_S):
                await self._idle.wait()
        except TimeoutError:
            raise StuckError(f"{self._running} processes are stuck at {self.now()}") from None
        if self._failure:
            raise self._failure

    async def _cancel(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
