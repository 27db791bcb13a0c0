"""Energy that no register tells of counts by the powers that were told of it, and once."""

import pytest

from .deal_world import World, active
from .domain_world import commitment, preferences, running, stop, world
from .test_domain_meter_runs import vehicle
from .test_domain_registers_refused import (
    METERS,
    ParkMeter,
    counted,
    counted_and_reset,
    flows,
    registers,
    reset,
)

__all__ = ["registers", "running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

BUDGET_WH = 4_000


async def ignored(meter: ParkMeter) -> int:
    """Let a charger whose registers were reset ignore a stop; returns what left in all (Wh)."""
    given_wh = await counted_and_reset(meter)
    await stop(meter.deal)
    await flows(meter, 600)
    given_wh += meter.world.exported_wh
    await flows(meter, 20, power_w=0)
    return given_wh


async def counts_anew(meter: ParkMeter) -> None:
    """Let the deal be settled without a last word, and its meter be believed from there on."""
    await meter.world.move(910)
    assert (await commitment(meter.deal))["settlement"]["quality"] == "missing"
    for _ in range(2):
        await meter.world.move(10)
        await meter.says(0)


async def most_wh(meter: ParkMeter) -> int:
    """Return the most (Wh) that a later offer could be given."""
    deal, world = meter.deal, meter.world
    window = {"start_at": world.at(1_800), "end_at": world.at(5_400)}
    wanted = {"requested_energy_wh": 20_000, "max_energy_wh": 20_000, "min_energy_wh": 0}
    offer = await world.offer(deal.park, deal.session_id, **window, **wanted)
    shown = await deal.owner.get(f"/v1/offers/{offer['offer_id']}")
    return int(shown["evaluation"]["max_energy_wh"])


def left_pct(given_wh: int) -> float:
    """Return what is in a battery of 60 kWh that held 80 %."""
    return 80 - given_wh / 0.933 / 600


@METERS
async def test_promise_2_what_left_after_an_ignored_stop_has_left_though_its_registers_were_reset(
    world: World, kind: type[ParkMeter]
) -> None:
    """Ten minutes of seven kilowatts were told of, and the battery was taken for as full."""
    meter = await kind.of(world)
    given_wh = await ignored(meter)
    await counts_anew(meter)
    assert (await vehicle(meter.deal))["soc"]["soc_pct"] <= left_pct(given_wh)
    await world.move(10)
    await world.telemetry(meter.deal.owner, meter.deal.vehicle_id, soc_pct=78)
    assert (await vehicle(meter.deal))["soc"]["soc_pct"] == 78


async def test_promise_2_a_session_opened_anew_does_not_forget_what_an_ignored_stop_let_go_on(
    world: World,
) -> None:
    meter = await ParkMeter.of(world)
    given_wh = await ignored(meter)
    path = f"/v1/park/sessions/{meter.deal.session_id}"
    plugged_in_at = (await meter.deal.park.get(path))["plugged_in_at"]
    member = (await meter.deal.park.get("/v1/park/members"))["items"][-1]["member_ref"]
    body = {"evse_id": "E07", "plugged_in_at": plugged_in_at, "member_ref": member}
    meter.deal.session_id = (await meter.deal.park.post("/v1/park/sessions", body))["session_id"]
    await meter.says(0)
    assert (await vehicle(meter.deal))["soc"]["soc_pct"] <= left_pct(given_wh)


@METERS
async def test_what_left_after_an_ignored_stop_is_used_of_the_days_budget(
    world: World, kind: type[ParkMeter]
) -> None:
    meter = await kind.of(world)
    given_wh = await ignored(meter)
    await counts_anew(meter)
    await world.telemetry(meter.deal.owner, meter.deal.vehicle_id, soc_pct=78)
    await preferences(meter.deal.owner, meter.deal.vehicle_id, max_discharge_wh_per_day=BUDGET_WH)
    assert BUDGET_WH - given_wh - 50 < await most_wh(meter) <= BUDGET_WH - given_wh


@METERS
async def test_what_left_after_an_ignored_stop_is_used_of_the_warranty(
    world: World, kind: type[ParkMeter]
) -> None:
    meter = await kind.of(world)
    given_wh = await ignored(meter)
    await counts_anew(meter)
    await world.telemetry(meter.deal.owner, meter.deal.vehicle_id, soc_pct=78)
    path = f"/v1/vehicles/{meter.deal.vehicle_id}"
    capped = {"warranty_discharge_policy": "capped", "lifetime_discharge_cap_wh": BUDGET_WH}
    await meter.deal.owner.patch(path, capped)
    assert BUDGET_WH - given_wh - 50 < await most_wh(meter) <= BUDGET_WH - given_wh


async def test_registers_that_come_back_say_what_left_and_nothing_is_counted_beside(
    world: World,
) -> None:
    meter = await ParkMeter.of(world)
    true_wh, imported_wh = world.exported_wh, world.imported_wh
    given_wh = await ignored(meter)
    world.exported_wh, world.imported_wh = true_wh + given_wh, imported_wh
    await world.move(10)
    await meter.says(0)
    assert (await commitment(meter.deal))["settlement"]["delivered_wh"] == given_wh
    shown = (await vehicle(meter.deal))["soc"]["soc_pct"]
    assert shown == pytest.approx(left_pct(given_wh), abs=0.1)
    await preferences(meter.deal.owner, meter.deal.vehicle_id, max_discharge_wh_per_day=BUDGET_WH)
    assert await most_wh(meter) == BUDGET_WH - given_wh


@pytest.mark.parametrize("anew", [False, True])
async def test_what_left_beyond_a_deal_is_used_of_the_days_budget_though_nobody_pays_it(
    world: World, *, anew: bool
) -> None:
    """A stop was ignored until two kilowatt-hours had left of the one that was sold."""
    sold = {"requested_energy_wh": 1_000, "min_energy_wh": 500}
    meter = ParkMeter(await active(world, **sold))
    given_wh = await counted(meter)
    begin_wh = world.exported_wh
    if anew:
        reset(world)
        begin_wh = 0
    await stop(meter.deal)
    await flows(meter, 1_000)
    given_wh += world.exported_wh - begin_wh
    await flows(meter, 20, power_w=0)
    if anew:
        await counts_anew(meter)
    assert (await commitment(meter.deal))["settlement"]["delivered_wh"] <= 1_000 < given_wh
    await world.telemetry(meter.deal.owner, meter.deal.vehicle_id, soc_pct=76)
    await preferences(meter.deal.owner, meter.deal.vehicle_id, max_discharge_wh_per_day=BUDGET_WH)
    # The registers of these tests round down what flows in ten seconds.
    assert BUDGET_WH - given_wh - 100 < await most_wh(meter) <= BUDGET_WH - given_wh
