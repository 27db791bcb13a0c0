"""What is not even HTTP: answered as a problem too, and not logged like a fault of ours."""

import asyncio
from http import HTTPStatus
import logging
from typing import Any, Final

from aiohttp import web

from owner_api.ids import uuid7_hex
from owner_api.problems import Problem, ProblemCode

from .crowd import Crowd
from .front import Front
from .headers import ALWAYS, HSTS
from .problems import answer

_LOG: Final = logging.getLogger("owner_api.server")


class ProblemHandler(web.RequestHandler):
    """One connection, whose parse errors leave as problem+json; one too many is hung up on."""

    __slots__ = ("_address", "_crowd")

    def __init__(self, manager: web.Server, crowd: Crowd, **options: Any) -> None:  # noqa: ANN401 - aiohttp's
        super().__init__(manager, **options)
        self._crowd = crowd
        self._address: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or close it before a byte is read when there are too many."""
        super().connection_made(transport)
        if self._address is not None:
            return
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        if not self.hold(address) and isinstance(transport, asyncio.Transport):
            transport.abort()

    def hold(self, address: str) -> bool:
        """Take a place among the connections, if need be before this one is made."""
        self._address = address
        return self._crowd.enter(address)

    def give_back(self) -> None:
        """Make room for another."""
        if self._address is not None:
            self._crowd.leave(self._address)
            self._address = None

    def connection_lost(self, exc: BaseException | None) -> None:
        """Make room for another."""
        self.give_back()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what never reached the application; the connection closes afterwards."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun; a second one cannot follow")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _LOG.error("failure outside the application", exc_info=exc)
            problem = Problem(ProblemCode.INTERNAL)
        else:
            _LOG.debug("not HTTP from %s: %s", request.remote, message)
            problem = Problem(ProblemCode.BAD_REQUEST, "This is not a well-formed HTTP request.")
        response = answer(problem, uuid7_hex())
        response.headers.update(ALWAYS)
        if request.secure:
            response.headers.update(HSTS)
        response.force_close()
        return response


class _Server(web.Server):
    def __init__(self, front: Front, made: web.Server, crowd: Crowd, **options: Any) -> None:  # noqa: ANN401 - aiohttp's
        super().__init__(front, request_factory=made.request_factory, **options)
        self._crowd = crowd

    def __call__(self) -> ProblemHandler:
        return ProblemHandler(self, self._crowd, loop=self._loop, **self._kwargs)


class ProblemRunner(web.AppRunner):
    """aiohttp's runner with our connections; it offers no public way to say so."""

    __slots__ = ("_crowd",)

    def __init__(self, app: web.Application, crowd: Crowd, **options: Any) -> None:  # noqa: ANN401 - aiohttp's
        super().__init__(app, **options)
        self._crowd = crowd

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(Front(self.app, made.request_handler), made, self._crowd, **self._kwargs)
