"""Every request's first and last stop: its operation, its answer or problem, its log line."""

from time import monotonic

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from owner_api.ids import uuid7_hex
from owner_api.problems import ProblemCode

from .logs import log_request
from .paths import Paths
from .problems import answer, from_exception


class Front:
    """Finds what is served and leaves the rest to aiohttp; whatever is raised is a problem."""

    def __init__(self, app: web.Application, otherwise: Handler) -> None:
        self._otherwise = otherwise
        self._paths = Paths(app)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, with an id for its problem."""
        assert isinstance(request, web.Request)
        request_id, began, response, refused = "", monotonic(), None, None
        try:
            response = await self._serve(request)
        except Exception as error:  # noqa: BLE001 - the boundary: nothing may pass unshaped
            problem = from_exception(error)
            refused = problem.code
            request_id = uuid7_hex()
            response = answer(problem, request_id)
            if isinstance(error, web.HTTPMethodNotAllowed):
                response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
            if problem.code in (ProblemCode.PAYLOAD_TOO_LARGE, ProblemCode.REQUEST_TIMEOUT):
                # The rest of the body is not read, so the connection cannot carry another request.
                response.force_close()
        finally:
            status = 499 if response is None else response.status
            log_request(
                request,
                request_id=request_id,
                status=status,
                seconds=monotonic() - began,
                refused=refused,
            )
        return response

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        match = self._paths.find(request.method, request.rel_url.raw_path)
        if match is None or hdrs.EXPECT in request.headers:
            return await self._otherwise(request)
        request._match_info = match  # noqa: SLF001 - aiohttp matches in its own dispatcher only
        return await match.handler(request)
