"""What an owner changes about the own clock and currency holds for what was agreed before."""

from typing import Any

import pytest

from .deal_world import Caller, World, presented, scheduled
from .domain_world import commitment, park_commitment, running, world

__all__ = ["running", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR = 3600


def late(world: World) -> dict[str, Any]:
    """Return the window from 16:30 to 17:20 in Shanghai, where the car leaves at 18:00."""
    return {"start_at": world.at(3 * HOUR), "end_at": world.at(4 * HOUR - 600)}


async def move_to(owner: Caller, time_zone: str) -> None:
    await owner.patch("/v1/me", {"time_zone": time_zone})


async def test_promise_2_a_clock_that_makes_the_car_leave_earlier_revokes_what_no_longer_holds(
    world: World,
) -> None:
    deal = await scheduled(world, **late(world))
    # 18:00 in Noumea is 15:00 in Shanghai.
    await move_to(deal.owner, "Pacific/Noumea")
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("revoked", "departure")
    assert (await park_commitment(deal))["stop_reason"] == "owner"
    events = [event["type"] for event in await deal.owner.events()]
    assert "departures.updated" in events[events.index("owner.updated") :]


async def test_a_clock_that_leaves_a_deal_its_room_leaves_it_as_it_was(world: World) -> None:
    deal = await scheduled(world, **late(world))
    await move_to(deal.owner, "Asia/Kolkata")
    assert (await commitment(deal))["state"] == "scheduled"
    vehicle = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}")
    # 18:00 in Kolkata is 20:30 in Shanghai.
    assert vehicle["next_departure"]["departure_at"] == world.at(7 * HOUR)


async def test_promise_8_an_open_offer_is_judged_by_the_owners_new_clock(world: World) -> None:
    deal = await presented(world, **late(world))
    await move_to(deal.owner, "Pacific/Noumea")
    shown = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    assert shown["evaluation"]["verdict"] == "decline"
    assert shown["evaluation"]["departure_at"] == world.at(1.5 * HOUR)


async def test_a_new_name_or_language_judges_nothing_again(world: World) -> None:
    deal = await presented(world)
    before = await deal.owner.events()
    await deal.owner.patch("/v1/me", {"display_name": "Li", "language": "zh-Hans"})
    after = (await deal.owner.events())[len(before) :]
    assert [event["type"] for event in after] == ["owner.updated"]
