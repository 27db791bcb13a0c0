"""A car that was unplugged and plugged in again: where it stands now is to be told anew."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
import secrets
from typing import Any

import pytest

from .deal_world import Deal, World, active, presented, rfc, scheduled
from .domain_world import (
    accept,
    code,
    commitment,
    park_commitment,
    preferences,
    running,
    world,
)

__all__ = ["running", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

CODE = "E07-4711"


async def tell(deal: Deal, *told: tuple[float, bool]) -> None:
    """Send the car's plug as it was so many seconds from now, all in one message."""
    readings = [
        {"measured_at": deal.world.at(seconds), "plugged_in": plugged} for seconds, plugged in told
    ]
    await deal.owner.post(f"/v1/vehicles/{deal.vehicle_id}/telemetry", {"readings": readings})


async def session(deal: Deal) -> Any:
    return await deal.park.get(f"/v1/park/sessions/{deal.session_id}")


async def opened(deal: Deal, **body: Any) -> Any:
    """Open a session at the park's next charger."""
    told = {"evse_id": "E08", "plugged_in_at": deal.world.at(0)} | body
    return await deal.park.post("/v1/park/sessions", told)


async def member(deal: Deal) -> str:
    return str((await deal.park.get("/v1/park/members"))["items"][-1]["member_ref"])


@pytest.mark.parametrize("messages", ["one", "two"])
async def test_promise_3_a_deal_goes_no_further_on_another_cars_meter(
    world: World, messages: str
) -> None:
    deal = await scheduled(world, requested_energy_wh=3000)
    await world.move(600)
    left_at = world.at(0)
    if messages == "two":
        await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80, plugged_in=False)
    await world.move(1200)
    if messages == "two":
        await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=76)
    else:
        await tell(deal, (-1200, False), (0, True))
    await world.meter(deal.park, deal.session_id, 0)
    refused = await world.instruct(deal.park, deal.commitment_id)
    assert code(refused) == (409, "commitment_closed")
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("missed", "unplugged")
    assert (await park_commitment(deal))["stop_reason"] == "vehicle"
    over = await session(deal)
    assert (over["state"], over["unplugged_at"]) == ("ended", left_at)


async def test_promise_3_a_replug_told_in_one_message_stops_what_runs(world: World) -> None:
    deal = await active(world)
    await deal.deliver(60)
    await tell(deal, (-20, False), (-1, True))
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("failed", "unplugged")
    refused = await world.instruct(deal.park, deal.commitment_id)
    assert code(refused) == (409, "commitment_closed")


async def test_promise_10_an_old_word_of_the_plug_that_comes_late_replaces_no_newer_one(
    world: World,
) -> None:
    deal = await active(world)
    await deal.deliver(60)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=79)
    await tell(deal, (-20, False))
    assert (await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}"))["plugged_in"] is True
    assert (await world.instruct(deal.park, deal.commitment_id)).status == 201
    await world.move(10)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=79, plugged_in=False)
    await tell(deal, (-5, True))
    assert (await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}"))["plugged_in"] is False


async def test_promise_1_an_open_offer_is_no_longer_there_after_a_replug(world: World) -> None:
    deal = await presented(world)
    await world.move(300)
    await tell(deal, (-60, False), (0, True))
    assert code(await world.decide(deal.owner, deal.offer)) == (409, "offer_closed")


async def test_promise_10_a_park_that_opens_a_session_after_the_replug_binds_again(
    world: World,
) -> None:
    deal = await presented(world)
    claimed = await member(deal)
    await world.move(300)
    await tell(deal, (-200, False), (0, True))
    await world.move(10)
    again = await opened(deal, member_ref=claimed, evse_id="E07")
    assert again["state"] == "bound"
    deal.offer = await world.offer(deal.park, again["session_id"])
    await accept(deal)


async def test_promise_10_what_was_claimed_before_the_car_told_of_its_replug_is_bound_by_it(
    world: World,
) -> None:
    deal = await presented(world)
    claimed = await member(deal)
    await world.move(300)
    await tell(deal, (0, False))
    await world.move(300)
    again = await opened(deal, member_ref=claimed)
    assert again["state"] == "claimed"
    await world.move(30)
    await tell(deal, (0, True))
    shown = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}")
    assert shown["session_id"] == again["session_id"]
    assert (await session(deal))["state"] == "ended"


