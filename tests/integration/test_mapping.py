"""The entities an owner chose are followed when they get another name, and missed when deleted."""

from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
import pytest

from custom_components.v2g_owner.const import CONF_DEVICE_ID, DOMAIN
from custom_components.v2g_owner.executors import executors_of

from .conftest import Home
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow

ROLES = {
    "connected": ("binary_sensor", "box_connected"),
    "setpoint": ("number", "box_setpoint"),
    "mode": ("select", "box_mode"),
}
NUMBER_AND_MODE = {
    "shape": "number_and_mode",
    "setpoint_entity": "number.box_setpoint",
    "mode_entity": "select.box_mode",
    "charge_option": "Charge",
    "stop_option": "Stop",
    "charge_tested_at": "2026-01-01T00:00:00+00:00",
}


@pytest.fixture(autouse=True)
async def owners_zone(hass: HomeAssistant) -> None:
    """Keep the owner's time zone: another one would be a repair of its own."""
    await hass.config.async_set_time_zone("Asia/Shanghai")


@pytest.fixture
async def garage(hass: HomeAssistant, home: Home, charger_id: str) -> ConfigSubentry:
    """Return the subentry of a charger whose control is mapped and tested."""
    for domain, name in ROLES.values():
        er.async_get(hass).async_get_or_create(domain, "box", name, suggested_object_id=name)
        hass.states.async_set(f"{domain}.{name}", "off")
    data = {
        "charger_id": charger_id,
        "power_sign": "charging_positive",
        "connected_entity": "binary_sensor.box_connected",
        "control": NUMBER_AND_MODE,
    }
    subentry = ConfigSubentry(
        data=MappingProxyType(data),
        subentry_type="charger",
        title="Garage",
        unique_id=charger_id,
    )
    hass.config_entries.async_add_subentry(home.entry, subentry)
    await hass.async_block_till_done()
    return subentry


def mapped(home: Home, garage: ConfigSubentry) -> Any:
    """Return what the charger is mapped to now."""
    return home.entry.subentries[garage.subentry_id].data


def issues(hass: HomeAssistant) -> list[str | None]:
    """Return the repairs that are shown."""
    found = ir.async_get(hass).issues.values()
    return [each.translation_key for each in found if each.domain == DOMAIN and each.active]


async def test_a_renamed_control_entity_is_followed_and_stays_tested(
    hass: HomeAssistant, home: Home, garage: ConfigSubentry
) -> None:
    """It is the same charger: another name is no reason to stop obeying, or to test again."""
    registry = er.async_get(hass)
    for domain, name in ROLES.values():
        new = f"{domain}.new_{name}"
        registry.async_update_entity(f"{domain}.{name}", new_entity_id=new)
        hass.states.async_set(new, "off")
        await hass.async_block_till_done()
    assert mapped(home, garage)["connected_entity"] == "binary_sensor.new_box_connected"
    assert mapped(home, garage)["control"] == NUMBER_AND_MODE | {
        "setpoint_entity": "number.new_box_setpoint",
        "mode_entity": "select.new_box_mode",
    }
    assert not issues(hass)


async def test_promise_4_a_charger_is_told_by_its_new_name_while_the_agent_is_away(
    hass: HomeAssistant, home: Home, world: OwnerWorld, garage: ConfigSubentry, charger_id: str
) -> None:
    """Stopping at home needs no agent, and so no agent may be needed to find the charger."""
    entry = home.entry
    await hass.config_entries.async_unload(entry.entry_id)
    await world.stop_server()
    await hass.config_entries.async_setup(entry.entry_id)
    er.async_get(hass).async_update_entity("number.box_setpoint", new_entity_id="number.new_box")
    hass.states.async_remove("number.box_setpoint")
    hass.states.async_set("number.new_box", "0")
    await hass.async_block_till_done()
    driven = executors_of(hass, entry)[charger_id].mapping["control"]
    assert driven["setpoint_entity"] == "number.new_box"
    await world.start_server()


async def test_promise_4_a_charger_is_told_by_its_new_name_while_the_account_waits_to_be_paired(
    hass: HomeAssistant, home: Home, world: OwnerWorld, garage: ConfigSubentry, charger_id: str
) -> None:
    """Stopping at home needs no pairing that counts: it may be days until somebody pairs anew."""
    entry = home.entry
    await world.phone.call("DELETE", f"/v1/devices/{entry.data[CONF_DEVICE_ID]}")
    await hass.config_entries.async_reload(entry.entry_id)
    assert entry.runtime_data.coordinator.alone
    er.async_get(hass).async_update_entity("number.box_setpoint", new_entity_id="number.new_box")
    hass.states.async_remove("number.box_setpoint")
    hass.states.async_set("number.new_box", "0")
    await hass.async_block_till_done()
    driven = executors_of(hass, entry)[charger_id].mapping["control"]
    assert driven["setpoint_entity"] == "number.new_box"


async def test_a_renamed_entity_is_followed_in_each_of_its_roles(
    hass: HomeAssistant, home: Home, garage: ConfigSubentry
) -> None:
    """One sensor may tell that the charger is online and that a car is there."""
    both = {"online_entity": "binary_sensor.box_connected"}
    hass.config_entries.async_update_subentry(
        home.entry, home.entry.subentries[garage.subentry_id], data={**mapped(home, garage), **both}
    )
    await hass.async_block_till_done()
    er.async_get(hass).async_update_entity(
        "binary_sensor.box_connected", new_entity_id="binary_sensor.car_there"
    )
    hass.states.async_remove("binary_sensor.box_connected")
    hass.states.async_set("binary_sensor.car_there", "on")
    await hass.async_block_till_done()
    assert mapped(home, garage)["online_entity"] == "binary_sensor.car_there"
    assert mapped(home, garage)["connected_entity"] == "binary_sensor.car_there"
    assert not issues(hass)


