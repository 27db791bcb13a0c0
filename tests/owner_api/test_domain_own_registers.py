"""A car's own registers count its battery's life: a sensor that starts anew adds nothing to it."""

from dataclasses import replace
from typing import Any

import pytest

from .deal_world import Caller, World, active
from .domain_world import accept, award, commitment, running, settled, stop, world

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

CAP_WH = 60_000


async def told(world: World, owner: Caller, vehicle_id: str, *registers: tuple[int, int]) -> Any:
    """Report import and export register, a minute apart, and return what the car has counted."""
    for imported, exported in registers:
        await world.move(60)
        reading = {"import_register_wh": imported, "export_register_wh": exported}
        await world.telemetry(owner, vehicle_id, soc_pct=80, **reading)
    shown = await owner.get(f"/v1/vehicles/{vehicle_id}")
    return shown["charged_wh"], shown["discharged_wh"]


async def test_promise_2_a_register_that_starts_from_nothing_uses_up_no_warranty(
    world: World,
) -> None:
    """Its device told nothing for a minute: all it ever counted was counted once more."""
    owner, park = await world.add_owner(), await world.add_park()
    vehicle_id = await world.add_vehicle(owner)
    capped = {"warranty_discharge_policy": "capped", "lifetime_discharge_cap_wh": CAP_WH}
    await owner.patch(f"/v1/vehicles/{vehicle_id}", capped)
    readings = [(900_000, 58_000), (0, 0), (900_100, 58_200)]
    assert await told(world, owner, vehicle_id, *readings) == (100, 200)
    member = await world.join(owner, park, vehicle_id)
    offer = await world.offer(park, await world.plug_in(owner, park, vehicle_id, member))
    assert offer["state"] == "presented"


@pytest.mark.parametrize(
    ("registers", "counted"),
    [
        ([(5_000, 1_000), (5_100, 1_050), (5_200, 1_100)], (200, 100)),
        # Changed for one that counts from nothing: it is believed when it goes on.
        ([(5_000, 1_000), (0, 0), (100, 50), (200, 90)], (200, 90)),
        # A wild one, and one that two readings of nothing came before.
        ([(5_000, 1_000), (10**9, 10**9), (5_100, 1_050)], (100, 50)),
        ([(500_000, 90_000), (0, 0), (0, 0), (500_000, 90_000), (500_100, 90_050)], (100, 50)),
    ],
    ids=["plain", "changed", "wild", "twice nothing"],
)
async def test_promise_10_what_no_car_can_have_charged_or_given_is_not_counted(
    world: World, registers: list[tuple[int, int]], counted: tuple[int, int]
) -> None:
    owner = await world.add_owner()
    vehicle_id = await world.add_vehicle(owner)
    assert await told(world, owner, vehicle_id, *registers) == counted


async def test_a_register_that_was_silent_for_hours_counts_all_that_came_since(
    world: World,
) -> None:
    owner = await world.add_owner()
    vehicle_id = await world.add_vehicle(owner)
    await told(world, owner, vehicle_id, (5_000, 1_000))
    await world.move(8 * 3600)
    assert await told(world, owner, vehicle_id, (65_000, 9_000)) == (60_000, 8_000)


async def test_promise_2_what_a_charger_has_metered_is_counted_once_when_the_car_tells_it_later(
    world: World,
) -> None:
    """Its register comes from the maker's cloud, and only after it has left."""
    deal = await active(world)
    await told(world, deal.owner, deal.vehicle_id, (5_000, 1_000))
    await world.meter(deal.park, deal.session_id)
    begin = world.exported_wh
    await deal.deliver(600)
    await stop(deal)
    await settled(deal)
    given = world.exported_wh - begin
    shown = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}")
    assert shown["discharged_wh"] == given > 1_000
    path = f"/v1/park/sessions/{deal.session_id}/end"
    await deal.park.post(path, {"unplugged_at": world.at(0)})
    after = [(5_000, 1_000 + given), (5_000, 1_000 + given + 70)]
    assert await told(world, deal.owner, deal.vehicle_id, *after) == (0, given + 70)


