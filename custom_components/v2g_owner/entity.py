"""What all our entities share: device, unique id, availability."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from itertools import batched
from typing import Any, Final, override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import Context, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import CONF_CHARGER_ID, CONF_VEHICLE_ID, DOMAIN
from .coordinator import Changes, V2GCoordinator
from .errors import translated_errors
from .loosening import async_as_allowed
from .models import Charger, Departures, Preferences, Vehicle
from .snapshot import Snapshot

MANUFACTURER = "V2G Owner"

# Home Assistant adds entities without a pause: a thousand at once would hold its loop for a second.
_ADDED_AT_ONCE: Final = 4


async def async_add_in_turns(
    async_add_entities: AddConfigEntryEntitiesCallback,
    entities: Iterable[CoordinatorEntity[V2GCoordinator]],
    subentry: ConfigSubentry | None = None,
) -> None:
    """Add entities a few at a time, with room for everything else between."""
    subentry_id = subentry.subentry_id if subentry else None
    for some in batched(entities, _ADDED_AT_ONCE, strict=False):
        await some[0].coordinator.turns.async_next()
        async_add_entities(some, config_subentry_id=subentry_id)


def hub_device_info(coordinator: V2GCoordinator) -> DeviceInfo:
    """Describe the owner's account as a service."""
    snapshot = coordinator.data
    return DeviceInfo(
        identifiers={(DOMAIN, snapshot.owner.owner_id)},
        entry_type=DeviceEntryType.SERVICE,
        manufacturer=MANUFACTURER,
        name=coordinator.config_entry.title,
        model=snapshot.server.name,
        sw_version=snapshot.server.version or None,
    )


class V2GEntity[Subject](CoordinatorEntity[V2GCoordinator]):
    """An entity of one device of ours, which shows something of what the device stands for."""

    _attr_has_entity_name = True

    def __init__(
        self, coordinator: V2GCoordinator, description: EntityDescription, device_key: str
    ) -> None:
        """Tie the entity to what it describes; ``device_key`` is an id of the API."""
        super().__init__(coordinator)
        self.entity_description = description
        self._attr_unique_id = f"{device_key}_{description.key}"
        self._shown_from: tuple[object, ...] | None = None

    @property
    @abstractmethod
    def subject(self) -> Subject:
        """What the device stands for, as the API last told it."""

    @property
    def _made_from(self) -> tuple[object, ...] | None:
        """All that the state is made from; while it is the same, there is nothing to look at.

        None says that only a look tells.
        """
        return None

    @override
    async def async_will_remove_from_hass(self) -> None:
        """Show nothing any more."""
        self.coordinator.to_show.discard(self)
        await super().async_will_remove_from_hass()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Line up to be shown, where what the state is made from has changed."""
        made_from = self._made_from
        if made_from is None or made_from != self._shown_from:
            self._shown_from = made_from
            self.coordinator.to_show.add(self)

    @callback
    def async_show(self) -> None:
        """Write the state where it says something new: a repetition would only bloat."""
        shown, found = self.hass.states.get(self.entity_id), self._async_calculate_state()
        if shown is None or (shown.state, shown.attributes) != (found.state, found.attributes):
            self.async_write_ha_state()

    def _attach_below_hub(self, subentry: ConfigSubentry, identifier: str, model: str) -> None:
        """Attach the entity to a device reached through the hub.

        The device is registered with its first entity: each of its dozens describing it again
        would be a fifth of the time that set-up takes.
        """
        coordinator = self.coordinator
        device = coordinator.devices.get(identifier)
        if device is None:
            entry_id = coordinator.config_entry.entry_id
            device = dr.async_get(coordinator.hass).async_get_or_create(
                config_entry_id=entry_id,
                config_subentry_id=subentry.subentry_id,
                identifiers={(DOMAIN, identifier)},
                manufacturer=MANUFACTURER,
                name=subentry.title,
                model=model,
                via_device_id=dr.async_get_device_id_by_identifier(
                    coordinator.hass,
                    (DOMAIN, coordinator.data.owner.owner_id),
                    config_entry_id=entry_id,
                ),
            )
            coordinator.devices[identifier] = device
        self.device_entry = device


class HubEntity(V2GEntity[Snapshot]):
    """An entity of the owner's account."""

    def __init__(self, coordinator: V2GCoordinator, description: EntityDescription) -> None:
        """Tie the entity to the account."""
        owner_id = coordinator.data.owner.owner_id
        super().__init__(coordinator, description, owner_id)
        self._attr_device_info = hub_device_info(coordinator)

    @property
    @override
    def subject(self) -> Snapshot:
        """The whole account."""
        return self.coordinator.data


