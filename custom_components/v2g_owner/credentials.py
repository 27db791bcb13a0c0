"""Keep the rotating refresh token where a crash cannot lose it.

The API takes each refresh token once. Config entries are saved with a delay, so the newest token
has its own small file, written before the token is relied on.
"""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store

from .api import OwnerApi
from .api_errors import OwnerApiError
from .const import CONF_DEVICE_ID, CONF_REFRESH_TOKEN, DOMAIN, LOGGER


class RefreshTokenStore:
    """The newest refresh token of one config entry's paired device."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Prepare; nothing is read yet."""
        self._store: Store[dict[str, Any]] = Store(
            hass, 1, f"{DOMAIN}.{entry_id}", private=True, atomic_writes=True
        )
        self._device_id = ""
        self.replaced_device_id: str | None = None
        """What this home was paired as before, where the last token kept is still that one's."""

    async def async_load(self, entry_data: dict[str, Any]) -> str:
        """Return the newest token: the entry's own after pairing, ours once it was renewed."""
        self._device_id = entry_data[CONF_DEVICE_ID]
        kept = await self._store.async_load()
        if kept and kept[CONF_DEVICE_ID] == self._device_id:
            return str(kept[CONF_REFRESH_TOKEN])
        if kept:
            self.replaced_device_id = str(kept[CONF_DEVICE_ID])
        return str(entry_data[CONF_REFRESH_TOKEN])

    async def async_save(self, refresh_token: str) -> None:
        """Write a renewed token."""
        await self._store.async_save(
            {CONF_DEVICE_ID: self._device_id, CONF_REFRESH_TOKEN: refresh_token}
        )

    async def async_remove(self) -> None:
        """Forget the token."""
        await self._store.async_remove()


async def async_give_back(api: OwnerApi, device_id: str) -> None:
    """End a pairing that nobody will use; where that fails, the owner still can by phone."""
    try:
        await api.delete(f"/v1/devices/{device_id}")
    except OwnerApiError as error:
        LOGGER.debug("Could not give the device back: %s", error)
