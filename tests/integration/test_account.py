"""The rest of an account: parks, check-in, calendar, rewards, diagnostics, the decoder."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
import json
from typing import Any
from unittest.mock import AsyncMock

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.calendar.const import DATA_COMPONENT
from homeassistant.core import Context
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util
import probatio
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.v2g_owner import models, models_deal, snapshot
from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.decode import BadAnswerError, decode
from custom_components.v2g_owner.diagnostics import (
    async_get_config_entry_diagnostics,
    async_get_device_diagnostics,
)
from custom_components.v2g_owner.instants import utc_text
from custom_components.v2g_owner.money import amount, in_words, major
from owner_api.schemas import views

from .conftest import Home, until
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow


def device_of(home: Home, identifier: str) -> dr.DeviceEntry:
    """Return one of our devices."""
    device = dr.async_get(home.hass).async_get_device_by_identifier(
        (DOMAIN, identifier), home.entry.entry_id
    )
    assert isinstance(device, dr.DeviceEntry)
    return device


async def test_the_account_offers_no_visit_to_an_agent_that_has_no_page(
    home: Home, world: OwnerWorld
) -> None:
    """Home Assistant's button *Visit* led to an error in JSON."""
    assert device_of(home, world.owner_id).configuration_url is None


async def test_a_park_is_joined_after_reading_its_terms_and_left_again(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """An agreement is the owner's act; withdrawing it is as well. An operator has many parks."""
    await world.add_parks_until_the_last()
    parks = (await home.act("list_parks"))["items"]
    (park,) = [each for each in parks if each["park_id"] == world.park.party_id]
    assert park["terms_text"]
    device = device_of(home, vehicle_id)
    await home.act(
        "join_park",
        {
            "device_id": [device.id],
            "park_id": park["park_id"],
            "terms_version": park["terms_version"],
        },
        context=Context(user_id="somebody"),
    )
    assert len((await world.park.get("/v1/park/members"))["items"]) == 1
    await until(lambda: home.entry.runtime_data.coordinator.data.agreements)
    await home.act("leave_park", {"park_id": park["park_id"]})
    assert (await world.park.get("/v1/park/members"))["items"] == []
    await until(
        lambda: all(
            each.state == "withdrawn"
            for each in home.entry.runtime_data.coordinator.data.agreements.values()
        )
    )
    with pytest.raises(ServiceValidationError) as nothing:
        await home.act("leave_park", {"park_id": park["park_id"]})
    assert nothing.value.translation_key == "no_agreement"


async def test_joining_a_park_with_no_car_is_refused(home: Home, world: OwnerWorld) -> None:
    """An empty list from a template is a mistake to name."""
    body = {"device_id": [], "park_id": world.park.party_id, "terms_version": 1}
    with pytest.raises(probatio.Invalid, match="device_id"):
        await home.act("join_park", body)


async def test_a_check_in_for_an_unknown_session_says_so(home: Home, vehicle_id: str) -> None:
    """The action reaches the API, whose no is translated."""
    device = device_of(home, vehicle_id)
    with pytest.raises(ServiceValidationError) as refused:
        await home.act("check_in", {"device_id": device.id, "evse_code": "NOPE1234"})
    assert refused.value.translation_key == "not_found"


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "This code stands at chargers of several of your parks. Name the park: "),
        ("zh-Hans", "您的多个园区都有充电桩使用这个代码。请指明园区"),
        ("zh-Hant", "您的多個園區都有充電樁使用這個代碼。請指明園區"),
    ],
)
async def test_a_code_of_two_parks_asks_for_the_park_and_binds_there(
    home: Home, world: OwnerWorld, vehicle_id: str, language: str, sentence: str
) -> None:
    """Chargers numbered alike: only the person there knows which park it is."""
    home.hass.config.language = language
    await async_get_translations(home.hass, language, "exceptions", {DOMAIN})
    other = await world.add_park("West Gate Park")
    device = device_of(home, vehicle_id)
    code = "GATE-0001"
    for park in (other, world.park):
        joined = {"device_id": [device.id], "park_id": park.party_id, "terms_version": 1}
        await home.act("join_park", joined, context=Context(user_id="somebody"))
        body = {"evse_id": "E01", "evse_code": code, "plugged_in_at": world.at(0)}
        await park.post("/v1/park/sessions", body)
    here = {"device_id": device.id, "evse_code": code}
    with pytest.raises(ServiceValidationError) as refused:
        await home.act("check_in", here)
    detail = (refused.value.translation_placeholders or {})["detail"]
    assert refused.value.translation_key == "conflict"
    assert detail.startswith(sentence)
    assert "West Gate Park" in detail
    assert world.park.party_id in detail
    bound = await home.act("check_in", {**here, "park_id": world.park.party_id})
    assert bound["park"]["park_id"] == world.park.party_id


