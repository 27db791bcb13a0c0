"""A home with a charger of its own: its memory, its entities, and what is added and taken away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.config_entries import (
    ConfigEntryDisabler,
    ConfigEntryState,
    ConfigSubentry,
)
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.llm import LLM_API_ASSIST, LLMContext, ToolInput
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.v2g_owner.const import CONF_DEVICE_ID, DOMAIN
from custom_components.v2g_owner.diagnostics import (
    async_get_config_entry_diagnostics,
    async_get_device_diagnostics,
)
from custom_components.v2g_owner.executor import ChargerExecutor
from custom_components.v2g_owner.executors import executors_of
from custom_components.v2g_owner.llm import async_get_tools
from custom_components.v2g_owner.voice import Speaker, async_stop_all

from .charger_world import Wallbox, lease, mapping, subentry
from .conftest import Home, until
from .entries import paired_entry, vehicle_subentry
from .owner_world import OwnerWorld, open_owner_world

# More than --fast has time for.
pytestmark = pytest.mark.slow


class Garage:
    """A paired home with a car at its own charger, which lives twenty seconds in one of ours."""

    def __init__(
        self, home: Home, world: OwnerWorld, box: Wallbox, charger_id: str, vehicle_id: str
    ) -> None:
        self.home, self.world, self.box = home, world, box
        self.charger_id, self.vehicle_id = charger_id, vehicle_id
        self.hass, self.entry = home.hass, home.entry

    @property
    def executor(self) -> ChargerExecutor:
        """The executor that runs now."""
        return executors_of(self.hass, self.entry)[self.charger_id]

    async def live(self) -> None:
        """Let the charger live."""
        while True:
            self.box.step()
            await asyncio.sleep(0.05)

    @property
    def is_alone(self) -> bool:
        """Tell whether only what this home does by itself is set up."""
        loaded = self.entry.state is ConfigEntryState.LOADED
        return loaded and self.entry.runtime_data.coordinator.alone

    async def load(self) -> None:
        """Set the account up."""
        await self.hass.config_entries.async_setup(self.entry.entry_id)
        await self.hass.async_block_till_done()

    async def set(self, platform: str, key: str, service: str, **data: Any) -> None:
        """Use one of the charger's entities."""
        await self.home.set(platform, self.charger_id, key, service, **data)

    async def shows(self, platform: str, key: str, value: str) -> None:
        """Wait until one of the charger's entities shows a value."""
        await self.home.reaches(platform, self.charger_id, key, value)

    async def name_the_car(self) -> None:
        """Say which car stands here, and wait until its limits are known."""
        await self.set("select", "car_here", "select_option", option="Blue car")
        await until(lambda: self.executor.memory.orders.cars)

    async def deliver(self, commitment_id: str = "com_1") -> None:
        """Let a park draw from the car, and wait until it does."""
        await self.name_the_car()
        given = replace(lease(600, commitment_id=commitment_id), vehicle_id=self.vehicle_id)
        self.executor.async_take(replace(self.executor.memory.orders, lease=given))
        await until(lambda: self.box.real_w < -6_000)

    async def discharge_by_hand(self) -> None:
        """Set the charger to discharge as a person does, and wait until it does."""
        data = {"entity_id": "number.wallbox_setting", "value": -10}
        await self.hass.services.async_call(
            "number", "set_value", data, blocking=True, context=Context(user_id="li")
        )
        await until(lambda: self.executor.verdict.holder == "owner")
        await until(lambda: self.box.real_w < -2_000)

    async def charge(self) -> None:
        """Charge now, and wait until it does."""
        await self.set("switch", "charge_now", "turn_on")
        await until(lambda: self.box.real_w > 6_000)


@pytest.fixture
async def garage(
    request: pytest.FixtureRequest,
    hass: HomeAssistant,
    world: OwnerWorld,
    vehicle_id: str,
    hass_storage: dict[str, Any],
    short_pauses: None,
) -> AsyncIterator[Garage]:
    """Stand the car at the charger; the account is paired and not set up yet."""
    limits = getattr(request, "param", {"max_charge_w": 7_360, "max_discharge_w": 7_360})
    body = {"display_name": "Garage", **limits}
    charger_id = str((await world.phone.post("/v1/chargers", body))["charger_id"])
    box = Wallbox(hass=hass)
    await box.build()
    linked = {
        "data": dict(subentry(charger_id=charger_id).data),
        "subentry_type": "charger",
        "title": "Garage",
        "unique_id": charger_id,
    }
    entry = await paired_entry(hass, world, [vehicle_subentry(vehicle_id), linked])
    made = Garage(Home(hass, entry), world, box, charger_id, vehicle_id)
    life = asyncio.create_task(made.live())
    yield made
    if entry.state is ConfigEntryState.LOADED:
        await hass.config_entries.async_unload(entry.entry_id)
    life.cancel()


