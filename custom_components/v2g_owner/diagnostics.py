"""What helps to find a fault, without what identifies the owner."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceEntry

from .charger_control import (
    CONF_CHARGE_TESTED,
    CONF_CONTROL,
    CONF_DISCHARGE_TESTED,
    CONF_SET_ACTIONS,
    CONF_STOP_ACTIONS,
)
from .const import CONF_RECEIPT_KEY, CONF_REFRESH_TOKEN, DOMAIN
from .coordinator import V2GConfigEntry
from .drivers import CONF_ASKED_PHONES, CONF_DRIVERS
from .executor import ChargerExecutor
from .executors import executors_of

TO_REDACT: Final = {
    # Persons by name, and actions of the owner's own, which may hold a password.
    CONF_ASKED_PHONES,
    CONF_DRIVERS,
    # Of no harm by itself, but it tells whose agent this is.
    CONF_RECEIPT_KEY,
    CONF_REFRESH_TOKEN,
    CONF_SET_ACTIONS,
    CONF_STOP_ACTIONS,
    "actor",
    "agreement_id",
    "device_id",
    "display_name",
    "evse_id",
    "key_sha256",
    "name",
    "owner_id",
    "park_id",
    "park_ids",
    "reference",
    "server_id",
    "summary",
    "time_zone",
    "title",
    "unique_id",
    "url",
}

_BY_ID: Final = frozenset(
    {
        "agreements",
        "chargers",
        "commitments",
        "departures",
        "offers",
        "parks",
        "preferences",
        "sessions",
        "vehicles",
    }
)


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: V2GConfigEntry
) -> dict[str, Any]:
    """Return the account's state."""
    coordinator = entry.runtime_data.coordinator
    return {
        "entry": _redacted(entry.as_dict()),
        "connection": {
            "last_update_success": coordinator.last_update_success,
            "stream_connected": coordinator.stream_connected,
            "stream_position": coordinator.stream_position,
        },
        "snapshot": _redacted(
            {
                # By id would put the ids into the keys, where nothing redacts them.
                name: list(part.values()) if name in _BY_ID else part
                for name, part in asdict(coordinator.data).items()
            }
        ),
    }


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: V2GConfigEntry, device: DeviceEntry
) -> dict[str, Any]:
    """Return the state of one vehicle or charger: what the API told and what is decided here."""
    snapshot = entry.runtime_data.coordinator.data
    ids = {identifier for domain, identifier in device.identifiers if domain == DOMAIN}
    found: dict[str, Any] = {
        name: [asdict(item) for key, item in getattr(snapshot, name).items() if key in ids]
        for name in ("vehicles", "preferences", "departures", "chargers")
    }
    found["mapping"] = [
        dict(each.data) for each in entry.subentries.values() if each.unique_id in ids
    ]
    found["control"] = [
        _control(executor)
        for charger_id, executor in executors_of(hass, entry).items()
        if charger_id in ids
    ]
    return {name: _redacted(items) for name, items in found.items() if items}


def _control(executor: ChargerExecutor) -> dict[str, Any]:
    """Return why a home charger does what it does: its orders, its sight, its last commands."""
    memory, driver, control = executor.memory, executor.driver, executor.mapping[CONF_CONTROL]
    return {
        "verdict": asdict(executor.verdict),
        "unplug_hint": executor.unplug_hint,
        "reachable": driver.reachable,
        "testing": executor.limits.testing,
        "charge_tested_at": control.get(CONF_CHARGE_TESTED),
        "discharge_tested_at": control.get(CONF_DISCHARGE_TESTED),
        "limits": asdict(executor.limits),
        "orders": asdict(memory.orders),
        "parking": asdict(memory.parking),
        "carries": [
            {"vehicle_id": vehicle_id, **asdict(carry)}
            for vehicle_id, carry in memory.carries.items()
        ],
        "deals": executor.deals,
        "zero_asked_at": driver.watch.asked_zero_at,
        "zero_accepted_at": driver.watch.accepted_zero_at,
        "last_commands": [
            {"at": written.at, "setpoint_w": written.setpoint_w, "told": dict(written.expected)}
            for written in driver.watch.written
        ],
    }


def _redacted(data: Any) -> Any:  # noqa: ANN401 - JSON of any nesting
    """Return data without what identifies anybody."""
    return async_redact_data(_lists(data), TO_REDACT)


def _lists(data: Any) -> Any:  # noqa: ANN401 - JSON of any nesting
    """Return data with its tuples as lists: redaction looks into nothing else."""
    if isinstance(data, Mapping):
        return {key: _lists(item) for key, item in data.items()}
    return [_lists(item) for item in data] if isinstance(data, list | tuple) else data
