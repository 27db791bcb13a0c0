"""Every route of the running server x every role x every tenant (promises 7 and 10).

The routes come from the server's own router; a route without a row fails the first test.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import web
import pytest

from owner_api.calls import Principal, PrincipalKind
from owner_api.commands import chargers
from owner_api.config import Config
from owner_api.problems import Problem, not_found
from owner_api.server import park
from owner_api.server.admission import Admission
from owner_api.server.routing import Operation, Route
from owner_api.store.tx import Tx

from .deal_world import open_world
from .route_judge import Cast, build, judge, refused_owners, routes_of, uncovered
from .route_rows import ROWS

# More than --fast has time for.
pytestmark = pytest.mark.slow

_LIMITS = Config(
    rate_per_s=1e6,
    rate_burst=10**7,
    public_rate_burst=10**6,
    failure_rate_per_s=1e6,
    failure_burst=10**7,
)


@pytest.fixture
async def cast(tmp_path: Path) -> AsyncIterator[Cast]:
    """Run a server with two owners and two parks who have dealt."""
    async with open_world(tmp_path, _LIMITS) as world:
        yield await build(world)


async def test_every_route_keeps_out_who_it_is_not_for_and_hides_what_is_not_theirs(
    cast: Cast,
) -> None:
    """401 for nobody, 403 for the other role, and a foreign id answered as a missing one."""
    assert uncovered(cast.world.agent.app) == set()
    assert await judge(cast) == []


async def test_the_same_requests_serve_whose_things_they_name(cast: Cast) -> None:
    """Promise 7: and what the park is answered never says who the owner is."""
    assert await refused_owners(cast) == []


async def test_a_new_route_without_a_row_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = Route(
        method="GET",
        path="/v1/park/everything/{owner_id}",
        role="park",
        kind="query",
        summary="A door nobody thought of",
        handler=lambda _tx, _call: not_found(),
    )
    monkeypatch.setattr(park, "ROUTES", (*park.ROUTES, added))
    async with open_world(tmp_path) as world:
        assert uncovered(world.agent.app) == {("GET", added.path)}


async def test_one_handler_without_its_owner_filter_turns_the_matrix_red(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def anybodys(tx: Tx, charger_id: str, _owner_id: str) -> Any:
        return tx.one("SELECT * FROM charger WHERE charger_id = ?", charger_id) or filtered(
            tx, charger_id, _owner_id
        )

    filtered = chargers.find
    monkeypatch.setattr(chargers, "find", anybodys)
    red = {key for key, _ in await judge(cast)}
    named = {key for key, rows in ROWS.items() if any("$charger_id" in row.query for row in rows)}
    assert named
    assert red == named | {key for key in ROWS if key[1].startswith("/v1/chargers/{charger_id}")}


async def test_every_route_that_answers_as_another_tenant_turns_red(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B's calls are served as A's: no row with anything of somebody's own may stay green."""
    admit = Admission.admit
    kinds: tuple[PrincipalKind, ...] = ("owner", "park")
    swapped = {
        cast.b.callers[kind].party_id: Principal(kind=kind, party_id=cast.a.callers[kind].party_id)
        for kind in kinds
    }

    def as_a(self: Admission, request: web.Request, operation: Operation) -> Principal:
        principal = admit(self, request, operation)
        return swapped.get(principal.party_id, principal)

    monkeypatch.setattr(Admission, "admit", as_a)
    red = {key for key, _ in await judge(cast)}
    private = {key for key, rows in ROWS.items() if not all(row.shared for row in rows)}
    assert private - red == set()
    assert red <= routes_of(cast.world.agent.app)


async def test_a_route_that_forgets_its_role_turns_red(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    admit = Admission.admit

    def anyone(self: Admission, request: web.Request, operation: Operation) -> Principal:
        try:
            return admit(self, request, operation)
        except Problem:
            return Principal(kind="owner", party_id=cast.b.callers["owner"].party_id)

    monkeypatch.setattr(Admission, "admit", anyone)
    red = {key for key, _ in await judge(cast)}
    assert red >= {key for key, rows in ROWS.items() if rows[0].role in ("owner", "park")}