# --- what is on disk


@pytest.mark.parametrize(
    "kept",
    [
        {"version": 1, "data": {"orders": {"lease": "yes"}}},
        {"version": 2, "data": {"orders": {}}},
    ],
    ids=["damaged", "written by a newer version"],
)
async def test_a_memory_that_cannot_be_read_is_begun_anew_and_the_charger_is_driven(
    garage: Garage,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    kept: dict[str, Any],
) -> None:
    """The account is set up all the same, and the log says what was lost."""
    hass_storage[f"{DOMAIN}.{garage.charger_id}"] = {
        "minor_version": 1,
        "key": f"{DOMAIN}.{garage.charger_id}",
        **kept,
    }
    await garage.load()
    assert garage.entry.state is ConfigEntryState.LOADED
    assert "The memory of a charger cannot be read and is begun anew" in caplog.text
    await garage.charge()
    await until(lambda: hass_storage[f"{DOMAIN}.{garage.charger_id}"]["version"] == 1)
    orders = hass_storage[f"{DOMAIN}.{garage.charger_id}"]["data"]["orders"]
    assert orders["override"]["kind"] == "charge"


async def test_a_deleted_account_leaves_nothing_of_its_chargers_on_disk(
    garage: Garage, hass_storage: dict[str, Any]
) -> None:
    """What it knew of the owner's evenings goes with it."""
    await garage.load()
    await garage.charge()
    await until(lambda: f"{DOMAIN}.{garage.charger_id}" in hass_storage)
    await garage.hass.config_entries.async_remove(garage.entry.entry_id)
    await garage.hass.async_block_till_done()
    assert f"{DOMAIN}.{garage.charger_id}" not in hass_storage
    assert executors_of(garage.hass, garage.entry) == {}


# --- what the owner presses


async def test_charge_now_charges_until_it_is_turned_off(garage: Garage) -> None:
    """Then plan and park go on: here there is neither."""
    await garage.load()
    await garage.charge()
    await garage.shows("sensor", "controlled_by", "charge_now")
    await garage.set("switch", "charge_now", "turn_off")
    await garage.shows("switch", "charge_now", "off")
    await garage.shows("sensor", "controlled_by", "plan")


@pytest.mark.parametrize("garage", [{}], indirect=True)
async def test_a_charger_of_which_nobody_told_the_most_does_what_the_car_can(
    garage: Garage,
) -> None:
    """Whoever adds a charger to the agent may leave that out; it was taken for nothing at all."""
    await garage.load()
    await garage.charge()
    await garage.set("switch", "charge_now", "turn_off")
    await garage.deliver()


async def test_turning_charge_now_off_does_not_lift_a_stop(garage: Garage) -> None:
    """What the owner said last holds: only resume ends a stop."""
    await garage.load()
    await garage.charge()
    await garage.set("button", "stop_now", "press")
    await until(lambda: garage.box.real_w == 0)
    await garage.shows("sensor", "controlled_by", "stop")
    await garage.set("switch", "charge_now", "turn_off")
    await garage.shows("sensor", "controlled_by", "stop")
    await garage.set("button", "resume", "press")
    await garage.shows("sensor", "controlled_by", "plan")


async def test_the_owner_names_the_car_that_stands_here(garage: Garage) -> None:
    """Or says that it is a guest's; only then may anything be discharged."""
    await garage.load()
    await garage.shows("select", "car_here", "guest")
    await garage.set("select", "car_here", "select_option", option="Blue car")
    await garage.shows("select", "car_here", "Blue car")
    assert garage.executor.memory.parking.bound == garage.vehicle_id
    await garage.set("select", "car_here", "select_option", option="guest")
    await garage.shows("select", "car_here", "guest")
    assert garage.executor.memory.parking.bound is None


# --- stop discharging


