"""Keep the rotating refresh token where a crash cannot lose it.

The API takes each refresh token once. Config entries are saved with a delay, so the newest token
has its own small file, written before the token is relied on.
"""

from http import HTTPStatus
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store

from .api import OwnerApi
from .api_errors import OwnerApiError, OwnerApiProblem
from .const import CONF_DEVICE_ID, CONF_REFRESH_TOKEN, DOMAIN, LOGGER

_REPLACED: Final = "replaced"


class RefreshTokenStore:
    """The newest refresh token of one config entry's paired device."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Prepare; nothing is read yet."""
        self._store: Store[dict[str, Any]] = Store(
            hass, 1, f"{DOMAIN}.{entry_id}", private=True, atomic_writes=True
        )
        self._device_id = ""
        self._refresh_token = ""
        self.replaced: tuple[str, ...] = ()
        """What this home was paired as before and has not given back yet."""

    async def async_load(self, entry_data: dict[str, Any]) -> str:
        """Return the newest token: the entry's own after pairing, ours once it was renewed."""
        self._device_id = entry_data[CONF_DEVICE_ID]
        self._refresh_token = str(entry_data[CONF_REFRESH_TOKEN])
        if not (kept := await self._store.async_load()):
            return self._refresh_token
        self.replaced = tuple(kept.get(_REPLACED, ()))
        if kept[CONF_DEVICE_ID] == self._device_id:
            self._refresh_token = str(kept[CONF_REFRESH_TOKEN])
        else:
            # Written at once: the first renewal would write over the only word of the old one.
            self.replaced = (*self.replaced, str(kept[CONF_DEVICE_ID]))
            await self._async_write()
        return self._refresh_token

    async def async_save(self, refresh_token: str) -> None:
        """Write a renewed token."""
        self._refresh_token = refresh_token
        await self._async_write()

    async def async_give_back_replaced(self, api: OwnerApi) -> None:
        """End what this home was paired as before; what cannot be ended now is tried next time."""
        for device_id in self.replaced:
            if await async_give_back(api, device_id):
                self.replaced = tuple(each for each in self.replaced if each != device_id)
                await self._async_write()

    async def async_remove(self) -> None:
        """Forget the token."""
        await self._store.async_remove()

    async def _async_write(self) -> None:
        """Write what is known now."""
        await self._store.async_save(
            {
                CONF_DEVICE_ID: self._device_id,
                CONF_REFRESH_TOKEN: self._refresh_token,
                _REPLACED: list(self.replaced),
            }
        )


async def async_give_back(api: OwnerApi, device_id: str) -> bool:
    """End a pairing that nobody will use, and tell whether it is over; the owner can by phone."""
    try:
        await api.delete(f"/v1/devices/{device_id}")
    except OwnerApiError as error:
        LOGGER.debug("Could not give the device back: %s", error)
        return isinstance(error, OwnerApiProblem) and error.status == HTTPStatus.NOT_FOUND
    return True