@pytest.mark.parametrize("late", [False, True])
async def test_what_left_while_a_meter_was_silent_is_counted_once_when_the_car_tells_it(
    world: World, *, late: bool
) -> None:
    """It stood beside what might have left unseen, and beside the meter's word that came late."""
    deal = await active(world)
    await told(world, deal.owner, deal.vehicle_id, (5_000, 1_000))
    await world.meter(deal.park, deal.session_id)
    assert (await world.instruct(deal.park, deal.commitment_id)).status == 201
    await world.move(90)
    await world.move(910)
    assert (await commitment(deal))["settlement"]["quality"] == "missing"
    session = f"/v1/park/sessions/{deal.session_id}"
    await deal.park.post(f"{session}/end", {"unplugged_at": world.at(0)})
    assert await told(world, deal.owner, deal.vehicle_id, (5_000, 1_100)) == (0, 100)
    if late:
        world.exported_wh += 100
        await world.meter(deal.park, deal.session_id)
    assert await told(world, deal.owner, deal.vehicle_id, (5_000, 1_150)) == (0, 150)
    capped = {"warranty_discharge_policy": "capped", "lifetime_discharge_cap_wh": 3_000}
    await deal.owner.patch(f"/v1/vehicles/{deal.vehicle_id}", capped)
    await world.telemetry(deal.owner, deal.vehicle_id, plugged_in=False)
    await world.move(600)
    member = (await deal.park.get("/v1/park/members"))["items"][-1]["member_ref"]
    session_id = await world.plug_in(deal.owner, deal.park, deal.vehicle_id, member)
    await world.meter(deal.park, session_id)
    offer = await world.offer(deal.park, session_id)
    shown = await deal.owner.get(f"/v1/offers/{offer['offer_id']}")
    # Of what might have left, the car has told all but some Wh.
    least_wh = 3_000 - 150 - (0 if late else 20)
    assert least_wh <= shown["evaluation"]["max_energy_wh"] <= 3_000 - 150


async def test_promise_2_a_late_word_of_what_the_car_has_told_hides_no_other_silent_deal(
    world: World,
) -> None:
    """It took once more what the car's register had taken: of the second deal 4 Wh stayed."""
    deal = await active(world, lease_s=120)
    await told(world, deal.owner, deal.vehicle_id, (5_000, 1_000))
    await world.meter(deal.park, deal.session_id)
    assert (await world.instruct(deal.park, deal.commitment_id)).status == 201
    await world.move(130)
    await world.move(910)
    session = f"/v1/park/sessions/{deal.session_id}"
    await deal.park.post(f"{session}/end", {"unplugged_at": world.at(0)})
    assert await told(world, deal.owner, deal.vehicle_id, (5_000, 1_230)) == (0, 230)
    await world.telemetry(deal.owner, deal.vehicle_id, plugged_in=False)
    await world.move(600)
    member = (await deal.park.get("/v1/park/members"))["items"][-1]["member_ref"]
    session_id = await world.plug_in(deal.owner, deal.park, deal.vehicle_id, member)
    await world.meter(deal.park, session_id)
    again = replace(deal, session_id=session_id)
    window = {"start_at": world.at(0), "end_at": world.at(3_600), "lease_s": 120}
    again.offer = await world.offer(deal.park, session_id, **window)
    await accept(again)
    assert (await award(again)).status == 200
    assert (await world.instruct(deal.park, again.commitment_id)).status == 201
    await world.move(130)
    await world.move(910)
    assert (await commitment(again))["settlement"]["quality"] == "missing"
    world.exported_wh += 230
    await world.meter(deal.park, deal.session_id)
    capped = {"warranty_discharge_policy": "capped", "lifetime_discharge_cap_wh": 3_000}
    await deal.owner.patch(f"/v1/vehicles/{deal.vehicle_id}", capped)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    window = {"start_at": world.at(600), "end_at": world.at(4_200)}
    offer = await world.offer(deal.park, session_id, **window)
    shown = await deal.owner.get(f"/v1/offers/{offer['offer_id']}")
    # Two minutes at 7 kW may have left in the second one.
    assert shown["evaluation"]["max_energy_wh"] <= 3_000 - 230 - 233