async def test_promise_4_the_stop_action_stops_this_homes_chargers_with_the_api_gone(
    garage: Garage,
) -> None:
    """Promise 4: the action says that the API was not told; the charger stands still."""
    await garage.load()
    await garage.deliver()
    await garage.world.stop_server()
    with pytest.raises(HomeAssistantError) as told:
        await garage.home.act("stop")
    assert told.value.translation_key == "stop_not_told"
    await until(lambda: garage.box.real_w == 0)
    assert garage.executor.verdict.holder == "stop"
    await garage.world.start_server()


async def by_action(garage: Garage) -> None:
    """Stop everything by the action."""
    await garage.home.act("stop")


async def by_action_for_the_car(garage: Garage) -> None:
    """Stop the car by the action."""
    device = dr.async_get(garage.hass).async_get_device_by_identifier(
        (DOMAIN, garage.vehicle_id), garage.entry.entry_id
    )
    assert device is not None
    await garage.home.act("stop", {"device_id": [device.id]})


async def aloud(garage: Garage) -> None:
    """Stop everything by voice."""
    await async_stop_all(
        garage.hass, Speaker(user_id="li", device_id=None, turn="1", language="en")
    )


@pytest.mark.parametrize("stop", [by_action, by_action_for_the_car, aloud])
async def test_promise_4_after_a_restart_with_the_api_away_stop_reaches_this_homes_chargers(
    garage: Garage, stop: Callable[[Garage], Awaitable[None]]
) -> None:
    """Promise 4: the account is not connected, the plan on disk is driven; the error says so."""
    await garage.load()
    await garage.name_the_car()
    await garage.world.stop_server()
    await garage.hass.config_entries.async_reload(garage.entry.entry_id)
    assert garage.is_alone
    await garage.discharge_by_hand()
    with pytest.raises(HomeAssistantError) as told:
        await stop(garage)
    assert told.value.translation_key == "stop_not_told"
    assert garage.executor.verdict.holder == "stop"
    await until(lambda: garage.box.real_w == 0)
    await garage.world.start_server()


async def test_promise_4_stop_now_is_there_after_a_restart_before_the_agent_answers(
    garage: Garage,
) -> None:
    """Promise 4: it needs nobody but this home; with the agent all else comes, without a gap."""
    await garage.load()
    await garage.name_the_car()
    await garage.world.stop_server()
    await garage.hass.config_entries.async_reload(garage.entry.entry_id)
    executor = garage.executor
    await garage.discharge_by_hand()
    assert garage.home.state("button", garage.charger_id, "stop_now").state != "unavailable"
    await garage.set("button", "stop_now", "press")
    await until(lambda: garage.box.real_w == 0)
    await garage.shows("sensor", "controlled_by", "stop")
    await garage.charge()
    await garage.shows("sensor", "controlled_by", "charge_now")
    assert garage.home.state("sensor", garage.charger_id, "power").state == "unavailable"
    hub = dr.async_get(garage.hass).async_get_device_by_identifier(
        (DOMAIN, garage.world.owner_id), garage.entry.entry_id
    )
    assert isinstance(hub, dr.DeviceEntry)
    known = (hub.model, hub.sw_version)
    await garage.world.start_server()
    await until(lambda: garage.entry.state is ConfigEntryState.LOADED and not garage.is_alone)
    await until(lambda: garage.executor.deals == {})
    assert garage.executor is executor, "it charges on without a gap"
    assert garage.box.real_w > 6_000
    await garage.home.reaches("sensor", garage.world.owner_id, "open_offers", "0")
    hub = dr.async_get(garage.hass).async_get_device_by_identifier(
        (DOMAIN, garage.world.owner_id), garage.entry.entry_id
    )
    assert isinstance(hub, dr.DeviceEntry)
    assert (hub.model, hub.sw_version) == known


@pytest.mark.parametrize("whose", ["account", "car"])
async def test_promise_4_stop_of_account_and_car_are_there_before_the_agent_answers(
    garage: Garage, whose: str
) -> None:
    """Promise 4: this home's chargers stop, and the press says that no park was told."""
    await garage.load()
    await garage.name_the_car()
    await garage.world.stop_server()
    await garage.hass.config_entries.async_reload(garage.entry.entry_id)
    await garage.discharge_by_hand()
    key = garage.world.owner_id if whose == "account" else garage.vehicle_id
    with pytest.raises(HomeAssistantError) as told:
        await garage.home.set("button", key, "stop", "press")
    assert told.value.translation_key == "stop_not_told"
    await until(lambda: garage.box.real_w == 0)
    await garage.world.start_server()


