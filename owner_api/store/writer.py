"""The one writer: group commit, so that durability costs one disk flush for many commands."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
import logging
from queue import SimpleQueue
import sqlite3
import threading
from time import monotonic
from typing import Any, Final

from .checkpointing import checkpoint
from .errors import StoreClosedError, StoreUnavailableError, as_refusal
from .kept import Kept
from .pending import Event, Pending
from .tx import Tx

BATCH: Final = 256
# Slow commands must not make the first of a batch wait for all the others.
BATCH_S: Final = 0.025
_LOG: Final = logging.getLogger("owner_api.store")


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit changed for streams: the new events, and whether access may have ended.

    ``events`` are in the order of their numbers within each party.
    """

    events: tuple[Event, ...]
    doors: bool


_NOTHING: Final = Commit((), doors=False)


@dataclass(frozen=True, slots=True)
class _Job:
    command: Callable[[Tx], Any]
    future: asyncio.Future[Any]
    keep: bool


@dataclass(frozen=True, slots=True)
class _Outcome:
    job: _Job
    value: Any
    error: BaseException | None


@dataclass(slots=True)
class _Batch:
    """What the commands of one transaction have done so far."""

    pending: Pending = field(default_factory=Pending)
    doors: bool = False

    def keep(self, tx: Tx) -> None:
        """Count a command whose work stays."""
        tx.done()
        self.doors |= tx.doors

    def commit(self) -> Commit:
        """Return what is told once COMMIT has returned."""
        return Commit(tuple(self.pending.numbered), self.doors)


class Writer:
    """A thread that takes up to 256 commands or 25 ms, undoes what fails alone, and commits once.

    A future is resolved only after COMMIT has returned: an answer is a durable fact.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        loop: asyncio.AbstractEventLoop,
        committed: Callable[[Commit], None],
    ) -> None:
        self._connection = connection
        self._kept = Kept()
        self._loop = loop
        self._committed = committed
        # Runs once per batch, in its transaction, after the last command and before COMMIT.
        self.before_commit: Callable[[Tx], None] | None = None
        # How many batches have ended; counted on the event loop before anybody hears of the last.
        self.batches = 0
        # Told of each COMMIT, on this thread.
        self.noted: Callable[[], None] | None = None
        self._long_log = threading.Event()
        # Told how long each COMMIT took (s), on this thread.
        self.timed: Callable[[float], None] | None = None
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="store-writer", daemon=True)
        self._thread.start()

    def submit[T](self, command: Callable[[Tx], T], *, keep: bool = True) -> asyncio.Future[T]:
        """Queue a command; ``keep=False`` undoes what it wrote (a read on this connection)."""
        if self._closing:
            raise StoreClosedError("the store is closing; nothing was written")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(command, future, keep))
        return future

    def ask_for_checkpoint(self) -> None:
        """Let the writer, between two batches, move what is left of a long log; any thread's."""
        self._long_log.set()

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
        more = True
        while more and (first := self._jobs.get()) is not None:
            outcomes, commit, more = self._batch(first)
            self._loop.call_soon_threadsafe(self._resolve, outcomes, commit)
            if self.noted is not None:
                self.noted()
            if self._long_log.is_set():
                self._shorten_log()

    def _batch(self, first: _Job) -> tuple[list[_Outcome], Commit, bool]:
        """Run waiting commands and commit; also tell whether to go on afterwards."""
        jobs, outcomes, more = [first], list[_Outcome](), True
        batch = _Batch()
        enough = monotonic() + BATCH_S
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes.append(self._one(first, batch))
            while len(jobs) < BATCH and monotonic() < enough and not self._jobs.empty():
                job = self._jobs.get()
                if job is None:
                    more = False
                    break
                jobs.append(job)
                outcomes.append(self._one(job, batch))
            if any(outcome.error is None and outcome.job.keep for outcome in outcomes):
                self._seal(batch)
            began = monotonic()
            self._connection.execute("COMMIT")
            took_s = monotonic() - began
        except Exception as error:  # noqa: BLE001 - a batch that cannot be sealed must not be kept
            # The disk said no: whatever this batch did is gone, and every caller must hear it.
            if not isinstance(error, sqlite3.Error):
                _LOG.exception("a batch could not be sealed")
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            self._kept.clear()
            lost = StoreUnavailableError(f"the database refused: {error}")
            return [_Outcome(job, None, lost) for job in jobs], _NOTHING, more
        self._tell_time(took_s)
        return outcomes, batch.commit(), more

    def _shorten_log(self) -> None:
        self._long_log.clear()
        try:
            checkpoint(self._connection)
        except sqlite3.Error as error:
            _LOG.warning("the log was not moved into the database: %s", error)

    def _tell_time(self, took_s: float) -> None:
        """Report a commit that has happened: whoever listens cannot make it un-happen."""
        if self.timed is None:
            return
        try:
            self.timed(took_s)
        except Exception:  # noqa: BLE001 - logged with its trace; the answer is already decided
            _LOG.exception("a listener of commit times failed; the commit itself is kept")

    def _seal(self, batch: _Batch) -> None:
        if self.before_commit is not None:
            tx = Tx(self._connection, batch.pending, self._kept)
            self.before_commit(tx)
            batch.keep(tx)
        batch.pending.flush(self._connection)

    def _one(self, job: _Job, batch: _Batch) -> _Outcome:
        tx = Tx(self._connection, batch.pending, self._kept)
        try:
            value, error = job.command(tx), None
        except BaseException as raised:  # noqa: BLE001 - handed to the caller that awaits
            value, error = None, as_refusal(raised)
        if not self._connection.in_transaction:
            # SQLite ends the whole transaction by itself when the disk is full or broken.
            raise sqlite3.OperationalError(f"the transaction was lost: {error}")
        if error is not None or not job.keep:
            tx.undone()
        else:
            batch.keep(tx)
        return _Outcome(job, value, error)

    def _resolve(self, outcomes: list[_Outcome], commit: Commit) -> None:
        self.batches += 1
        for outcome in outcomes:
            future = outcome.job.future
            if future.done():  # the caller went away; the fact stays
                continue
            if outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.value)
        if commit.events or commit.doors:
            self._committed(commit)
