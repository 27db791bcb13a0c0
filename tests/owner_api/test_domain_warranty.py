"""A warranty that allows so much in all: it is counted down, kept apart for deals, and said."""

from typing import Any

import pytest

from .deal_world import Deal, World, presented
from .domain_world import accept, award, commitment, running, settled, world

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

LATER_S = {"start_at": 7_200, "end_at": 10_800}


async def state_warranty(deal: Deal, **facts: Any) -> None:
    """Say what the papers of the car allow."""
    told = {"warranty_discharge_policy": "capped"} | facts
    await deal.owner.patch(f"/v1/vehicles/{deal.vehicle_id}", told)


async def offer_later(deal: Deal, **changes: Any) -> tuple[Any, Any]:
    """Make an offer for an hour after the usual one; return it and how its owner sees it."""
    window = {name: deal.world.at(seconds) for name, seconds in LATER_S.items()}
    made = await deal.world.offer(deal.park, deal.session_id, **window | changes)
    return made, (await deal.owner.get(f"/v1/offers/{made['offer_id']}"))["evaluation"]


async def test_a_capped_warranty_without_a_total_allows_nothing(world: World) -> None:
    """Doubt means stop: that there is a limit is known, and not that anything is left of it."""
    deal = await presented(world)
    await state_warranty(deal)
    made, shown = await offer_later(deal)
    assert made["state"] == "auto_declined"
    assert made["reason"] == "not_available"
    assert shown["reason"]["code"] == "warranty"
    car = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}")
    assert (car["status"], car["status_reason"]) == ("blocked", "warranty")
    await state_warranty(deal, lifetime_discharge_cap_wh=50_000)
    made, _ = await offer_later(deal)
    assert made["state"] == "presented"


async def test_two_deals_do_not_share_what_the_warranty_still_allows(world: World) -> None:
    """What is agreed is kept apart from the total at once, not only when it has left the car."""
    deal = await presented(world)
    await state_warranty(deal, lifetime_discharge_cap_wh=8_000)
    await accept(deal)
    second, shown = await offer_later(deal)
    assert second["state"] == "auto_declined"
    assert shown["max_energy_wh"] == 2_000
    smaller, _ = await offer_later(deal, requested_energy_wh=2_000, min_energy_wh=500)
    answer = await world.decide(deal.owner, smaller)
    assert answer.body["decision"]["consented_energy_wh"] == 2_000
    third, shown = await offer_later(deal, requested_energy_wh=1_000, min_energy_wh=500)
    assert third["state"] == "auto_declined"
    assert shown["max_energy_wh"] == 0


async def test_what_the_warranty_leaves_is_named_as_the_warranty_and_not_as_a_budget(
    world: World,
) -> None:
    """Promise 8: a budget that nobody set cannot be what is in the way, nor be raised."""
    deal = await presented(world)
    await state_warranty(deal, lifetime_discharge_cap_wh=4_000)
    _, shown = await offer_later(deal)
    reason = {"code": "warranty", "limit": "/vehicle/warranty_left_wh", "unit": "Wh"}
    assert shown["reason"] == reason | {"needed": 6_000, "available": 4_000}
    assert shown["quoted_energy_wh"] == 4_000


async def test_a_deal_gives_all_that_the_warranty_allowed_and_then_nothing_is_left(
    world: World,
) -> None:
    """The total counts down by what the meter saw, once: a deal's own energy is not held twice."""
    deal = await presented(world)
    await state_warranty(deal, lifetime_discharge_cap_wh=4_000)
    offer = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    assert offer["evaluation"]["quoted_energy_wh"] == 4_000
    deal.commitment_id = (await accept(deal, energy_wh=4_000))["commitment_id"]
    await award(deal, committed_energy_wh=4_000)
    await world.move(1_800)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    await world.meter(deal.park, deal.session_id, context="begin")
    await deal.deliver(2_400)
    found = await commitment(deal)
    assert (found["state"], found["state_reason"]) == ("completed", "delivered")
    statement = await settled(deal)
    assert 3_900 < statement["delivered_wh"] <= 4_000
    assert statement["breakdown"]["refill_minor"] > 0
    _, shown = await offer_later(deal)
    assert shown["reason"]["code"] == "warranty"
    assert shown["max_energy_wh"] < 100
