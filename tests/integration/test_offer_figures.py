"""What an offer is worth, why not, the nearest yes and the plan, as an owner sees them."""

import ast
from collections.abc import Iterator
from datetime import datetime, timedelta
import json
from pathlib import Path

from homeassistant.core import Context
import pytest

from custom_components.v2g_owner.judgement import (
    OFFER_REASONS,
    WAYS,
    money_lines,
    plan_steps,
    reason_code,
    ways_to_yes,
)
from custom_components.v2g_owner.models_deal import Evaluation

from .conftest import Home
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow

OWNER_API = Path(__file__).parents[2] / "owner_api"


def strings_said(folder: str, call: str, place: int | str) -> Iterator[str]:
    """Yield the literal texts that the API's source gives to one argument of a call."""
    for path in (OWNER_API / folder).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != call:
                continue
            named = {keyword.arg: keyword.value for keyword in node.keywords}
            found = node.args[place] if isinstance(place, int) else named.get(place)
            if isinstance(found, ast.Constant) and isinstance(found.value, str):
                yield found.value


def test_every_reason_and_way_the_api_can_name_has_words_here() -> None:
    """Promise 8: a no without words is a no without a reason. Read from the API's source."""
    codes = {*strings_said("commands", "blocked", 0), *strings_said("planning", "Reason", "code")}
    assert len(codes) > 15
    assert codes <= set(OFFER_REASONS)
    pointers = set(strings_said("planning", "Change", "change"))
    assert pointers
    assert pointers <= set(WAYS)


async def test_the_next_offer_shows_break_even_net_wear_and_where_the_reward_goes(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """Every figure is the API's own; the lines add up to the net."""
    offer = await world.offer(session_id)
    owner_id = world.owner_id
    await home.reaches("sensor", owner_id, "open_offers", "1")
    told = (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["evaluation"]
    lines = told["breakdown"]
    assert lines["wear_minor"] > 0

    shown = home.state("sensor", owner_id, "next_offer_break_even")
    assert float(shown.state) == float(told["break_even_price_per_kwh"])
    assert shown.attributes["unit_of_measurement"] == "CNY/kWh"
    wear = home.state("sensor", owner_id, "next_offer_wear")
    assert float(wear.state) == lines["wear_minor"] / 100
    assert wear.attributes["device_class"] == "monetary"
    net = home.state("sensor", owner_id, "next_offer_net")
    parts = {key: net.attributes[key] for key in ("gross", "refill", "losses", "wear")}
    assert parts == {key: lines[f"{key}_minor"] / 100 for key in parts}
    spent = parts["refill"] + parts["losses"] + parts["wear"]
    assert float(net.state) == pytest.approx(parts["gross"] - spent)
    assert net.attributes["prices_assumed_from"] is None
    assert home.state("sensor", owner_id, "next_offer_reason").state == "none"
    assert home.state("sensor", owner_id, "next_offer_nearest").state == "none"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"decision": "counter", "price_per_kwh": "9"}, "person_asked_for_more"),
        ({"decision": "decline"}, "person_declined"),
    ],
    ids=["counter", "decline"],
)
async def test_promise_8_an_offer_below_what_a_person_asked_for_says_why_no_rule_took_it(
    home: Home,
    world: OwnerWorld,
    session_id: str,
    vehicle_id: str,
    answer: dict[str, str],
    why: str,
) -> None:
    offer = await world.offer(session_id)
    rules = {"consent_mode": "rules", "rules": [{"name": "any"}]}
    await world.phone.patch(f"/v1/vehicles/{vehicle_id}/preferences", rules)
    asked = {key: offer[key] for key in ("offer_id", "revision", "terms_sha256")}
    await world.phone.post("/v1/decisions", asked | {"method": "tap"} | answer)
    await world.offer(session_id)
    await home.reaches("sensor", vehicle_id, "last_offer_reason", why)


