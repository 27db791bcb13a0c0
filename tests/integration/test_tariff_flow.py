"""Saying what charging costs: a fixed price, a table, or a sensor, in the vehicle's own forms."""

from typing import Any

from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER
from homeassistant.core import HomeAssistant
import pytest

from .conftest import PLUG, SOC, Home, car_says, until
from .entries import paired_entry
from .owner_world import OwnerWorld
from .prices import PRICE, tell, told_prices, until_told

# More than --fast has time for.
pytestmark = pytest.mark.slow


async def change_tariff(home: Home, step: str) -> Any:
    """Go to one of the ways to say what charging costs."""
    subentry = home.entry.get_subentries_of_type("vehicle")[0]
    flows = home.hass.config_entries.subentries
    flow = await flows.async_init(
        (home.entry.entry_id, "vehicle"),
        context={"source": SOURCE_RECONFIGURE, "subentry_id": subentry.subentry_id},
    )
    assert "tariff" in flow["menu_options"]
    menu = await flows.async_configure(flow["flow_id"], {"next_step_id": "tariff"})
    assert menu["menu_options"] == ["price_fixed", "price_table", "price_entity"]
    return await flows.async_configure(flow["flow_id"], {"next_step_id": step})


async def answer(home: Home, flow: Any, **answers: Any) -> Any:
    """Send one form."""
    done = await home.hass.config_entries.subentries.async_configure(flow["flow_id"], answers)
    await home.hass.async_block_till_done()
    return done


def suggested(flow: Any) -> dict[str, Any]:
    """Return what a form shows already."""
    return {
        str(key): (key.description or {}).get("suggested_value")
        for key in flow["data_schema"].schema
    }


