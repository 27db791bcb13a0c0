"""What the system page says about the connection to each owner API."""

from typing import Any

from homeassistant.components import system_health
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .coordinator import V2GCoordinator


@callback
def async_register(hass: HomeAssistant, register: system_health.SystemHealthRegistration) -> None:
    """Register what the page shows."""
    register.async_register_info(system_health_info)


async def system_health_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return how many accounts are connected, and how."""
    entries = hass.config_entries.async_entries(DOMAIN, include_ignore=False)
    loaded: list[V2GCoordinator] = [
        entry.runtime_data.coordinator
        for entry in entries
        if entry.state is ConfigEntryState.LOADED
    ]
    return {
        "accounts": len(entries),
        "answering": sum(each.last_update_success for each in loaded),
        "live": sum(each.stream_connected for each in loaded),
        "vehicles": sum(len(each.data.vehicles) for each in loaded),
    }
