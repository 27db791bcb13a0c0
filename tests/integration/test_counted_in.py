"""What an offer in points leaves is money of the owner's: no figure of it is shown in points."""

from typing import Any

from homeassistant.core import Context
import pytest

from custom_components.v2g_owner.voice import async_offer_facts

from .conftest import Home, until
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow

POINTS = {"kind": "points", "currency": "XPOINT", "price_per_kwh": "12.0000"}
RATES = [{"currency": "XPOINT", "price_per_unit": "0.1"}]


@pytest.fixture
async def told(home: Home, world: OwnerWorld, vehicle_id: str, session_id: str) -> dict[str, Any]:
    """Offer 12 points per kWh, worth 0.10 CNY each; returns the offer as the agent tells it."""
    kinds = {"in_kind_rates": RATES, "accepted_reward_kinds": ["cash", "points"]}
    await world.phone.patch(f"/v1/vehicles/{vehicle_id}/preferences", kinds)
    times = {"start_at": world.at(1), "end_at": world.at(3_600)}
    offer = await world.offer(session_id, reward=POINTS, **times)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    shown: dict[str, Any] = await world.phone.get(f"/v1/offers/{offer['offer_id']}")
    assert shown["evaluation"]["net_minor"] > 100, "more than one yuan"
    return shown


async def test_what_an_offer_in_points_leaves_is_shown_in_the_owners_money(
    home: Home, world: OwnerWorld, vehicle_id: str, told: dict[str, Any]
) -> None:
    found, owner_id = told["evaluation"], world.owner_id
    lines = found["breakdown"]
    net = home.state("sensor", owner_id, "next_offer_net")
    assert float(net.state) == found["net_minor"] / 100
    assert net.attributes["unit_of_measurement"] == "CNY"
    assert net.attributes["gross"] == lines["gross_minor"] / 100
    wear = home.state("sensor", owner_id, "next_offer_wear")
    assert float(wear.state) == lines["wear_minor"] / 100
    assert wear.attributes["unit_of_measurement"] == "CNY"
    even = home.state("sensor", owner_id, "next_offer_break_even")
    assert even.attributes["unit_of_measurement"] == "CNY/kWh"
    price = home.state("sensor", owner_id, "next_offer_price")
    assert price.attributes["unit_of_measurement"] == "XPOINT/kWh"

    last = home.state("sensor", vehicle_id, "last_offer").attributes
    assert (last["currency"], last["net_currency"]) == ("XPOINT", "CNY")
    assert (last["net"], last["gross"]) == (found["net_minor"] / 100, lines["gross_minor"] / 100)


async def test_the_actions_and_the_event_of_an_offer_in_points_tell_its_net_in_money(
    home: Home, world: OwnerWorld, told: dict[str, Any]
) -> None:
    net = told["evaluation"]["net_minor"] / 100
    (listed,) = (await home.act("list_offers"))["offers"]
    assert (listed["net"], listed["net_currency"]) == (net, "CNY")
    assert listed["net_in_words"] == f"{net:.2f} CNY"
    money = (await home.act("get_offer", {"offer_id": told["offer_id"]}))["money"]
    assert (money["net"], money["currency"]) == (net, "CNY")
    event = home.state("event", world.owner_id, "offers").attributes
    assert (event["net"], event["net_currency"], event["currency"]) == (net, "CNY", "XPOINT")
    coordinator = home.entry.runtime_data.coordinator
    facts = await async_offer_facts(coordinator, coordinator.data.open_offers[0], "en")
    assert (facts["net"], facts["currency"]) == (f"{net:.2f}", "CNY")


async def test_a_deal_in_points_keeps_its_net_in_money(
    home: Home, world: OwnerWorld, session_id: str, told: dict[str, Any]
) -> None:
    """What it was paid is told in points; what it leaves, as when it was offered, in money."""
    answer = await home.act("accept_offer", context=Context(user_id="anna"))
    commitment_id = answer["answer"]["commitment_id"]
    await world.award(commitment_id)
    await until(lambda: world.at(0) > told["terms"]["start_at"])
    await world.tick()
    await world.meter(session_id, context="begin")
    assert await world.instruct(commitment_id) == 201
    world.exported_wh += 500
    await world.meter(session_id, -7_000)
    await world.tick()
    await home.act("stop", context=Context(user_id="anna"))
    await world.park.post(
        f"/v1/park/commitments/{commitment_id}/stop-confirmation", {"confirmed_at": world.at(0)}
    )
    await world.meter(session_id, 0, context="end")
    await world.tick()
    await until(lambda: "net_minor" in home.state("event", world.owner_id, "rewards").attributes)
    rewards = home.state("event", world.owner_id, "rewards").attributes
    assert (rewards["amount_minor"], rewards["currency"]) == (6, "XPOINT")
    # Six points count as 0.60, and half a kWh costs half of what a kWh was said to.
    leaves = 60 - 50 * float(told["evaluation"]["break_even_price_per_kwh"])
    assert abs(rewards["net_minor"] - leaves) <= 1
    assert rewards["net_currency"] == "CNY"
