"""The main job through Home Assistant: an offer, an answer, delivery, a reward."""

from datetime import datetime, timedelta
from typing import Any

from homeassistant.core import Context, HomeAssistant
import pytest

from .conftest import Home, car_says, until
from .entries import paired_entry, vehicle_subentry
from .owner_world import OwnerWorld


async def test_an_offer_reaches_home_assistant_with_price_energy_and_net(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """What the owner needs to judge is there at once, without a poll."""
    offer = await world.offer(session_id)
    owner_id = world.owner_id
    await home.reaches("sensor", owner_id, "open_offers", "1")
    price = home.state("sensor", owner_id, "next_offer_price")
    assert price.state == "1.2"
    assert price.attributes["unit_of_measurement"] == "CNY/kWh"
    assert price.attributes["offer_id"] == offer["offer_id"]
    assert price.attributes["vehicle_id"] == vehicle_id
    assert home.state("sensor", owner_id, "next_offer_energy").state == "6.0"
    told = (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["evaluation"]
    net = home.state("sensor", owner_id, "next_offer_net")
    assert float(net.state) == told["net_minor"] / 100
    event = home.state("event", owner_id, "offers")
    assert event.attributes["event_type"] == "offer_presented"
    assert event.attributes["offer_id"] == offer["offer_id"]


async def test_promise_1_nothing_is_accepted_while_nobody_answers(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """Promise 1: silence is no."""
    offer = await world.offer(session_id, respond_s=30)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    world.clock.ahead += timedelta(seconds=31)
    await world.tick()
    await home.reaches("sensor", world.owner_id, "open_offers", "0")
    assert (await world.park.get(f"/v1/park/offers/{offer['offer_id']}"))["state"] == "expired"
    assert home.state("sensor", world.owner_id, "deal_state").state == "none"


async def test_an_accepted_offer_is_delivered_settled_and_paid(
    home: Home, world: OwnerWorld, session_id: str, hass_admin_user: Any
) -> None:
    """The whole way, with the owner's tap, and price x delivered = reward at its end."""
    owner_id = world.owner_id
    offer = await world.offer(session_id, start_at=world.at(1), end_at=world.at(3_600))
    await home.reaches("sensor", owner_id, "open_offers", "1")

    answer = await home.act("accept_offer", context=Context(user_id=hass_admin_user.id))
    assert answer["offer_id"] == offer["offer_id"]
    decision = answer["answer"]["decision"]
    assert decision["method"] == "tap"
    assert decision["actor"] == {"user": hass_admin_user.id}
    commitment_id = answer["answer"]["commitment_id"]
    await home.reaches("sensor", owner_id, "deal_state", "pending_award")
    await world.award(commitment_id)
    await home.reaches("sensor", owner_id, "deal_state", "scheduled")

    await until(lambda: world.clock.now().timestamp() > _start(offer))
    await world.tick()
    await world.meter(session_id, context="begin")
    assert await world.instruct(commitment_id) == 201
    await home.reaches("sensor", owner_id, "deal_state", "active")
    await home.reaches("binary_sensor", owner_id, "discharging", "on")
    world.exported_wh += 500
    await world.meter(session_id, -7_000)
    await world.tick()
    await home.reaches("sensor", owner_id, "deal_delivered", "0.5")

    # Promise 4: asked, confirmed, stopped; and what to do when nobody confirms.
    response = await home.act("stop", context=Context(user_id=hass_admin_user.id))
    assert len(response["stops"][0]["commitments"]) == 1
    asked = await home.reaches("sensor", owner_id, "deal_state", "revoked")
    assert asked.attributes["stop_requested_at"] is not None
    assert asked.attributes["stop_confirmed_at"] is None
    assert home.state("binary_sensor", owner_id, "unplug_to_stop").state == "off"
    await home.reaches("binary_sensor", owner_id, "unplug_to_stop", "on")
    await world.park.post(
        f"/v1/park/commitments/{commitment_id}/stop-confirmation", {"confirmed_at": world.at(0)}
    )
    await home.reaches("binary_sensor", owner_id, "unplug_to_stop", "off")
    await world.meter(session_id, 0, context="end")
    await world.tick()
    await home.reaches("sensor", owner_id, "deal_state", "none")
    pending = await home.reaches("sensor", owner_id, "rewards_pending", "0.6")
    assert pending.attributes["unit_of_measurement"] == "CNY"
    settlement = (await world.phone.get(f"/v1/commitments/{commitment_id}"))["settlement"]
    assert settlement["delivered_wh"] == 500
    assert settlement["net_minor"] == 60
    (last,) = home.state("sensor", owner_id, "deal_state").attributes["last_deals"]
    assert (last["commitment_id"], last["state"]) == (commitment_id, "revoked")
    assert (last["reward"], last["delivered_wh"]) == ("settlement_provisional", 500)
    assert (last["amount_minor"], last["currency"]) == (60, "CNY")
    assert last["net_minor"] == settlement["breakdown"]["net_minor"]
    assert last["stopped_at"] is not None


async def test_promise_4_a_stop_that_the_meter_belies_says_to_unplug_though_it_was_confirmed(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """A park's word is no zero: while energy leaves the car, nobody is told that it has stopped."""
    owner_id = world.owner_id
    offer = await world.offer(session_id, start_at=world.at(0), end_at=world.at(3_600))
    await home.reaches("sensor", owner_id, "open_offers", "1")
    body = {key: offer[key] for key in ("offer_id", "revision", "terms_sha256")}
    answer = await world.phone.post("/v1/decisions", body | {"decision": "accept", "method": "tap"})
    commitment_id = answer["commitment_id"]
    await world.award(commitment_id)
    await world.meter(session_id, context="begin")
    assert await world.instruct(commitment_id) == 201
    await home.reaches("binary_sensor", owner_id, "discharging", "on")
    await world.phone.post("/v1/stops")
    confirmation = {"confirmed_at": world.at(0)}
    path = f"/v1/park/commitments/{commitment_id}/stop-confirmation"
    await world.park.post(path, confirmation)
    assert home.state("binary_sensor", owner_id, "unplug_to_stop").state == "off"

    world.clock.ahead += timedelta(seconds=90)
    world.exported_wh += 150
    await world.meter(session_id, -7_000)
    await world.tick()
    await home.reaches("binary_sensor", owner_id, "unplug_to_stop", "on")
    shown = home.state("sensor", owner_id, "deal_state").attributes
    assert shown["stop_confirmed_at"] is not None
    assert shown["stopped_at"] is None
    world.clock.ahead += timedelta(seconds=5)
    await world.meter(session_id, 0)
    await home.reaches("binary_sensor", owner_id, "unplug_to_stop", "off")


async def test_two_cars_that_deal_at_once_are_both_told_and_neither_history_grows(
    hass: HomeAssistant, world: OwnerWorld, vehicle_id: str
) -> None:
    """The second deal's figures stand nowhere else, and a stop of the first is not its stop."""
    second_id = await world.add_vehicle()
    car_says(hass, 80)
    entry = await paired_entry(
        hass, world, [vehicle_subentry(vehicle_id), vehicle_subentry(second_id)]
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    home, agreed = Home(hass, entry), {}
    cars = {"E07": vehicle_id, "E08": second_id}
    body = {"park_id": world.park.party_id, "terms_version": 1, "vehicle_ids": [*cars.values()]}
    await world.phone.post("/v1/agreements", body)
    members = (await world.park.get("/v1/park/members"))["items"]
    for member, (evse_id, car) in zip(members, cars.items(), strict=True):
        await home.reaches("sensor", car, "soc", "80.0")
        session = await world.plug_in(member["member_ref"], evse_id=evse_id)
        offer = await world.offer(session)
        await home.reaches("sensor", world.owner_id, "open_offers", "1")
        answer = await home.act("accept_offer", context=Context(user_id="somebody"))
        agreed[car] = answer["answer"]["commitment_id"]
        await world.award(agreed[car])
        await until(lambda: home.state("sensor", world.owner_id, "open_offers").state == "0")
        assert offer["offer_id"] == answer["offer_id"]

    def deals() -> dict[str, Any]:
        shown = home.state("sensor", world.owner_id, "deal_state")
        return {deal["vehicle_id"]: deal for deal in shown.attributes.get("deals", [])}

    await until(lambda: [deal["state"] for deal in deals().values()] == ["scheduled"] * 2)
    assert {car: deal["commitment_id"] for car, deal in deals().items()} == agreed
    await home.act("stop", {"commitment_id": agreed[vehicle_id]}, context=Context(user_id="li"))
    await until(lambda: list(deals()) == [second_id])
    assert deals()[second_id]["stop_requested_at"] is None
    assert deals()[second_id]["committed_energy_wh"] == 6_000
    platform = home.entity_id("sensor", world.owner_id, "deal_state")
    info = hass.states.get(platform).state_info  # type: ignore[union-attr]
    assert info is not None
    assert {"deals", "last_deals"} <= info["unrecorded_attributes"]

    # Each car keeps its own last deal; the one that ended last comes first.
    def ended() -> list[str]:
        told = home.state("sensor", world.owner_id, "deal_state").attributes["last_deals"]
        return [deal["commitment_id"] for deal in told]

    assert ended() == [agreed[vehicle_id]]
    await home.act("stop", {"commitment_id": agreed[second_id]}, context=Context(user_id="li"))
    await until(lambda: ended() == [agreed[second_id], agreed[vehicle_id]])


def _start(offer: Any) -> float:
    """Return the second an offer's window opens."""
    return datetime.fromisoformat(offer["terms"]["start_at"]).timestamp()


@pytest.mark.parametrize("answer", ["decline", "counter"])
async def test_an_offer_can_be_declined_or_countered(
    answer: str, home: Home, world: OwnerWorld, session_id: str
) -> None:
    """The three answers are equal; each closes or moves exactly the offer shown."""
    offer = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    context = Context(user_id="somebody")
    terms = {"price_per_kwh": 1.5} if answer == "counter" else {}
    await home.act(f"{answer}_offer", terms, context=context)
    shown = await world.park.get(f"/v1/park/offers/{offer['offer_id']}")
    assert shown["state"] == {"decline": "declined", "counter": "countered"}[answer]
    if answer == "counter":
        assert shown["decision"]["counter_terms"]["price_per_kwh"] == "1.5000"


async def test_a_new_state_of_charge_reaches_the_api_with_its_own_time(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Promise 3: the API learns when the car measured, not when Home Assistant sent."""
    await home.reaches("sensor", vehicle_id, "soc", "80.0")
    car_says(home.hass, 79)
    sensor = home.hass.states.get("sensor.car_battery")
    assert sensor is not None
    await home.reaches("sensor", vehicle_id, "soc", "79.0")
    told = await world.phone.get(f"/v1/vehicles/{vehicle_id}")
    assert told["soc"]["measured_at"][:19] == sensor.last_reported.isoformat()[:19]
