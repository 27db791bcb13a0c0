"""The code on a charger says whose car stands there only where it stands for one charger."""

from typing import Any

import pytest

from .deal_world import World
from .domain_world import code, running, world
from .test_domain_sessions import CODE, Parties, beside, parties

__all__ = ["running", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def check_in(here: Parties, **named: Any) -> Any:
    body = {"vehicle_id": here.vehicle_id, "evse_code": CODE} | named
    return await here.owner.call("POST", "/v1/check-ins", body)


@pytest.mark.parametrize(
    "typed",
    [
        CODE.lower(),
        f" {CODE} ",
        CODE.replace("-", "\N{EN DASH}"),
        # As a Chinese keyboard types it.
        "".join(chr(ord(each) + 0xFEE0) for each in CODE),
    ],
)
async def test_a_code_binds_however_a_keyboard_writes_its_letters(world: World, typed: str) -> None:
    here = await parties(world)
    opened = await here.open(evse_code=CODE)
    told = await check_in(here, evse_code=typed)
    assert told.status == 201
    assert told.body["session_id"] == opened["session_id"]


async def test_promise_1_codes_that_differ_by_more_than_how_they_are_written_are_two(
    world: World,
) -> None:
    here = await parties(world)
    await here.open(evse_code="A1-11")
    assert code(await check_in(here, evse_code="A11-1")) == (404, "not_found")
    assert code(await check_in(here, evse_code="A1 11")) == (404, "not_found")


@pytest.mark.parametrize("first", ["here", "there"])
async def test_promise_1_a_code_that_stands_at_two_of_the_owners_parks_binds_nothing_unasked(
    world: World, first: str
) -> None:
    """Who copies a code, or numbers chargers alike, must not get the car that stands elsewhere."""
    here = await parties(world)
    there = await beside(here)
    opened = {}
    for each in (here, there) if first == "here" else (there, here):
        opened[each.park.party_id] = (await each.open(evse_code=CODE))["session_id"]
    refused = await check_in(here)
    assert code(refused) == (409, "conflict")
    assert all(park in refused.body["errors"][0]["limit"] for park in opened)
    assert refused.body["errors"][0]["pointer"] == "/park_id"
    for each in (here, there):
        assert await each.session(opened[each.park.party_id]) == "claimed"
    told = await check_in(here, park_id=here.park.party_id)
    assert (told.status, told.body["state"]) == (201, "bound")
    assert told.body["session_id"] == opened[here.park.party_id]
    assert await there.session(opened[there.park.party_id]) == "claimed"


async def test_promise_1_a_code_that_stands_at_two_chargers_of_one_park_binds_neither(
    world: World,
) -> None:
    """Another's car may stand at the other one: the park has to tell them apart."""
    here = await parties(world)
    sessions = [(await here.open(evse_id=evse, evse_code=CODE))["session_id"] for evse in "AB"]
    assert code(await check_in(here)) == (409, "conflict")
    assert code(await check_in(here, park_id=here.park.party_id)) == (409, "conflict")
    assert [await here.session(each) for each in sessions] == ["claimed", "claimed"]
    body = {"unplugged_at": world.at(0)}
    await here.park.post(f"/v1/park/sessions/{sessions[0]}/end", body)
    assert (await check_in(here)).body["session_id"] == sessions[1]


async def test_a_code_is_not_looked_for_at_another_park_than_the_one_that_was_named(
    world: World,
) -> None:
    here = await parties(world)
    there = await beside(here)
    await here.open(evse_code=CODE)
    assert code(await check_in(here, park_id=there.park.party_id)) == (404, "not_found")
    assert code(await check_in(here, park_id="prk_" + "0" * 32)) == (404, "not_found")
    assert (await check_in(here)).status == 201


async def test_a_park_that_the_owner_has_left_keeps_no_code_from_binding(world: World) -> None:
    here = await parties(world)
    there = await beside(here)
    for each in (there, here):
        await each.open(evse_code=CODE)
    for agreement in (await here.owner.get("/v1/agreements"))["items"]:
        if agreement["park"]["park_id"] == there.park.party_id:
            path = f"/v1/agreements/{agreement['agreement_id']}/withdrawal"
            await here.owner.post(path, {})
    assert (await check_in(here)).status == 201
