"""The process that writes for a server: one thread, one connection, one command after another.

It is started by ``Apart``, gets commands over a pair of sockets, and ends with the server: an end
of the pair without a word is the server's death, and what was not begun by then is dropped.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
import logging
from pathlib import Path
import select
import signal
import socket
import sqlite3
import sys
from time import monotonic
from typing import Any, Final

from . import wire
from .batching import Batches, Commit, Job, Outcome
from .checkpointing import Checkpointer, LongLog
from .errors import StoreError
from .lines import Lines
from .locking import FileLock
from .opening import prepare
from .tx import Tx

_READ: Final = 1 << 18
# A batch's answers leave in one piece; the writer must not wait until the server has read them.
BUFFER: Final = 1 << 22
_MS: Final = 1e3
# Slow commands in a row keep nobody from being seen for longer.
_LOOK_S: Final = 0.002
# Held back while the clerk starts, and of no meaning to it from then on.
SIGNALS: Final = frozenset((signal.SIGINT, signal.SIGTERM))
_LOG: Final = logging.getLogger("owner_api.store")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a server asks its clerk to open, and how long (s) to wait for whoever holds it.

    A server that was killed leaves a clerk that ends by itself. ``server`` is the process that
    whoever finds the database locked is told of. ``packages`` are those whose
    functions may be commands, besides this one's.
    """

    path: Path
    create: bool
    synchronous: str
    patience_s: float
    server: int
    packages: tuple[str, ...]


# On the way back to the server: outcomes, events, whether access may have ended, the word that the
# server is to hear, and how long COMMIT took (s). All as plain tuples: naming a class costs more
# than what it holds.
type Answered = tuple[list[tuple[int, Any, Any]], list[tuple[Any, ...]], bool, Any, float | None]


class Clerk:
    """Runs what arrives until the pair of sockets ends."""

    def __init__(self, pair: socket.socket, connection: sqlite3.Connection) -> None:
        self.batches = Batches(connection, self)
        # Asked for what the server is told with each batch; a command may set it.
        self.word: Callable[[], Any] = lambda: None
        self.long_log = LongLog(connection)
        self._pair = pair
        # By poll: a server with a thousand open files has none of a number that select takes.
        self._arrival = select.poll()
        self._arrival.register(pair, select.POLLIN)
        self._frames = wire.Frames()
        self._waiting = Lines()
        # When to look again whether somebody has come while others are worked on.
        self._look_at = 0.0
        self._ended = False
        self._noted: Callable[[], None] = lambda: None

    def serve(self, noted: Callable[[], None]) -> None:
        """Run commands in batches; ``noted`` is told of each COMMIT."""
        self._noted = noted
        while not self._ended:
            if (first := self._next()) is not None:
                self._look()
                self.batches.run(first, self._more(), 1 + len(self._waiting))
            self.long_log.shorten(quiet=first is None)

    def tell(self, outcomes: list[Outcome], commit: Commit, took_s: float | None) -> None:
        """Let a batch's outcomes cross; a server that is gone has nobody left who waits."""
        framed = self._framed(outcomes, commit, took_s)
        with suppress(OSError):
            self._pair.sendall(framed)
        self._noted()

    def _framed(self, outcomes: list[Outcome], commit: Commit, took_s: float | None) -> bytes:
        """Return a batch's outcomes as they cross, those that cannot as errors."""
        outcomes = [each if each.error is None else _crossing(each) for each in outcomes]
        rest = (list(map(tuple, commit.events)), commit.doors, self.word(), took_s)
        try:
            return wire.frame((list(map(tuple, outcomes)), *rest))
        except Exception:  # noqa: BLE001 - whatever a value's own pickling raises
            return wire.frame(([tuple(_crossing(outcome)) for outcome in outcomes], *rest))

    def _next(self) -> Job | None:
        """Wait for a command; None when there is none for a while, or none any more."""
        while not self._waiting:
            patience_s = self.long_log.patience_s
            if patience_s is not None and not self._arrival.poll(patience_s * _MS):
                return None
            if not self._read(wait=True):
                return None
        return self._waiting.take()

    def _more(self) -> Iterator[Job]:
        """Return commands that have arrived meanwhile."""
        while True:
            if not self._waiting or monotonic() >= self._look_at:
                self._look()
            if not self._waiting:
                return
            yield self._waiting.take()

    def _look(self) -> None:
        """Take all that has arrived: what came last may be somebody else's, whose turn it is."""
        # No more than the pair holds, or a server that goes on sending would never be served.
        for _ in range(BUFFER // _READ):
            if not self._read(wait=False):
                break
        self._look_at = monotonic() + _LOOK_S

    def _read(self, *, wait: bool) -> bool:
        """Take what has arrived; False when there is nothing now, or nothing any more."""
        try:
            data = self._pair.recv(_READ, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            # The server is gone: nobody waits for what was not begun.
            self._ended = True
            self._waiting.clear()
            return False
        # All at once: what is done for many in a row is done in half the time.
        for frame in self._frames.take(data):
            self._waiting.add(_job(frame))
        return True


def _job(frame: bytes) -> Job:
    number, keep, in_words, said = wire.read_asked(frame)
    try:
        command = wire.command(in_words=in_words, said=said)
    except Exception as error:  # noqa: BLE001 - whatever opening raises is its caller's to hear
        command = partial(_refuse, str(error))
    return Job.of(command, number, keep=keep)


def _refuse(why: str, _tx: Tx) -> None:
    raise StoreError(f"a command cannot be opened where it would run: {why}")


def _crossing(outcome: Outcome) -> Outcome:
    try:
        # An error may be pickled and not be opened: it knows its text, not what it was made of.
        wire.opened(wire.pickled(tuple(outcome)))
    except Exception as error:  # noqa: BLE001 - as above
        _LOG.exception("an outcome cannot leave the writer's process")
        told = StoreError(f"{error}: {outcome.error or type(outcome.value).__name__}")
        return Outcome(outcome.to, None, told)
    return outcome


_HERE: list[Clerk] = []


def here() -> Clerk:
    """Return the clerk whose process this is; raises LookupError in any other."""
    if not _HERE:
        raise LookupError("this is not the process that writes")
    return _HERE[0]


def _opening(pair: socket.socket) -> Opening | None:
    """Return what the server asks for first, None when it has gone before."""
    frames = wire.Frames()
    while data := pair.recv(_READ):
        for pickled in frames.take(data):
            asked: Opening = wire.opened(pickled)
            return asked
    return None


def main() -> None:
    """Open what the server names, say so, and serve; the pair's descriptor is the argument."""
    for number in SIGNALS:
        # Meant for the server, which ends this process when the last command is done.
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    with socket.socket(fileno=int(sys.argv[1])) as pair:
        pair.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        if (asked := _opening(pair)) is None:
            return
        wire.trust(asked.packages)
        lock = FileLock(asked.path)
        try:
            lock.acquire(patience_s=asked.patience_s, holder=asked.server)
            connection = prepare(
                asked.path, create=asked.create, synchronous=asked.synchronous, single=False
            )
            clerk = Clerk(pair, connection)
            checkpointer = Checkpointer(asked.path, asked.synchronous, clerk.long_log.ask)
        except (StoreError, OSError, sqlite3.Error) as error:
            pair.sendall(wire.frame(error))
            return
        _HERE.append(clerk)
        pair.sendall(wire.frame(None))
        try:
            clerk.serve(checkpointer.note)
        finally:
            checkpointer.close()
            connection.close()
            checkpointer.release()
            lock.release()
