"""Commands that share one transaction and one flush of the disk; whose thread runs them is open."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
import logging
import sqlite3
from time import monotonic
from typing import Any, Final, NamedTuple

from .errors import StoreUnavailableError, as_refusal
from .kept import Kept
from .pending import Event, Pending
from .tx import Tx

BATCH: Final = 256
# Slow commands must not make the first of a batch wait for all the others.
BATCH_S: Final = 0.025
_LOG: Final = logging.getLogger("owner_api.store")


class Commit(NamedTuple):
    """What a commit changed for streams: the new events, and whether access may have ended.

    ``events`` are in the order of their numbers within each party.
    """

    events: tuple[Event, ...]
    doors: bool


NOTHING: Final = Commit((), doors=False)


class Job(NamedTuple):
    """A command, to whom its outcome goes, and whether what it writes is kept."""

    command: Callable[[Tx], Any]
    to: Any
    keep: bool


class Outcome(NamedTuple):
    """What became of a job: its value, or the error that its caller must hear."""

    to: Any
    value: Any
    error: BaseException | None


class Done(NamedTuple):
    """A batch that has ended; ``took_s`` is how long its COMMIT took, None when it was lost."""

    outcomes: list[Outcome]
    commit: Commit
    took_s: float | None


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


class Batches:
    """Runs jobs on the one connection that writes: undoes what fails alone, and commits once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._kept = Kept()
        # Runs once per batch, in its transaction, after the last command and before COMMIT.
        self.before_commit: Callable[[Tx], None] | None = None

    def run(self, first: Job, more: Iterator[Job]) -> Done:
        """Run a job and those that wait behind it, at most 256 or 25 ms of them, and commit once.

        Once this returns, an outcome without an error is a durable fact.
        """
        taken, outcomes, batch = [first], list[Outcome](), _Batch()
        enough = monotonic() + BATCH_S
        kept = False
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in chain((first,), more):
                if job is not first:
                    taken.append(job)
                outcome = self._one(job, batch)
                outcomes.append(outcome)
                kept |= job.keep and outcome.error is None
                if len(taken) >= BATCH or monotonic() >= enough:
                    break
            if kept:
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
            return Done([Outcome(job.to, None, lost) for job in taken], NOTHING, None)
        return Done(outcomes, batch.commit(), took_s)

    def _seal(self, batch: _Batch) -> None:
        if self.before_commit is not None:
            tx = Tx(self._connection, batch.pending, self._kept)
            self.before_commit(tx)
            batch.keep(tx)
        batch.pending.flush(self._connection)

    def _one(self, job: Job, batch: _Batch) -> Outcome:
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
        return Outcome(job.to, value, error)
