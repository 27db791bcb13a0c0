"""What selling has cost the battery, beside age and what parking lower saved."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from homeassistant.config_entries import RELOAD_AFTER_UPDATE_DELAY
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.v2g_owner.api_errors import OwnerApiConnectionError

from .conftest import Home, until
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow

DETAILS = {
    "capacity_left",
    "capacity_lost_selling",
    "capacity_lost_driving",
    "capacity_lost_age",
    "wear_cost_modelled",
    "saved_parking_lower",
}


def shown(home: Home, vehicle_id: str) -> Iterator[tuple[str, er.RegistryEntry]]:
    """Yield the registry entries of the ledger's figures."""
    registry = er.async_get(home.hass)
    for key in sorted(DETAILS):
        entry = registry.async_get(home.entity_id("sensor", vehicle_id, key))
        assert entry is not None
        yield key, entry


async def lived(home: Home, world: OwnerWorld, vehicle_id: str, hours: int) -> None:
    """Let hours pass for the server; the car tells each of them, and sells 6 kWh in the fifth.

    Told by Home Assistant's own client: it renews its token, which no clock ahead leaves valid.
    """
    api = home.entry.runtime_data.coordinator.api
    for hour in range(1, hours + 1):
        world.clock.ahead += timedelta(hours=1)
        sold = hour > 5
        reading = {
            "measured_at": world.at(0),
            "soc_pct": 70 if sold else 80,
            "import_register_wh": 0,
            "export_register_wh": 6_000 if sold else 0,
        }
        await api.post(f"/v1/vehicles/{vehicle_id}/telemetry", {"readings": [reading]})


async def test_details_are_diagnostics_that_wait_to_be_enabled_and_the_cost_is_shown_at_once(
    home: Home, vehicle_id: str
) -> None:
    """One amount for everybody; six more for those who ask."""
    for key, entry in shown(home, vehicle_id):
        assert entry.disabled_by is er.RegistryEntryDisabler.INTEGRATION, key
        assert entry.entity_category is er.EntityCategory.DIAGNOSTIC, key
    cost = home.state("sensor", vehicle_id, "wear_cost")
    assert cost.attributes["device_class"] == "monetary"
    assert cost.attributes["unit_of_measurement"] == "CNY"
    assert float(cost.state) == 0


@pytest.fixture
async def enabled(home: Home, vehicle_id: str) -> Home:
    """Enable the figures of the ledger, as an owner would."""
    registry = er.async_get(home.hass)
    for _, entry in shown(home, vehicle_id):
        registry.async_update_entity(entry.entity_id, disabled_by=None)
    # The log's first check is over: a jump in time would end its requests amid a reload.
    watch = home.entry.runtime_data.log
    await until(lambda: watch.trusted is not None and watch.trusted.held is not None)
    async with watch._checking:
        pass
    # Home Assistant loads the account anew by itself, once enabling has come to rest.
    async_fire_time_changed(
        home.hass, dt_util.utcnow() + timedelta(seconds=RELOAD_AFTER_UPDATE_DELAY + 1)
    )
    await home.hass.async_block_till_done()
    await home.reaches("sensor", vehicle_id, "capacity_left", "100.0")
    return home


async def look_again(home: Home, vehicle_id: str) -> str:
    """Have the ledger read as an owner may ask for it; returns what it then shows."""
    entity_id = home.entity_id("sensor", vehicle_id, "capacity_left")
    assert await async_setup_component(home.hass, "homeassistant", {})
    await home.hass.services.async_call(
        "homeassistant", "update_entity", {"entity_id": entity_id}, blocking=True
    )
    return home.state("sensor", vehicle_id, "capacity_left").state


async def test_the_figures_are_the_apis_ledger_in_percent_and_money(
    enabled: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Selling, driving and age apart; what parking lower saved beside them, never within."""
    assert enabled.state("sensor", vehicle_id, "capacity_left").attributes["days"] == 0
    await lived(enabled, world, vehicle_id, hours=80)
    await look_again(enabled, vehicle_id)
    api = enabled.entry.runtime_data.coordinator.api
    told = await api.get(f"/v1/vehicles/{vehicle_id}/battery-health")
    assert told["days"] >= 2
    assert told["calendar_saved_minor"] > 0
    assert told["discharged_wh"] == 6_000
    percent: dict[str, Any] = {
        "capacity_left": "capacity_left_pct",
        "capacity_lost_selling": "v2g_cycling_pct",
        "capacity_lost_driving": "driving_cycling_pct",
        "capacity_lost_age": "calendar_pct",
    }
    for key, name in percent.items():
        state = enabled.state("sensor", vehicle_id, key)
        assert float(state.state) == float(told[name]), key
        assert state.attributes["unit_of_measurement"] == "%"
    assert float(enabled.state("sensor", vehicle_id, "capacity_lost_age").state) > 0
    saved = enabled.state("sensor", vehicle_id, "saved_parking_lower")
    assert float(saved.state) == told["calendar_saved_minor"] / 100
    assert saved.attributes["capacity_pct"] == float(told["calendar_saved_pct"])
    assert saved.attributes["device_class"] == "monetary"
    cost = enabled.state("sensor", vehicle_id, "wear_cost_modelled")
    assert float(cost.state) == told["v2g_cost_minor"] / 100
    basis = enabled.state("sensor", vehicle_id, "capacity_left").attributes
    assert basis["model"] == told["model"]
    assert basis["days"] == told["days"]


async def test_a_ledger_that_cannot_be_read_is_unavailable_and_comes_back(
    enabled: Home, vehicle_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An API away, or one that answers in another form, shows no figure; the car stays shown."""
    coordinator = enabled.entry.runtime_data.coordinator
    real, odd = coordinator.api.get, {"vehicle_id": vehicle_id}
    assert enabled.state("sensor", vehicle_id, "capacity_left").state == "100.0"

    async def in_another_form(path: str) -> Any:
        return odd if "battery-health" in path else await real(path)

    async def away(path: str) -> Any:
        if "battery-health" in path:
            raise OwnerApiConnectionError("away")
        return await real(path)

    for broken in (in_another_form, away):
        monkeypatch.setattr(coordinator.api, "get", broken)
        assert await look_again(enabled, vehicle_id) == "unavailable"
        assert enabled.state("sensor", vehicle_id, "soc").state != "unavailable"
        monkeypatch.setattr(coordinator.api, "get", real)
        assert await look_again(enabled, vehicle_id) == "100.0"


async def test_the_ledger_is_read_again_by_itself(
    enabled: Home, vehicle_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four times a day, once for all its figures."""
    api = enabled.entry.runtime_data.coordinator.api
    real, asked = api.get, []

    async def counted(path: str) -> Any:
        if "battery-health" in path:
            asked.append(path)
        return await real(path)

    monkeypatch.setattr(api, "get", counted)
    async_fire_time_changed(enabled.hass, dt_util.utcnow() + timedelta(hours=6, minutes=1))
    await until(lambda: asked)
    await enabled.hass.async_block_till_done()
    assert len(asked) == 1
