"""Adding, linking and changing vehicles and chargers."""

from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER, ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest

from custom_components.v2g_owner.const import DOMAIN

from .conftest import PLUG, SOC, Home, car_says, until
from .entries import paired_entry
from .owner_world import OwnerWorld

FACTS = {
    "display_name": "Red car",
    "capacity_kwh": 77.4,
    "max_charge_kw": 11,
    "max_discharge_kw": 10,
    "chemistry": "nmc",
    "warranty_discharge_policy": "allowed",
}
ENTITIES = {"soc_entity": SOC, "plugged_entity": PLUG, "power_sign": "charging_positive"}


@pytest.fixture
async def empty_home(hass: HomeAssistant, world: OwnerWorld) -> Home:
    """Set up an entry without vehicles."""
    car_says(hass, 66)
    entry = await paired_entry(hass, world, [])
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return Home(hass, entry)


async def begin(home: Home, kind: str = "vehicle") -> Any:
    """Begin to add a vehicle or charger."""
    return await home.hass.config_entries.subentries.async_init(
        (home.entry.entry_id, kind), context={"source": SOURCE_USER}
    )


async def change(home: Home, kind: str = "vehicle") -> Any:
    """Begin to change the only vehicle or charger."""
    subentry = home.entry.get_subentries_of_type(kind)[0]
    return await home.hass.config_entries.subentries.async_init(
        (home.entry.entry_id, kind),
        context={"source": SOURCE_RECONFIGURE, "subentry_id": subentry.subentry_id},
    )


async def send(home: Home, flow: Any, **answers: Any) -> Any:
    """Send one form."""
    return await home.hass.config_entries.subentries.async_configure(flow["flow_id"], answers)


async def test_a_new_vehicle_is_made_at_the_api_in_its_own_units(
    empty_home: Home, world: OwnerWorld
) -> None:
    """What people write in kWh and kW is Wh and W there."""
    flow = await begin(empty_home)
    assert flow["step_id"] == "facts"
    flow = await send(empty_home, flow, **FACTS)
    assert flow["step_id"] == "entities"
    done = await send(empty_home, flow, **ENTITIES)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    await empty_home.hass.async_block_till_done()
    (vehicle,) = (await world.phone.get("/v1/vehicles"))["items"]
    assert vehicle["usable_capacity_wh"] == 77_400
    assert vehicle["max_charge_w"] == 11_000
    assert vehicle["max_discharge_w"] == 10_000
    assert vehicle["chemistry"] == "nmc"
    await empty_home.reaches("sensor", vehicle["vehicle_id"], "soc", "66.0")
    device = dr.async_get(empty_home.hass).async_get_device_by_identifier(
        (DOMAIN, vehicle["vehicle_id"]), empty_home.entry.entry_id
    )
    assert device is not None
    assert device.name == "Red car"
    hub = dr.async_get(empty_home.hass).async_get(device.via_device_id or "")
    assert hub is not None
    assert (DOMAIN, world.owner_id) in hub.identifiers


async def test_a_vehicle_the_api_knows_is_linked_and_only_once(
    empty_home: Home, world: OwnerWorld
) -> None:
    """A phone may have added the car before; its history goes on."""
    vehicle_id = await world.add_vehicle()
    await empty_home.entry.runtime_data.coordinator.async_refresh()
    flow = await begin(empty_home)
    assert flow["step_id"] == "user"
    flow = await send(empty_home, flow, link=vehicle_id)
    done = await send(empty_home, flow, **ENTITIES)
    assert done["title"] == "Blue car"
    await empty_home.hass.async_block_till_done()
    assert len((await world.phone.get("/v1/vehicles"))["items"]) == 1
    again = await begin(empty_home)
    assert again["step_id"] == "facts", "nothing is left to link"


async def test_with_one_to_link_a_new_one_can_still_be_made(
    empty_home: Home, world: OwnerWorld
) -> None:
    """Linking is offered, not forced."""
    await world.add_vehicle()
    await empty_home.entry.runtime_data.coordinator.async_refresh()
    flow = await send(empty_home, await begin(empty_home), link="new")
    assert flow["step_id"] == "facts"


