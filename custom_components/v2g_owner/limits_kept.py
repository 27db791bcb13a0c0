"""The limits of each car as this home saw them last, and what a restored backup changed in them.

After a restore a car's limits are those of the backup until a person has confirmed them. What this
home keeps on disk may be newer, and is what its owner last agreed to.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.json import json_bytes
from homeassistant.helpers.storage import Store
from homeassistant.util.json import json_loads_object

from .const import DOMAIN
from .coordinator import V2GCoordinator
from .decode import BadAnswerError, decode
from .models import Preferences
from .verbatim import verbatim

_KEY: Final = "limits_unconfirmed"
# What names limits and is none.
_NAMES: Final = ("vehicle_id", "revision", "unconfirmed_since")

type Limits = dict[str, Any]
"""A car's preferences in JSON, as the API tells and takes them."""


class KeptLimits:
    """The limits that nobody has turned back, of each car of one account, on disk."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Prepare; nothing is read yet."""
        self._store: Store[dict[str, Limits]] = Store(
            hass, 1, f"{DOMAIN}.{entry_id}.limits", private=True, atomic_writes=True
        )

    async def async_load(self) -> dict[str, Limits]:
        """Return them by car."""
        return await self._store.async_load() or {}

    async def async_save(self, limits: dict[str, Limits]) -> None:
        """Note that these are in force."""
        await self._store.async_save(limits)

    async def async_remove(self) -> None:
        """Forget everything."""
        await self._store.async_remove()


def as_told(wishes: Preferences) -> Limits:
    """Return preferences in JSON."""
    return json_loads_object(json_bytes(asdict(wishes)))


def newer_here(kept: Limits | None, wishes: Preferences) -> Preferences | None:
    """Return what this home has seen after a backup that was put back, where it differs from that.

    Revisions only grow, so what was seen under a higher one is newer than the backup. What is kept
    until its owner was asked stays so, however often the limits are changed meanwhile.
    """
    try:
        here = decode(Preferences, kept)
    except BadAnswerError:
        # Nothing was kept, or by another version.
        return None
    waits = here.unconfirmed_since is not None and (
        here.unconfirmed_since == wishes.unconfirmed_since
    )
    newer = waits or here.revision > wishes.revision
    return here if newer and differing(wishes, here) else None


def differing(wishes: Preferences, here: Preferences) -> Limits:
    """Return the limits of ``here`` that are others than the present ones, as they are taken."""
    now = as_told(wishes)
    return {
        name: value
        for name, value in as_told(here).items()
        if name not in _NAMES and value != now[name]
    }


def _kept_from(wishes: Preferences, before: Limits | None, seen: Preferences | None) -> Limits:
    """Return what to keep of a car: what is told now, unless a backup has turned it back.

    An agent that was set back to an earlier day by hand says so only later, or never: what is older
    takes the place of what is kept only once this home has seen that it was asked about. What waits
    for its owner bears since when, and what they change meanwhile, since ``seen``, is theirs too.
    """
    told = as_told(wishes)
    since = told["unconfirmed_since"]
    if before is None:
        return told | {"unconfirmed_since": None}
    older = before["revision"] > wishes.revision
    if since is None:
        return before if older and before["unconfirmed_since"] is None else told
    if before["unconfirmed_since"] == since:
        same = seen is not None and seen.unconfirmed_since == wishes.unconfirmed_since
        return before | differing(seen, wishes) if seen is not None and same else before
    return (before if older else told) | {"unconfirmed_since": since if older else None}


class LimitsWatch:
    """Keeps what is in force, and asks about each car whose limits a backup brought back."""

    def __init__(self, hass: HomeAssistant, coordinator: V2GCoordinator) -> None:
        """Prepare; nothing is shown yet."""
        self._hass = hass
        self._coordinator = coordinator
        self._entry = coordinator.config_entry
        self._kept = KeptLimits(hass, self._entry.entry_id)
        self._looking = asyncio.Lock()
        self._seen: dict[str, Preferences] | None = None

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Begin; returns the way to stop."""
        self._updated()
        return self._coordinator.async_add_listener(self._updated)

    @callback
    def _updated(self) -> None:
        """Look when a limit changed."""
        data = self._coordinator.data
        found = {key: each for key, each in data.preferences.items() if key in data.vehicles}
        if found == self._seen:
            return
        before, self._seen = self._seen or {}, found
        # Of a car that is gone as well: what was asked about it is taken back.
        for wishes in (before | found).values():
            self._show(wishes)
        self._entry.async_create_background_task(
            self._hass, self._async_keep(before, found), name=f"{DOMAIN} limits {self._entry.title}"
        )

    async def _async_keep(
        self, seen: Mapping[str, Preferences], now: Mapping[str, Preferences]
    ) -> None:
        """Keep what is in force; of a car that waits for its owner what was before the restore."""
        async with self._looking:
            before = await self._kept.async_load()
            kept = {
                vehicle_id: _kept_from(wishes, before.get(vehicle_id), seen.get(vehicle_id))
                for vehicle_id, wishes in now.items()
            }
            if kept != before:
                await self._kept.async_save(kept)

    @callback
    def _show(self, wishes: Preferences) -> None:
        """Raise the repair of a car, or take it back."""
        issue_id = f"{_KEY}_{self._entry.entry_id}_{wishes.vehicle_id}"
        vehicle = self._coordinator.data.vehicles.get(wishes.vehicle_id)
        if wishes.unconfirmed_since is None or vehicle is None:
            ir.async_delete_issue(self._hass, DOMAIN, issue_id)
            return
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            issue_id,
            data={
                "entry_id": self._entry.entry_id,
                "fix": "confirm_limits",
                "vehicle_id": wishes.vehicle_id,
            },
            is_fixable=True,
            severity=ir.IssueSeverity.WARNING,
            translation_key=_KEY,
            translation_placeholders={"name": verbatim(vehicle.display_name)},
        )
