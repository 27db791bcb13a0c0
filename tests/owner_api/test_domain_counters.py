"""What a park hears back would be accepted: each counter is sent again as the next revision."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from .deal_world import Deal, World, presented, rfc
from .domain_world import code, running, world

__all__ = ["running", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

KINDS = ["cash", "points", "charging_credit", "voucher", "parking"]
RATES = [
    {"currency": "XPTS", "price_per_unit": "0.05"},
    {"currency": "XTHREE", "price_per_unit": "0.000003"},
    {"currency": "XBIG", "price_per_unit": "7"},
    {"currency": "XNIL", "price_per_unit": "0"},
    {"currency": "CNY", "price_per_unit": "0.9"},
]


def reward(kind: str, currency: str, price: str, *parts: dict[str, Any], **more: Any) -> Any:
    """Return a reward as a park writes it."""
    shares = {"parts": list(parts)} if parts else {}
    return {"kind": kind, "currency": currency, "price_per_kwh": price} | shares | more


def part(payer: str, kind: str, currency: str, price: str, **more: Any) -> dict[str, Any]:
    """Return what one payer pays."""
    return {"payer": payer, "kind": kind, "currency": currency, "price_per_kwh": price} | more


CASH, POINTS, CREDIT = ("cash", "CNY"), ("points", "XPTS"), ("charging_credit", "CNY")
SHAPES: dict[str, Any] = {
    "cash": reward(*CASH, "0.4"),
    "cash and a fixed sum": reward(*CASH, "0.1", fixed_minor=37),
    "cash under a cap": reward(*CASH, "0.4", cap_minor=400),
    "cash under a cap that is too low": reward(*CASH, "0.4", cap_minor=100),
    "points": reward(*POINTS, "4"),
    "a few points": reward(*POINTS, "0.1"),
    "points and some at once": reward(*POINTS, "4", fixed_minor=17),
    "points of next to nothing": reward("points", "XTHREE", "1000"),
    "vouchers worth more than money": reward("voucher", "XBIG", "0.01"),
    "points of no worth": reward(
        "points", "XNIL", "4", part("A", "points", "XNIL", "4"), part("B", *CASH, "0.2")
    ),
    "credit": reward(*CREDIT, "0.4"),
    "cash beside credit": reward(*CASH, "0.1", part("A", *CASH, "0.1"), part("B", *CREDIT, "0.3")),
    "credit beside cash": reward(
        *CREDIT, "0.3", part("A", *CASH, "0.1"), part("B", *CREDIT, "0.3")
    ),
    "points beside cash": reward(*POINTS, "2", part("A", *POINTS, "2"), part("B", *CASH, "0.2")),
    "cash beside points": reward(*CASH, "0.2", part("A", *POINTS, "2"), part("B", *CASH, "0.2")),
    "cash beside what does not count": reward(
        *CASH, "0.2", part("A", *CASH, "0.2"), part("B", "parking", "XFREE", "9")
    ),
    "what does not count beside cash": reward(
        "parking", "XFREE", "9", part("A", *CASH, "0.2"), part("B", "parking", "XFREE", "9")
    ),
    "two payers of cash": reward(*CASH, "0.3", part("A", *CASH, "0.1"), part("B", *CASH, "0.2")),
    "two payers of points": reward(*POINTS, "5", part("A", *POINTS, "2"), part("B", *POINTS, "3")),
    "two payers of cash, one capped": reward(
        *CASH, "0.3", part("A", *CASH, "0.1", cap_minor=60), part("B", *CASH, "0.2")
    ),
    "capped cash beside credit": reward(
        *CASH, "0.1", part("A", *CASH, "0.1", cap_minor=60), part("B", *CREDIT, "0.3")
    ),
    "credit beside capped cash": reward(
        *CREDIT, "0.3", part("A", *CASH, "0.1", cap_minor=60), part("B", *CREDIT, "0.3")
    ),
}
# In these the reward's own price can make no yes: it is worth nothing, or capped.
NO_PRICE = {
    "cash under a cap that is too low",
    "points of next to nothing",
    "points of no worth",
    "what does not count beside cash",
    "two payers of cash, one capped",
    "capped cash beside credit",
}


def in_terms(terms: dict[str, Any], counter: dict[str, Any], last: int) -> dict[str, Any]:
    """Return terms as a park changes them to meet a counter; what is null stays as offered.

    Of several payers of the same unit one pays the difference, the ``last`` or the first.
    """
    sent = {key: value for key, value in terms.items() if value is not None}
    paid = {key: value for key, value in terms["reward"].items() if value is not None}
    if counter["energy_wh"]:
        sent["requested_energy_wh"] = counter["energy_wh"]
    if counter["price_per_kwh"]:
        more = Decimal(counter["price_per_kwh"]) - Decimal(paid["price_per_kwh"])
        paid["price_per_kwh"] = counter["price_per_kwh"]
        if "parts" in paid:
            parts = [{k: v for k, v in each.items() if v is not None} for each in paid["parts"]]
            about = (paid["kind"], paid["currency"])
            heads = [each for each in parts if (each["kind"], each["currency"]) == about]
            head = heads[-1 if last else 0]
            head["price_per_kwh"] = str(Decimal(head["price_per_kwh"]) + more)
            paid["parts"] = parts
    if counter["start_at"]:
        start, end = (datetime.fromisoformat(terms[key]) for key in ("start_at", "end_at"))
        moved = datetime.fromisoformat(counter["start_at"])
        sent |= {"start_at": rfc(moved), "end_at": rfc(moved + (end - start))}
    return sent | {"reward": paid}


async def send_again(deal: Deal, offer: Any, counter: dict[str, Any], last: int = 0) -> Any:
    """Send the terms of a counter as the next revision, and return what is said to it."""
    body = {
        "revision": offer["revision"] + 1,
        "respond_by": deal.world.at(1200),
        "terms": in_terms(offer["terms"], counter, last),
    }
    path = f"/v1/park/offers/{offer['offer_id']}/revisions"
    return await deal.park.post(path, body, status=201)


def by_rule(**more: Any) -> dict[str, Any]:
    """Return preferences of an owner whose rule says yes or what would do."""
    rules = [{"name": "any", "counter": True}]
    wanted = {"consent_mode": "rules", "rules": rules, "accepted_reward_kinds": KINDS}
    return wanted | {"in_kind_rates": RATES} | more


@pytest.mark.parametrize("more", [{}, {"min_price_per_kwh": "0.9"}], ids=["net", "own price"])
@pytest.mark.parametrize("shape", SHAPES)
async def test_promise_8_what_a_rule_asks_for_is_accepted_when_it_is_offered(
    world: World, shape: str, more: dict[str, str]
) -> None:
    deal = await presented(world, preferences=by_rule(**more), reward=SHAPES[shape])
    offer = deal.offer
    if shape in NO_PRICE:
        assert offer["state"] == "auto_declined"
        return
    assert offer["state"] == "countered"
    assert offer["decision"]["counter_terms"]["price_per_kwh"] is not None
    again = await send_again(deal, offer, offer["decision"]["counter_terms"])
    assert again["state"] == "accepted"


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("shape", ["two payers of cash", "two payers of points"])
async def test_promise_8_whichever_payer_pays_the_difference_it_is_enough(
    world: World, shape: str, last: int
) -> None:
    deal = await presented(world, preferences=by_rule(), reward=SHAPES[shape])
    counter = deal.offer["decision"]["counter_terms"]
    assert (await send_again(deal, deal.offer, counter, last))["state"] == "accepted"


@pytest.mark.parametrize("energy_wh", range(3000, 7001, 500))
async def test_promise_8_a_counter_is_accepted_whatever_its_lines_round_to(
    world: World, energy_wh: int
) -> None:
    wanted = {"requested_energy_wh": energy_wh, "min_energy_wh": energy_wh}
    deal = await presented(world, preferences=by_rule(), reward=SHAPES["cash"], **wanted)
    again = await send_again(deal, deal.offer, deal.offer["decision"]["counter_terms"])
    assert again["state"] == "accepted"


@pytest.mark.parametrize(("per_unit", "asked"), [("0.05", "10.142"), ("0.3", "1.690334")])
async def test_promise_8_a_price_in_kind_is_asked_for_in_its_own_unit_rounded_up(
    world: World, per_unit: str, asked: str
) -> None:
    """0.5071 CNY per kWh is break-even; the worth of a price is rounded down, so it is up here."""
    rates = [{"currency": "XPTS", "price_per_unit": per_unit}]
    preferences = by_rule(in_kind_rates=rates)
    deal = await presented(world, preferences=preferences, reward=reward(*POINTS, "0.5"))
    assert deal.offer["decision"]["counter_terms"]["price_per_kwh"] == asked


@pytest.mark.parametrize("least_wh", [1000, 3400])
async def test_promise_8_an_owners_plain_counter_is_accepted_too(
    world: World, least_wh: int
) -> None:
    taken = {"accepted_reward_kinds": KINDS, "in_kind_rates": RATES}
    deal = await presented(
        world,
        soc_pct=60,
        preferences=taken | {"max_discharge_wh_per_event": 3499},
        reward=reward(*POINTS, "24"),
        requested_energy_wh=3400,
        min_energy_wh=least_wh,
    )
    if deal.offer["state"] != "presented":
        # What may be told is less than the park wants at least.
        assert (least_wh, deal.offer["state"]) == (3400, "auto_declined")
        return
    answer = await world.decide(deal.owner, deal.offer, "counter")
    assert answer.status == 201
    counter = answer.body["decision"]["counter_terms"]
    assert counter["energy_wh"] == 3000
    assert counter["price_per_kwh"] in (None, "24")
    assert (await send_again(deal, deal.offer, counter))["state"] == "presented"


async def test_no_price_is_asked_for_in_points_that_the_owner_gave_no_rate(world: World) -> None:
    preferences = {"accepted_reward_kinds": KINDS}
    deal = await presented(world, preferences=preferences, reward=reward(*POINTS, "1"))
    assert deal.offer["state"] == "presented"
    assert code(await world.decide(deal.owner, deal.offer, "counter")) == (409, "not_feasible")
    # What it is worth to them is the owner's to say.
    answer = await world.decide(deal.owner, deal.offer, "counter", price_per_kwh="9")
    assert answer.body["decision"]["counter_terms"]["price_per_kwh"] == "9"


async def test_promise_8_another_start_moves_the_whole_window_and_is_accepted(
    world: World,
) -> None:
    """The car leaves half an hour after this window begins."""
    late: dict[str, Any] = {
        "start_at": world.at(4 * 3600),
        "end_at": world.at(5 * 3600),
        "min_energy_wh": 6000,
    }
    deal = await presented(world, preferences=by_rule(), **late)
    counter = deal.offer["decision"]["counter_terms"]
    assert counter["start_at"] < late["start_at"]
    assert (await send_again(deal, deal.offer, counter))["state"] == "accepted"


async def test_promise_8_nothing_is_asked_for_that_would_be_declined_now(world: World) -> None:
    deal = await presented(world)
    await world.move(1100)
    deal.offer = await world.offer(deal.park, deal.session_id)
    await world.move(1000)
    assert code(await world.decide(deal.owner, deal.offer, "counter")) == (409, "not_feasible")
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    assert (await world.decide(deal.owner, deal.offer, "counter")).status == 201
