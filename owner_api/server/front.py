"""Every request's first and last stop: its operation, its answer or problem, its log line."""

from dataclasses import dataclass
from time import monotonic
import uuid

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from aiohttp.web_urldispatcher import UrlMappingMatchInfo

from owner_api.problems import ProblemCode

from .logs import log_request
from .problems import answer, from_exception


@dataclass(frozen=True, slots=True)
class _Fixed:
    """A path without variables: every request to it has the same match."""

    match: UrlMappingMatchInfo
    handler: Handler


class Front:
    """Finds fixed paths at once and leaves others to aiohttp; whatever is raised is a problem."""

    def __init__(self, app: web.Application, otherwise: Handler) -> None:
        self._otherwise = otherwise
        self._fixed: dict[tuple[str, str], _Fixed] = {}
        for resource in app.router.resources():
            for route in resource:
                path = resource.canonical
                if "{" not in path and route.method != hdrs.METH_ANY:
                    match = UrlMappingMatchInfo({}, route)
                    match.add_app(app)
                    match.freeze()
                    self._fixed[route.method, path] = _Fixed(match, route.handler)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, with an id for its problem."""
        assert isinstance(request, web.Request)
        request_id, began, response, refused = "", monotonic(), None, None
        try:
            response = await self._serve(request)
        except Exception as error:  # noqa: BLE001 - the boundary: nothing may pass unshaped
            problem = from_exception(error)
            refused = problem.code
            request_id = uuid.uuid7().hex
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
        fixed = self._fixed.get((request.method, request.rel_url.raw_path))
        if fixed is None or hdrs.EXPECT in request.headers:
            return await self._otherwise(request)
        request._match_info = fixed.match  # noqa: SLF001 - aiohttp matches in its own dispatcher only
        return await fixed.handler(request)