async def test_a_vehicle_the_api_cannot_take_is_refused_with_the_reason_and_can_be_sent_again(
    empty_home: Home, world: OwnerWorld
) -> None:
    """Promise 8, in a form: what would pass is named, and what was typed stays."""
    flow = await begin(empty_home)
    flow = await send(empty_home, flow, **FACTS | {"display_name": "x" * 101})
    refused = await send(empty_home, flow, **ENTITIES)
    assert refused["errors"] == {"base": "refused"}
    assert "1 to 100" in refused["description_placeholders"]["detail"]
    await world.stop_server()
    away = await send(empty_home, flow, **ENTITIES)
    assert away["errors"] == {"base": "cannot_connect"}
    await world.start_server()


async def test_a_battery_of_which_nobody_has_said_what_it_holds_is_asked_for(
    empty_home: Home,
) -> None:
    """The page fills in the least that can be typed; as 1 kWh it was planned with."""
    flow = await begin(empty_home)
    field = next(key for key in flow["data_schema"].schema if key == "capacity_kwh")
    least = flow["data_schema"].schema[field].config["min"]
    asked = await send(empty_home, flow, **FACTS | {"capacity_kwh": least})
    assert asked["step_id"] == "facts"
    assert asked["errors"] == {"capacity_kwh": "capacity_needed"}
    assert (await send(empty_home, asked, **FACTS))["step_id"] == "entities"


@pytest.mark.parametrize(
    ("value", "unit"), [("0.8", "%"), ("80,5", "%"), ("80", "km"), ("full", None), ("255", "%")]
)
async def test_a_sensor_that_tells_no_percentage_is_refused_with_what_it_says(
    empty_home: Home, value: str, unit: str | None
) -> None:
    """As a car that is always empty, or of which nothing is known, it never sold anything."""
    flow = await send(empty_home, await begin(empty_home), **FACTS)
    shown = {} if unit is None else {"unit_of_measurement": unit}
    empty_home.hass.states.async_set(SOC, value, shown)
    refused = await send(empty_home, flow, **ENTITIES)
    assert refused["errors"] == {"soc_entity": "soc_unreadable"}
    assert refused["description_placeholders"] == {"state": f"{value} {unit or ''}".strip()}
    empty_home.hass.states.async_set(SOC, "80.5", {"unit_of_measurement": "%"})
    assert (await send(empty_home, refused, **ENTITIES))["type"] is FlowResultType.CREATE_ENTRY
    await empty_home.hass.async_block_till_done()


