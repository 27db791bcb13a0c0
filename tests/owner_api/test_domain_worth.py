"""A yes is judged again: no yes, whoever gives it, makes a deal that the owner's price forbids."""

from typing import Any

import pytest

from .deal_world import Deal, World, presented
from .domain_world import accept, code, preferences, running, world

__all__ = ["running", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

AUTOMATED = {"allow_automations": True}
NO_WEEKDAYS = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))


async def refused(deal: Deal, method: str, **more: Any) -> Any:
    """Say yes, hear that the price forbids it, and return what is shown instead."""
    answer = await deal.world.decide(deal.owner, deal.offer, method=method, **more)
    assert code(answer) == (409, "not_feasible")
    assert "price" in answer.body["detail"]
    shown = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    assert (shown["state"], shown["decision"]) == ("presented", None)
    return answer.body["current"]


@pytest.mark.parametrize("method", ["tap", "voice", "automation"])
async def test_promise_8_a_yes_below_the_owners_price_is_refused_with_the_nearest_yes(
    world: World, method: str
) -> None:
    deal = await presented(world, preferences=AUTOMATED)
    await preferences(deal.owner, deal.vehicle_id, min_price_per_kwh="2.0")
    current = await refused(deal, method)
    reason = current["reason"]
    assert (reason["code"], reason["needed"], reason["available"]) == ("price", "2.0", "1.2000")
    ways = {each["change"] for each in current["nearest"]}
    assert ways == {"/offer/price_per_kwh", "/preferences/min_price_per_kwh"}
    # On purpose the owner may: by changing the limit.
    await preferences(deal.owner, deal.vehicle_id, min_price_per_kwh="1.2")
    await accept(deal, method=method)


@pytest.mark.parametrize("method", ["tap", "automation"])
async def test_promise_8_a_yes_that_would_lose_money_is_refused_with_the_price_that_would_do(
    world: World, method: str
) -> None:
    deal = await presented(world, preferences=AUTOMATED)
    await preferences(deal.owner, deal.vehicle_id, later_refill_price_per_kwh="5.0")
    current = await refused(deal, method)
    assert current["net_minor"] < 0
    assert current["reason"]["code"] == "price"
    assert current["nearest"][0]["change"] == "/offer/price_per_kwh"


async def test_promise_8_naming_a_leave_time_makes_no_losing_deal_good(world: World) -> None:
    deal = await presented(world, preferences={"departure_guard": "off"})
    path = f"/v1/vehicles/{deal.vehicle_id}/departures"
    await deal.owner.patch(path, {"weekly": NO_WEEKDAYS})
    await preferences(deal.owner, deal.vehicle_id, later_refill_price_per_kwh="5.0")
    assert code(await world.decide(deal.owner, deal.offer)) == (409, "departure_unknown")
    await refused(deal, "tap", departure_at=world.at(4 * 3600))
    assert (await deal.owner.get(path))["one_off"] is None


async def test_what_counts_as_no_money_is_still_the_owners_to_take(world: World) -> None:
    points = {"kind": "points", "currency": "XPTS", "price_per_kwh": "3.5000"}
    taken = {"accepted_reward_kinds": ["cash", "points"], "min_price_per_kwh": "2.0"}
    deal = await presented(world, preferences=taken, reward=points)
    await accept(deal)
