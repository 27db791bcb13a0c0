"""Listening under TLS: a connection counts from its first byte on, and its handshake has an end.

asyncio tells a protocol of a connection when its handshake is over. Until then whoever connects and
says nothing would be neither counted nor, for a minute, hung up on.
"""

import asyncio
from collections.abc import Coroutine, Sequence
import logging
import socket
from ssl import SSLContext
from typing import Any, Final, override

from aiohttp import web

from .protocol import ProblemHandler

_LOG: Final = logging.getLogger("owner_api.server")
# Out of files or memory: the listening socket stays readable, and trying at once would spin.
_PAUSE_S: Final = 0.5


class TlsSite(web.BaseSite):
    """A listening address; ``deadline_s`` ends a handshake, and a goodbye that is not answered."""

    __slots__ = ("_context", "_deadline_s", "_host", "_port")

    def __init__(
        self,
        runner: web.AppRunner,
        host: str,
        port: int,
        context: SSLContext,
        *,
        backlog: int,
        deadline_s: float,
    ) -> None:
        super().__init__(runner, backlog=backlog)
        self._host = host
        self._port = port
        self._context = context
        self._deadline_s = deadline_s

    @property
    @override
    def name(self) -> str:
        """The address as a URL."""
        return f"https://{self._host}:{self._port}"

    @override
    async def start(self) -> None:
        """Bind and accept from now on; raises OSError when the address cannot be had."""
        await super().start()
        sockets = await _bind(self._host, self._port, self._backlog)
        server = _Accepting(sockets)
        # aiohttp asks it for its sockets and to close; whoever is connected is the runner's.
        self._server = server  # type: ignore[assignment]
        for each in sockets:
            server.run(self._accept(each, server))

    async def _accept(self, listening: socket.socket, server: _Accepting) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listening)
            except OSError as error:
                _LOG.warning("a connection could not be accepted: %s", error)
                await asyncio.sleep(_PAUSE_S)
                continue
            made = self._runner.server
            assert made is not None
            handler = made()
            assert isinstance(handler, ProblemHandler)
            if handler.hold(str(address[0])):
                server.run(self._greet(connection, handler))
            else:
                handler.give_back()
                connection.close()

    async def _greet(self, connection: socket.socket, handler: ProblemHandler) -> None:
        """Shake hands; whoever does not in time, or speaks something else, is hung up on."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: handler,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=self._deadline_s,
                ssl_shutdown_timeout=self._deadline_s,
            )
        except OSError as error:
            handler.give_back()
            _LOG.debug("no TLS connection came about: %s", error)
        except BaseException:
            handler.give_back()
            raise


class _Accepting:
    """Sockets that are listened on, and the tasks that do."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self.sockets = tuple(sockets)
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something done until it is over or the server closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Accept no more, and shake no hand to its end; connections that stand go on."""
        for task in tuple(self._tasks):
            task.cancel()
        for each in self.sockets:
            each.close()


async def _bind(host: str, port: int, backlog: int) -> list[socket.socket]:
    """Return listening sockets for every address of a host; raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            sockets.append(socket.create_server(address, family=family, backlog=backlog))
            sockets[-1].setblocking(False)  # noqa: FBT003 - its only argument
    except OSError:
        for each in sockets:
            each.close()
        raise
    return sockets
