"""What automations can build on: our own triggers and conditions, repairs, the system page."""

from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    async_capture_events,
    async_mock_service,
    get_system_health_info,
)

from custom_components.v2g_owner.const import DOMAIN

from .conftest import PLUG, Home, until
from .entries import paired_entry, vehicle_subentry
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow


async def automate(hass: HomeAssistant, *triggers: Any, conditions: Any = ()) -> list[Any]:
    """Set up an automation that calls a mocked action; returns the calls."""
    calls = async_mock_service(hass, "test", "noted")
    automation = {
        "alias": "Note it",
        "triggers": [
            {**trigger, "id": trigger["trigger"].partition(".")[2]} for trigger in triggers
        ],
        "conditions": list(conditions),
        "actions": {"action": "test.noted", "data": {"why": "{{ trigger.id }}"}},
        "mode": "queued",
    }
    assert await async_setup_component(hass, "automation", {"automation": automation})
    await hass.async_block_till_done()
    return calls


async def test_new_terms_are_told_as_such_and_received_anew_in_the_same_millisecond(
    home: Home, world: OwnerWorld, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What replaces a revision comes with the news that it was replaced; neither needs a read."""
    hass, offers = home.hass, home.entity_id("event", world.owner_id, "offers")
    received = {"trigger": f"{DOMAIN}.offer_received", "target": {"entity_id": offers}}
    calls = await automate(hass, received)
    offer = await world.offer(session_id)
    await until(lambda: len(calls) == 1)
    coordinator, paths = home.entry.runtime_data.coordinator, list[str]()
    get = coordinator.api.get

    async def counted(path: str) -> dict[str, Any]:
        paths.append(path)
        return await get(path)

    monkeypatch.setattr(coordinator.api, "get", counted)
    now = dt_util.utcnow()
    monkeypatch.setattr(dt_util, "utcnow", lambda: now)
    changes = async_capture_events(hass, "state_changed")
    body = {"revision": 2, "respond_by": world.at(500), "terms": world.terms(min_energy_wh=900)}
    await world.park.post(f"/v1/park/offers/{offer['offer_id']}/revisions", body)
    await until(lambda: len(calls) == 2)
    told = [each.data["new_state"] for each in changes if each.data["entity_id"] == offers]
    assert [(each.attributes["event_type"], each.attributes["revision"]) for each in told] == [
        ("offer_superseded", 1),
        ("offer_presented", 2),
    ]
    assert told[0].attributes["energy_wh"] == offer["terms"]["requested_energy_wh"]
    waiting = home.entity_id("sensor", world.owner_id, "open_offers")
    assert {
        each.data["new_state"].state for each in changes if each.data["entity_id"] == waiting
    } <= {"1"}
    assert "/v1/snapshot" not in paths


async def test_an_offer_a_start_and_a_stop_trigger_under_their_own_names(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """An area full of other event entities is a valid target; only ours count."""
    hass, owner_id = home.hass, world.owner_id
    registry = er.async_get(hass)
    foreign = registry.async_get_or_create("event", "other", "1")
    targets = {
        "entity_id": [
            foreign.entity_id,
            home.entity_id("event", owner_id, "offers"),
            home.entity_id("event", owner_id, "deals"),
            home.entity_id("event", owner_id, "rewards"),
        ]
    }
    kinds = ("offer_received", "discharge_started", "discharge_stopped", "reward_confirmed")
    calls = await automate(
        hass, *({"trigger": f"{DOMAIN}.{kind}", "target": targets} for kind in kinds)
    )
    changes = async_capture_events(hass, "state_changed")
    hass.states.async_set(foreign.entity_id, "unknown")
    hass.states.async_set(
        foreign.entity_id, "2026-12-01T00:00:00+00:00", {"event_type": "offer_presented"}
    )
    await hass.async_block_till_done()
    assert calls == []

    offer = await world.offer(session_id, start_at=world.at(0.2), dispute_window_s=0)
    await until(lambda: [call.data["why"] for call in calls] == ["offer_received"])
    answer = await home.act("accept_offer", context=Context(user_id="somebody"))
    commitment_id = answer["answer"]["commitment_id"]
    await world.award(commitment_id)
    await world.meter(session_id, context="begin")
    await until(lambda: world.at(0) > offer["terms"]["start_at"])
    await world.instruct(commitment_id)
    await until(lambda: len(calls) == 2)
    world.exported_wh += 400
    await world.meter(session_id, -7_000)
    await home.act("stop", context=Context(user_id="somebody"))
    await until(lambda: len(calls) >= 3)
    await world.meter(session_id, 0, context="end")
    for _ in range(3):
        await world.tick()
    await until(lambda: len(calls) == 4)
    assert [call.data["why"] for call in calls] == list(kinds)
    # News of a reward alone still tells which deal it is for, and what stays after all costs.
    states = (change.data["new_state"] for change in changes)
    told = next(
        state.attributes
        for state in states
        if state and state.attributes.get("event_type") == "reward_confirmed"
    )
    settlement = (await world.phone.get(f"/v1/commitments/{commitment_id}"))["settlement"]
    assert (told["commitment_id"], told["delivered_wh"]) == (commitment_id, 400)
    assert told["net_minor"] == settlement["breakdown"]["net_minor"] < settlement["net_minor"]


async def test_a_deal_that_is_stopped_before_it_delivers_is_no_discharge_that_stops(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """Nothing had started, so nothing is told to have stopped."""
    deals = home.entity_id("event", world.owner_id, "deals")
    kinds = ("discharge_started", "discharge_stopped")
    targets = {"entity_id": [deals]}
    calls = await automate(
        home.hass, *({"trigger": f"{DOMAIN}.{kind}", "target": targets} for kind in kinds)
    )
    await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    answer = await home.act("accept_offer", context=Context(user_id="somebody"))
    await world.award(answer["answer"]["commitment_id"])
    await home.reaches("sensor", world.owner_id, "deal_state", "scheduled")
    await home.act("stop", context=Context(user_id="somebody"))
    await home.reaches("sensor", world.owner_id, "deal_state", "none")
    await home.hass.async_block_till_done()
    state = home.hass.states.get(deals)
    assert state is not None
    assert state.attributes["event_type"] == "commitment_revoked"
    assert calls == []


async def test_conditions_tell_whether_discharging_is_allowed_and_an_offer_open(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """Readable without templates."""
    hass = home.hass
    calls = await automate(
        hass,
        {"trigger": "event", "event_type": "check.now"},
        conditions=[
            {
                "condition": f"{DOMAIN}.discharge_allowed",
                "target": {"entity_id": home.entity_id("switch", vehicle_id, "discharge_allowed")},
                "options": {"behavior": "any"},
            },
            {
                "condition": f"{DOMAIN}.offer_open",
                "target": {
                    "entity_id": home.entity_id("binary_sensor", world.owner_id, "offer_open")
                },
                "options": {"behavior": "any"},
            },
        ],
    )
    hass.bus.async_fire("check.now")
    await hass.async_block_till_done()
    assert calls == []
    await world.offer(session_id)
    await home.reaches("binary_sensor", world.owner_id, "offer_open", "on")
    hass.bus.async_fire("check.now")
    await until(lambda: len(calls) == 1)
    await home.set("switch", vehicle_id, "discharge_allowed", "turn_off")
    hass.bus.async_fire("check.now")
    await hass.async_block_till_done()
    assert len(calls) == 1


@pytest.fixture
async def registered_home(hass: HomeAssistant, world: OwnerWorld, vehicle_id: str) -> Home:
    """Set up an entry whose mapped sensor has a registry entry, in the owner's time zone."""
    await hass.config.async_set_time_zone("Asia/Shanghai")
    entity = er.async_get(hass).async_get_or_create(
        "sensor", "some_car", "battery", suggested_object_id="registered_battery"
    )
    hass.states.async_set(entity.entity_id, "64")
    hass.states.async_set(PLUG, "on", {"device_class": "plug"})
    subentry = vehicle_subentry(vehicle_id, soc_entity=entity.entity_id)
    entry = await paired_entry(hass, world, [subentry])
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return Home(hass, entry)


async def test_a_renamed_sensor_is_followed(registered_home: Home, vehicle_id: str) -> None:
    """Renaming an entity must not silence the car."""
    hass = registered_home.hass
    registry = er.async_get(hass)
    registry.async_update_entity("sensor.registered_battery", new_entity_id="sensor.new_name")
    hass.states.async_set("sensor.new_name", "58")
    await hass.async_block_till_done()
    (subentry,) = registered_home.entry.subentries.values()
    assert subentry.data["soc_entity"] == "sensor.new_name"
    await registered_home.reaches("sensor", vehicle_id, "soc", "58.0")


async def test_a_sensor_that_is_renamed_while_the_agent_is_away_is_followed_too(
    registered_home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """It was gone once the agent was back, and the owner was asked to choose another."""
    hass, entry = registered_home.hass, registered_home.entry
    await hass.config_entries.async_unload(entry.entry_id)
    await world.stop_server()
    await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    er.async_get(hass).async_update_entity(
        "sensor.registered_battery", new_entity_id="sensor.new_name"
    )
    hass.states.async_remove("sensor.registered_battery")
    hass.states.async_set("sensor.new_name", "58")
    await world.start_server()
    await hass.async_block_till_done()
    await hass.config_entries.async_reload(entry.entry_id)
    await registered_home.reaches("sensor", vehicle_id, "soc", "58.0")
    assert not [each for each in ir.async_get(hass).issues.values() if each.domain == DOMAIN]


async def test_a_deleted_sensor_is_a_repair_until_another_is_chosen(
    registered_home: Home,
) -> None:
    """Promise 3 begins with knowing that nobody measures any more."""
    hass, entry = registered_home.hass, registered_home.entry
    er.async_get(hass).async_remove("sensor.registered_battery")
    hass.states.async_remove("sensor.registered_battery")
    await hass.async_block_till_done()
    (issue,) = [each for each in ir.async_get(hass).issues.values() if each.domain == DOMAIN]
    assert issue.translation_key == "mapped_entity_gone"
    assert issue.translation_placeholders == {
        "entity_id": "sensor.registered_battery",
        "name": "Blue car",
    }
    hass.states.async_set("sensor.other_battery", "50")
    (subentry,) = entry.subentries.values()
    hass.config_entries.async_update_subentry(
        entry, subentry, data={**subentry.data, "soc_entity": "sensor.other_battery"}
    )
    await hass.async_block_till_done()
    assert not [each for each in ir.async_get(hass).issues.values() if each.domain == DOMAIN]


async def test_the_system_page_says_how_the_connection_stands(
    home: Home, world: OwnerWorld
) -> None:
    """Also without any account."""
    hass = home.hass
    await home.reaches("binary_sensor", world.owner_id, "stream", "on")
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    shown = await get_system_health_info(hass, DOMAIN)
    assert shown == {"accounts": 1, "answering": 1, "live": 1, "vehicles": 1}
    await hass.config_entries.async_unload(home.entry.entry_id)
    shown = await get_system_health_info(hass, DOMAIN)
    assert shown == {"accounts": 1, "answering": 0, "live": 0, "vehicles": 0}
