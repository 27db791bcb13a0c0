"""The writer in a process of its own, so that neither it nor the event loop waits for Python.

Two threads of one interpreter take turns; two processes do not. A command crosses pickled: it is a
function of a module, a ``partial`` of one, or an object that says how it is made again there.
"""

import asyncio
from collections.abc import Callable
from itertools import count
import signal
import socket
import subprocess
import sys
from typing import Any, Final, Self

from . import wire
from .batching import Commit
from .clerk import BUFFER, SIGNALS, Answered, Opening
from .errors import StoreClosedError, StoreUnavailableError
from .pending import Event
from .tx import Tx
from .writer import Hearing, resolve

# Whatever this program was found by, its other half is found by too.
_PROGRAM: Final = "import sys; sys.path[:] = {}; from owner_api.store.clerk import main; main()"
_END_S: Final = 30
# So many commands cross together at most: the clerk begins while the loop still reads others.
_TOGETHER: Final = 4


class Apart(asyncio.Protocol):
    """Hands commands to the clerk, and its word back to who waits; lives on the event loop."""

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing
        # Told what the clerk's commands want the server to know, with each batch.
        self.heard: Callable[[Any], None] | None = None
        # Done when the clerk has ended though nobody asked it to.
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._frames = wire.Frames()
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._unsent: list[bytes] = []
        self._closing = False

    @classmethod
    async def start(cls, opening: Opening, hearing: Hearing) -> Self:
        """Start a clerk that has opened the database; raises what opening it raised there."""
        self, loop = cls(hearing), asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = await asyncio.to_thread(_start, theirs.fileno())
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                ours.setsockopt(socket.SOL_SOCKET, option, BUFFER)
            ours.settimeout(0)
            await loop.sock_sendall(ours, wire.frame(opening))
            await _ready(loop, ours)
            await loop.create_connection(lambda: self, sock=ours)
        except BaseException:
            # Without the other end of its pair a clerk ends by itself.
            ours.close()
            if self._process is not None:
                await asyncio.to_thread(self._process.wait)
            raise
        return self

    def submit[T](self, command: Callable[[Tx], T], *, keep: bool = True) -> asyncio.Future[T]:
        """Send a command; raises what pickle does for one that cannot cross."""
        if self._closing:
            raise StoreClosedError("the store is closing; nothing was written")
        if self.lost.done():
            raise StoreUnavailableError("the process that writes has ended")
        number, loop = next(self._numbers), asyncio.get_running_loop()
        crossing = wire.ask(number, command, keep=keep)
        future: asyncio.Future[T] = loop.create_future()
        self._waiting[number] = future
        if not self._unsent:
            # What is left when this turn of the loop ends crosses then.
            loop.call_soon(self._send)
        self._unsent.append(crossing)
        if len(self._unsent) >= _TOGETHER:
            self._send()
        return future

    @property
    def process_id(self) -> int:
        """The process that writes."""
        assert self._process is not None
        return self._process.pid

    def refuse(self) -> None:
        """Take no more commands."""
        self._closing = True

    async def close(self) -> None:
        """Let the clerk finish what it was sent, and see it end."""
        self._closing = True
        self._send()
        if self._waiting:
            await asyncio.wait(self._waiting.values(), timeout=_END_S)
        if self._transport is not None:
            self._transport.close()
        assert self._process is not None
        try:
            await asyncio.to_thread(self._process.wait, _END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    def _send(self) -> None:
        if self._unsent and self._transport is not None and not self.lost.done():
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to speak."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hear what became of a batch."""
        for pickled in self._frames.take(data):
            answered: Answered = wire.opened(pickled)
            outcomes, events, doors, word, took_s = answered
            if self.heard is not None:
                self.heard(word)
            for number, value, error in outcomes:
                resolve(self._waiting.pop(number), value, error)
            self._hearing(Commit(tuple(map(Event._make, events)), doors), took_s)

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell everybody who waits that the clerk is gone; what it committed stays."""
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            resolve(future, None, StoreUnavailableError("the process that writes has ended"))
        if not self._closing:
            self.lost.set_result(None)


def _start(descriptor: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _PROGRAM.format(sys.path), str(descriptor)]
    nothing = subprocess.DEVNULL
    # Inherited: a signal to all processes of the server must not end a clerk that is not ready.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        return subprocess.Popen(command, pass_fds=[descriptor], stdin=nothing, stdout=nothing)  # noqa: S603 - our own program
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def _ready(loop: asyncio.AbstractEventLoop, pair: socket.socket) -> None:
    """Wait for the clerk's first word; raises what kept it from opening the database."""
    frames = wire.Frames()
    while data := await loop.sock_recv(pair, BUFFER):
        for pickled in frames.take(data):
            refused: Exception | None = wire.opened(pickled)
            if refused is not None:
                raise refused
            return
    raise StoreUnavailableError("the process that writes ended before it was ready")
