"""Commands that share one transaction and one flush of the disk; whose process that is, is open.

While one batch's COMMIT waits for the disk, the next batch's commands run already, as long as they
need nothing but what is remembered. Nobody is told of either before it is durable; when the first
COMMIT fails, what was done meanwhile is thrown away and done again.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
import logging
import sqlite3
from time import monotonic
from typing import Any, Final, NamedTuple, Protocol

from .committer import Committer
from .connection import OverturnedError, Turn
from .errors import StoreUnavailableError, as_refusal
from .kept import Kept
from .pending import HEADS, Event, Pending
from .tx import Tx

BATCH: Final = 256
# Slow commands must not make the first of a batch wait for all the others.
BATCH_S: Final = 0.025
# Fewer than these are not worth a COMMIT of their own while others wait.
_LEAST: Final = 8
# So few with nobody behind them are better committed at once than by a thread that must wake up.
_FEW: Final = 3
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


class Post(Protocol):
    """Carries what became of a batch to who waits for it."""

    def pack(self, outcomes: list[Outcome], commit: Commit) -> Any:  # noqa: ANN401 - its own affair
        """Make ready to leave, before COMMIT."""

    def send(self, packed: Any, took_s: float | None) -> None:  # noqa: ANN401 - as above
        """Let leave, after COMMIT and on a thread of its own; ``took_s`` is None without one."""


@dataclass(slots=True)
class _Batch:
    """What the commands of one transaction have done so far."""

    turn: Turn
    pending: Pending = field(default_factory=Pending)
    outcomes: list[Outcome] = field(default_factory=list)
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

    def __init__(
        self, connection: sqlite3.Connection, post: Post, clock: Callable[[], float] = monotonic
    ) -> None:
        self._connection = connection
        self._post = post
        self._clock = clock
        self._kept = Kept()
        self._committer = Committer(connection)
        # Runs once per batch, in its transaction, after the last command and before COMMIT.
        self.before_commit: Callable[[Tx], None] | None = None
        self._last = self._half = 0

    def run(self, first: Job, more: Iterator[Job], waiting: int) -> None:
        """Run a job and those that wait behind it, at most 256 or 25 ms of them.

        Their outcomes go to the post once what they wrote is committed, which may be after this
        returns. ``waiting`` is how many there are now: of all that are under way half make a batch,
        so that their callers can go on while the other half is worked on.
        """
        self._half = (waiting + self._last) // 2
        jobs, taken = chain((first,), more), list[Job]()
        if self._attempt(jobs, taken, least=1):
            return
        # All that were taken up are taken up again: nobody else would.
        again, retaken = tuple(taken), list[Job]()
        self._attempt(chain(again, jobs), retaken, least=len(again))
        if rest := again[len(retaken) :]:
            lost = sqlite3.OperationalError("the batch was lost twice")
            self._committer.tell(partial(self._lose, rest, lost))

    def settle(self) -> None:
        """Wait until the last COMMIT has ended: from then on the connection is free."""
        self._ended()

    def close(self) -> None:
        """Wait for the last COMMIT and take no more."""
        self._ended()
        self._committer.close()

    def _ended(self) -> bool:
        """Wait for the COMMIT under way; False when it failed, and nothing is known any more."""
        if self._committer.ended():
            return True
        self._kept.clear()
        return False

    def _attempt(self, jobs: Iterator[Job], taken: list[Job], *, least: int) -> bool:
        """Run jobs and commit; False when all must be done again, and nothing is under way."""
        batch, kept, full = _Batch(Turn(self._connection, self._ended)), False, False
        enough = self._clock() + BATCH_S
        try:
            for job in jobs:
                taken.append(job)
                outcome = self._one(job, batch)
                batch.outcomes.append(outcome)
                kept |= job.keep and outcome.error is None
                late = self._clock() >= enough
                full = len(taken) >= least and (late or self._is_full(len(taken)))
                if full:
                    break
            if kept:
                self._seal(batch)
            if not batch.turn.begun and not self._ended():
                return False
        except OverturnedError:
            return False
        except Exception as error:  # noqa: BLE001 - a batch that cannot be sealed must not be kept
            # The disk said no: whatever this batch did is gone, and every caller must hear it.
            if not isinstance(error, sqlite3.Error):
                _LOG.exception("a batch could not be sealed")
            if batch.turn.begun:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
            self._kept.clear()
            self._committer.tell(partial(self._lose, taken, error))
            return True
        self._leave(batch, taken, few=len(taken) < _FEW and not full)
        return True

    def _leave(self, batch: _Batch, taken: list[Job], *, few: bool) -> None:
        """Commit and let the outcomes out; ``few``: nobody is behind these."""
        self._last = len(taken)
        packed = self._post.pack(batch.outcomes, batch.commit())
        if not batch.turn.begun:
            self._committer.tell(partial(self._post.send, packed, None))
            return
        words = partial(self._post.send, packed), partial(self._lose, taken)
        if not (few and self._committer.commit_now(*words)):
            self._committer.commit(*words)

    def _is_full(self, taken: int) -> bool:
        most = max(_LEAST, self._half)
        return taken >= BATCH or (taken >= most and self._committer.is_free)

    def _lose(self, jobs: Iterable[Job], error: Exception) -> None:
        lost = StoreUnavailableError(f"the database refused: {error}")
        outcomes = [Outcome(job.to, None, lost) for job in jobs]
        self._post.send(self._post.pack(outcomes, NOTHING), None)

    def _seal(self, batch: _Batch) -> None:
        if self.before_commit is not None:
            tx = Tx(batch.turn, batch.pending, self._kept)
            self.before_commit(tx)
            batch.keep(tx)
        batch.turn.begin()
        batch.pending.flush(batch.turn, self._kept.lasting.setdefault(HEADS, {}))

    def _one(self, job: Job, batch: _Batch) -> Outcome:
        tx = Tx(batch.turn, batch.pending, self._kept)
        try:
            value, error = job.command(tx), None
        except BaseException as raised:  # noqa: BLE001 - handed to the caller that awaits
            value, error = None, as_refusal(raised)
        if batch.turn.overturned:
            raise OverturnedError
        if batch.turn.lost:
            # SQLite ends the whole transaction by itself when the disk is full or broken.
            raise sqlite3.OperationalError(f"the transaction was lost: {error}")
        if error is not None or not job.keep:
            tx.undone()
        else:
            batch.keep(tx)
        return Outcome(job.to, value, error)