async def test_an_entity_deleted_while_home_assistant_was_off_is_missed_once_it_has_started(
    hass: HomeAssistant, home: Home, garage: ConfigSubentry
) -> None:
    """Not sooner: its own integration may start later. And the repair survives every restart."""
    er.async_get(hass).async_remove("number.box_setpoint")
    hass.states.async_remove("number.box_setpoint")
    er.async_get(hass).async_remove("binary_sensor.box_connected")
    for _ in range(2):
        assert await hass.config_entries.async_unload(home.entry.entry_id)
        for issue in list(ir.async_get(hass).issues.values()):
            ir.async_delete_issue(hass, issue.domain, issue.issue_id)
        hass.set_state(CoreState.starting)
        assert await hass.config_entries.async_setup(home.entry.entry_id)
        await hass.async_block_till_done()
        assert not issues(hass)
        hass.set_state(CoreState.running)
        hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
        await hass.async_block_till_done()
        assert issues(hass) == ["control_entity_gone"], "a state without a registry entry is there"
    hass.states.async_remove("binary_sensor.box_connected")
    await hass.config_entries.async_reload(home.entry.entry_id)
    assert sorted(issues(hass)) == ["control_entity_gone", "mapped_entity_gone"]
    for domain, name in ROLES.values():
        hass.states.async_set(f"{domain}.{name}", "off")
    await hass.config_entries.async_reload(home.entry.entry_id)
    assert not issues(hass)


@pytest.mark.parametrize(
    ("entity_id", "key"),
    [
        ("binary_sensor.box_connected", "mapped_entity_gone"),
        ("number.box_setpoint", "control_entity_gone"),
        ("select.box_mode", "control_entity_gone"),
    ],
)
async def test_a_deleted_control_entity_is_a_repair_that_says_what_to_do(
    hass: HomeAssistant, home: Home, garage: ConfigSubentry, entity_id: str, key: str
) -> None:
    """A charger that no longer obeys must not look as if it did."""
    er.async_get(hass).async_remove(entity_id)
    hass.states.async_remove(entity_id)
    await hass.async_block_till_done()
    assert issues(hass) == [key]
    (issue,) = [each for each in ir.async_get(hass).issues.values() if each.domain == DOMAIN]
    assert issue.translation_placeholders == {"entity_id": entity_id, "name": "Garage"}
    assert issue.is_fixable
    other = entity_id.replace("box_", "other_")
    hass.states.async_set(other, "off")
    data = dict(mapped(home, garage))
    data["control"] = {
        name: other if value == entity_id else value for name, value in data["control"].items()
    }
    data["connected_entity"] = data["connected_entity"].replace(entity_id, other)
    hass.config_entries.async_update_subentry(
        home.entry, home.entry.subentries[garage.subentry_id], data=data
    )
    await hass.async_block_till_done()
    assert not issues(hass)


@pytest.mark.parametrize(
    ("entity_id", "key"),
    [
        ("binary_sensor.box_connected", "mapped_entity_gone"),
        ("number.box_setpoint", "control_entity_gone"),
    ],
)
async def test_an_entity_that_is_disabled_is_a_repair_until_it_is_enabled_again(
    hass: HomeAssistant, home: Home, garage: ConfigSubentry, entity_id: str, key: str
) -> None:
    """Promise 4: its charger cannot be told to stop any more, and nothing said so."""
    registry = er.async_get(hass)
    registry.async_update_entity(entity_id, disabled_by=er.RegistryEntryDisabler.USER)
    hass.states.async_remove(entity_id)
    await hass.async_block_till_done()
    assert issues(hass) == [key]
    await hass.config_entries.async_reload(home.entry.entry_id)
    assert issues(hass) == [key], "also after a start"
    registry.async_update_entity(entity_id, disabled_by=None)
    await hass.async_block_till_done()
    assert not issues(hass)


async def test_a_number_that_counts_something_else_by_now_is_a_repair_until_it_is_back(
    hass: HomeAssistant, home: Home, garage: ConfigSubentry
) -> None:
    """It was mapped in watts; in kilowatts it is followed, in amperes nothing is driven."""
    for unit, expected in (("kW", []), ("A", ["control_unit_wrong"]), ("W", [])):
        hass.states.async_set("number.box_setpoint", "0", {"unit_of_measurement": unit})
        await hass.async_block_till_done()
        assert issues(hass) == expected
    hass.states.async_set("number.box_setpoint", "0", {"unit_of_measurement": "%"})
    await hass.config_entries.async_reload(home.entry.entry_id)
    assert issues(hass) == ["control_unit_wrong"]
    (issue,) = [each for each in ir.async_get(hass).issues.values() if each.domain == DOMAIN]
    told = {"entity_id": "number.box_setpoint", "name": "Garage", "unit": "%"}
    assert issue.translation_placeholders == told
    data = dict(mapped(home, garage))
    del data["control"]
    hass.config_entries.async_update_subentry(
        home.entry, home.entry.subentries[garage.subentry_id], data=data
    )
    await hass.async_block_till_done()
    assert not issues(hass)