@pytest.mark.parametrize("device", ["hub", "unknown"])
async def test_a_device_that_is_no_vehicle_is_refused(
    device: str, home: Home, world: OwnerWorld
) -> None:
    """The hub has no leave times."""
    device_id = device_of(home, world.owner_id).id if device == "hub" else "nothing"
    with pytest.raises(ServiceValidationError) as refused:
        await home.act("set_leave_times", {"device_id": device_id, "mon": "07:00"})
    assert refused.value.translation_key == "not_a_vehicle"


async def test_several_vehicles_can_be_stopped_at_once(home: Home, vehicle_id: str) -> None:
    """Promise 4: harmless when nothing runs."""
    answer = await home.act("stop", {"device_id": [device_of(home, vehicle_id).id]})
    assert answer["stops"][0]["commitments"] == []


async def test_an_action_without_a_response_wanted_returns_none(home: Home) -> None:
    """Automations call it without asking for an answer."""
    assert await home.hass.services.async_call(DOMAIN, "stop", {}, blocking=True) is None


async def test_deals_stand_in_a_calendar_with_what_they_brought(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """A calendar trigger with an offset needs no template."""
    owner_id = world.owner_id
    offer = await world.offer(session_id)
    await home.reaches("sensor", owner_id, "open_offers", "1")
    assert home.state("calendar", owner_id, "commitments").attributes.get("message") is None
    await home.act("accept_offer", context=Context(user_id="somebody"))
    await home.reaches("sensor", owner_id, "deal_state", "pending_award")
    state = home.state("calendar", owner_id, "commitments")
    assert state.attributes["message"] == "East Gate Park · Blue car · 6.0 kWh"
    start = datetime.fromisoformat(offer["terms"]["start_at"])

    async def listed(begin: datetime, end: datetime) -> Any:
        answer = await home.hass.services.async_call(
            "calendar",
            "get_events",
            {
                "entity_id": home.entity_id("calendar", owner_id, "commitments"),
                "start_date_time": begin,
                "end_date_time": end,
            },
            blocking=True,
            return_response=True,
        )
        return next(iter((answer or {}).values()))["events"]

    (event,) = await listed(start, start + timedelta(minutes=1))
    assert event["description"] == "1.2000 CNY/kWh"
    assert await listed(start + timedelta(days=2), start + timedelta(days=3)) == []
    await home.act("stop", context=Context(user_id="somebody"))
    await home.reaches("sensor", owner_id, "deal_state", "none")
    assert home.state("calendar", owner_id, "commitments").attributes.get("message") is None


async def test_the_calendar_dates_an_answer_that_is_due_on_another_day_than_the_offers(
    home: Home, world: OwnerWorld, vehicle_id: str, session_id: str
) -> None:
    """Who reads "answer by 14:20" on Friday's page would answer on Friday."""
    offer = await world.offer_in_days(vehicle_id, session_id, 3)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    start, answer_by = (
        dt_util.as_local(dt_util.parse_datetime(text, raise_on_error=True))
        for text in (offer["terms"]["start_at"], offer["respond_by"])
    )
    (event,) = (
        await home.hass.services.async_call(
            "calendar",
            "get_events",
            {
                "entity_id": home.entity_id("calendar", world.owner_id, "commitments"),
                "start_date_time": start,
                "end_date_time": start + timedelta(minutes=1),
            },
            blocking=True,
            return_response=True,
        )
    )[home.entity_id("calendar", world.owner_id, "commitments")]["events"]
    due = f"{answer_by:%A}, {answer_by.day} {answer_by:%B}, {answer_by:%H:%M}"
    assert f"Answer by {due};" in event["description"]


@pytest.mark.parametrize("awarded", [False, True], ids=["before the award", "after the award"])
async def test_a_deal_that_is_stopped_before_it_began_is_no_appointment(
    home: Home, world: OwnerWorld, session_id: str, *, awarded: bool
) -> None:
    """A calendar trigger would fire for energy that nobody takes."""
    owner_id = world.owner_id
    await world.offer(session_id)
    await home.reaches("sensor", owner_id, "open_offers", "1")
    answer = await home.act("accept_offer", context=Context(user_id="somebody"))
    await home.reaches("sensor", owner_id, "deal_state", "pending_award")
    if awarded:
        await world.award(answer["answer"]["commitment_id"])
        await home.reaches("sensor", owner_id, "deal_state", "scheduled")
    calendar = home.hass.data[DATA_COMPONENT].get_entity(
        home.entity_id("calendar", owner_id, "commitments")
    )
    assert calendar is not None
    now = dt_util.utcnow()
    ahead = (home.hass, now, now + timedelta(days=2))
    assert len(await calendar.async_get_events(*ahead)) == 1
    await home.act("stop", context=Context(user_id="somebody"))
    await home.reaches("sensor", owner_id, "deal_state", "none")
    assert await calendar.async_get_events(*ahead) == []


@pytest.mark.parametrize(
    ("state", "leased", "delivered_wh", "shown"),
    [
        ("scheduled", False, None, True),
        ("active", True, None, True),
        ("completed", True, 5_000, True),
        ("revoked", False, None, False),
        ("revoked", False, 0, False),
        ("revoked", True, None, True),
        ("failed", False, None, False),
        ("failed", False, 400, True),
        ("lapsed", False, None, False),
        ("missed", False, None, False),
    ],
)
async def test_a_deal_stands_in_the_calendar_while_it_is_to_come_and_when_it_has_begun(
    home: Home,
    world: OwnerWorld,
    session_id: str,
    *,
    state: str,
    leased: bool,
    delivered_wh: int | None,
    shown: bool,
) -> None:
    """Whatever ended it: what was delivered is paid and stays."""
    owner_id = world.owner_id
    await world.offer(session_id)
    await home.reaches("sensor", owner_id, "open_offers", "1")
    await home.act("accept_offer", context=Context(user_id="somebody"))
    await home.reaches("sensor", owner_id, "deal_state", "pending_award")
    coordinator = home.entry.runtime_data.coordinator
    (deal,) = coordinator.data.commitments.values()
    settlement = None
    if delivered_wh is not None:
        settlement = models_deal.Settlement(
            settlement_id="set_1",
            commitment_id=deal.commitment_id,
            state="final",
            delivered_wh=delivered_wh,
            currency="CNY",
        )
    deal = replace(
        deal, state=state, lease_until=deal.end_at if leased else None, settlement=settlement
    )
    coordinator.data = replace(coordinator.data, commitments={deal.commitment_id: deal})
    calendar = home.hass.data[DATA_COMPONENT].get_entity(
        home.entity_id("calendar", owner_id, "commitments")
    )
    assert calendar is not None
    events = await calendar.async_get_events(
        home.hass, deal.start_at, deal.start_at + timedelta(hours=1)
    )
    assert [event.uid for event in events] == ([deal.commitment_id] if shown else [])


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "not agreed"),
        ("zh-Hans", "尚未同意"),
        ("zh-Hant", "尚未同意"),
    ],
)
async def test_an_open_offer_stands_in_the_calendar_as_not_agreed_until_it_is_answered(
    home: Home, world: OwnerWorld, session_id: str, language: str, words: str
) -> None:
    """Who plans the day sees what may come; promise 1: it is no appointment without a yes."""
    home.hass.config.language = language
    owner_id = world.owner_id
    calendar = home.hass.data[DATA_COMPONENT].get_entity(
        home.entity_id("calendar", owner_id, "commitments")
    )
    assert calendar is not None
    pushed: list[Any] = []
    now = dt_util.utcnow()
    calendar.async_subscribe_events(now, now + timedelta(days=1), pushed.append)
    offer = await world.offer(session_id)
    await home.reaches("sensor", owner_id, "open_offers", "1")
    ((event,),) = await until(lambda: [told for told in pushed if told])
    assert words in event["summary"]
    assert event["summary"].endswith("East Gate Park · Blue car · 6.0 kWh")
    assert event["description"].startswith("1.2000 CNY/kWh")
    answer_by = dt_util.as_local(dt_util.parse_datetime(offer["respond_by"], raise_on_error=True))
    assert answer_by.strftime("%H:%M") in event["description"]
    assert event["uid"] == offer["offer_id"]
    assert dt_util.parse_datetime(event["start"]) == dt_util.parse_datetime(
        offer["terms"]["start_at"]
    )
    assert calendar.event is None
    await home.act("decline_offer", context=Context(user_id="somebody"))
    await until(lambda: pushed[-1] == [])


