"""An account whose agent has not answered since the start: this home stops and charges alone.

Promise 4: stop needs no agent. The entities of the chargers that this home drives are there from
the first moment; all else comes once the agent answers and the account is loaded anew.
"""

import asyncio
from typing import Any

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr

from .const import CONF_OWNER_ID, DOMAIN, LOGGER, STREAM_RETRY_MAXIMUM, STREAM_RETRY_MINIMUM
from .coordinator import V2GConfigEntry, V2GCoordinator
from .executors import executors_of
from .models import Owner, Server
from .models_deal import Rewards
from .snapshot import Snapshot

# Those that hold a button to stop, or something of a charger that this home drives.
PLATFORMS_ALONE = (
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
)


def can_be_alone(hass: HomeAssistant, entry: V2GConfigEntry) -> bool:
    """Tell whether this home can do anything for an account whose agent does not answer."""
    return bool(executors_of(hass, entry))


def nothing_known(hass: HomeAssistant, entry: V2GConfigEntry) -> Snapshot:
    """Return a snapshot of an account of which nothing is known but whose it is."""
    owner_id: str = entry.data[CONF_OWNER_ID]
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, owner_id), entry.entry_id)
    known: dict[str, Any] = {}
    if device is not None:
        known = {"name": device.model or "", "version": device.sw_version or ""}
    owner = Owner(owner_id=owner_id)
    return Snapshot(
        server=Server(server_id="", **known),
        owner=owner,
        last_event_id=0,
        rewards=Rewards(currency=owner.currency),
    )


async def async_wait_for_agent(hass: HomeAssistant, coordinator: V2GCoordinator) -> None:
    """Ask with growing patience until the agent answers, then load the account as a whole."""
    wait = STREAM_RETRY_MINIMUM
    LOGGER.warning(
        "%s: the agent does not answer (%s), this home goes on alone",
        coordinator.name,
        coordinator.last_exception,
    )
    while True:
        await asyncio.sleep(wait.total_seconds())
        wait = min(wait * 2, STREAM_RETRY_MAXIMUM)
        await coordinator.async_refresh()
        if coordinator.last_update_success:
            hass.config_entries.async_schedule_reload(coordinator.config_entry.entry_id)
            return
