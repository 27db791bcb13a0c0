"""Wait for an account that loads anew, so that whoever asks it in that second is answered."""

import asyncio
from contextlib import suppress
from typing import Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant

from .const import DOMAIN
from .coordinator import V2GConfigEntry, V2GCoordinator

# Unloading stops home chargers and loading reads the whole account: seconds on a small computer.
_PATIENCE_S: Final = 30.0


async def async_loaded(entry: V2GConfigEntry) -> bool:
    """Tell whether an account can be asked, at the end of a load that is under way.

    Each vehicle and charger that is added or changed loads the account anew.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_S), entry.setup_lock:
            pass
    return is_connected(entry)


def is_connected(entry: V2GConfigEntry) -> bool:
    """Tell whether an account is loaded, as a whole and not only what this home does alone."""
    return entry.state is ConfigEntryState.LOADED and not entry.runtime_data.coordinator.alone


def connected_accounts(hass: HomeAssistant) -> list[V2GCoordinator]:
    """Return the accounts that are connected."""
    entries: list[V2GConfigEntry] = hass.config_entries.async_entries(DOMAIN)
    return [entry.runtime_data.coordinator for entry in entries if is_connected(entry)]
