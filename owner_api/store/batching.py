"""Commands that share one transaction and one flush of the disk; whose process that is, is open."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
import logging
import sqlite3
from time import monotonic
from typing import Any, Final, NamedTuple, Protocol, Self

from .errors import StoreUnavailableError, as_refusal, told
from .kept import Kept
from .pending import HEADS, Event, Pending
from .tx import Tx

BATCH: Final = 256
# Slow commands must not make the first of a batch wait for all the others.
BATCH_S: Final = 0.025
# Fewer than these are not worth a COMMIT of their own while others wait.
_LEAST: Final = 8
_LOG: Final = logging.getLogger("owner_api.store")


class Commit(NamedTuple):
    """What a commit changed for streams: the new events, and whether access may have ended.

    ``events`` are in the order of their numbers within each party.
    """

    events: tuple[Event, ...]
    doors: bool


NOTHING: Final = Commit((), doors=False)


class Job(NamedTuple):
    """A command, to whom its outcome goes, whether what it writes is kept, and who asked for it."""

    command: Callable[[Tx], Any]
    to: Any
    keep: bool
    whose: str = ""

    @classmethod
    def of(cls, command: Callable[[Tx], Any], to: Any, *, keep: bool) -> Self:  # noqa: ANN401 - any outcome's
        """Return the job of a command that may say whose it is."""
        return cls(command, to, keep, getattr(command, "whose", ""))


class Outcome(NamedTuple):
    """What became of a job: its value, or the error that its caller must hear."""

    to: Any
    value: Any
    error: BaseException | None


class Post(Protocol):
    """Carries what became of a batch to who waits for it."""

    def tell(self, outcomes: list[Outcome], commit: Commit, took_s: float | None) -> None:
        """Let it leave, after COMMIT; ``took_s`` is how long that took (s), None without one."""


@dataclass(slots=True)
class _Batch:
    """What the commands of one transaction have done so far."""

    pending: Pending = field(default_factory=Pending)
    outcomes: list[Outcome] = field(default_factory=list)
    doors: bool = False
    # Whether there is something to commit.
    kept: bool = False

    def keep(self, tx: Tx) -> None:
        """Count a command whose work stays."""
        tx.done()
        self.doors |= tx.doors
        self.kept = True

    def commit(self) -> Commit:
        """Return what is told once COMMIT has returned."""
        return Commit(tuple(self.pending.numbered), self.doors)


class Batches:
    """Runs jobs on the one connection that writes: undoes what fails alone, and commits once."""

    def __init__(
        self, connection: sqlite3.Connection, post: Post, clock: Callable[[], float] = monotonic
    ) -> None:
        self._connection = connection
        self._post = post
        self._clock = clock
        self._kept = Kept()
        # Runs once per batch, in its transaction, after the last command and before COMMIT.
        self.before_commit: Callable[[Tx], None] | None = None
        self._others = self._others_wrote()
        self._last = self._half = 0

    def run(self, first: Job, more: Iterator[Job], waiting: int) -> None:
        """Run a job and those that wait behind it, at most 256 or 25 ms of them, and commit.

        ``waiting`` is how many there are now: of all that are under way half make a batch, so that
        their callers can go on while the other half is worked on.
        """
        self._half = (waiting + self._last) // 2
        batch, taken, enough = _Batch(), [first], self._clock() + BATCH_S
        begun = False
        try:
            self._begin()
            begun = True
            batch.outcomes.append(self._one(first, batch))
            while not (self._is_full(len(taken)) or self._clock() >= enough):
                if (job := next(more, None)) is None:
                    break
                taken.append(job)
                batch.outcomes.append(self._one(job, batch))
            took_s = self._end(batch)
        except Exception as error:  # noqa: BLE001 - a batch that cannot be sealed must not be kept
            # The disk said no: whatever this batch did is gone, and every caller must hear it.
            if not isinstance(error, sqlite3.Error):
                _LOG.exception("a batch could not be sealed")
            self._roll_back()
            self._kept.clear()
            if not begun:
                # Somebody else's lock was waited for: the others need not wait as long again each.
                taken += islice(more, BATCH - 1)
            lost = StoreUnavailableError(f"the database refused: {told(error)}")
            self._tell([Outcome(job.to, None, lost) for job in taken], NOTHING, None)
            return
        self._last = len(taken)
        self._tell(batch.outcomes, batch.commit(), took_s)

    def _tell(self, outcomes: list[Outcome], commit: Commit, took_s: float | None) -> None:
        try:
            self._post.tell(outcomes, commit, took_s)
        except Exception:  # noqa: BLE001 - logged with its trace; the writer must live
            # Who waits has gone, as when the event loop was closed first: others go on.
            _LOG.exception("what became of a batch could not be told")

    def _roll_back(self) -> None:
        # Out of memory is no error of SQLite's; whatever it is, the writer must live.
        with suppress(Exception):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _begin(self) -> None:
        # Where undoing the last one failed, this one must not pay for it.
        self._roll_back()
        self._connection.execute("BEGIN IMMEDIATE")
        self._kept.numbers_doubtful = False
        # From here on nobody else can write.
        if (others := self._others_wrote()) != self._others:
            self._others = others
            self._kept = Kept()

    def _others_wrote(self) -> int:
        """Return a number that changes only by what other connections commit."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _end(self, batch: _Batch) -> float | None:
        """Make durable what was kept, if anything; return how long COMMIT took (s)."""
        if not batch.kept:
            self._connection.execute("ROLLBACK")
            return None
        if self.before_commit is not None:
            tx = Tx(self._connection, batch.pending, self._kept)
            self.before_commit(tx)
            batch.keep(tx)
        batch.pending.flush(self._connection, self._kept.lasting.setdefault(HEADS, {}))
        began = monotonic()
        self._connection.execute("COMMIT")
        return monotonic() - began

    def _is_full(self, taken: int) -> bool:
        return taken >= min(BATCH, max(_LEAST, self._half))

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