async def test_promise_10_a_plug_that_bounces_while_it_is_plugged_in_changes_nothing(
    world: World,
) -> None:
    deal = await scheduled(world)
    await world.move(90)
    await tell(deal, (-60, False), (-50, True), (-20, False), (0, True))
    assert (await session(deal))["state"] == "bound"
    assert (await commitment(deal))["state"] == "scheduled"


@pytest.mark.parametrize("how", ["identifier", "check_in"])
@pytest.mark.parametrize("before", ["unplugged", "unknown"])
async def test_promise_10_a_car_that_tells_late_of_its_plug_keeps_its_session(
    world: World, how: str, before: str
) -> None:
    """What was bound by another word than the plug's is not undone when the plug follows."""
    owner, park = await world.add_owner(), await world.add_park()
    vehicle_id, digest = await world.add_vehicle(owner), secrets.token_hex(32)
    await owner.patch(f"/v1/vehicles/{vehicle_id}", {"identifier_digest": digest})
    await world.join(owner, park, vehicle_id)
    if before == "unplugged":
        await world.telemetry(owner, vehicle_id, soc_pct=80, plugged_in=False)
    await world.move(600)
    named = {"identifier_digest": digest} if how == "identifier" else {"evse_code": CODE}
    body = {"evse_id": "E07", "plugged_in_at": world.at(0), **named}
    made = await park.post("/v1/park/sessions", body)
    if how == "check_in":
        await owner.post("/v1/check-ins", {"vehicle_id": vehicle_id, "evse_code": CODE})
    await world.move(900)
    for plugged in (False, True, True):
        await world.telemetry(owner, vehicle_id, soc_pct=80, plugged_in=plugged)
        await world.move(300)
    bound = await park.get(f"/v1/park/sessions/{made['session_id']}")
    assert bound["state"] == "bound"


async def test_promise_10_a_check_in_after_the_plug_bounced_holds(world: World) -> None:
    deal = await presented(world)
    await tell(deal, (0, False))
    await world.move(300)
    made = await opened(deal, evse_code=CODE)
    await world.move(300)
    await tell(deal, (-30, True), (-20, False), (0, True))
    body = {"vehicle_id": deal.vehicle_id, "evse_code": CODE}
    await deal.owner.post("/v1/check-ins", body)
    await world.move(60)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    shown = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}")
    assert shown["session_id"] == made["session_id"]


async def test_a_slow_cars_word_on_the_charger_before_does_not_end_a_check_in(
    world: World,
) -> None:
    """It was polled plugged in at the last charger; what it says now is of the way between."""
    before = await presented(world)
    owner, vehicle_id = before.owner, before.vehicle_id
    park = await world.add_park("Second park")
    await world.join(owner, park, vehicle_id)
    await world.move(1500)
    body = {"evse_id": "X1", "evse_code": CODE, "plugged_in_at": world.at(0)}
    await park.post("/v1/park/sessions", body)
    await world.move(30)
    check_in = {"evse_code": CODE, "vehicle_id": vehicle_id}
    bound = await owner.post("/v1/check-ins", check_in)
    await world.move(150)
    await world.telemetry(owner, vehicle_id, soc_pct=78, plugged_in=False)
    await world.move(300)
    await world.telemetry(owner, vehicle_id, soc_pct=78, plugged_in=True)
    shown = await park.get(f"/v1/park/sessions/{bound['session_id']}")
    assert shown["state"] == "bound"


async def left_unseen(world: World) -> Deal:
    """Pull the plug of a running deal soon after the meter has seen 116 Wh of it."""
    deal = await active(world, soc_pct=90, requested_energy_wh=1_000, min_energy_wh=500)
    await deal.deliver(60, soc_pct=90)
    await world.move(25, tick=False)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=89, plugged_in=False)
    await deal.park.post(f"/v1/park/sessions/{deal.session_id}/end", {"unplugged_at": world.at(0)})
    return deal


async def next_door(deal: Deal) -> Callable[[], Awaitable[str]]:
    """Plug the car in at another park; return what tells whether it may sell half a kWh there."""
    other = await deal.world.add_park("West Gate Park")
    ref = await deal.world.join(deal.owner, other, deal.vehicle_id)
    there = await deal.world.plug_in(deal.owner, other, deal.vehicle_id, ref, soc_pct=89)

    async def offered() -> str:
        await deal.world.telemetry(deal.owner, deal.vehicle_id, soc_pct=89)
        terms = {"requested_energy_wh": 500, "min_energy_wh": 500}
        return str((await deal.world.offer(other, there, **terms))["state"])

    return offered