async def test_promise_4_stop_now_is_there_while_the_account_waits_to_be_paired_anew(
    garage: Garage,
) -> None:
    """Promise 4: it may be days until somebody pairs; the owner is asked to all the same."""
    await garage.load()
    await garage.name_the_car()
    device_id = garage.entry.data[CONF_DEVICE_ID]
    await garage.world.phone.call("DELETE", f"/v1/devices/{device_id}")
    await garage.hass.config_entries.async_reload(garage.entry.entry_id)
    await garage.discharge_by_hand()
    await garage.set("button", "stop_now", "press")
    await until(lambda: garage.box.real_w == 0)
    (flow,) = garage.hass.config_entries.flow.async_progress()
    assert flow["context"]["source"] == "reauth"
    for stop in (by_action, by_action_for_the_car, aloud):
        await garage.discharge_by_hand()
        with pytest.raises(HomeAssistantError) as told:
            await stop(garage)
        assert told.value.translation_key == "stop_not_told"
        await until(lambda: garage.box.real_w == 0)


async def test_while_the_agent_has_not_answered_since_the_start_what_needs_it_says_so(
    garage: Garage,
) -> None:
    """An account of which nothing is known has no offers to show and none to answer."""
    await garage.load()
    await garage.world.stop_server()
    await garage.hass.config_entries.async_reload(garage.entry.entry_id)
    assert garage.is_alone
    with pytest.raises(HomeAssistantError) as stopped:
        await garage.home.act("stop", {"config_entry": garage.entry.entry_id})
    assert stopped.value.translation_key == "stop_not_told"
    for action in ("list_offers", "get_receipts", "accept_offer"):
        with pytest.raises(ServiceValidationError) as told:
            await garage.home.act(action)
        assert told.value.translation_key == "cannot_connect"
    device = dr.async_get(garage.hass).async_get_device_by_identifier(
        (DOMAIN, garage.vehicle_id), garage.entry.entry_id
    )
    assert device is not None
    with pytest.raises(ServiceValidationError) as unset:
        await garage.home.act("set_leave_times", {"device_id": device.id, "mon": "07:30"})
    assert unset.value.translation_key == "cannot_connect", "it is a vehicle all the same"
    flow = await garage.hass.config_entries.subentries.async_init(
        (garage.entry.entry_id, "charger"), context={"source": "user"}
    )
    assert (flow["type"], flow["reason"]) == ("abort", "not_loaded")
    found = await async_get_config_entry_diagnostics(garage.hass, garage.entry)
    assert found["connection"]["last_update_success"] is False
    await garage.world.start_server()


async def test_a_language_model_can_stop_and_do_nothing_else_while_no_account_is_connected(
    garage: Garage,
) -> None:
    """Promise 4: what it was allowed to do before, as far as this home can."""
    assert await async_setup_component(garage.hass, "homeassistant", {})
    await garage.load()
    for platform, key in (("button", "stop"), ("sensor", "open_offers")):
        entity_id = garage.home.entity_id(platform, garage.world.owner_id, key)
        async_expose_entity(garage.hass, "conversation", entity_id, should_expose=True)
    await garage.world.stop_server()
    await garage.hass.config_entries.async_reload(garage.entry.entry_id)
    context = LLMContext(
        platform="test",
        context=Context(user_id="li"),
        language="en",
        assistant="conversation",
        device_id=None,
    )
    found = async_get_tools(garage.hass, context, LLM_API_ASSIST)
    assert found is not None
    (tool,) = found.tools
    garage.executor.async_name_car(garage.vehicle_id)
    await garage.discharge_by_hand()
    said = await tool.async_call(garage.hass, ToolInput(tool_name=tool.name, tool_args={}), context)
    assert "own chargers have been told to stop" in said.data["error"]
    await until(lambda: garage.box.real_w == 0)
    await garage.world.start_server()


async def test_promise_4_a_stop_comes_first_at_home_and_one_failure_keeps_it_from_nobody(
    garage: Garage, tmp_path: Path
) -> None:
    """Promise 4: with two accounts, one's agent away, the other's is told all the same."""
    await garage.load()
    (tmp_path / "second").mkdir()
    async with open_owner_world(tmp_path / "second") as second:
        car = vehicle_subentry(await second.add_vehicle())
        entry = await paired_entry(garage.hass, second, [car])
        await garage.hass.config_entries.async_setup(entry.entry_id)
        await garage.deliver()
        await garage.world.stop_server()
        with pytest.raises(HomeAssistantError):
            await async_stop_all(
                garage.hass, Speaker(user_id="li", device_id=None, turn="1", language="en")
            )
        await until(lambda: garage.box.real_w == 0)
        asked = await second.agent.store.read(
            lambda tx: tx.one("SELECT count(*) AS stops FROM idempotency WHERE route LIKE '%stops'")
        )
        assert asked == {"stops": 1}
        await garage.world.start_server()


