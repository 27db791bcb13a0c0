"""Our way to find a path says what aiohttp's says, or nothing."""

from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given, strategies as st

from owner_api.clock import SystemClock
from owner_api.config import Config
from owner_api.server.agent import build_agent
from owner_api.server.paths import Paths
from tests.fresh_database import lay

_SHAPES = (
    "/",
    "/a",
    "/a/b",
    "/a/{x}",
    "/a/{x}/b",
    "/a/{x}/{y}",
    "/a/b/{y}",
    "/a/b/c/{z}",
    "/b/{x}/c-d/e.f",
)


async def _handler(_request: web.Request) -> web.Response:
    return web.Response()


def application() -> web.Application:
    """Return an application with paths that resemble one another."""
    app = web.Application()
    for number, path in enumerate(_SHAPES):
        app.router.add_route("GET", path, _handler)
        if number % 2:
            app.router.add_route("POST", path, _handler)
    app.freeze()
    return app


_WORDS = st.sampled_from(("a", "b", "c", "c-d", "e.f", "", "..", "x%2Fy", "%61", "{x}", "é"))


@given(method=st.sampled_from(("GET", "POST", "HEAD")), words=st.lists(_WORDS, max_size=5))
async def test_what_is_found_is_what_aiohttp_finds(method: str, words: list[str]) -> None:
    app = application()
    request = make_mocked_request(method, "/" + "/".join(words))
    found = Paths(app).find(method, request.rel_url.raw_path)
    theirs = await app.router.resolve(request)
    if found is None:  # then aiohttp is asked
        return
    assert theirs.http_exception is None
    assert (found.route, dict(found)) == (theirs.route, dict(theirs))


async def test_every_operation_of_ours_is_found_without_aiohttp(tmp_path: Path) -> None:
    async with await build_agent(lay(tmp_path / "owner.db"), SystemClock(), Config()) as agent:
        paths = Paths(agent.app)
        for route in agent.app.router.routes():
            assert route.resource is not None
            asked = route.resource.canonical.replace("{", "").replace("}", "")
            request = make_mocked_request(route.method, asked)
            found = paths.find(route.method, asked)
            assert found is not None
            assert found.route is route
            theirs = await agent.app.router.resolve(request)
            assert dict(found) == dict(theirs)
