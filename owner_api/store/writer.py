"""The one writer: group commit, so that durability costs one disk flush for many commands."""

import asyncio
from collections.abc import Callable, Iterator
import logging
from pathlib import Path
from queue import Empty, SimpleQueue
import sqlite3
import threading
from typing import Any, Final, Protocol

from .batching import Batches, Commit, Job, Outcome
from .checkpointing import LongLog
from .copying import copy_own
from .errors import StoreClosedError
from .lines import Lines
from .tx import Tx

_LOG: Final = logging.getLogger("owner_api.store")


class Hearing(Protocol):
    """Who is told on the event loop of each batch that has ended, after its callers."""

    def __call__(self, commit: Commit, took_s: float | None) -> None:
        """Hear what was committed, and how long COMMIT took (s); None without one."""


class Writer:
    """A thread that runs commands in batches.

    A future is resolved only after COMMIT has returned: an answer is a durable fact.
    """

    def __init__(self, connection: sqlite3.Connection, hearing: Hearing) -> None:
        self._connection = connection
        self._batches = Batches(connection, self)
        self._loop = asyncio.get_running_loop()
        self._hearing = hearing
        # Told of each COMMIT, on this thread.
        self.noted: Callable[[], None] | None = None
        self.long_log = LongLog(connection)
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._closing = False
        self._waiting = Lines()
        self._last_taken = False
        self._thread = threading.Thread(target=self._serve, name="store-writer", daemon=True)
        self._thread.start()

    def before_commit(self, hook: Callable[[Tx], None]) -> None:
        """Run ``hook`` once in each batch that kept something, after its last command."""
        self._batches.before_commit = hook

    def submit[T](self, command: Callable[[Tx], T], *, keep: bool = True) -> asyncio.Future[T]:
        """Queue a command; ``keep=False`` undoes what it wrote (a read on this connection)."""
        if self._closing:
            raise StoreClosedError("the store is closing; nothing was written")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(Job.of(command, future, keep=keep))
        return future

    def copy(self, target: Path) -> None:
        """Copy the database to a new file over this connection, which others may not share; blocks.

        Commands are worked on meanwhile. Raises StoreClosedError, OSError or sqlite3.Error.
        """
        copy_own(self._connection, target, lambda: not self._closing)

    def refuse(self) -> None:
        """Take no more commands; call it on the event loop, where commands are submitted."""
        self._closing = True

    def close(self) -> None:
        """Finish what is queued, end the thread and close the connection; blocks."""
        self._closing = True
        self._jobs.put(None)
        self._thread.join()
        self._connection.close()

    def _serve(self) -> None:
        while self._waiting or not self._last_taken:
            if (first := self._next()) is not None:
                self._batches.run(first, self._more(), 1 + len(self._waiting))
            self.long_log.shorten(quiet=first is None)

    def _next(self) -> Job | None:
        """Wait for a command; None when there is none for a while, or none any more."""
        self._look()
        if not self._waiting:
            if self._last_taken:
                return None
            try:
                self._line_up(self._jobs.get(timeout=self.long_log.patience_s))
            except Empty:
                return None
            self._look()
        return self._waiting.take() if self._waiting else None

    def _more(self) -> Iterator[Job]:
        while True:
            self._look()
            if not self._waiting:
                return
            yield self._waiting.take()

    def _look(self) -> None:
        """Take all that has come: the last may be somebody else's, whose turn it is."""
        while not self._jobs.empty():
            self._line_up(self._jobs.get())

    def _line_up(self, job: Job | None) -> None:
        if job is None:
            self._last_taken = True
        else:
            self._waiting.add(job)

    def tell(self, outcomes: list[Outcome], commit: Commit, took_s: float | None) -> None:
        """Let the event loop tell who waits."""
        self._loop.call_soon_threadsafe(self._resolve, outcomes, commit, took_s)
        if self.noted is not None:
            self.noted()

    def _resolve(self, outcomes: list[Outcome], commit: Commit, took_s: float | None) -> None:
        for future, value, error in outcomes:
            resolve(future, value, error)
        self._hearing(commit, took_s)


def resolve(future: asyncio.Future[Any], value: object, error: BaseException | None) -> None:
    """Give a caller its outcome; one that went away changes nothing of the fact."""
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)