async def test_promise_4_a_device_that_is_no_car_does_not_keep_the_others_from_stopping(
    garage: Garage,
) -> None:
    """Promise 4: an automation may still name a car that was sold."""
    await garage.load()
    await garage.deliver()
    blue = dr.async_get(garage.hass).async_get_device_by_identifier(
        (DOMAIN, garage.vehicle_id), garage.entry.entry_id
    )
    assert blue is not None
    with pytest.raises(ServiceValidationError) as refused:
        await garage.home.act("stop", {"device_id": ["sold", blue.id]})
    assert refused.value.translation_key == "not_a_vehicle"
    assert garage.executor.verdict.holder == "stop"
    await until(lambda: garage.box.real_w == 0)


async def test_stop_discharging_leaves_a_car_charging_where_nothing_discharges(
    garage: Garage,
) -> None:
    """A deal that has not begun ends all the same: no lease of it counts any more."""
    await garage.load()
    await garage.name_the_car()
    await until(lambda: garage.executor.verdict.holder == "plan")
    garage.executor.deals = {"com_later": garage.vehicle_id}
    await garage.home.act("stop")
    assert garage.executor.verdict.holder == "plan"
    assert garage.executor.memory.orders.stopped == ("com_later",)
    await garage.charge()
    await garage.set("button", "stop_now", "press")
    one_hour = garage.executor.verdict.until
    await garage.home.act("stop")
    assert garage.executor.verdict.until == one_hour, "a longer stop is not made shorter"


async def test_charge_now_outlasts_stop_discharging(garage: Garage) -> None:
    """It had ended the deal before; its lease, still alive, is none to stop for."""
    await garage.load()
    await garage.deliver()
    await garage.charge()
    await until(lambda: (power := garage.executor.eyes.power()) and power.value > 6_000)
    await garage.home.act("stop")
    assert garage.executor.verdict.holder == "charge_now"


async def test_stop_discharging_rests_the_charger_for_two_minutes_and_then_the_plan_goes_on(
    garage: Garage,
) -> None:
    """Also where the owner's own hand let energy out."""
    await garage.load()
    await garage.name_the_car()
    await garage.discharge_by_hand()
    await garage.home.act("stop")
    verdict = garage.executor.verdict
    assert (verdict.holder, verdict.setpoint_w) == ("stop", 0)
    assert verdict.until is not None
    assert timedelta(0) < verdict.until - dt_util.utcnow() <= timedelta(minutes=2)
    await until(lambda: garage.box.real_w == 0)
    await garage.set("button", "resume", "press")
    await garage.shows("sensor", "controlled_by", "plan")


async def test_a_stop_of_one_car_or_one_deal_leaves_another_charger_alone(garage: Garage) -> None:
    """And stops the one that it names."""
    other = await garage.world.add_vehicle()
    garage.hass.config_entries.async_add_subentry(
        garage.entry,
        ConfigSubentry(
            data=MappingProxyType({"vehicle_id": other, "power_sign": "charging_positive"}),
            subentry_type="vehicle",
            title="Red car",
            unique_id=other,
        ),
    )
    await garage.load()
    await garage.deliver()
    garage.executor.deals = {"com_red": other}
    red, blue = (
        dr.async_get(garage.hass).async_get_device_by_identifier(
            (DOMAIN, vehicle_id), garage.entry.entry_id
        )
        for vehicle_id in (other, garage.vehicle_id)
    )
    assert red is not None
    assert blue is not None
    with pytest.raises(HomeAssistantError):
        await garage.home.act("stop", {"commitment_id": "com_elsewhere"})
    assert garage.executor.memory.orders.stopped == ()
    await garage.home.act("stop", {"device_id": [red.id]})
    assert garage.executor.memory.orders.stopped == ("com_red",)
    assert garage.executor.verdict.holder == "park"
    await garage.home.act("stop", {"device_id": [blue.id]})
    assert garage.executor.verdict.holder == "stop"
    await until(lambda: garage.box.real_w == 0)
    garage.executor.async_resume()
    await garage.deliver("com_2")
    with pytest.raises(HomeAssistantError):
        await garage.home.act("stop", {"commitment_id": "com_2"})
    await until(lambda: garage.box.real_w == 0)


