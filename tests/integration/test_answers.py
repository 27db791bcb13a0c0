"""Who answers, by which way, and what happens when it is unclear or too late."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.translation import async_get_translations
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import probatio
import pytest

from custom_components.v2g_owner.actor import async_actor_of
from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.voice import open_offers

from .conftest import Home, until
from .owner_world import OwnerWorld, rfc


async def press(home: Home, owner_id: str, key: str, context: Context | None = None) -> None:
    """Press one of the account's buttons."""
    await home.hass.services.async_call(
        "button",
        "press",
        {"entity_id": home.entity_id("button", owner_id, key)},
        blocking=True,
        context=context,
    )


@pytest.mark.parametrize(
    ("button", "state"),
    [
        ("accept_offer", "accepted"),
        ("decline_offer", "declined"),
    ],
)
async def test_a_button_answers_the_one_open_offer(
    button: str,
    state: str,
    home: Home,
    world: OwnerWorld,
    session_id: str,
    hass_admin_user: Any,
) -> None:
    """A button works only while exactly one offer is open, in the revision shown."""
    owner_id = world.owner_id
    for key in ("accept_offer", "decline_offer", "counter_offer"):
        assert home.state("button", owner_id, key).state == "unavailable"
    offer = await world.offer(session_id)
    await home.reaches("sensor", owner_id, "open_offers", "1")
    assert home.state("button", owner_id, button).state == "unknown"
    await press(home, owner_id, button, Context(user_id=hass_admin_user.id))
    shown = await world.phone.get(f"/v1/offers/{offer['offer_id']}")
    assert shown["state"] == state
    assert shown["decision"]["method"] == "tap"
    assert shown["decision"]["actor"] == {"user": hass_admin_user.id}
    await home.reaches("button", owner_id, button, "unavailable")