async def test_a_fixed_price_is_kept_by_the_api_and_shown_again(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """The API is master of the tariff: a phone sees it as well."""
    flow = await change_tariff(home, "price_fixed")
    assert suggested(flow) == {"price": 0.66}
    done = await answer(home, flow, price=0.58)
    assert done["reason"] == "reconfigure_successful"
    wishes = await world.phone.get(f"/v1/vehicles/{vehicle_id}/preferences")
    assert wishes["tariff"] == {"bands": [{"start": "00:00", "price_per_kwh": "0.58"}]}
    assert suggested(await change_tariff(home, "price_fixed")) == {"price": 0.58}


async def test_a_table_of_prices_is_kept_by_the_clock_and_shown_again(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Rows may come in any order; two for one time are refused and what was typed stays."""
    flow = await change_tariff(home, "price_table")
    day, night = {"start": "08:00:00", "price": 0.9}, {"start": "22:00:00", "price": 0.3}
    twice = await answer(home, flow, bands=[day, night, {"start": "08:00:00", "price": 1}])
    assert twice["errors"] == {"base": "same_start"}
    assert len(suggested(twice)["bands"]) == 3
    empty = await answer(home, twice, bands=[])
    assert empty["errors"] == {"base": "no_bands"}
    # A price is not required of a row: there, too, the page would fill in the lowest.
    untold = await answer(home, empty, bands=[night, {"start": "08:00:00"}])
    assert untold["errors"] == {"base": "price_missing"}
    done = await answer(home, untold, bands=[night, day])
    assert done["reason"] == "reconfigure_successful"
    wishes = await world.phone.get(f"/v1/vehicles/{vehicle_id}/preferences")
    assert wishes["tariff"]["bands"] == [
        {"start": "08:00", "price_per_kwh": "0.9"},
        {"start": "22:00", "price_per_kwh": "0.3"},
    ]
    again = await change_tariff(home, "price_table")
    assert suggested(again) == {"bands": [day, night]}
    # Where nothing is suggested, the page fills in the lowest that can be typed: -10000.
    assert suggested(await change_tariff(home, "price_fixed")) == {"price": 0.9}


async def test_a_tariff_changed_elsewhere_meanwhile_is_shown_before_it_is_overwritten(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """If-Match in a form; and an API that is away loses nothing that was typed."""
    coordinator = home.entry.runtime_data.coordinator
    flow = await change_tariff(home, "price_fixed")
    stale = coordinator.data
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    await world.phone.patch(path, {"min_price_per_kwh": "0.9"})
    await until(lambda: coordinator.data.preferences[vehicle_id].min_price_per_kwh == "0.9")
    coordinator.data = stale
    lost = await answer(home, flow, price=0.7)
    assert lost["errors"] == {"base": "changed_meanwhile"}
    assert coordinator.data.preferences[vehicle_id].min_price_per_kwh == "0.9"
    await world.stop_server()
    away = await answer(home, lost, price=0.7)
    assert away["errors"] == {"base": "cannot_connect"}
    await world.start_server()
    done = await answer(home, away, price=0.7)
    assert done["reason"] == "reconfigure_successful"


@pytest.mark.parametrize("heard", [True, False])
async def test_a_price_that_a_phone_sets_while_the_form_is_open_is_not_taken_back(
    home: Home, world: OwnerWorld, vehicle_id: str, *, heard: bool
) -> None:
    """Whether Home Assistant has heard of it before the form is sent, or not."""
    coordinator = home.entry.runtime_data.coordinator
    flow, stale = await change_tariff(home, "price_fixed"), coordinator.data
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    bands = [{"start": "00:00", "price_per_kwh": "0.9"}]
    await world.phone.patch(path, {"tariff": {"bands": bands}})
    before = stale.preferences[vehicle_id].tariff
    await until(lambda: coordinator.data.preferences[vehicle_id].tariff != before)
    if not heard:
        coordinator.data = stale
    lost = await answer(home, flow, price=0.7)
    assert lost["errors"] == {"base": "changed_meanwhile"}
    assert suggested(lost) == {"price": 0.9}
    assert (await world.phone.get(path))["tariff"] == {"bands": bands}
    assert (await answer(home, lost, price=0.7))["reason"] == "reconfigure_successful"


async def test_a_price_sensor_is_read_before_it_is_taken(
    home: Home, hass: HomeAssistant, world: OwnerWorld, vehicle_id: str
) -> None:
    """What it lacks is said in the form; a good one counts at once, until a table replaces it."""
    tell(hass, 0.2, unit="EUR/kWh")
    flow = await change_tariff(home, "price_entity")
    refused = await answer(home, flow, price_entity=PRICE)
    assert refused["errors"] == {"price_entity": "prices_currency"}
    assert refused["description_placeholders"] == {"unit": "EUR/kWh", "currency": "CNY"}
    tell(hass, 0.2, unit="°C")
    refused = await answer(home, refused, price_entity=PRICE)
    assert refused["errors"] == {"price_entity": "prices_unit"}
    hass.states.async_set(PRICE, "unknown", {"unit_of_measurement": "CNY/kWh"})
    refused = await answer(home, refused, price_entity=PRICE)
    assert refused["errors"] == {"price_entity": "prices_none"}
    tell(hass, 0.9, 1.1)
    done = await answer(home, refused, price_entity=PRICE)
    assert done["reason"] == "reconfigure_successful"
    await until_told(world, vehicle_id, "0.900000", "1.100000")

    # Choosing other entities for the car leaves the price sensor alone.
    flows = home.hass.config_entries.subentries
    (subentry,) = home.entry.get_subentries_of_type("vehicle")
    flow = await flows.async_init(
        (home.entry.entry_id, "vehicle"),
        context={"source": SOURCE_RECONFIGURE, "subentry_id": subentry.subentry_id},
    )
    flow = await flows.async_configure(flow["flow_id"], {"next_step_id": "remap"})
    entities = {"soc_entity": SOC, "plugged_entity": PLUG, "power_sign": "charging_positive"}
    await answer(home, flow, **entities)
    (subentry,) = home.entry.get_subentries_of_type("vehicle")
    assert subentry.data["price_entity"] == PRICE

    flow = await change_tariff(home, "price_fixed")
    await answer(home, flow, price=0.6)
    (subentry,) = home.entry.get_subentries_of_type("vehicle")
    assert "price_entity" not in subentry.data
    assert await told_prices(world, vehicle_id) == [], "the sensor's hours no longer count"


async def test_a_new_vehicle_may_name_its_price_sensor_at_once(
    hass: HomeAssistant, world: OwnerWorld
) -> None:
    """One form less on the way to the first offer."""
    car_says(hass, 66)
    tell(hass, 0.7)
    entry = await paired_entry(hass, world, [])
    assert await hass.config_entries.async_setup(entry.entry_id)
    home, flows = Home(hass, entry), hass.config_entries.subentries
    flow = await flows.async_init((entry.entry_id, "vehicle"), context={"source": SOURCE_USER})
    facts = {
        "display_name": "Red car",
        "capacity_kwh": 60,
        "max_charge_kw": 7,
        "max_discharge_kw": 7,
        "chemistry": "lfp",
        "warranty_discharge_policy": "allowed",
    }
    flow = await answer(home, flow, **facts)
    entities = {"soc_entity": SOC, "plugged_entity": PLUG, "power_sign": "charging_positive"}
    await answer(home, flow, **entities, price_entity=PRICE)
    (subentry,) = entry.get_subentries_of_type("vehicle")
    await until_told(world, subentry.data["vehicle_id"], "0.700000")
