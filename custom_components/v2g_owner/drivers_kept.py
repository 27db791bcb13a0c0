"""Whose yes counts for a car, also while it is not linked: linking it anew makes nobody's count."""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store

from .const import CONF_VEHICLE_ID, DOMAIN, SUBENTRY_VEHICLE
from .drivers import CONF_ADMINS_ANSWER, CONF_ASKED_PHONES, CONF_DRIVERS

type Wishes = dict[str, Any]

_CHOSEN: Final = (CONF_DRIVERS, CONF_ADMINS_ANSWER, CONF_ASKED_PHONES)


class KeptDrivers:
    """What was set for each car of one account, on disk."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Prepare; nothing is read yet."""
        self._store: Store[dict[str, Wishes]] = Store(
            hass, 1, f"{DOMAIN}.{entry_id}.drivers", private=True, atomic_writes=True
        )

    async def async_keep(self, entry: ConfigEntry[Any]) -> dict[str, Wishes]:
        """Note what is set for the cars that are linked now, and return it of all that ever were.

        Of others it stays as it was.
        """
        kept = await self._store.async_load() or {}
        linked = {
            subentry.data[CONF_VEHICLE_ID]: _chosen(subentry.data)
            for subentry in entry.get_subentries_of_type(SUBENTRY_VEHICLE)
        }
        if kept != (now := {**kept, **linked}):
            await self._store.async_save(now)
        return now

    async def async_remove(self) -> None:
        """Forget everything."""
        await self._store.async_remove()


def _chosen(data: Mapping[str, Any]) -> Wishes:
    """Return what of a car's mapping says whose yes counts."""
    return {key: data[key] for key in _CHOSEN if key in data}
