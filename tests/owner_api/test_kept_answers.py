"""An answer from memory is the answer the rows would give, and only the caller's own."""

from datetime import timedelta
import re

import aiohttp
import pytest

from owner_api.server.owner import ROUTES as OWNER_ROUTES
from owner_api.server.park import ROUTES as PARK_ROUTES

from .deal_world import Caller, Deal, World, active, presented
from .domain_world import code, preferences, running, settled, stop, world

__all__ = ["running", "world"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def read(caller: Caller, path: str, accept: str) -> tuple[int, bytes]:
    """Read past the test's client, whose renewals of tokens would be writes."""
    headers = {"Authorization": f"Bearer {caller.token}", "Accept": accept}
    async with aiohttp.ClientSession() as http:
        answer = await http.get(caller.world.url + path, headers=headers)
        return answer.status, await answer.read()


async def all_timeless(deal: Deal) -> list[tuple[Caller, str]]:
    """Return every kept read of a settled deal with who may ask it."""
    settlement = await settled(deal)
    ids = {
        "vehicle_id": deal.vehicle_id,
        "session_id": deal.session_id,
        "offer_id": deal.offer["offer_id"],
        "commitment_id": deal.commitment_id,
        "settlement_id": settlement["settlement_id"],
    }
    sides = ((deal.owner, OWNER_ROUTES), (deal.park, PARK_ROUTES))
    found = [
        (caller, re.sub(r"{(\w+)}", lambda part: ids[part[1]], route.path))
        for caller, routes in sides
        for route in routes
        if route.timeless
    ]
    return [*found, (deal.owner, "/v1/me"), (deal.park, "/v1/me"), (deal.owner, LEDGER)]


LEDGER = "/v1/ledger/checkpoint"


async def test_a_kept_answer_does_not_depend_on_the_clock(world: World) -> None:
    """What is asked with another Accept is read anew: the same bytes, an hour or a week later."""
    deal = await active(world)
    await deal.deliver(600)
    await stop(deal)
    asked = await all_timeless(deal)
    assert len(asked) >= 9
    for caller in (deal.owner, deal.park):
        await caller.renew()
    kept = [await read(caller, path, "a/a") for caller, path in asked]
    assert {status for status, _ in kept} == {200}
    before = world.clock.at
    for passed in (timedelta(minutes=4), timedelta(minutes=9)):
        world.clock.at = before + passed
        accept = f"b/{passed.seconds}"
        assert [await read(caller, path, accept) for caller, path in asked] == kept
        assert [await read(caller, path, "a/a") for caller, path in asked] == kept


async def test_a_write_ends_what_was_kept(world: World) -> None:
    """Whoever was told that a change is done reads the change."""
    deal = await presented(world)
    path = f"/v1/vehicles/{deal.vehicle_id}/preferences"
    for floor in range(20, 40):
        await preferences(deal.owner, deal.vehicle_id, soc_floor_pct=floor)
        for _ in range(2):
            assert (await deal.owner.get(path))["soc_floor_pct"] == floor


async def test_promise_7_nobody_gets_an_answer_that_was_kept_for_another(world: World) -> None:
    deal, other = await presented(world), await world.add_owner("Wang Fang")
    stranger = await world.add_park("West Gate Park")
    offer = f"/v1/offers/{deal.offer['offer_id']}"
    park_offer = f"/v1/park/offers/{deal.offer['offer_id']}"
    for _ in range(2):
        assert (await deal.owner.get(offer))["offer_id"] == deal.offer["offer_id"]
        assert (await deal.park.get(park_offer))["offer_id"] == deal.offer["offer_id"]
        assert code(await other.call("GET", offer)) == (404, "not_found")
        assert code(await stranger.call("GET", park_offer)) == (404, "not_found")
        assert code(await other.call("GET", park_offer)) == (403, "forbidden")


async def test_who_was_shut_out_does_not_get_what_was_kept(world: World) -> None:
    """A revoked device is dead at its next request, also to what it asked a moment ago."""
    deal = await presented(world)
    mine = await deal.owner.get("/v1/me")
    assert await deal.owner.get("/v1/me") == mine
    ended = await deal.owner.call("DELETE", f"/v1/devices/{mine['device_id']}")
    assert ended.status == 204
    assert (await read(deal.owner, "/v1/me", "*/*"))[0] == 401