# --- added, changed, taken away


async def test_a_charger_added_while_the_home_runs_is_driven_and_one_taken_away_is_let_go(
    garage: Garage,
) -> None:
    """Without a restart, and nothing is written to it afterwards."""
    (linked,) = garage.entry.get_subentries_of_type("charger")
    garage.hass.config_entries.async_remove_subentry(garage.entry, linked.subentry_id)
    await garage.load()
    assert garage.box.commands == []
    garage.hass.config_entries.async_add_subentry(garage.entry, linked)
    await until(lambda: garage.charger_id in executors_of(garage.hass, garage.entry))
    await until(lambda: garage.entry.state is ConfigEntryState.LOADED)
    await garage.hass.async_block_till_done()
    await garage.set("select", "car_here", "select_option", option="Blue car")
    executor = garage.executor
    await until(lambda: executor.memory.orders.cars)
    await until(lambda: executor.verdict.reason != "unknown_car")
    garage.hass.config_entries.async_remove_subentry(garage.entry, linked.subentry_id)
    await until(lambda: not executors_of(garage.hass, garage.entry))
    asked = len(garage.box.commands)
    executor.async_tick()
    assert len(garage.box.commands) == asked


async def test_a_charger_mapped_anew_while_the_api_is_away_obeys_the_new_mapping(
    garage: Garage,
) -> None:
    """The old executor goes with the old mapping: two hands on one charger would fight."""
    await garage.load()
    await garage.world.stop_server()
    await garage.hass.config_entries.async_reload(garage.entry.entry_id)
    assert garage.is_alone
    old = garage.executor
    old.async_charge_now()
    await until(lambda: garage.box.told["number"] == 30)
    await garage.hass.config_entries.async_reload(garage.entry.entry_id)
    assert garage.executor is old, "nothing changed: the plan goes on without a gap"
    (linked,) = garage.entry.get_subentries_of_type("charger")
    turned = {**linked.data, "control": mapping("wallbox", volts=460)}
    garage.hass.config_entries.async_update_subentry(garage.entry, linked, data=turned)
    await garage.hass.config_entries.async_reload(garage.entry.entry_id)
    assert garage.executor is not old
    await until(lambda: garage.box.told["number"] == 15)
    await garage.world.start_server()


async def test_promise_4_a_zero_that_is_on_its_way_arrives_when_the_account_is_unloaded(
    garage: Garage,
) -> None:
    """Promise 4: a slow charger was told to stop a moment before, and nobody tells it again."""
    await garage.load()
    await garage.deliver()
    garage.box.answers_after_s = 0.3
    executor = garage.executor
    pressed = asyncio.create_task(executor.async_stop_now())
    await until(lambda: executor.driver.watch.setpoint_w == 0)
    assert garage.box.told["number"] < 0
    assert await garage.hass.config_entries.async_unload(garage.entry.entry_id)
    await pressed
    assert garage.box.told["number"] == 0


async def test_promise_3_a_lease_that_comes_while_the_account_is_unloaded_is_not_obeyed(
    garage: Garage,
) -> None:
    """Promise 3: while a slow charger takes its zero the stream still tells of leases."""
    await garage.load()
    await garage.deliver()
    garage.box.answers_after_s = 0.3
    executor = garage.executor
    unloading = asyncio.create_task(garage.hass.config_entries.async_unload(garage.entry.entry_id))
    await until(lambda: executor.driver.watch.setpoint_w == 0)
    renewed = replace(lease(600), vehicle_id=garage.vehicle_id)
    executor.async_take(replace(executor.memory.orders, lease=renewed))
    assert await unloading
    await asyncio.sleep(1)
    assert garage.box.told["number"] == 0


async def test_an_account_switched_off_while_the_api_is_away_drives_again_when_switched_on(
    garage: Garage,
) -> None:
    """What looked at the charger has ended with it: something must look again."""
    hass, entry_id = garage.hass, garage.entry.entry_id
    await garage.load()
    await garage.world.stop_server()
    await hass.config_entries.async_reload(entry_id)
    assert garage.is_alone
    await hass.config_entries.async_set_disabled_by(entry_id, ConfigEntryDisabler.USER)
    await asyncio.sleep(2.5)
    await garage.world.start_server()
    await hass.config_entries.async_set_disabled_by(entry_id, None)
    await hass.async_block_till_done()
    await garage.charge()
    garage.box.plug(connected=False)
    await until(lambda: garage.box.told["number"] == 0)