async def test_promise_8_an_offer_that_asks_too_much_says_so_and_what_would_be_enough(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """Promise 8: the limit, what it needs, what there is, and the nearest yes."""
    offer = await world.offer(session_id, requested_energy_wh=50_000, max_energy_wh=50_000)
    owner_id = world.owner_id
    told = (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["evaluation"]
    reason = await home.reaches("sensor", owner_id, "next_offer_reason", told["reason"]["code"])
    assert reason.state != "none"
    for detail in ("limit", "needed", "available", "unit"):
        assert reason.attributes[detail] == told["reason"][detail]
    nearest = home.state("sensor", owner_id, "next_offer_nearest")
    ways = [(way["way"], way["to"]) for way in nearest.attributes["ways"]]
    assert ways == [(WAYS[each["change"]], each["to"]) for each in told["nearest"]]
    assert nearest.state == (ways[0][0] if ways else "none")
    # The car shows the same of its newest offer.
    assert home.state("sensor", vehicle_id, "last_offer").state == "presented"
    assert home.state("sensor", vehicle_id, "last_offer_reason").state == reason.state


async def test_promise_8_an_offer_that_is_too_cheap_names_the_price_that_would_do(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """Promise 8: it does not prompt, and is not hidden either."""
    reward = {"kind": "cash", "currency": "CNY", "price_per_kwh": "0.3000"}
    offer = await world.offer(session_id, reward=reward)
    reason = await home.reaches("sensor", vehicle_id, "last_offer_reason", "price")
    told = (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["evaluation"]
    assert reason.attributes["unit"] == "CNY/kWh"
    assert reason.attributes["needed"] == told["reason"]["needed"]
    assert reason.attributes["ways"][0] == {
        "way": "higher_price",
        "to": told["nearest"][0]["to"],
    }
    last = home.state("sensor", vehicle_id, "last_offer")
    assert last.state == "auto_declined"
    assert last.attributes["net"] == told["net_minor"] / 100 < 0
    assert last.attributes["break_even_price_per_kwh"] == told["break_even_price_per_kwh"]


async def test_an_offer_declined_for_the_owner_still_tells_why(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """It was never open, so the account shows nothing of it; the car does."""
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    assert home.state("sensor", vehicle_id, "last_offer").state == "unknown"
    await world.phone.patch(path, {"discharge_allowed": False})
    offer = await world.offer(session_id)
    last = await home.reaches("sensor", vehicle_id, "last_offer", "auto_declined")
    assert last.attributes["offer_id"] == offer["offer_id"]
    assert last.attributes["price_per_kwh"] == "1.2000"
    reason = home.state("sensor", vehicle_id, "last_offer_reason")
    assert reason.state == "discharge_not_allowed"
    assert home.state("sensor", world.owner_id, "next_offer_reason").state == "unknown"

    # A newer offer takes its place.
    await world.phone.patch(path, {"discharge_allowed": True})
    await world.offer(session_id)
    await home.reaches("sensor", vehicle_id, "last_offer", "presented")
    assert home.state("sensor", vehicle_id, "last_offer_reason").state == "none"


async def test_the_energy_that_the_figures_are_for_is_shown_beside_what_is_asked_for(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """Of six kWh the owner's limit lets five go: net, wear and break-even are those of five."""
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    await world.phone.patch(path, {"max_discharge_wh_per_event": 5_200})
    offer = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    told = (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["evaluation"]
    asked = home.state("sensor", world.owner_id, "next_offer_energy")
    assert (asked.state, asked.attributes["quoted_energy_wh"]) == ("6.0", 5_000)
    gross = home.state("sensor", world.owner_id, "next_offer_net").attributes["gross"]
    assert gross == pytest.approx(5 * 1.2)
    assert told["quoted_energy_wh"] == 5_000
    last = home.state("sensor", vehicle_id, "last_offer")
    assert last.attributes["quoted_energy_wh"] == 5_000
    heard = home.state("event", world.owner_id, "offers")
    assert heard.attributes["quoted_energy_wh"] == 5_000


async def test_the_plan_of_the_next_offer_and_of_the_deal_is_shown(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """From each instant on: the power, and the battery then. The park sees none of it."""
    offer = await world.offer(session_id)
    owner_id = world.owner_id
    await home.reaches("sensor", owner_id, "open_offers", "1")
    told = (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["evaluation"]["plan"]
    plan = home.state("sensor", owner_id, "next_offer_energy").attributes["plan"]
    assert [step["power_w"] for step in plan] == [step["power_w"] for step in told]
    assert [step["soc_pct"] for step in plan] == [step["soc_pct"] for step in told]
    selling = [step for step in plan if step["power_w"] < 0]
    begins = datetime.fromisoformat(selling[0]["start_at"])
    asked = datetime.fromisoformat(offer["terms"]["start_at"])
    assert timedelta() <= begins - asked <= timedelta(seconds=1), "plans count whole seconds"

    answer = await home.act("accept_offer", context=Context(user_id="somebody"))
    assert answer["answer"]["state"] == "accepted"
    deal = await home.reaches("sensor", owner_id, "deal_state", "pending_award")
    assert deal.attributes["plan"] == plan
    for path in (f"offers/{offer['offer_id']}", f"commitments/{deal.attributes['commitment_id']}"):
        assert "plan" not in json.dumps(await world.park.get(f"/v1/park/{path}"))


def test_what_a_newer_api_says_has_no_words_and_shows_nothing_false() -> None:
    """An unknown code is unknown, an unknown change no way, and no judgement is no figure."""
    odd = Evaluation(
        reason={"code": "moon_phase"},
        nearest=({"change": "/moon/phase", "to": 1}, {"change": "/departure_at", "to": "x"}, "odd"),
    )
    assert reason_code(odd) is None
    assert ways_to_yes(odd) == [{"way": "later_departure", "to": "x"}]
    assert reason_code(None) is None
    assert plan_steps(None) == ways_to_yes(None) == []
    assert set(money_lines(None, "CNY").values()) == {None}