class VehicleEntity(V2GEntity[Vehicle]):
    """An entity of one vehicle."""

    def __init__(
        self, coordinator: V2GCoordinator, description: EntityDescription, subentry: ConfigSubentry
    ) -> None:
        """Tie the entity to the vehicle a subentry links."""
        self.vehicle_id: str = subentry.data[CONF_VEHICLE_ID]
        super().__init__(coordinator, description, self.vehicle_id)
        self.coordinator_context = self.vehicle_id
        self._attach_below_hub(subentry, self.vehicle_id, "Vehicle")

    @property
    @override
    def available(self) -> bool:
        """Tell whether the API answers and still knows the vehicle."""
        return super().available and self.vehicle_id in self.coordinator.data.vehicles

    @property
    @override
    def _made_from(self) -> tuple[object, ...] | None:
        """What the API knows of the vehicle and what its owner wants; money needs the currency."""
        told, vehicle_id = self.coordinator.data, self.vehicle_id
        return (
            self.available,
            told.owner,
            told.vehicles.get(vehicle_id),
            told.preferences.get(vehicle_id),
            told.departures.get(vehicle_id),
        )

    @property
    def vehicle(self) -> Vehicle:
        """The vehicle as the API sees it."""
        return self.coordinator.data.vehicles[self.vehicle_id]

    @property
    @override
    def subject(self) -> Vehicle:
        """The vehicle."""
        return self.vehicle

    @property
    def preferences(self) -> Preferences:
        """What the owner asks for this vehicle."""
        return self.coordinator.data.preferences[self.vehicle_id]

    @property
    def departures(self) -> Departures:
        """When this vehicle leaves."""
        return self.coordinator.data.departures[self.vehicle_id]

    async def async_write_preferences(self, changes: Changes) -> None:
        """Change preferences at the API, or raise why not."""
        context = self._context or Context()
        allowed = await async_as_allowed(self.coordinator, self.vehicle_id, changes, context)
        with translated_errors(self.coordinator, "preferences"):
            await self.coordinator.async_write("preferences", self.vehicle_id, allowed)

    async def async_write_departures(self, changes: Mapping[str, Any]) -> None:
        """Change leave times at the API, or raise why not."""
        with translated_errors(self.coordinator, "departures"):
            await self.coordinator.async_write("departures", self.vehicle_id, changes)


class ChargerEntity(V2GEntity[Charger]):
    """An entity of one charger."""

    def __init__(
        self, coordinator: V2GCoordinator, description: EntityDescription, subentry: ConfigSubentry
    ) -> None:
        """Tie the entity to the charger a subentry links."""
        self.charger_id: str = subentry.data[CONF_CHARGER_ID]
        super().__init__(coordinator, description, self.charger_id)
        self.coordinator_context = self.charger_id
        self._attach_below_hub(subentry, self.charger_id, "Charger")

    @property
    @override
    def available(self) -> bool:
        """Tell whether the API answers and still knows the charger."""
        return super().available and self.charger_id in self.coordinator.data.chargers

    @property
    @override
    def _made_from(self) -> tuple[object, ...] | None:
        """What the API knows of the charger."""
        return (self.available, self.coordinator.data.chargers.get(self.charger_id))

    @property
    def charger(self) -> Charger:
        """The charger as the API sees it."""
        return self.coordinator.data.chargers[self.charger_id]

    @property
    @override
    def subject(self) -> Charger:
        """The charger."""
        return self.charger
