"""What the charger's meter shows without a deal: it left the battery all the same."""

from typing import Any

import pytest

from .deal_world import Deal, World, presented
from .domain_world import running, world

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
