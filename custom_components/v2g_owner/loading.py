"""Wait for an account that loads anew, so that whoever asks it in that second is answered."""

import asyncio
from contextlib import suppress
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry, ConfigEntryState

# Unloading stops home chargers and loading reads the whole account: seconds on a small computer.
_PATIENCE_S: Final = 30.0


async def async_loaded(entry: ConfigEntry[Any]) -> bool:
    """Tell whether an account can be asked, at the end of a load that is under way.

    Each vehicle and charger that is added or changed loads the account anew.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_S), entry.setup_lock:
            pass
    return entry.state is ConfigEntryState.LOADED