async def test_rewards_count_from_the_start_of_the_owners_month(
    home: Home, world: OwnerWorld
) -> None:
    """A monthly sum without its reset would show a loss on the first of the month."""
    reset = home.state("sensor", world.owner_id, "rewards_paid").attributes["last_reset"]
    local = datetime.fromisoformat(reset)
    assert (local.day, local.hour, local.minute) == (1, 0, 0)
    assert local.utcoffset() == timedelta(hours=8)
    total = home.state("sensor", world.owner_id, "rewards_total")
    assert total.attributes.get("last_reset") is None


@pytest.mark.parametrize("told", [0, 20], ids=["nothing yet", "what the agent settled first"])
async def test_a_new_month_begins_when_it_begins_and_not_with_the_next_full_read(
    home: Home,
    world: OwnerWorld,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    told: int,
) -> None:
    """Last month's money under the new month's reset would be counted twice."""
    zone = dt_util.get_time_zone("Asia/Shanghai")
    now = dt_util.now(zone)
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    next_first = (first + timedelta(days=32)).replace(day=1)
    coordinator, owner_id = home.entry.runtime_data.coordinator, world.owner_id

    def tell(start_at: datetime, minor: int) -> None:
        sums = {"pending_minor": 0, "confirmed_minor": minor, "paid_minor": 0}
        month = {"start_at": utc_text(start_at), **sums}
        totals = {"currency": "CNY", **sums, "this_month": month}
        coordinator.async_apply("rewards.updated", totals)

    def shown() -> tuple[float, Any]:
        state = home.state("sensor", owner_id, "rewards_confirmed")
        return float(state.state), datetime.fromisoformat(state.attributes["last_reset"])

    tell(first, 1_234)
    await until(lambda: shown() == (12.34, first))
    if told:
        # Its clock is ahead of ours.
        tell(next_first, 20)
    # No read comes to help.
    monkeypatch.setattr(coordinator, "_async_update_data", AsyncMock(return_value=coordinator.data))
    freezer.move_to(next_first + timedelta(seconds=1))
    async_fire_time_changed(home.hass)
    await home.hass.async_block_till_done(wait_background_tasks=False)
    assert shown() == (told / 100, next_first)
    in_all = float(home.state("sensor", owner_id, "rewards_total").state)
    assert in_all == (told / 100 or 12.34)


