"""The blueprints of the repository, loaded as an owner would and run for real."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
import shutil
import string
from typing import Any

from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.blueprint import models
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, selector
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockUser,
    async_mock_service,
)

from custom_components.v2g_owner.decisions import quoted

from .conftest import Home, told_days, until
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "blueprints/automation/v2g_owner"
FILES = sorted(FOLDER.glob("*.yaml"))

POINTS = {"kind": "points", "currency": "XPOINT", "price_per_kwh": "12.0000"}

type UseBlueprint = Callable[..., Awaitable[None]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_blueprint_is_one_that_home_assistant_takes(file: Path) -> None:
    """Its schema, that every input is used, and that an owner can import it again by its source."""
    content = load_yaml(str(file))
    assert isinstance(content, dict)
    blueprint = models.Blueprint(
        content, path=str(file), expected_domain="automation", schema=AUTOMATION_BLUEPRINT_SCHEMA
    )
    assert blueprint.validate() is None
    source = blueprint.metadata["source_url"]
    assert source.endswith(f"/blob/main/{file.relative_to(FOLDER.parents[2]).as_posix()}")
    for name, each in blueprint.inputs.items():
        assert each["name"], name
        assert each["description"], name
        selector.validate_selector(each["selector"])


@pytest.fixture
async def use(
    hass: HomeAssistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[UseBlueprint]:
    """Return what makes an automation of a blueprint, as an owner does."""
    # The test plugin's own folder is shared by every test that runs beside this one.
    monkeypatch.setattr(hass.config, "config_dir", str(tmp_path))
    target = tmp_path / "blueprints/automation/v2g_owner"
    await hass.async_add_executor_job(shutil.copytree, FOLDER, target)

    async def make(name: str, **inputs: Any) -> None:
        path = f"v2g_owner/{name}.yaml"
        automation = {"alias": name, "use_blueprint": {"path": path, "input": inputs}}
        assert await async_setup_component(hass, "automation", {"automation": automation})
        await hass.async_block_till_done()
        state = hass.states.get(f"automation.{name}")
        assert state is not None
        assert state.state == "on"

    yield make
    # What looks at the clock each minute would go on doing so after the test.
    await hass.services.async_call("automation", "turn_off", {"entity_id": "all"}, blocking=True)


@pytest.fixture
def phones(hass: HomeAssistant) -> dict[str, list[Any]]:
    """Return, by the phone's device id, what is sent to each of two phones."""
    sent = {}
    for name in ("Anna's phone", "Tablet"):
        entry = MockConfigEntry(domain="mobile_app", title=name)
        entry.add_to_hass(hass)
        device = dr.async_get(hass).async_get_or_create(
            config_entry_id=entry.entry_id, identifiers={("mobile_app", name)}, name=name
        )
        slug = {"Anna's phone": "anna_s_phone", "Tablet": "tablet"}[name]
        sent[device.id] = async_mock_service(hass, "notify", f"mobile_app_{slug}")
    return sent


def offers_of(home: Home, world: OwnerWorld) -> str:
    """Return the event entity of offers."""
    return home.entity_id("event", world.owner_id, "offers")


@pytest.fixture
async def one(
    home: Home, world: OwnerWorld, use: UseBlueprint, phones: dict[str, list[Any]]
) -> list[Any]:
    """Have each offer asked about on the phones; returns what one of them is sent."""
    await use("phone_notification", offers=offers_of(home, world), phones=list(phones))
    return next(iter(phones.values()))


