"""Promise 8: what an owner is told would pass does pass when a park asks for it."""

from typing import Any

import pytest

from .deal_world import Deal, World, presented
from .domain_world import at_home, leave_at, preferences, running, world
from .test_domain_promised_charging import recharge

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

HOUR = 3600


async def told(deal: Deal, offer: Any) -> dict[str, Any]:
    """Return what the owner sees of a judgement, its nearest yes by what would have to change."""
    shown = await deal.owner.get(f"/v1/offers/{offer['offer_id']}")
    found: dict[str, Any] = shown["evaluation"]
    return found | {"nearest": {each["change"]: each["to"] for each in found["nearest"]}}


async def test_promise_8_no_energy_is_told_that_would_not_be_released(world: World) -> None:
    """5.7 kWh fit and are more than the park's least; released are whole steps, and 5.5 is less."""
    deal = await presented(
        world,
        preferences={"max_discharge_wh_per_day": 5_700},
        requested_energy_wh=6_000,
        min_energy_wh=5_600,
    )
    assert deal.offer["state"] == "auto_declined"
    found = await told(deal, deal.offer)
    assert found["verdict"] != "accept"
    assert found["reason"]["code"] == "budget"
    assert found["nearest"] == {"/budget_left_wh": 6_000}
    await preferences(deal.owner, deal.vehicle_id, max_discharge_wh_per_day=6_000)
    again = await world.offer(deal.park, deal.session_id, min_energy_wh=5_600)
    assert again["state"] == "presented"


async def test_promise_8_a_longer_window_is_told_in_which_enough_is_released(world: World) -> None:
    """5,750 Wh want 49 minutes at 7 kW; six whole kWh, of which they are released, want 52."""
    wanted = {"requested_energy_wh": 5_750, "min_energy_wh": 5_750}
    deal = await presented(world, start_at=world.at(HOUR), end_at=world.at(HOUR + 2_700), **wanted)
    assert deal.offer["state"] == "auto_declined"
    nearest = (await told(deal, deal.offer))["nearest"]
    assert nearest["/offer/end_at"] == world.at(HOUR + 3_086)
    longer = {"start_at": world.at(HOUR), "end_at": nearest["/offer/end_at"]}
    again = await world.offer(deal.park, deal.session_id, **longer, **wanted)
    assert again["state"] == "presented"


@pytest.mark.parametrize("requested", [300, 375])
async def test_promise_8_less_than_a_step_is_no_yes_and_says_what_it_lacks(
    world: World, requested: int
) -> None:
    """In three minutes 350 Wh can leave, and nothing is released of them."""
    window = {"start_at": world.at(HOUR), "end_at": world.at(HOUR + 180)}
    deal = await presented(world, **window, requested_energy_wh=requested, min_energy_wh=0)
    assert deal.offer["state"] == "auto_declined"
    found = await told(deal, deal.offer)
    assert found["verdict"] != "accept"
    assert found["reason"]["needed"] > found["reason"]["available"]
    assert "/offer/requested_energy_wh" not in found["nearest"]


async def test_promise_8_a_later_leave_time_is_told_at_the_prices_until_then(world: World) -> None:
    """The two hours after the leave time are dear: charged in them, what is sold is sold at a loss.

    Prices are known until then only for a leave time in them, so the first one was told.
    """
    deal = await at_home(world)
    prices = {0: "0.30", 4.5: "9.00", 6.5: "0.30", 7.5: "0.30"}
    entries = [
        {"start_at": world.at(at * HOUR), "price_per_kwh": price} for at, price in prices.items()
    ]
    await deal.owner.post(f"/v1/vehicles/{deal.vehicle_id}/prices", {"entries": entries})
    window = {"start_at": world.at(0), "end_at": world.at(4 * HOUR)}
    offer = await world.offer(deal.park, deal.session_id, **window, min_energy_wh=6_000)
    assert offer["state"] == "auto_declined"
    leave = (await told(deal, offer))["nearest"]["/departure_at"]
    assert world.at(6.5 * HOUR) < leave < world.at(7.5 * HOUR)
    await leave_at(deal.owner, deal.vehicle_id, leave)
    again = await world.offer(deal.park, deal.session_id, **window, min_energy_wh=6_000)
    assert again["state"] == "presented"


async def test_promise_8_no_leave_time_is_told_that_an_earlier_one_keeps_from_holding(
    world: World,
) -> None:
    """The car leaves today at six, whatever is named for tomorrow."""
    late = {"start_at": world.at(12 * HOUR), "end_at": world.at(13 * HOUR)}
    deal = await presented(world, **late)
    assert deal.offer["state"] == "auto_declined"
    assert "/departure_at" not in (await told(deal, deal.offer))["nearest"]
    # An exception for tomorrow is one that holds, and so is a later one.
    no_weekdays = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
    path = f"/v1/vehicles/{deal.vehicle_id}/departures"
    await deal.owner.patch(path, {"weekly": no_weekdays})
    await leave_at(deal.owner, deal.vehicle_id, world.at(12.5 * HOUR))
    again = await world.offer(deal.park, deal.session_id, **late)
    leave = (await told(deal, again))["nearest"]["/departure_at"]
    await leave_at(deal.owner, deal.vehicle_id, leave)
    assert (await world.offer(deal.park, deal.session_id, **late))["state"] == "presented"


async def test_promise_8_less_energy_is_told_where_only_the_first_of_it_is_worth_its_price(
    world: World,
) -> None:
    """What is put back for nothing is cheap to sell, and all beyond it costs 2 CNY/kWh.

    Until something is sold the battery is as full as it may be, so nothing is put back before.
    """
    promise = recharge(world, 2_000, 4 * HOUR) | {"price_per_kwh": "0.0"}
    limits = {"soc_ceiling_pct": 77.3, "later_refill_price_per_kwh": "2.0"}
    deal = await presented(world, preferences=limits, recharge=promise)
    assert (deal.offer["state"], deal.offer["reason"]) == ("auto_declined", "price")
    less = (await told(deal, deal.offer))["nearest"]["/offer/requested_energy_wh"]
    assert 3_000 <= less < 6_000
    for energy_wh, state in ((less, "presented"), (less + 1, "auto_declined")):
        wanted = {"requested_energy_wh": energy_wh, "max_energy_wh": energy_wh}
        again = await world.offer(deal.park, deal.session_id, recharge=promise, **wanted)
        assert again["state"] == state