async def test_diagnostics_hold_what_helps_and_nothing_that_identifies(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """A file people post in public."""
    await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    rule = {"name": "When I teach", "park_ids": [world.park.party_id]}
    await world.phone.patch(path, {"rules": [rule]})
    coordinator = home.entry.runtime_data.coordinator
    await until(lambda: coordinator.data.preferences[vehicle_id].rules)
    entry = home.entry
    assert isinstance(entry, MockConfigEntry)
    found = await async_get_config_entry_diagnostics(home.hass, entry)
    text = json.dumps(found, default=str)
    for secret in (
        entry.data["refresh_token"],
        entry.data["server_id"],
        # Every agent tells it to everybody: whoever asks around finds whose agent this is.
        entry.data["receipt_key"],
        entry.data["device_id"],
        world.owner_id,
        world.url,
        world.park.party_id,
        "Li Wei",
        "Blue car",
        "East Gate Park",
        "Asia/Shanghai",
        "When I teach",
    ):
        assert secret not in text, secret
    assert found["snapshot"]["server"]["name"] == "**REDACTED**"
    assert found["connection"]["last_update_success"] is True
    assert len(found["snapshot"]["offers"]) == 1
    one = await async_get_device_diagnostics(home.hass, entry, device_of(home, vehicle_id))
    assert set(one) == {"vehicles", "preferences", "departures", "mapping"}
    assert "Blue car" not in json.dumps(one, default=str)


def test_the_fields_we_read_are_fields_the_api_promises() -> None:
    """The two packages share no code; this holds their wire format together."""
    from dataclasses import fields

    pairs = (
        (models.Vehicle, views.VEHICLE),
        (models.Preferences, views.PREFERENCES),
        (models.Charger, views.CHARGER),
        (models.Agreement, views.AGREEMENT),
        (models.Session, views.SESSION),
        (models_deal.Offer, views.OFFER),
        (models_deal.Evaluation, views.EVALUATION),
        (models_deal.Counter, views.COUNTER),
        (models_deal.Commitment, views.COMMITMENT),
        (models_deal.Settlement, views.SETTLEMENT),
        (models_deal.Rewards, dict.fromkeys(views.TOTALS)),
        (snapshot.SnapshotAnswer, views.SNAPSHOT),
    )
    for model, view in pairs:
        promised = {str(key) for key in view}
        asked = {field.name for field in fields(model)}
        assert asked <= promised, (model.__name__, asked - promised)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """A part."""

    at: datetime
    share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    """A whole."""

    name: str
    parts: tuple[Inner, ...] = ()
    table: dict[str, int | None] | None = None
    anything: Any = None


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (None, "Outer is not an object"),
        ({}, "Outer.name is missing"),
        ({"name": 5}, "Outer.name is not str"),
        ({"name": "n", "parts": {}}, "Outer.parts is not list"),
        ({"name": "n", "parts": [{}]}, "Outer.parts[0].at is missing"),
        ({"name": "n", "parts": [{"at": "soon"}]}, "Outer.parts[0].at is not a time"),
        ({"name": "n", "parts": [{"at": "2026-12-01T00:00:00"}]}, "has no time zone"),
        (
            {"name": "n", "parts": [{"at": "9999-12-31T23:59:59-14:00"}]},
            "Outer.parts[0].at is not a time",
        ),
        (
            {"name": "n", "parts": [{"at": "2026-12-01T00:00:00Z", "share": True}]},
            "Outer.parts[0].share is not a number",
        ),
        ({"name": "n", "table": {"a": True}}, "Outer.table.a is not int"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_by_its_path(value: Any, where: str) -> None:
    """Who repairs it must know where to look."""
    with pytest.raises(BadAnswerError) as refused:
        decode(Outer, value)
    assert where in str(refused.value)


def test_an_answer_with_more_than_we_know_is_read() -> None:
    """A newer API may say more."""
    found = decode(
        Outer, {"name": "n", "table": {"a": None, "b": 2}, "new": 1, "anything": [1, {"x": 2}]}
    )
    assert found == Outer(name="n", table={"a": None, "b": 2}, anything=[1, {"x": 2}])


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (1234, "CNY", 12.34),
        (1234, "JPY", 1234),
        (1234, "KWD", 1.234),
        (5, "XPOINT", 5),
        (250, "XCD", 2.5),
    ],
)
def test_minor_units_are_shown_as_people_count_them(
    minor: int, currency: str, shown: float
) -> None:
    """The same digits as the API counts."""
    from owner_api.core.money import minor_digits

    assert major(minor, currency) == shown
    assert float(amount(minor, currency)) == shown
    assert in_words(minor, currency) == f"{amount(minor, currency)} {currency}"
    assert round(shown * 10 ** minor_digits(currency)) == minor