async def test_a_guest_at_a_second_charger_is_not_taken_for_the_car_at_the_first(
    garage: Garage,
) -> None:
    """Promise 1: the owner's car is known to stand elsewhere; its plan is no guest's."""
    body = {"display_name": "Carport", "max_charge_w": 7_360, "max_discharge_w": 7_360}
    charger_id = str((await garage.world.phone.post("/v1/chargers", body))["charger_id"])
    control = {
        **mapping("wallbox", set_actions=[{"event": "carport_power"}]),
        "shape": "actions",
        "setpoint_entity": None,
    }
    data = {
        **subentry(charger_id=charger_id).data,
        "connected_entity": "binary_sensor.carport_connected",
        "power_entity": "sensor.carport_power",
        "control": control,
    }
    carport = ConfigSubentry(
        data=MappingProxyType(data),
        subentry_type="charger",
        title="Carport",
        unique_id=charger_id,
    )
    garage.hass.config_entries.async_add_subentry(garage.entry, carport)
    powers = async_capture_events(garage.hass, "carport_power")
    await garage.load()
    await garage.name_the_car()
    garage.hass.states.async_set("binary_sensor.carport_connected", "on")
    second = executors_of(garage.hass, garage.entry)[charger_id]
    await until(lambda: second.memory.orders.cars)
    await garage.hass.async_block_till_done()
    second.async_tick()
    assert second.verdict.reason == "unknown_car"
    assert powers
    assert garage.executor.verdict.holder == "plan"


# --- what helps to find a fault


async def test_the_diagnostics_of_a_home_charger_tell_why_it_does_what_it_does(
    garage: Garage,
) -> None:
    """A charger that does not charge is a question to this home, not to the API."""
    await garage.load()
    await garage.set("select", "car_here", "select_option", option="Blue car")
    await garage.charge()
    device = dr.async_get(garage.hass).async_get_device_by_identifier(
        (DOMAIN, garage.charger_id), garage.entry.entry_id
    )
    assert isinstance(device, dr.DeviceEntry)
    found = await async_get_device_diagnostics(garage.hass, garage.entry, device)
    (control,) = found["control"]
    assert control["verdict"]["holder"] == "charge_now"
    assert control["verdict"]["setpoint_w"] == 7_000
    assert control["orders"]["override"]["kind"] == "charge"
    assert control["orders"]["cars"][0]["vehicle_id"] == garage.vehicle_id
    assert control["parking"]["bound"] == garage.vehicle_id
    assert [carry["vehicle_id"] for carry in control["carries"]] == [garage.vehicle_id]
    assert control["last_commands"][-1]["told"] == {"number.wallbox_setting": 30.0}
    assert control["charge_tested_at"] == "2026-11-01T12:00:00+00:00"
    assert control["discharge_tested_at"] == "2026-11-01T12:01:00+00:00"
    (told,) = found["mapping"]
    assert told["control"]["setpoint_entity"] == "number.wallbox_setting"
    # People post it in public.
    text = json.dumps(found, default=str)
    assert "Garage" not in text
    assert "Blue car" not in text


async def test_diagnostics_hold_no_action_of_the_owners_own(
    garage: Garage,
) -> None:
    """They may carry a password to the charger; how it is told is kept to oneself."""
    (linked,) = garage.entry.get_subentries_of_type("charger")
    control = mapping("actions")
    garage.hass.config_entries.async_update_subentry(
        garage.entry, linked, data={**linked.data, "control": control}
    )
    await garage.load()
    device = dr.async_get(garage.hass).async_get_device_by_identifier(
        (DOMAIN, garage.charger_id), garage.entry.entry_id
    )
    assert isinstance(device, dr.DeviceEntry)
    found = await async_get_device_diagnostics(garage.hass, garage.entry, device)
    assert found["mapping"][0]["control"]["shape"] == "actions"
    assert "acme_charger" not in json.dumps(found, default=str)
    whole = await async_get_config_entry_diagnostics(garage.hass, garage.entry)
    assert "acme_charger" not in json.dumps(whole, default=str)
