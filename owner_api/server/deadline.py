"""One deadline for all who may wait equally long: a timer for each costs as much as an answer."""

import asyncio
from dataclasses import dataclass
from types import TracebackType


@dataclass(frozen=True, slots=True)
class _Wait:
    """One task's wait: when it has lasted too long, and how often it was cancelled before."""

    due: float
    cancelled: int


class Deadline:
    """Ends what a task does inside ``with`` by TimeoutError, ``after_s`` seconds from its start.

    A task cannot be inside twice.
    """

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        # Who came first is due first.
        self._waits: dict[asyncio.Task[object], _Wait] = {}
        self._late: dict[asyncio.Task[object], _Wait] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        task = _current()
        loop = task.get_loop()
        due = loop.time() + self._after_s
        self._waits[task] = _Wait(due, task.cancelling())
        if self._timer is None:
            self._timer = loop.call_at(due, self._look, loop)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        task = _current()
        if self._waits.pop(task, None) is not None:
            return
        wait = self._late.pop(task)
        # Somebody else may have cancelled it too; then it is their word that counts.
        if task.uncancel() <= wait.cancelled and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def close(self) -> None:
        """Leave no timer behind, once nobody will wait any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel who is late and come back for the next; no timer runs while nobody waits."""
        self._timer = None
        now = loop.time()
        for task, wait in tuple(self._waits.items()):
            if wait.due > now:
                self._timer = loop.call_at(wait.due, self._look, loop)
                return
            self._late[task] = self._waits.pop(task)
            task.cancel()


def _current() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task
