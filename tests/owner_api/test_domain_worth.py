"""A yes is judged again: no yes, whoever gives it, makes a deal that the owner's price forbids."""

from decimal import Decimal
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


async def test_promise_8_a_yes_for_so_little_that_it_loses_money_is_refused_like_any_other(
    world: World,
) -> None:
    """No charging while it is sold: the cheap hour is given up for a part as for the whole."""
    owner, park = await world.add_owner(), await world.add_park()
    cheap_hour = [
        {"start": "00:00", "price_per_kwh": "0.60"},
        {"start": "14:00", "price_per_kwh": "0.05"},
        {"start": "15:00", "price_per_kwh": "0.60"},
    ]
    wishes = {"soc_min_departure_pct": 85, "soc_target_departure_pct": 85}
    vehicle_id = await world.add_vehicle(owner, tariff={"bands": cheap_hour}, **wishes)
    member = await world.join(owner, park, vehicle_id)
    garage = {"display_name": "Garage", "evse_id": "H8", "max_charge_w": 7_000}
    await owner.post("/v1/chargers", garage)
    await world.telemetry(owner, vehicle_id, soc_pct=80)
    at_home = {"evse_id": "H8", "plugged_in_at": world.at(0), "member_ref": member}
    session = await park.post("/v1/park/sessions", at_home | {"meter": "owner"})
    reward = {"kind": "cash", "currency": "CNY", "price_per_kwh": "2.0000"}
    offer = await world.offer(park, session["session_id"], reward=reward, min_energy_wh=100)
    deal = Deal(
        world=world,
        owner=owner,
        park=park,
        vehicle_id=vehicle_id,
        session_id=session["session_id"],
        offer=offer,
    )
    shown = await owner.get(f"/v1/offers/{offer['offer_id']}")
    assert shown["evaluation"]["net_minor"] > 0
    current = await refused(deal, "tap", energy_wh=200)
    assert (current["net_minor"] < 0, current["quoted_energy_wh"]) == (True, 200)
    assert current["reason"]["code"] == "price"
    # What was asked for is worth it, and so is most of it.
    answer = await accept(deal, energy_wh=shown["evaluation"]["quoted_energy_wh"] - 500)
    assert answer["decision"]["decision"] == "accept"


async def test_what_counts_as_no_money_is_still_the_owners_to_take(world: World) -> None:
    points = {"kind": "points", "currency": "XPTS", "price_per_kwh": "3.5000"}
    taken = {"accepted_reward_kinds": ["cash", "points"], "min_price_per_kwh": "2.0"}
    deal = await presented(world, preferences=taken, reward=points)
    await accept(deal)


@pytest.mark.parametrize(
    ("points", "more"),
    [("1", {}), ("0", {"min_price_per_kwh": "1.0"}), ("3.5000", {"min_price_per_kwh": "2.0"})],
)
async def test_promise_1_no_rule_takes_what_counts_as_no_money_at_a_loss(
    world: World, points: str, more: dict[str, str]
) -> None:
    """A rule is judged on the net reward, and points without a rate are none: the person is asked.

    No other terms are asked of the park either: in its points no price is known to be enough.
    """
    reward = {"kind": "points", "currency": "XPTS", "price_per_kwh": points}
    rules = [{"name": "any"}, {"name": "any", "counter": True}]
    for rule in rules:
        taken = {"accepted_reward_kinds": ["cash", "points"], "consent_mode": "rules"} | more
        deal = await presented(world, preferences=taken | {"rules": [rule]}, reward=reward)
        assert (deal.offer["state"], deal.offer["decision"]) == ("presented", None)
        await accept(deal)


async def test_what_counts_as_no_money_goes_by_rule_where_selling_costs_nothing(
    world: World,
) -> None:
    free = {
        "accepted_reward_kinds": ["points"],
        "consent_mode": "rules",
        "rules": [{"name": "any"}],
        "min_price_per_kwh": "0",
        "later_refill_price_per_kwh": "0",
        "degradation_cost_per_kwh": "0",
    }
    reward = {"kind": "points", "currency": "XPTS", "price_per_kwh": "1"}
    deal = await presented(world, preferences=free, reward=reward)
    assert deal.offer["state"] == "accepted"


def cash(price: str, **more: Any) -> dict[str, Any]:
    """Return a reward in cash at a price per kWh."""
    return {"kind": "cash", "currency": "CNY", "price_per_kwh": price} | more


async def evaluation_of(deal: Deal, offer: Any) -> Any:
    """Return how an offer was judged, as its owner sees it."""
    return (await deal.owner.get(f"/v1/offers/{offer['offer_id']}"))["evaluation"]


@pytest.mark.parametrize("energy_wh", [3500, 6000])
async def test_promise_8_the_break_even_price_itself_is_enough_whatever_its_lines_round_to(
    world: World, energy_wh: int
) -> None:
    """The lines for people are rounded one by one, so that their sum may be a fen below nothing."""
    deal = await presented(world)
    wanted = {"requested_energy_wh": energy_wh, "min_energy_wh": energy_wh}
    cheap = await world.offer(deal.park, deal.session_id, reward=cash("0.4"), **wanted)
    assert cheap["state"] == "auto_declined"
    enough = (await evaluation_of(deal, cheap))["counter"]["price_per_kwh"]
    deal.offer = await world.offer(deal.park, deal.session_id, reward=cash(enough), **wanted)
    shown = await evaluation_of(deal, deal.offer)
    assert (shown["verdict"], shown["reason"], shown["net_minor"]) == ("accept", None, -1)
    assert deal.offer["state"] == "presented"
    await accept(deal)


async def test_promise_8_one_step_below_the_break_even_price_is_declined_with_the_nearest_yes(
    world: World,
) -> None:
    deal = await presented(world, reward=cash("0.5070"))
    assert (deal.offer["state"], deal.offer["reason"]) == ("auto_declined", "price")
    shown = await evaluation_of(deal, deal.offer)
    assert shown["reason"]["code"] == "price"
    assert {"change": "/offer/price_per_kwh", "to": "0.5071"} in shown["nearest"]


@pytest.mark.parametrize("margin", ["0", "0.0001"])
@pytest.mark.parametrize("budget_wh", [4000, 4321])
async def test_promise_8_a_part_that_is_too_cheap_is_declined_for_its_price_and_says_so(
    world: World, budget_wh: int, margin: str
) -> None:
    """Whether what may be released is a whole step or was cut to one, the same test holds."""
    wanted = {"requested_energy_wh": 6000, "min_energy_wh": 1000}
    deal = await presented(
        world,
        preferences={"max_discharge_wh_per_event": budget_wh},
        reward=cash("0.4"),
        **wanted,
    )
    assert (deal.offer["state"], deal.offer["reason"]) == ("auto_declined", "price")
    shown = await evaluation_of(deal, deal.offer)
    assert (shown["fits"], shown["quoted_energy_wh"]) == ("part", 4000)
    assert (shown["verdict"], shown["reason"]["code"]) == ("counter", "price")
    enough = str(Decimal(shown["counter"]["price_per_kwh"]) + Decimal(margin))
    deal.offer = await world.offer(deal.park, deal.session_id, reward=cash(enough), **wanted)
    assert (await evaluation_of(deal, deal.offer))["reason"]["code"] in ("budget", "energy")
    await accept(deal)
