"""A guaranteed recharge outlives the session that its park ends while the car stands there."""

from typing import Any

import pytest

from .deal_world import Deal, World, presented
from .domain_world import award, rows, running, settled, world
from .test_domain_sessions import SELLS_ALL, recharge, sold_with_recharge

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

# From the settlement to when the recharge has to be there, and a little more.
DUE_S = 7_200
# A reading of what came in the last minute is waited for.
READING_WAIT_S = 900


async def broke_it(deal: Deal) -> Any:
    """Return whether the owner is told that the park broke its promise."""
    (agreement,) = (await deal.owner.get("/v1/agreements"))["items"]
    return agreement["recharge_broken"]


async def end_session(deal: Deal) -> None:
    """Let the park say that the car has left."""
    body = {"unplugged_at": deal.world.at(0)}
    await deal.park.post(f"/v1/park/sessions/{deal.session_id}/end", body)


async def wait_until_due(deal: Deal, **reading: Any) -> None:
    """Let the time pass, and the car say what it says meanwhile."""
    await deal.world.move(DUE_S - 60)
    await deal.world.telemetry(deal.owner, deal.vehicle_id, soc_pct=79, **reading)
    await deal.world.move(60 + READING_WAIT_S)


async def test_a_park_that_ends_the_session_of_a_car_that_stays_still_owes_the_recharge(
    world: World,
) -> None:
    deal = await sold_with_recharge(world)
    await end_session(deal)
    assert await broke_it(deal) is False, "there is time yet"
    await wait_until_due(deal)
    assert await broke_it(deal) is True


async def test_a_car_that_left_before_its_recharge_was_due_breaks_nobodys_promise(
    world: World,
) -> None:
    deal = await sold_with_recharge(world)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=79, plugged_in=False)
    await end_session(deal)
    await wait_until_due(deal, plugged_in=False)
    assert await broke_it(deal) is False


async def test_a_car_that_left_and_is_plugged_in_elsewhere_breaks_nobodys_promise(
    world: World,
) -> None:
    deal = await sold_with_recharge(world)
    await end_session(deal)
    await world.move(600)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=79, plugged_in=False)
    await world.move(600)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=70)
    await world.move(DUE_S)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=70)
    await world.move(1)
    assert await broke_it(deal) is False


async def test_a_car_that_has_said_nothing_since_may_have_left(world: World) -> None:
    deal = await sold_with_recharge(world)
    await end_session(deal)
    await world.move(DUE_S + READING_WAIT_S)
    assert await broke_it(deal) is False


async def test_a_park_that_opens_the_session_anew_and_charges_in_it_has_kept_its_promise(
    world: World,
) -> None:
    """As after a restart of its own: the meter has gone on counting."""
    deal = await sold_with_recharge(world)
    sessions = (await deal.owner.get("/v1/sessions"))["items"]
    (first,) = [each for each in sessions if each["session_id"] == deal.session_id]
    (member,) = (await deal.park.get("/v1/park/members"))["items"]
    body = {"evse_id": "E07", "plugged_in_at": first["plugged_in_at"]}
    again = await deal.park.post("/v1/park/sessions", body | {"member_ref": member["member_ref"]})
    assert again["state"] == "bound"
    world.imported_wh += 5_000
    await world.move(5_000)
    await world.meter(deal.park, again["session_id"])
    await wait_until_due(deal)
    assert await broke_it(deal) is False


@pytest.mark.parametrize(("given_wh", "broken"), [(5_000, False), (4_999, True)])
async def test_what_the_meter_counts_in_a_session_that_names_nobody_keeps_the_promise_too(
    world: World, given_wh: int, *, broken: bool
) -> None:
    """A charger that was started again says that somebody is plugged in, and not who."""
    deal = await sold_with_recharge(world)
    await end_session(deal)
    await world.move(600)
    body = {"evse_id": "E07", "plugged_in_at": world.at(0)}
    again = await deal.park.post("/v1/park/sessions", body)
    assert again["state"] != "bound"
    world.imported_wh += given_wh
    await world.move(DUE_S - 1_200)
    await world.meter(deal.park, again["session_id"])
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=79)
    await world.move(600 + READING_WAIT_S)
    assert await broke_it(deal) is broken


async def test_a_deal_that_ends_with_its_session_leaves_the_recharge_promised(
    world: World,
) -> None:
    """The park took energy, ended the session at once, and owes what it guaranteed for it."""
    deal = await presented(world, preferences=SELLS_ALL, recharge=recharge(world), min_energy_wh=0)
    deal.commitment_id = deal.offer["commitment_id"]
    await award(deal)
    await world.move(1_800)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    await world.meter(deal.park, deal.session_id, context="begin")
    await world.instruct(deal.park, deal.commitment_id, -7_000)
    await end_session(deal)
    await settled(deal)
    await wait_until_due(deal)
    assert await broke_it(deal) is True


async def test_a_promise_to_a_car_that_nobody_knows_is_forgotten_with_its_session(
    world: World,
) -> None:
    """Each was looked at twice a second for good: a busy park's took the writer's time."""
    park = await world.add_park()
    body = {"evse_id": "E11", "plugged_in_at": world.at(0), "recharge": recharge(world)}
    session = await park.post("/v1/park/sessions", body)
    path = f"/v1/park/sessions/{session['session_id']}/end"
    await park.post(path, {"unplugged_at": world.at(0)})
    await world.move(9_000 + READING_WAIT_S)
    watched = "SELECT session_id FROM session WHERE recharge_due_at IS NOT NULL AND park_id = ?"
    assert await rows(world, watched, park.party_id) == []
