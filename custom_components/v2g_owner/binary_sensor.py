"""Yes-or-no facts: plugged in, charger online, offer open, connected at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import SUBENTRY_CHARGER, SUBENTRY_VEHICLE
from .coordinator import V2GConfigEntry, V2GCoordinator
from .entity import ChargerEntity, HubEntity, VehicleEntity

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class HubBinaryDescription(BinarySensorEntityDescription):
    """Describes a fact about the account."""

    is_on_fn: Callable[[V2GCoordinator], bool]


HUB_FACTS: tuple[HubBinaryDescription, ...] = (
    HubBinaryDescription(
        key="offer_open",
        translation_key="offer_open",
        is_on_fn=lambda coordinator: bool(coordinator.data.open_offers),
    ),
    HubBinaryDescription(
        key="discharging",
        translation_key="discharging",
        device_class=BinarySensorDeviceClass.RUNNING,
        is_on_fn=lambda coordinator: any(
            deal.state == "active" for deal in coordinator.data.live_commitments
        ),
    ),
    HubBinaryDescription(
        key="stream",
        translation_key="stream",
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        entity_category=EntityCategory.DIAGNOSTIC,
        is_on_fn=lambda coordinator: coordinator.stream_connected,
    ),
)
PLUGGED_IN = BinarySensorEntityDescription(
    key="plugged_in", translation_key="plugged_in", device_class=BinarySensorDeviceClass.PLUG
)
ONLINE = BinarySensorEntityDescription(
    key="online",
    translation_key="online",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: V2GConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the facts of the account, its vehicles and its chargers."""
    coordinator = entry.runtime_data.coordinator
    async_add_entities(HubFact(coordinator, description) for description in HUB_FACTS)
    for subentry in entry.get_subentries_of_type(SUBENTRY_VEHICLE):
        async_add_entities(
            [PluggedIn(coordinator, PLUGGED_IN, subentry)],
            config_subentry_id=subentry.subentry_id,
        )
    for subentry in entry.get_subentries_of_type(SUBENTRY_CHARGER):
        async_add_entities(
            [ChargerOnline(coordinator, ONLINE, subentry)],
            config_subentry_id=subentry.subentry_id,
        )


class HubFact(HubEntity, BinarySensorEntity):
    """One fact about the account."""

    entity_description: HubBinaryDescription

    @property
    @override
    def is_on(self) -> bool:
        """Tell whether it holds."""
        return self.entity_description.is_on_fn(self.coordinator)


class PluggedIn(VehicleEntity, BinarySensorEntity):
    """Whether the API believes the vehicle is plugged in."""

    @property
    @override
    def is_on(self) -> bool | None:
        """Tell whether it is, None while unknown."""
        return self.vehicle.plugged_in


class ChargerOnline(ChargerEntity, BinarySensorEntity):
    """Whether the charger can be reached."""

    @property
    @override
    def is_on(self) -> bool | None:
        """Tell whether it can, None while unknown."""
        return self.charger.online