async def test_the_counter_button_sends_the_best_terms_computed(
    home: Home, world: OwnerWorld, session_id: str, hass_admin_user: Any
) -> None:
    """The nearest yes is one press away."""
    offer = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    found = (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["evaluation"]["counter"]
    assert found is not None
    context = Context(user_id=hass_admin_user.id)
    await press(home, world.owner_id, "counter_offer", context)
    shown = await world.phone.get(f"/v1/offers/{offer['offer_id']}")
    assert shown["state"] == "countered"
    sent = shown["decision"]["counter_terms"]
    # The offer pays enough already: nobody asks for less than that.
    offered = offer["terms"]["reward"]["price_per_kwh"]
    assert Decimal(found["price_per_kwh"]) < Decimal(offered) == Decimal(sent["price_per_kwh"])
    assert sent["energy_wh"] == found["energy_wh"]


@pytest.mark.parametrize(
    ("asked", "sent"),
    [(1.200049, "1.200049"), (1.5, "1.5000"), (1.20005, "1.20005"), (0.1 + 1.2, "1.3000")],
)
async def test_a_counter_asks_for_the_price_that_was_named(
    home: Home, world: OwnerWorld, session_id: str, asked: float, sent: str
) -> None:
    """With four digits it would ask for less than was offered."""
    reward = {"kind": "cash", "currency": "CNY", "price_per_kwh": "1.200049"}
    offer = await world.offer(session_id, reward=reward)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    await home.act("counter_offer", {"price_per_kwh": asked}, context=Context(user_id="anna"))
    shown = await world.phone.get(f"/v1/offers/{offer['offer_id']}")
    assert shown["decision"]["counter_terms"]["price_per_kwh"] == sent


@pytest.mark.parametrize(
    ("limit", "english", "chinese"),
    [
        (
            {"min_price_per_kwh": "9.0000"},
            "Price too low (1.2000 CNY/kWh < 9.0000 CNY/kWh)",
            "价格太低 (1.2000 CNY/kWh < 9.0000 CNY/kWh)",
        ),
        (
            {"max_discharge_wh_per_day": 500},
            "Less than the park needs (0.5 kWh < 1 kWh)",
            "少于园区最低需要 (0.5 kWh < 1 kWh)",
        ),
    ],
)
async def test_promise_8_a_refused_yes_names_the_limit_in_words(
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    session_id: str,
    hass_admin_user: Any,
    limit: dict[str, Any],
    english: str,
    chinese: str,
) -> None:
    """It was told by its code in the middle of a Chinese sentence: "cannot be kept: min_energy"."""
    offer = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    await world.phone.patch(f"/v1/vehicles/{vehicle_id}/preferences", limit)
    for language, told in (("en", english), ("zh-Hans", chinese)):
        home.hass.config.language = language
        await async_get_translations(home.hass, language, "entity", {DOMAIN})
        with pytest.raises(ServiceValidationError) as refused:
            await home.act(
                "accept_offer",
                {"offer_id": offer["offer_id"]},
                context=Context(user_id=hass_admin_user.id),
            )
        assert refused.value.translation_key == "not_feasible"
        assert (refused.value.translation_placeholders or {})["detail"] == told


async def test_two_open_offers_must_be_named(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """An answer to the wrong offer would be a consent nobody gave."""
    first = await world.offer(session_id)
    second = await world.offer(session_id, start_at=world.at(7_200), end_at=world.at(9_000))
    await home.reaches("sensor", world.owner_id, "open_offers", "2")
    assert home.state("button", world.owner_id, "accept_offer").state == "unavailable"
    with pytest.raises(ServiceValidationError) as unclear:
        await home.act("accept_offer", context=Context(user_id="somebody"))
    assert unclear.value.translation_key == "several_open_offers"
    listed = await home.act("list_offers")
    assert listed["vehicle_count"] == 1
    assert {each["vehicle_name"] for each in listed["offers"]} == {"Blue car"}
    ids = {each["offer_id"] for each in listed["offers"]}
    assert ids == {first["offer_id"], second["offer_id"]}
    await home.act(
        "decline_offer", {"offer_id": second["offer_id"]}, context=Context(user_id="somebody")
    )
    await home.reaches("sensor", world.owner_id, "open_offers", "1")


@pytest.mark.parametrize(
    ("data", "between"),
    [({}, " to "), ({"language": "zh-Hant"}, " 至 "), ({"language": "de"}, " to ")],
    ids=["Home Assistant's", "another", "one that is not ours"],
)
async def test_the_times_of_an_offer_are_listed_in_the_language_asked_for(
    home: Home, world: OwnerWorld, session_id: str, data: dict[str, str], between: str
) -> None:
    """Two drivers of one home may read different languages."""
    await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    (listed,) = (await home.act("list_offers", data))["offers"]
    assert between in listed["when"]


async def test_no_offer_and_an_unknown_offer_are_named_as_such(home: Home) -> None:
    """Promise 8: every no has a reason."""
    with pytest.raises(ServiceValidationError) as none_open:
        await home.act("accept_offer")
    assert none_open.value.translation_key == "no_open_offer"
    with pytest.raises(ServiceValidationError) as unknown:
        await home.act("accept_offer", {"offer_id": "off_x"})
    assert unknown.value.translation_key == "offer_unknown"


async def test_terms_that_changed_since_they_were_seen_are_not_accepted(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """Promise 1: a yes covers exactly the terms it was given to."""
    offer = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    coordinator = home.entry.runtime_data.coordinator
    seen = coordinator.data
    terms = world.terms()
    terms["reward"] = {**terms["reward"], "price_per_kwh": "0.9000"}
    await world.park.post(
        f"/v1/park/offers/{offer['offer_id']}/revisions",
        {"revision": 2, "respond_by": world.at(500), "terms": terms},
    )
    await until(lambda: coordinator.data.offers[offer["offer_id"]].revision == 2)
    with pytest.raises(ServiceValidationError) as seen_old:
        await home.act(
            "accept_offer",
            {"offer_id": offer["offer_id"], "revision": 1},
            context=Context(user_id="somebody"),
        )
    assert seen_old.value.translation_key == "stale_terms"
    # And when even the stream has not told yet, the API itself refuses and shows the new terms.
    coordinator.data = seen
    with pytest.raises(ServiceValidationError) as refused:
        await home.act("accept_offer", context=Context(user_id="somebody"))
    assert refused.value.translation_key == "stale_terms"
    assert coordinator.data.offers[offer["offer_id"]].revision == 2
    shown = await world.park.get(f"/v1/park/offers/{offer['offer_id']}")
    assert shown["state"] == "presented"


@pytest.mark.parametrize("how", ["revised", "withdrawn and sent anew"])
async def test_promise_1_what_took_the_place_of_other_terms_just_now_is_not_accepted_unseen(
    home: Home, world: OwnerWorld, session_id: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 1: a press that names no revision was for what stood there before."""
    offer = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    terms = world.terms()
    terms["reward"] = {**terms["reward"], "price_per_kwh": "0.9000"}
    path = f"/v1/park/offers/{offer['offer_id']}"
    if how == "revised":
        body = {"revision": 2, "respond_by": world.at(500), "terms": terms}
        await world.park.post(f"{path}/revisions", body)
    else:
        await world.park.post(f"{path}/withdrawal")
        await world.offer(session_id, reward=terms["reward"])
    await home.reaches("sensor", world.owner_id, "next_offer_price", "0.9")
    await home.reaches("button", world.owner_id, "accept_offer", "unknown")
    anna = Context(user_id="anna")
    for accept in (
        press(home, world.owner_id, "accept_offer", anna),
        home.act("accept_offer", context=anna),
    ):
        with pytest.raises(ServiceValidationError) as unseen:
            await accept
        assert unseen.value.translation_key == "just_changed"
    monkeypatch.setattr("custom_components.v2g_owner.meant._MAY_BE_UNSEEN_S", 0.0)
    await press(home, world.owner_id, "accept_offer", anna)
    await home.reaches("sensor", world.owner_id, "deal_state", "pending_award")


async def test_an_answer_after_expiry_fails_softly(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """A notification answered too late says so."""
    offer = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    await world.park.post(f"/v1/park/offers/{offer['offer_id']}/withdrawal")
    await home.reaches("sensor", world.owner_id, "open_offers", "0")
    with pytest.raises(ServiceValidationError) as late:
        await home.act(
            "accept_offer", {"offer_id": offer["offer_id"]}, context=Context(user_id="somebody")
        )
    assert late.value.translation_key == "offer_closed"


async def test_promise_1_an_automation_counts_only_where_the_owner_allowed_it(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    session_id: str,
    vehicle_id: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Promise 1: a real automation that accepts each offer, first forbidden, then allowed."""
    automation = {
        "alias": "Take every offer",
        "triggers": {
            "trigger": "state",
            "entity_id": home.entity_id("event", world.owner_id, "offers"),
        },
        "conditions": {
            "condition": "state",
            "entity_id": home.entity_id("event", world.owner_id, "offers"),
            "attribute": "event_type",
            "state": "offer_presented",
        },
        "actions": {"action": "v2g_owner.accept_offer"},
    }
    assert await async_setup_component(hass, "automation", {"automation": automation})
    await hass.async_block_till_done()
    offer = await world.offer(session_id)
    await until(lambda: "Take every offer" in caplog.text and "may not" in caplog.text)
    assert (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["state"] == "presented"
    # The automation's own failure is logged by Home Assistant, as it should be.
    caplog.clear()
    await world.park.post(f"/v1/park/offers/{offer['offer_id']}/withdrawal")
    await home.reaches("sensor", world.owner_id, "open_offers", "0")

    await home.set("switch", vehicle_id, "allow_automations", "turn_on")
    offer = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "deal_state", "pending_award")
    decision = (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["decision"]
    assert decision["method"] == "automation"
    assert decision["actor"] == {"automation": "automation.take_every_offer"}


async def test_promise_1_an_add_on_or_the_cloud_is_an_automation_and_nobodys_tap(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """Promise 1: Home Assistant made them administrators, but no person stands behind them."""
    program = await home.hass.auth.async_create_system_user(
        "Supervisor", group_ids=["system-admin"]
    )
    offer = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    path, context = f"/v1/offers/{offer['offer_id']}", Context(user_id=program.id)
    home.hass.config.language = "zh-Hans"
    await async_get_translations(home.hass, "zh-Hans", "exceptions", {DOMAIN})
    with pytest.raises(ServiceValidationError) as refused:
        await home.act("accept_offer", context=context)
    assert refused.value.translation_key == "forbidden"
    # The English sentence of the API stood in the middle of a Chinese one.
    told = (refused.value.translation_placeholders or {})["detail"]
    assert told.startswith("在您允许之前")
    assert (await world.phone.get(path))["state"] == "presented"

    await home.set("switch", vehicle_id, "allow_automations", "turn_on")
    await home.act("accept_offer", context=Context(user_id=program.id))
    decision = (await world.phone.get(path))["decision"]
    assert decision["method"] == "automation"
    assert decision["actor"] == {"automation": "Supervisor"}


async def test_who_acts_is_read_from_the_context(hass: HomeAssistant) -> None:
    """Only a person's own call counts as a tap."""
    anna = await async_actor_of(hass, Context(user_id="anna"))
    assert anna.method == "tap"
    for_anna = await async_actor_of(hass, Context(user_id="anna", parent_id="before"))
    assert for_anna.method == "automation"
    nobody = await async_actor_of(hass, Context())
    assert nobody.method == "automation"
    assert nobody.who == {"automation": "unknown"}


async def test_promise_4_stop_is_offered_even_with_the_api_gone_and_says_that_it_failed(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Promise 4: nobody may be left believing that a stop went through."""
    await world.stop_server()
    await home.entry.runtime_data.coordinator.async_refresh()
    await home.reaches("sensor", world.owner_id, "open_offers", "unavailable")
    assert home.state("button", world.owner_id, "stop").state != "unavailable"
    assert home.state("button", vehicle_id, "stop").state != "unavailable"
    with pytest.raises(HomeAssistantError) as failed:
        await press(home, world.owner_id, "stop")
    assert failed.value.translation_key == "stop_not_told"
    with pytest.raises(HomeAssistantError):
        await press(home, vehicle_id, "stop")


async def test_promise_4_a_vehicle_can_be_stopped_alone(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str, hass_admin_user: Any
) -> None:
    """Promise 4: by the vehicle's button, by its device, by the deal's id."""
    await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    answer = await home.act("accept_offer", context=Context(user_id="somebody"))
    commitment_id = answer["answer"]["commitment_id"]
    await home.reaches("sensor", world.owner_id, "deal_state", "pending_award")
    await press(home, vehicle_id, "stop", Context(user_id=hass_admin_user.id))
    await home.reaches("sensor", world.owner_id, "deal_state", "none")
    shown = await world.phone.get(f"/v1/commitments/{commitment_id}")
    assert shown["state"] == "revoked"
    again = await home.act("stop", {"commitment_id": commitment_id})
    assert [each["state"] for each in again["stops"][0]["commitments"]] == ["revoked"]


@pytest.mark.parametrize("field", ["price_per_kwh", "energy_kwh"])
async def test_an_endless_number_in_a_counter_is_refused_and_sends_nothing(
    field: str, home: Home, world: OwnerWorld, session_id: str
) -> None:
    """A template may give one; the person is told which field it is."""
    offer = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    for value in ("inf", "-inf", "nan", float("inf"), float("nan"), 1e30):
        with pytest.raises(probatio.Invalid, match=field):
            await home.act("counter_offer", {field: value}, context=Context(user_id="somebody"))
    shown = await world.phone.get(f"/v1/offers/{offer['offer_id']}")
    assert shown["state"] == "presented"


async def test_times_named_with_an_answer_are_of_home_assistants_zone_not_of_the_process(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """Promise 2: a yes that names a leave time counts on the hour the owner meant."""
    await home.hass.config.async_set_time_zone("Asia/Shanghai")
    here = ZoneInfo("Asia/Shanghai")
    leave = dt_util.now().replace(tzinfo=None, microsecond=0) + timedelta(hours=20)
    one_off = f"/v1/vehicles/{vehicle_id}/departures"
    context = Context(user_id="somebody")

    offer = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    start = dt_util.now().replace(tzinfo=None, microsecond=0) + timedelta(hours=2)
    terms = {"start_at": start.isoformat(), "departure_at": leave}
    await home.act("counter_offer", terms, context=context)
    countered = await world.phone.get(f"/v1/offers/{offer['offer_id']}")
    sent = countered["decision"]["counter_terms"]
    assert sent["start_at"] == rfc(start.replace(tzinfo=here))
    await world.park.post(f"/v1/park/offers/{offer['offer_id']}/withdrawal")

    await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    later = leave + timedelta(hours=1)
    await home.act("accept_offer", {"departure_at": later.isoformat(" ")}, context=context)
    told = (await world.phone.get(one_off))["one_off"]["departure_at"]
    assert told == rfc(later.replace(tzinfo=here))


async def test_naming_a_leave_time_is_enough_to_counter_what_could_not_be_judged_without(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str, hass_admin_user: Any
) -> None:
    """The agent keeps the leave time and asks for the best terms by it."""
    path = f"/v1/vehicles/{vehicle_id}/departures"
    await world.phone.patch(path, {"one_off": None})
    offer = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "next_offer_reason", "departure_unknown")
    context = Context(user_id=hass_admin_user.id)
    with pytest.raises(ServiceValidationError) as refused:
        await home.act("counter_offer", context=context)
    assert refused.value.translation_key == "no_counter"
    leave_at = dt_util.utcnow() + timedelta(hours=6)
    await home.act("counter_offer", {"departure_at": leave_at}, context=context)
    shown = await world.phone.get(f"/v1/offers/{offer['offer_id']}")
    assert shown["decision"]["counter_terms"]["energy_wh"] == 6000
    kept = (await world.phone.get(path))["one_off"]["departure_at"]
    assert abs(dt_util.parse_datetime(kept) - leave_at) < timedelta(seconds=1)


async def test_an_offer_without_better_terms_cannot_be_countered(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """A counter of nothing would only cost the owner the offer."""
    await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    coordinator = home.entry.runtime_data.coordinator
    offer = coordinator.data.open_offers[0]
    bare = replace(offer, evaluation=replace(offer.evaluation, counter=None))
    for none_known in (bare, replace(offer, evaluation=None)):
        coordinator.data = replace(coordinator.data, offers={offer.offer_id: none_known})
        with pytest.raises(ServiceValidationError) as nothing:
            await home.act("counter_offer", context=Context(user_id="somebody"))
        assert nothing.value.translation_key == "no_counter"


async def test_promise_1_an_offer_is_answered_while_another_waits_for_its_park(
    hass: HomeAssistant, home: Home, world: OwnerWorld, session_id: str
) -> None:
    """Promise 1: who has asked for other terms still says yes or no to what comes meanwhile."""
    owner_id = world.owner_id
    first = await world.offer(session_id, respond_s=300)
    await home.reaches("sensor", owner_id, "open_offers", "1")
    await home.act("counter_offer", {"price_per_kwh": 1.5}, context=Context(user_id="anna"))
    later = {"start_at": world.at(7_200), "end_at": world.at(10_800)}
    second = await world.offer(session_id, **later)
    await home.reaches("sensor", owner_id, "open_offers", "2")
    price = home.state("sensor", owner_id, "next_offer_price")
    assert price.attributes["offer_id"] == second["offer_id"], "the other has its answer"
    assert home.state("button", owner_id, "accept_offer").state != "unavailable"
    listed = (await home.act("list_offers"))["offers"]
    assert [each["state"] for each in listed] == ["presented", "countered"]
    ids = [offer.offer_id for _, offer in open_offers(hass)]
    assert ids == [second["offer_id"]]
    await press(home, owner_id, "accept_offer", Context(user_id="anna"))
    await home.reaches("sensor", owner_id, "deal_state", "pending_award")
    states = [
        (await world.phone.get(f"/v1/offers/{each['offer_id']}"))["state"]
        for each in (first, second)
    ]
    assert states == ["countered", "accepted"]
    # What is countered can still be declined, once nothing else is meant, and only that.
    await home.reaches("binary_sensor", owner_id, "offer_open", "off")
    await home.reaches("button", owner_id, "accept_offer", "unavailable")
    assert home.state("button", owner_id, "counter_offer").state == "unavailable"
    await press(home, owner_id, "decline_offer", Context(user_id="anna"))
    await home.reaches("sensor", owner_id, "open_offers", "0")
