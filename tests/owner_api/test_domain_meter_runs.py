"""What the charger's meter shows without a deal: it left the battery all the same."""

from typing import Any

import pytest

from .deal_world import Caller, Deal, World, active, presented
from .domain_world import accept, award, commitment, park_commitment, running, world

__all__ = ["running", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def drawn(deal: Deal, minutes: int) -> None:
    """Take seven kilowatts out of the car for a while; the car itself says nothing new."""
    await deal.world.meter(deal.park, deal.session_id, 0)
    for _ in range(2 * minutes):
        await deal.world.move(30, tick=False)
        deal.world.exported_wh += 58
        await deal.world.meter(deal.park, deal.session_id, -7_000)
        await deal.world.agent.tick()


async def vehicle(deal: Deal) -> Any:
    """Return the car as its owner sees it."""
    return await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}")


async def test_promise_2_what_left_before_a_deal_is_taken_off_a_reading_from_before_it(
    world: World,
) -> None:
    """The car was read before its charger spoke: ten minutes on it holds two points less."""
    deal = await presented(world)
    before = (await vehicle(deal))["available_energy_wh"]
    await drawn(deal, 10)
    shown = await vehicle(deal)
    assert shown["soc"]["soc_pct"] < 78
    await world.meter(deal.park, deal.session_id, 0)
    after = (await vehicle(deal))["available_energy_wh"]
    assert after <= before - 1_000


async def test_promise_1_a_car_that_gives_without_a_deal_is_shown_as_discharging(
    world: World,
) -> None:
    """Its owner read *ready* while somebody took seven kilowatts out of it."""
    deal = await presented(world)
    assert (await vehicle(deal))["status"] == "idle"
    await drawn(deal, 1)
    assert (await vehicle(deal))["status"] == "discharging"
    await world.move(5)
    await world.meter(deal.park, deal.session_id, 0)
    assert (await vehicle(deal))["status"] == "idle"


async def test_promise_3_a_charger_that_draws_more_than_was_agreed_to_is_stopped(
    world: World,
) -> None:
    """A consent names the power; a meter that shows twice of it is outside of any consent."""
    deal = await active(world, max_discharge_w=3_000)
    assert (await deal.deliver(60, power_w=-3_000)).status == 201
    await world.move(10, tick=False)
    world.exported_wh += 17
    await world.meter(deal.park, deal.session_id, -6_000)
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("curtailed", "site")
    assert (await park_commitment(deal))["stop_reason"] == "site"
    assert (await world.instruct(deal.park, deal.commitment_id, -3_000)).status == 409


async def test_a_meter_that_errs_by_a_tenth_ends_no_deal(world: World) -> None:
    """No charger hits its setpoint to the watt."""
    deal = await active(world, max_discharge_w=3_000)
    assert (await deal.deliver(60, power_w=-3_000)).status == 201
    await world.move(10, tick=False)
    world.exported_wh += 9
    await world.meter(deal.park, deal.session_id, -3_300)
    assert (await commitment(deal))["state"] == "active"


async def test_promise_2_a_charger_that_a_car_has_left_takes_nothing_off_the_next_ones_meter(
    world: World,
) -> None:
    """Its registers leap after the plug; what the car gives elsewhere is gone all the same."""
    deal = await presented(world)
    await world.meter(deal.park, deal.session_id, 0)
    left, other = deal.session_id, await world.add_park("West Gate Park")
    await world.move(60)
    await deal.park.post(f"/v1/park/sessions/{left}/end", {"unplugged_at": world.at(0)})
    await world.telemetry(deal.owner, deal.vehicle_id, plugged_in=False)
    await world.move(600)
    member = await world.join(deal.owner, other, deal.vehicle_id)
    deal.session_id = await world.plug_in(deal.owner, other, deal.vehicle_id, member)
    await world.meter(other, deal.session_id, 0)
    await world.move(600)
    world.exported_wh += 1_200
    await world.meter(other, deal.session_id, -7_000)
    before = (await vehicle(deal))["soc"]["soc_pct"]
    assert before < 78
    for _ in range(2):
        await world.move(10)
        await world.meter(deal.park, left, 0, export_register_wh=9_000_000)
    assert (await vehicle(deal))["soc"]["soc_pct"] == before


async def test_registers_that_were_not_loaded_yet_make_no_car_another_one(world: World) -> None:
    """A charger that has just begun says nought; the leap from there is no charging."""
    deal = await presented(world, min_energy_wh=0, start_at=world.at(300))
    await world.meter(
        deal.park,
        deal.session_id,
        import_register_wh=0,
        export_register_wh=0,
        measured_at=world.at(-5),
    )
    for _ in range(2):
        await world.move(30)
        await world.meter(deal.park, deal.session_id)
    await accept(deal)
    assert (await award(deal)).status == 200
    await world.move(300)
    await world.meter(deal.park, deal.session_id)
    # With the car's next reading after five minutes.
    assert (await deal.deliver(330)).status == 201
    assert (await commitment(deal))["state"] == "active"


async def test_a_late_reading_of_the_car_is_carried_by_no_register_that_was_not_loaded_yet(
    world: World,
) -> None:
    deal = await presented(world)
    read_at = world.at(20)
    await world.meter(deal.park, deal.session_id, import_register_wh=0, export_register_wh=0)
    for _ in range(2):
        await world.move(30)
        await world.meter(deal.park, deal.session_id)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=79, measured_at=read_at)
    assert (await vehicle(deal))["soc"]["soc_pct"] == 79


async def most_wh(owner: Caller, offer: Any) -> int:
    """Return the most energy (Wh) that an offer could be given, as its owner sees it."""
    shown = await owner.get(f"/v1/offers/{offer['offer_id']}")
    return int(shown["evaluation"]["max_energy_wh"])


async def test_promise_2_what_was_put_back_before_registers_leapt_is_not_promised_once_more(
    world: World,
) -> None:
    """Three of six kilowatt-hours are in the battery, whatever the new meter begins with."""
    owner, park = await world.add_owner(), await world.add_park()
    vehicle_id = await world.add_vehicle(owner, soc_min_departure_pct=75, soc_margin_pct=0)
    member = await world.join(owner, park, vehicle_id)
    recharge = {
        "guaranteed": True,
        "energy_wh": 6_000,
        "start_at": world.at(0),
        "by": world.at(14_000),
        "max_w": 7_000,
        "price_per_kwh": "0.3",
    }
    await world.telemetry(owner, vehicle_id, soc_pct=75)
    opened = {"evse_id": "E07", "plugged_in_at": world.at(0), "member_ref": member}
    session = await park.post("/v1/park/sessions", opened | {"recharge": recharge})
    session_id = session["session_id"]
    await world.meter(park, session_id)
    await world.move(1_800)
    world.imported_wh += 3_000
    await world.meter(park, session_id)
    await world.move(10)
    await world.telemetry(owner, vehicle_id, soc_pct=79)
    wanted: Any = {"requested_energy_wh": 10_000, "min_energy_wh": 500}
    before = await most_wh(owner, await world.offer(park, session_id, **wanted))
    assert before > 4_000
    for _ in range(2):
        await world.move(10)
        await world.meter(park, session_id, import_register_wh=10, export_register_wh=0)
    after = await most_wh(owner, await world.offer(park, session_id, **wanted))
    # Of what may have come in between two readings seconds apart one meter says less.
    assert after <= before + 50
