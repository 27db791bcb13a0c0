"""Tell an owner of each device that was paired with the account, until they put that away.

What is paired may say yes and loosen limits, so none is to come unseen: not while Home Assistant
was off either. What tells is therefore the agent's list, beside what was seen; events only hurry.
"""

import asyncio
from collections.abc import Collection
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import Store

from .api_errors import OwnerApiError
from .const import DOMAIN, LOGGER
from .coordinator import V2GCoordinator
from .devices import Device, async_all_devices
from .moments import async_moments
from .snapshot import StreamEvent
from .unsubscribing import together
from .verbatim import verbatim

_KEY: Final = "device_paired"


class SeenDevices:
    """The devices of one account that its owner knows of, on disk."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Prepare; nothing is read yet."""
        self._store: Store[list[str]] = Store(
            hass, 1, f"{DOMAIN}.{entry_id}.devices", private=True, atomic_writes=True
        )

    async def async_load(self) -> set[str] | None:
        """Return their ids; None before the first look."""
        seen = await self._store.async_load()
        return None if seen is None else set(seen)

    async def async_add(self, device_id: str) -> None:
        """Note that this one is known from now on."""
        await self.async_save({device_id, *(await self.async_load() or ())})

    async def async_save(self, device_ids: Collection[str]) -> None:
        """Note that these are known, and no others."""
        await self._store.async_save(sorted(device_ids))

    async def async_remove(self) -> None:
        """Forget everything."""
        await self._store.async_remove()


class PairedNotice:
    """Compares the agent's list with what was seen, on each new connection and when told."""

    def __init__(self, hass: HomeAssistant, coordinator: V2GCoordinator) -> None:
        """Prepare; nothing is asked yet."""
        self._hass = hass
        self._coordinator = coordinator
        self._entry = coordinator.config_entry
        self._seen = SeenDevices(hass, self._entry.entry_id)
        self._looking = asyncio.Lock()
        self._connected = False
        self._due = False

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Begin; returns the way to stop."""
        return together(
            [
                self._coordinator.async_add_listener(self._updated),
                self._coordinator.async_subscribe_events(self._told),
            ]
        )

    @callback
    def _updated(self) -> None:
        """Look whenever the agent is reached anew, and again after a look that failed."""
        connected = self._coordinator.stream_connected
        self._due |= connected and not self._connected
        self._connected = connected
        if connected and self._due:
            self._look()

    @callback
    def _told(self, event: StreamEvent) -> None:
        """Look when a device came or went."""
        if event.type.startswith("device."):
            self._look()

    @callback
    def _look(self) -> None:
        """Look beside everything else."""
        self._due = False
        self._entry.async_create_background_task(
            self._hass, self._async_look(), name=f"{DOMAIN} devices {self._entry.title}"
        )

    async def _async_look(self) -> None:
        """Raise a repair for each device nobody has seen; take it back once it is shut out."""
        async with self._looking:
            try:
                devices = await async_all_devices(self._coordinator.api)
            except OwnerApiError as error:
                self._due = True
                LOGGER.debug("The paired devices could not be looked at: %s", error)
                return
            # Whoever paired this home knew what was paired before it.
            ours = [each for each in devices if each.current]
            known = {each.device_id for each in ours}
            seen = await self._seen.async_load()
            if seen is None and ours:
                known |= {each.device_id for each in devices if each.paired_at <= ours[0].paired_at}
            known |= (seen or set()) & {each.device_id for each in devices}
            if known != seen:
                # What was shut out is forgotten: a restored agent may let it in again.
                await self._seen.async_save(known)
            await self._async_show([each for each in devices if each.device_id not in known])

    async def _async_show(self, unseen: list[Device]) -> None:
        """Show these, and no other."""
        wanted = {self._issue_id(each): each for each in unseen}
        before = self._issue_id(None)
        for domain, issue_id in list(ir.async_get(self._hass).issues):
            if domain == DOMAIN and issue_id.startswith(before) and issue_id not in wanted:
                ir.async_delete_issue(self._hass, DOMAIN, issue_id)
        moments = await async_moments(self._hass, self._hass.config.language)
        for issue_id, device in wanted.items():
            ir.async_create_issue(
                self._hass,
                DOMAIN,
                issue_id,
                data={
                    "entry_id": self._entry.entry_id,
                    "fix": "device_seen",
                    "device_id": device.device_id,
                },
                is_fixable=True,
                severity=ir.IssueSeverity.WARNING,
                translation_key=_KEY,
                translation_placeholders={
                    "name": self._entry.title,
                    "device": verbatim(device.display_name),
                    # With its date on the day itself as well: it may be read much later.
                    "paired_at": moments.dated(device.paired_at),
                },
            )

    def _issue_id(self, device: Device | None) -> str:
        """Return the id of the repair about a device, or how those of this account begin."""
        return f"{_KEY}_{self._entry.entry_id}_{device.device_id if device else ''}"