async def test_promise_2_a_battery_does_not_speak_for_two_cars(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """With the first car's sensor the second was sold by a charge that it did not have."""
    flow = await send(home, await begin(home), **FACTS)
    refused = await send(home, flow, **ENTITIES)
    assert refused["errors"] == {"soc_entity": "other_car"}
    assert refused["description_placeholders"] == {"other": "Blue car"}
    made = (await world.phone.get("/v1/vehicles"))["items"]
    assert [vehicle["vehicle_id"] for vehicle in made] == [vehicle_id]
    own = ENTITIES | {"soc_entity": "sensor.red_car_battery"}
    assert (await send(home, flow, **own))["type"] is FlowResultType.CREATE_ENTRY
    await home.hass.async_block_till_done()
    # Nor can it be chosen later; to leave it with its own car is no change.
    flow = await send(home, await change(home), next_step_id="remap")
    refused = await send(home, flow, **own)
    assert refused["errors"] == {"soc_entity": "other_car"}
    assert refused["description_placeholders"] == {"other": "Red car"}
    assert (await send(home, flow, **ENTITIES))["reason"] == "reconfigure_successful"
    await home.hass.async_block_till_done()


async def test_a_charger_is_added_and_changed(empty_home: Home, world: OwnerWorld) -> None:
    """All of a charger's entities are optional: a park's meter may be all there is."""
    flow = await begin(empty_home, "charger")
    facts = {"display_name": "Garage", "max_charge_kw": 7, "max_discharge_kw": 6}
    flow = await send(empty_home, flow, **facts)
    done = await send(empty_home, flow, power_sign="charging_positive")
    assert done["type"] is FlowResultType.CREATE_ENTRY
    await empty_home.hass.async_block_till_done()
    flow = await send(empty_home, await change(empty_home, "charger"), next_step_id="refacts")
    shown = {str(key): key.description for key in flow["data_schema"].schema}
    assert shown["max_charge_kw"] == {"suggested_value": 7.0}
    done = await send(empty_home, flow, **facts | {"evse_id": "CN*V2G*E7", "max_charge_kw": 11})
    assert done["reason"] == "reconfigure_successful"
    (charger,) = (await world.phone.get("/v1/chargers"))["items"]
    assert charger["evse_id"] == "CN*V2G*E7"
    assert charger["max_charge_w"] == 11_000
    assert charger["max_discharge_w"] == 6_000


async def test_remapping_keeps_every_entity_and_its_history(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """A new sensor for the same car is not a new car."""
    hass = home.hass
    before = {e.unique_id: e.entity_id for e in _entries(home)}
    hass.states.async_set("sensor.better_battery", "71")
    flow = await change(home)
    assert flow["type"] is FlowResultType.MENU
    flow = await send(home, flow, next_step_id="remap")
    assert flow["step_id"] == "remap"
    done = await send(home, flow, **ENTITIES | {"soc_entity": "sensor.better_battery"})
    assert done["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    await home.reaches("sensor", vehicle_id, "soc", "71.0")
    assert {e.unique_id: e.entity_id for e in _entries(home)} == before


def _entries(home: Home) -> list[er.RegistryEntry]:
    return er.async_entries_for_config_entry(er.async_get(home.hass), home.entry.entry_id)


async def test_a_fact_changed_elsewhere_is_shown_before_it_is_overwritten(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """If-Match in a form: the newest values are shown, then the owner decides."""
    coordinator = home.entry.runtime_data.coordinator
    flow = await send(home, await change(home), next_step_id="refacts")
    stale = coordinator.data
    await world.phone.patch(f"/v1/vehicles/{vehicle_id}", {"max_charge_w": 22_000})
    await home.entry.runtime_data.coordinator.async_refresh()
    coordinator.data = stale
    lost = await send(home, flow, **FACTS)
    assert lost["errors"] == {"base": "changed_meanwhile"}
    done = await send(home, lost, **FACTS)
    assert done["reason"] == "reconfigure_successful"
    told = await world.phone.get(f"/v1/vehicles/{vehicle_id}")
    assert told["max_charge_w"] == 11_000
    assert told["display_name"] == "Red car"


async def test_a_form_that_is_open_does_not_take_back_what_a_phone_says_meanwhile(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """The stream has told the new value before the form is sent: it is no yes to the old one."""
    flow = await send(home, await change(home), next_step_id="refacts")
    path = f"/v1/vehicles/{vehicle_id}"
    await world.phone.patch(path, {"warranty_discharge_policy": "prohibited"})
    known = home.entry.runtime_data.coordinator
    await until(lambda: known.data.vehicles[vehicle_id].warranty_discharge_policy == "prohibited")
    lost = await send(home, flow, **FACTS)
    assert lost["errors"] == {"base": "changed_meanwhile"}
    shown = {
        str(key): (key.description or {}).get("suggested_value")
        for key in lost["data_schema"].schema
    }
    assert shown["warranty_discharge_policy"] == "prohibited"
    told = await world.phone.get(path)
    assert (told["warranty_discharge_policy"], told["display_name"]) == ("prohibited", "Blue car")
    done = await send(home, lost, **FACTS)
    assert done["reason"] == "reconfigure_successful"
    assert (await world.phone.get(path))["display_name"] == "Red car"


async def test_nothing_can_be_added_or_changed_while_the_account_is_not_connected(
    hass: HomeAssistant, home: Home
) -> None:
    """There is nobody to ask."""
    await hass.config_entries.async_unload(home.entry.entry_id)
    assert (await begin(home))["reason"] == "not_loaded"
    assert (await change(home))["reason"] == "not_loaded"


async def test_a_vehicle_deleted_at_the_api_can_only_be_remapped(
    home: Home, hass: HomeAssistant
) -> None:
    """Its facts are gone; the mapping is Home Assistant's own."""
    hass.config_entries.async_add_subentry(
        home.entry,
        ConfigSubentry(
            data=MappingProxyType({"charger_id": "chg_gone", "power_sign": "charging_positive"}),
            subentry_type="charger",
            title="Gone",
            unique_id="chg_gone",
        ),
    )
    await hass.async_block_till_done()
    flow = await change(home, "charger")
    assert flow["menu_options"] == ["remap"]