async def test_promise_1_a_tap_on_the_phone_is_the_owners_own_yes_to_that_offer_alone(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    session_id: str,
    phones: dict[str, list[Any]],
    hass_admin_user: Any,
    one: list[Any],
) -> None:
    """Promise 1: no automation needs to be allowed for a person to answer by notification."""
    offer = await world.offer(session_id)
    await until(lambda: all(phones.values()))
    _, other = phones.values()
    message = one[0].data
    assert {**message, "data": ...} == {**other[0].data, "data": ...}
    assert message["title"] == "East Gate Park: 1.2000 CNY/kWh"
    assert message["message"].startswith("6.0 kWh")
    net = home.state("sensor", world.owner_id, "next_offer_net").state
    assert f"You keep {float(net):.2f} CNY." in message["message"]
    assert message["data"]["tag"] == offer["offer_id"]
    assert 0 < message["data"]["timeout"] <= 600
    accept, decline, details = message["data"]["actions"]
    assert accept["authenticationRequired"] is True
    assert accept["action"] == f"v2g_owner|accept|{offer['offer_id']}|1|{next(iter(phones))}|6000"
    assert decline["title"] == "Decline"
    assert "authenticationRequired" not in decline
    account = dr.async_get(hass).async_get(details["uri"].removeprefix("/config/devices/device/"))
    assert account is not None
    assert account.name == "Li Wei"

    hass.bus.async_fire(
        "mobile_app_notification_action",
        {"action": accept["action"], "tag": message["data"]["tag"]},
        context=Context(user_id=hass_admin_user.id),
    )
    await home.reaches("sensor", world.owner_id, "deal_state", "pending_award")
    decision = (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["decision"]
    assert decision["method"] == "tap"
    assert decision["actor"] == {"user": hass_admin_user.id}
    await until(lambda: len(one) == len(other) == 2)
    for sent in phones.values():
        assert sent[1].data["message"] == "clear_notification"
        assert sent[1].data["data"]["tag"] == offer["offer_id"]


async def says(world: OwnerWorld, vehicle_id: str, soc_pct: float) -> None:
    """Have the car tell its state of charge."""
    reading = {"measured_at": world.at(0), "plugged_in": True, "soc_pct": soc_pct}
    await world.phone.post(f"/v1/vehicles/{vehicle_id}/telemetry", {"readings": [reading]})


async def test_promise_1_a_tap_covers_no_more_energy_than_its_notification_said(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    session_id: str,
    use: UseBlueprint,
    phones: dict[str, list[Any]],
    hass_admin_user: Any,
) -> None:
    """Promise 1: the car charged and prices came; no phone is asked anew, and still says less."""
    await use("phone_notification", offers=offers_of(home, world), phones=list(phones))
    await says(world, vehicle_id, 58)
    offer = await world.offer(session_id)
    path = f"/v1/offers/{offer['offer_id']}"
    shown_wh = (await world.phone.get(path))["evaluation"]["quoted_energy_wh"]
    assert shown_wh < offer["terms"]["requested_energy_wh"]
    await until(lambda: all(phones.values()))
    one = next(iter(phones.values()))
    assert one[0].data["message"].startswith(f"{shown_wh / 1000:.1f} kWh")
    await says(world, vehicle_id, 80)
    entries = [{"start_at": world.at(0), "price_per_kwh": "0.6600"}]
    await world.phone.post(f"/v1/vehicles/{vehicle_id}/prices", {"entries": entries})
    coordinator = home.entry.runtime_data.coordinator
    await until(lambda: quoted(coordinator.data.offers[offer["offer_id"]]) == 6_000)

    tap(hass, one[0], hass_admin_user.id)
    await home.reaches("sensor", world.owner_id, "deal_state", "pending_award")
    decision = (await world.phone.get(path))["decision"]
    assert decision["consented_energy_wh"] == shown_wh


async def test_promise_1_the_phone_names_the_day_and_among_several_cars_the_car(
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    session_id: str,
    one: list[Any],
) -> None:
    """Promise 1: a yes to a time or a car that somebody guessed is no yes."""
    offer = await world.offer_in_days(vehicle_id, session_id, 5)
    await until(lambda: one)
    told = f" kWh, {told_days(offer['terms'])}. You keep "
    assert told in one[0].data["message"]
    assert "Blue car" not in one[0].data["message"], "there is no other"
    await home.act("decline_offer", context=Context(user_id="anna"))
    await until(lambda: len(one) == 2)

    other = await world.add_vehicle()
    await until(lambda: other in home.entry.runtime_data.coordinator.data.vehicles)
    await world.offer_in_days(vehicle_id, session_id, 5)
    await until(lambda: len(one) == 3)
    assert one[2].data["message"].startswith("Blue car: 6.0 kWh, ")


async def test_promise_4_the_phone_says_before_the_yes_that_a_stop_may_take_longer(
    home: Home,
    world: OwnerWorld,
    session_id: str,
    one: list[Any],
) -> None:
    """Promise 4: a lease longer than two minutes is for backup, and is shown before consent."""
    await world.offer(session_id, purpose="backup", lease_s=120)
    await until(lambda: one)
    assert "stop may take" not in one[0].data["message"]
    await home.act("decline_offer", context=Context(user_id="anna"))
    await until(lambda: len(one) == 2)
    await world.offer(session_id, purpose="backup", lease_s=850)
    await until(lambda: len(one) == 3)
    assert one[2].data["message"].endswith("Backup in an outage. A stop may take up to 15 min.")


async def test_new_terms_are_asked_about_once(
    home: Home,
    world: OwnerWorld,
    session_id: str,
    one: list[Any],
) -> None:
    """That the old ones are gone is told as well, and asks nobody."""
    offer = await world.offer(session_id)
    await until(lambda: one)
    body = {"revision": 2, "respond_by": world.at(500), "terms": world.terms()}
    await world.park.post(f"/v1/park/offers/{offer['offer_id']}/revisions", body)
    await until(lambda: len(one) > 1)
    await home.act("decline_offer", context=Context(user_id="anna"))
    await until(lambda: one[-1].data["message"] == "clear_notification")
    asked = [each.data["data"]["actions"][0]["action"] for each in one[:-1]]
    assert [action.split("|")[3] for action in asked] == ["1", "2"]


async def test_promise_1_a_tap_that_nobody_made_accepts_nothing(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    session_id: str,
    phones: dict[str, list[Any]],
    caplog: pytest.LogCaptureFixture,
    one: list[Any],
) -> None:
    """Promise 1: an automation that fires the event itself is still an automation."""
    offer = await world.offer(session_id)
    await until(lambda: all(phones.values()))
    action = one[0].data["data"]["actions"][0]["action"]
    hass.bus.async_fire("mobile_app_notification_action", {"action": action}, context=Context())
    await until(lambda: len(one) == 2)
    assert one[1].data["message"].startswith("Your answer did not count.")
    assert one[1].data["data"]["actions"] == one[0].data["data"]["actions"], "asked again"
    assert "may not" in caplog.text
    caplog.clear()
    assert (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["state"] == "presented"


async def test_an_answer_given_elsewhere_clears_every_phone_and_a_late_tap_is_told_so(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    session_id: str,
    phones: dict[str, list[Any]],
    hass_admin_user: Any,
    caplog: pytest.LogCaptureFixture,
    one: list[Any],
) -> None:
    """Nobody wonders later whether the tap on the forgotten tablet sold anything."""
    await world.offer(session_id)
    await until(lambda: all(phones.values()))
    _, other = phones.values()
    accept = other[0].data["data"]["actions"][0]["action"]
    await home.act("decline_offer", context=Context(user_id=hass_admin_user.id))
    await until(lambda: len(one) == len(other) == 2)
    assert [sent[1].data["message"] for sent in (one, other)] == ["clear_notification"] * 2

    tap = Context(user_id=hass_admin_user.id)
    hass.bus.async_fire("mobile_app_notification_action", {"action": accept}, context=tap)
    await until(lambda: len(other) == 3)
    assert other[2].data["message"] == "Your answer did not count. The offer has ended."
    assert "actions" not in other[2].data["data"]
    assert len(one) == 2, "who did not tap wonders about nothing"
    assert home.state("sensor", world.owner_id, "deal_state").state == "none"
    caplog.clear()


async def test_after_a_restart_an_open_offer_is_asked_again_and_an_ended_one_cleared(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    session_id: str,
    phones: dict[str, list[Any]],
    hass_admin_user: Any,
    one: list[Any],
) -> None:
    """What came or ended while Home Assistant was away reaches the phones when it is back."""
    assert await hass.config_entries.async_unload(home.entry.entry_id)
    missed = await world.offer(session_id)
    assert await hass.config_entries.async_setup(home.entry.entry_id)
    await until(lambda: all(phones.values()))
    accept = one[0].data["data"]["actions"][0]["action"]
    assert accept == f"v2g_owner|accept|{missed['offer_id']}|1|{next(iter(phones))}|6000"

    hass.states.async_set(  # what the event entity restores when the offer was its last event
        offers_of(home, world),
        "2026-11-01T00:00:00.000+00:00",
        {"event_type": "offer_presented", "offer_id": "ofr_ended_meanwhile"},
    )
    await until(lambda: one[-1].data["message"] == "clear_notification")
    assert one[-1].data["data"]["tag"] == "ofr_ended_meanwhile"


def tap(hass: HomeAssistant, sent: Any, user_id: str, *, button: int = 0) -> None:
    """Tap a button of a notification."""
    action = sent.data["data"]["actions"][button]["action"]
    hass.bus.async_fire(
        "mobile_app_notification_action", {"action": action}, context=Context(user_id=user_id)
    )


def tags(sent: list[Any], *, cleared: bool = False) -> list[str]:
    """Return which offers a phone was asked about, or which it was told to clear."""
    return [
        each.data["data"]["tag"]
        for each in sent
        if (each.data["message"] == "clear_notification") is cleared
    ]


async def test_promise_1_a_tap_that_may_not_count_is_told_on_its_phone_and_the_offer_stays_open(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    session_id: str,
    phones: dict[str, list[Any]],
    one: list[Any],
) -> None:
    """Promise 1: a child's tap on the tablet takes the question from nobody's phone."""
    offer = await world.offer(session_id)
    await until(lambda: all(phones.values()))
    child = MockUser(name="child").add_to_hass(hass)
    _, other = phones.values()
    tap(hass, one[0], child.id)
    await until(lambda: len(one) == 2)
    assert one[1].data["message"].startswith("Your answer did not count. Your yes may not count")
    assert one[1].data["message"].endswith(one[0].data["message"])
    assert one[1].data["data"]["actions"] == one[0].data["data"]["actions"]
    assert len(other) == 1
    tap(hass, other[0], "anna")
    await home.reaches("sensor", world.owner_id, "deal_state", "pending_award")
    await until(lambda: tags(one, cleared=True) == tags(other, cleared=True) == [offer["offer_id"]])


async def test_a_tap_on_old_terms_shows_the_new_ones(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    session_id: str,
    phones: dict[str, list[Any]],
    one: list[Any],
) -> None:
    """And one while the agent is away is asked again, not taken for an end of the offer."""
    offer = await world.offer(session_id)
    await until(lambda: all(phones.values()))
    _, other = phones.values()
    old = one[0].data["data"]["actions"][0]["action"].replace("|1|", "|0|")
    anna = Context(user_id="anna")
    hass.bus.async_fire("mobile_app_notification_action", {"action": old}, context=anna)
    await until(lambda: len(one) == 2)
    assert "The terms have changed." in one[1].data["message"]
    await world.stop_server()
    tap(hass, other[0], "anna")
    await until(lambda: len(other) == 2)
    assert "your agent was out of reach" in other[1].data["message"]
    await world.start_server()
    assert (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["state"] == "presented"


async def test_promise_1_a_tap_on_a_notification_of_an_older_blueprint_is_asked_again(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    session_id: str,
    phones: dict[str, list[Any]],
    one: list[Any],
) -> None:
    """Promise 1: it does not tell which energy it showed; nor may it be lost without a word."""
    offer = await world.offer(session_id)
    await until(lambda: all(phones.values()))
    old = one[0].data["data"]["actions"][0]["action"].rpartition("|")[0]
    anna = Context(user_id="anna")
    hass.bus.async_fire("mobile_app_notification_action", {"action": old}, context=anna)
    await until(lambda: len(one) == 2)
    assert (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["state"] == "presented"
    tap(hass, one[1], "anna")
    await home.reaches("sensor", world.owner_id, "deal_state", "pending_award")


async def test_a_tap_while_the_account_is_alone_is_answered_when_the_agent_is_back(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    session_id: str,
    charger_home: None,
    phones: dict[str, list[Any]],
    one: list[Any],
) -> None:
    """Home Assistant and the agent may start on one machine, and the agent a moment later."""
    await world.offer(session_id)
    await until(lambda: all(phones.values()))
    await world.stop_server()
    await hass.config_entries.async_reload(home.entry.entry_id)
    assert home.entry.runtime_data.coordinator.alone
    tap(hass, one[0], "anna")
    await asyncio.sleep(0.5)
    await world.start_server()
    await home.reaches("sensor", world.owner_id, "deal_state", "pending_award")


@pytest.mark.usefixtures("one")
async def test_a_tap_on_another_accounts_offer_is_left_to_that_accounts_automation(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    phones: dict[str, list[Any]],
) -> None:
    """Every automation hears every tap."""
    action = f"v2g_owner|accept|ofr_of_somebody_else|1|{next(iter(phones))}|6000"
    anna = Context(user_id="anna")
    hass.bus.async_fire("mobile_app_notification_action", {"action": action}, context=anna)
    await hass.async_block_till_done()
    assert not any(phones.values())


async def test_with_a_slow_phone_each_of_three_offers_is_asked_once_and_cleared(
    hass: HomeAssistant, home: Home, world: OwnerWorld, session_id: str, use: UseBlueprint
) -> None:
    """A run that had to wait its turn is about the offer that started it."""
    sent: list[Any] = []
    entry = MockConfigEntry(domain="mobile_app", title="Slow phone")
    entry.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={("mobile_app", "slow")}, name="Slow phone"
    )

    async def notify(call: Any) -> None:
        sent.append(call)
        await asyncio.sleep(0.5)

    hass.services.async_register("notify", "mobile_app_slow_phone", notify)
    await use("phone_notification", offers=offers_of(home, world), phones=[device.id])
    made = []
    for hours in (1, 2, 3):
        times = {"start_at": world.at(hours * 3_600), "end_at": world.at(hours * 3_600 + 1_800)}
        made.append((await world.offer(session_id, **times))["offer_id"])
    await until(lambda: tags(sent) == made)
    for offer_id in made:
        await world.park.post(f"/v1/park/offers/{offer_id}/withdrawal")
    await until(lambda: set(tags(sent, cleared=True)) >= set(made))
    await hass.async_block_till_done()
    assert tags(sent) == made


async def test_every_offer_that_ended_while_home_assistant_was_away_is_cleared(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    session_id: str,
    one: list[Any],
) -> None:
    """Two were asked, both are withdrawn meanwhile, and a third is open."""
    made = []
    for hours in (1, 2, 3):
        times = {"start_at": world.at(hours * 3_600), "end_at": world.at(hours * 3_600 + 1_800)}
        made.append((await world.offer(session_id, **times))["offer_id"])
    await until(lambda: tags(one) == made)
    assert await hass.config_entries.async_unload(home.entry.entry_id)
    one.clear()
    for offer_id in made[:2]:
        await world.park.post(f"/v1/park/offers/{offer_id}/withdrawal")
    assert await hass.config_entries.async_setup(home.entry.entry_id)
    await until(lambda: tags(one) == made[2:])
    assert set(tags(one, cleared=True)) == set(made[:2])


async def test_what_the_phone_says_is_the_owners_to_write(
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    session_id: str,
    use: UseBlueprint,
    phones: dict[str, list[Any]],
) -> None:
    """In any language."""
    await use(
        "phone_notification",
        offers=offers_of(home, world),
        phones=list(phones),
        net_text="您将获得 {net}。",
        battery_text="之后电量 {percent} %。",
        language="zh-Hans",
    )
    await world.offer_in_days(vehicle_id, session_id, 2)
    await until(lambda: all(phones.values()))
    one = next(iter(phones.values()))
    net = float(home.state("sensor", world.owner_id, "next_offer_net").state)
    assert f"您将获得 {net:.2f} CNY。" in one[0].data["message"]
    assert "之后电量" in one[0].data["message"]
    assert " kWh, 星期" in one[0].data["message"]
    assert not set(string.ascii_letters) & set(
        one[0].data["message"].replace("kWh", "").replace("CNY", "")
    )


async def test_taps_on_other_notifications_and_offers_below_the_wish_stay_quiet(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    session_id: str,
    use: UseBlueprint,
    phones: dict[str, list[Any]],
) -> None:
    """Other blueprints send the same event."""
    await use(
        "phone_notification", offers=offers_of(home, world), phones=list(phones), lowest_net=1000
    )
    hass.bus.async_fire("mobile_app_notification_action", {"action": "OPEN_GARAGE"})
    await world.offer(session_id)
    await home.reaches("binary_sensor", world.owner_id, "offer_open", "on")
    await hass.async_block_till_done()
    assert not any(phones.values())


@pytest.mark.usefixtures("one")
async def test_an_offer_in_points_that_nobody_priced_is_asked_about_in_money(
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    session_id: str,
    phones: dict[str, list[Any]],
) -> None:
    """Zero asks about every offer; only a person can weigh points that have no rate."""
    wanted = {"accepted_reward_kinds": ["cash", "points"]}
    await world.phone.patch(f"/v1/vehicles/{vehicle_id}/preferences", wanted)
    offer = await world.offer(session_id, reward=POINTS)
    await home.reaches("binary_sensor", world.owner_id, "offer_open", "on")
    await until(lambda: all(phones.values()))
    told = (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["evaluation"]["net_minor"]
    message = next(iter(phones.values()))[0].data["message"]
    assert told < 0
    assert f"You keep {told / 100:.2f} CNY." in message


async def test_a_yes_without_a_leave_time_is_told_what_may_be_missing(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    session_id: str,
    phones: dict[str, list[Any]],
    one: list[Any],
) -> None:
    """Only a person can accept such an offer, after naming the time that the phone speaks of."""
    await world.phone.patch(f"/v1/vehicles/{vehicle_id}/departures", {"one_off": None})
    await world.offer(session_id)
    await until(lambda: all(phones.values()))
    tap(hass, one[0], "anna")
    await until(lambda: len(one) == 2)
    assert "leave time" in one[1].data["message"]


async def judge(
    home: Home, world: OwnerWorld, vehicle_id: str, use: UseBlueprint, **inputs: Any
) -> None:
    """Use the blueprint that answers by the net reward."""
    await use(
        "ask_me_only_above",
        offers=offers_of(home, world),
        permission=home.entity_id("switch", vehicle_id, "allow_automations"),
        **inputs,
    )


@pytest.mark.parametrize(
    ("inputs", "state"),
    [
        ({"lowest_net": 1000}, "declined"),
        ({"lowest_net": 0, "accept": True, "accept_net": 0.5}, "accepted"),
        ({"lowest_net": 0, "accept": True, "accept_net": 1000}, "presented"),
        ({"lowest_net": 0, "accept": False, "accept_net": 0}, "presented"),
    ],
    ids=["too little", "enough", "in between", "not to accept by itself"],
)
async def test_an_offer_is_answered_by_what_it_leaves(
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    session_id: str,
    use: UseBlueprint,
    inputs: dict[str, Any],
    state: str,
) -> None:
    """Where the owner has let automations answer."""
    await home.set("switch", vehicle_id, "allow_automations", "turn_on")
    await home.reaches("switch", vehicle_id, "allow_automations", "on")
    await judge(home, world, vehicle_id, use, **inputs)
    offer = await world.offer(session_id)
    await home.reaches("event", world.owner_id, "offers", home_event(home, world))
    await until(lambda: ran(home))
    await home.hass.async_block_till_done()
    answered = await world.phone.get(f"/v1/offers/{offer['offer_id']}")
    assert answered["state"] == state
    if state != "presented":
        assert answered["decision"]["method"] == "automation"
        assert answered["decision"]["actor"] == {"automation": "automation.ask_me_only_above"}


async def test_promise_4_what_may_take_longer_to_stop_waits_for_a_person(
    home: Home, world: OwnerWorld, vehicle_id: str, session_id: str, use: UseBlueprint
) -> None:
    """Promise 4: a long lease is shown before consent, and an automation shows nothing."""
    await home.set("switch", vehicle_id, "allow_automations", "turn_on")
    await home.reaches("switch", vehicle_id, "allow_automations", "on")
    await judge(home, world, vehicle_id, use, lowest_net=0, accept=True, accept_net=0.5)
    offer = await world.offer(session_id, purpose="backup", lease_s=900)
    await until(lambda: ran(home))
    await home.hass.async_block_till_done()
    path = f"/v1/offers/{offer['offer_id']}"
    assert (await world.phone.get(path))["state"] == "presented"
    with pytest.raises(HomeAssistantError, match="Only a person may say yes"):
        await home.act("accept_offer", context=Context())
    assert (await world.phone.get(path))["state"] == "presented"


def home_event(home: Home, world: OwnerWorld) -> str:
    """Return what the event entity of offers shows now."""
    return home.state("event", world.owner_id, "offers").state


def ran(home: Home) -> bool:
    """Tell whether the automation has run."""
    state = home.hass.states.get("automation.ask_me_only_above")
    assert state is not None
    return state.attributes["last_triggered"] is not None


async def test_promise_1_an_automation_counts_an_offer_in_points_in_the_owners_money(
    home: Home, world: OwnerWorld, vehicle_id: str, session_id: str, use: UseBlueprint
) -> None:
    """Promise 1: it leaves about four yuan, which 415 fen are, not 415 of anything."""
    rates = [{"currency": "XPOINT", "price_per_unit": "0.1"}]
    wanted = {"in_kind_rates": rates, "accepted_reward_kinds": ["cash", "points"]}
    await world.phone.patch(f"/v1/vehicles/{vehicle_id}/preferences", wanted)
    await home.set("switch", vehicle_id, "allow_automations", "turn_on")
    await home.reaches("switch", vehicle_id, "allow_automations", "on")
    await judge(home, world, vehicle_id, use, lowest_net=0, accept=True, accept_net=10)
    offer = await world.offer(session_id, reward=POINTS)
    await until(lambda: ran(home))
    await home.hass.async_block_till_done()
    assert (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["state"] == "presented"


async def test_promise_1_without_permission_an_automation_answers_nothing(
    home: Home, world: OwnerWorld, vehicle_id: str, session_id: str, use: UseBlueprint
) -> None:
    """Promise 1: neither yes nor no, and no failing action in the log either."""
    await judge(home, world, vehicle_id, use, lowest_net=0, accept=True, accept_net=0)
    offer = await world.offer(session_id)
    await home.reaches("binary_sensor", world.owner_id, "offer_open", "on")
    await home.hass.async_block_till_done()
    assert not ran(home)
    assert (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["state"] == "presented"


async def test_nothing_is_sold_while_somebody_is_at_home(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    session_id: str,
    use: UseBlueprint,
    hass_admin_user: Any,
) -> None:
    """Coming home pauses and stops the deal; only when all have surely left it goes on."""
    hass.states.async_set("person.anna", "not_home")
    hass.states.async_set("person.ben", "not_home")
    await use(
        "pause_when_home",
        people=["person.anna", "person.ben"],
        consent=home.entity_id("select", vehicle_id, "consent_mode"),
        stop_running=True,
    )
    await world.offer(session_id)
    await home.reaches("binary_sensor", world.owner_id, "offer_open", "on")
    await home.act("accept_offer", context=Context(user_id=hass_admin_user.id))
    await home.reaches("sensor", world.owner_id, "deal_state", "pending_award")

    hass.states.async_set("person.anna", "home")
    await home.reaches("select", vehicle_id, "consent_mode", "never")
    await home.reaches("sensor", world.owner_id, "deal_state", "none")

    hass.states.async_set("person.ben", "unknown")
    hass.states.async_set("person.anna", "not_home")
    await hass.async_block_till_done()
    assert home.state("select", vehicle_id, "consent_mode").state == "never"
    hass.states.async_set("person.ben", "not_home")
    await home.reaches("select", vehicle_id, "consent_mode", "ask")
    assert home.state("switch", vehicle_id, "discharge_allowed").state == "on"


@pytest.mark.parametrize("hindered", ["nothing is sold anyway", "the agent refuses"])
async def test_promise_4_coming_home_stops_what_runs_whatever_becomes_of_the_pause(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    session_id: str,
    use: UseBlueprint,
    hindered: str,
) -> None:
    """Promise 4: *never* declines offers only, and a stop waits for no other answer."""
    hass.states.async_set("person.anna", "not_home")
    await use(
        "pause_when_home",
        people=["person.anna"],
        consent=home.entity_id("select", vehicle_id, "consent_mode"),
        stop_running=True,
    )
    await world.offer(session_id)
    await home.reaches("binary_sensor", world.owner_id, "offer_open", "on")
    await home.act("accept_offer", context=Context(user_id="anna"))
    await home.reaches("sensor", world.owner_id, "deal_state", "pending_award")
    if hindered == "the agent refuses":
        refusal = HomeAssistantError("It was changed elsewhere.")
        async_mock_service(hass, "select", "select_option", raise_exception=refusal)
    else:
        await world.phone.patch(f"/v1/vehicles/{vehicle_id}/preferences", {"consent_mode": "never"})
        await home.reaches("select", vehicle_id, "consent_mode", "never")
    assert home.state("sensor", world.owner_id, "deal_state").state == "pending_award"
    hass.states.async_set("person.anna", "home")
    await home.reaches("sensor", world.owner_id, "deal_state", "none")


async def test_only_the_phones_of_those_who_are_asked_about_the_car_get_its_offer(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    session_id: str,
    use: UseBlueprint,
    phones: dict[str, list[Any]],
) -> None:
    """By default who may answer is asked; then the phone chosen for the car, whoever's it is."""
    anna, tablet = phones
    guest = MockUser(id="user_guest", name="Guest").add_to_hass(hass)
    guest.mock_policy({})
    for entry, user_id in zip(
        hass.config_entries.async_entries("mobile_app"), ("anna", guest.id), strict=True
    ):
        hass.config_entries.async_update_entry(entry, data={"user_id": user_id})
    await use("phone_notification", offers=offers_of(home, world), phones=[anna, tablet])
    first = await world.offer(session_id)
    await until(lambda: phones[anna])
    await home.act("decline_offer", context=Context(user_id="anna"))
    await until(lambda: phones[tablet])
    assert [each.data["message"] for each in phones[tablet]] == ["clear_notification"]
    assert phones[anna][0].data["data"]["tag"] == first["offer_id"]

    (subentry,) = home.entry.subentries.values()
    menu = await home.entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    configure = hass.config_entries.subentries.async_configure
    await configure(menu["flow_id"], {"next_step_id": "drivers"})
    await configure(menu["flow_id"], {"admins_answer": True, "asked_phones": [tablet]})
    await hass.async_block_till_done()
    for sent in phones.values():
        sent.clear()
    second = await world.offer(session_id)
    await until(lambda: phones[tablet])
    await hass.async_block_till_done()
    assert phones[tablet][0].data["data"]["tag"] == second["offer_id"]
    assert not [each for each in phones[anna] if each.data["message"] != "clear_notification"]
