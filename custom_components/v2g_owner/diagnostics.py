"""What helps to find a fault, without what identifies the owner."""

from dataclasses import asdict
from typing import Any, Final

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceEntry

from .const import CONF_REFRESH_TOKEN, DOMAIN
from .coordinator import V2GConfigEntry

TO_REDACT: Final = {
    CONF_REFRESH_TOKEN,
    "actor",
    "agreement_id",
    "device_id",
    "display_name",
    "evse_id",
    "key_sha256",
    "owner_id",
    "park_id",
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
        "entry": async_redact_data(entry.as_dict(), TO_REDACT),
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
    """Return the state of one vehicle or charger."""
    snapshot = entry.runtime_data.coordinator.data
    ids = {identifier for domain, identifier in device.identifiers if domain == DOMAIN}
    found = {
        name: [asdict(item) for key, item in getattr(snapshot, name).items() if key in ids]
        for name in ("vehicles", "preferences", "departures", "chargers")
    }
    return {name: _redacted(items) for name, items in found.items() if items}


def _redacted(data: Any) -> Any:  # noqa: ANN401 - JSON of any nesting
    """Return data without what identifies anybody."""
    return async_redact_data(data, TO_REDACT)
