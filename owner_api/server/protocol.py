"""What is not even HTTP: answered as a problem too, and not logged like a fault of ours."""

from http import HTTPStatus
import logging
from typing import Final
import uuid

from aiohttp import web

from owner_api.problems import Problem, ProblemCode

from .headers import ALWAYS, HSTS
from .problems import answer

_LOG: Final = logging.getLogger("owner_api.server")


class ProblemHandler(web.RequestHandler):
    """One connection, whose parse errors leave as problem+json."""

    __slots__ = ()

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
        response = answer(problem, uuid.uuid7().hex)
        response.headers.update(ALWAYS)
        if request.secure:
            response.headers.update(HSTS)
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> ProblemHandler:
        return ProblemHandler(self, loop=self._loop, **self._kwargs)


class ProblemRunner(web.AppRunner):
    """aiohttp's runner with our connections; it offers no public way to say so."""

    __slots__ = ()

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, request_factory=made.request_factory, **self._kwargs)