async def allow(deal: Deal, limit: str, energy_wh: int) -> None:
    """Let the car give so much in all, by its owner's budget or by its warranty."""
    if limit != "warranty":
        budget = {f"max_discharge_wh_per_{limit}": energy_wh}
        await preferences(deal.owner, deal.vehicle_id, **budget)
        return
    cap = {"warranty_discharge_policy": "capped", "lifetime_discharge_cap_wh": energy_wh}
    await deal.owner.patch(f"/v1/vehicles/{deal.vehicle_id}", cap)


@pytest.mark.parametrize("limit", ["day", "week", "warranty"])
@pytest.mark.parametrize("settled", ["settled", "waiting"])
async def test_a_limit_counts_what_the_meter_has_not_told_until_it_has(
    world: World, limit: str, settled: str
) -> None:
    """At another park a car that was unplugged sold the rest of it before the last reading came.

    Settled by silence it is paid by what was seen, and what may have left still counts.
    """
    deal = await left_unseen(world)
    await allow(deal, limit, 116 + 500)
    offered = await next_door(deal)
    if settled == "settled":
        await world.move(901)
        assert (await commitment(deal))["settlement"]["delivered_wh"] == 116
    assert await offered() == "auto_declined"
    # A word from before the lease's end does not tell of all that came after it.
    left_at = datetime.fromisoformat((await session(deal))["unplugged_at"])
    early = rfc(left_at - timedelta(seconds=5))
    await world.meter(deal.park, deal.session_id, -7000, measured_at=early)
    assert await offered() == "auto_declined"
    # Nothing more had left: now it is known.
    await world.meter(deal.park, deal.session_id, 0, context="end")
    assert await offered() == "presented"


@pytest.mark.parametrize("limit", ["day", "warranty"])
async def test_what_the_last_reading_shows_after_a_settlement_by_silence_counts(
    world: World, limit: str
) -> None:
    deal = await left_unseen(world)
    await allow(deal, limit, 116 + 500 + 48)
    offered = await next_door(deal)
    await world.move(901)
    world.exported_wh += 49
    await world.meter(deal.park, deal.session_id, 0, context="end")
    assert await offered() == "auto_declined"
    await allow(deal, limit, 116 + 500 + 49)
    assert await offered() == "presented"
    (car,) = (await deal.owner.get("/v1/vehicles"))["items"]
    assert car["discharged_wh"] == 116 + 49


async def test_what_the_last_reading_shows_after_the_plug_counts_against_the_warranty(
    world: World,
) -> None:
    deal = await left_unseen(world)
    world.exported_wh += 49
    await world.meter(deal.park, deal.session_id, 0, context="end")
    assert (await commitment(deal))["settlement"]["delivered_wh"] == 116 + 49
    (car,) = (await deal.owner.get("/v1/vehicles"))["items"]
    assert car["discharged_wh"] == 116 + 49


async def test_the_last_reading_settles_a_deal_whose_car_its_owner_has_deleted_since(
    world: World,
) -> None:
    deal = await left_unseen(world)
    path = f"/v1/vehicles/{deal.vehicle_id}"
    car = await deal.owner.get(path)
    gone = await deal.owner.call("DELETE", path, etag=str(car["revision"]))
    assert gone.status == 204
    world.exported_wh += 49
    await world.meter(deal.park, deal.session_id, 0, context="end")
    assert (await commitment(deal))["settlement"]["delivered_wh"] == 116 + 49


async def test_promise_2_a_last_reading_after_the_plug_says_nothing_of_the_next_meter(
    world: World,
) -> None:
    """The next charger's register stands forty kilowatt-hours higher; nothing has left the car."""
    deal = await left_unseen(world)
    other = await world.add_park("West Gate Park")
    ref = await world.join(deal.owner, other, deal.vehicle_id)
    opened = {"evse_id": "W1", "plugged_in_at": world.at(0), "member_ref": ref}
    there = (await other.post("/v1/park/sessions", opened))["session_id"]
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=89)
    await world.meter(deal.park, deal.session_id, 0, context="end")
    world.exported_wh += 40_000
    await world.meter(other, there, 0)
    (car,) = (await deal.owner.get("/v1/vehicles"))["items"]
    assert car["session_id"] == there
    assert 88 <= car["soc"]["soc_pct"] <= 89
