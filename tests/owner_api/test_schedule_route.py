"""The schedule an owner's charger follows, from what the API knows of the car."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from .deal_world import World, active, open_world, presented


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def schedule(deal: Any, query: str = "") -> Any:
    """Return the schedule of the deal's vehicle."""
    return await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}/schedule{query}")


async def test_the_car_is_charged_for_its_target_with_the_margin_on_top_of_the_minimum(
    world: World,
) -> None:
    """Promise 2: the reserve is the owner's own margin plus the hysteresis."""
    deal = await presented(world)
    path = f"/v1/vehicles/{deal.vehicle_id}"
    wishes = {"soc_min_departure_pct": 85, "soc_target_departure_pct": 85, "soc_ceiling_pct": 95}
    await deal.owner.patch(f"{path}/preferences", wishes)
    shown = await schedule(deal)
    vehicle = await deal.owner.get(path)
    assert shown["departure_at"] == vehicle["next_departure"]["departure_at"]
    assert shown["soc_pct"] == vehicle["soc"]["soc_pct"]
    assert shown["soc_at_departure_pct"] == pytest.approx(85 + 2.5 + 1)
    assert shown["end_at"] == shown["departure_at"]
    assert any(step["planned"] for step in shown["steps"])


async def test_a_live_deal_is_a_gap_in_the_charging_and_counted_in_its_need(world: World) -> None:
    deal = await active(world)
    before = await schedule(deal)
    assert before["commitments"] == 1
    await deal.owner.post("/v1/stops")
    after = await schedule(deal)
    assert after["commitments"] == 0
    assert after["charge_energy_wh"] <= before["charge_energy_wh"]


async def test_the_charger_bounds_the_power_and_a_foreign_one_is_not_found(world: World) -> None:
    deal = await presented(world)
    body = {"display_name": "Garage", "max_charge_w": 3_600}
    charger_id = (await deal.owner.post("/v1/chargers", body))["charger_id"]
    shown = await schedule(deal, f"?charger_id={charger_id}")
    assert max(step["power_w"] for step in shown["steps"]) <= 3_600
    weak = await schedule(deal, f"?charger_id={charger_id}&min_power_w=4000")
    assert {step["power_w"] for step in weak["steps"]} == {0}
    path = f"/v1/vehicles/{deal.vehicle_id}/schedule?charger_id=chg_{'0' * 32}"
    assert (await deal.owner.call("GET", path)).status == 404


async def test_without_a_leave_time_there_is_no_schedule_and_the_reason_is_said(
    world: World,
) -> None:
    """Promise 8: what is missing is named."""
    deal = await presented(world)
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    path = f"/v1/vehicles/{deal.vehicle_id}"
    never = {"weekly": dict.fromkeys(days), "one_off": None}
    await deal.owner.patch(f"{path}/departures", never)
    refused = await deal.owner.call("GET", f"{path}/schedule")
    assert (refused.status, refused.body["code"]) == (409, "departure_unknown")


async def test_a_car_that_never_reported_has_no_schedule(world: World) -> None:
    """Promise 3: nothing is planned on a state of charge nobody measured."""
    deal = await presented(world)
    car = {"display_name": "Silent", "usable_capacity_wh": 50_000}
    vehicle_id = (await deal.owner.post("/v1/vehicles", car))["vehicle_id"]
    path = f"/v1/vehicles/{vehicle_id}"
    leaves = {"one_off": {"departure_at": world.at(36_000)}}
    await deal.owner.patch(f"{path}/departures", leaves)
    refused = await deal.owner.call("GET", f"{path}/schedule")
    assert (refused.status, refused.body["code"]) == (409, "soc_unknown")
