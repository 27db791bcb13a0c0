"""What an owner allows at all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import SUBENTRY_VEHICLE
from .control_entities import CHARGE_NOW, ChargeNowSwitch, controlled
from .coordinator import V2GConfigEntry
from .entity import VehicleEntity, async_add_in_turns
from .models import Preferences
from .quiet_hours import QUIET_SWITCH, QuietHoursSwitch

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class PreferenceSwitchDescription(SwitchEntityDescription):
    """Describes a permission; its key is the API's own name."""

    is_on_fn: Callable[[Preferences], bool]


SWITCHES: tuple[PreferenceSwitchDescription, ...] = (
    PreferenceSwitchDescription(
        key="discharge_allowed",
        translation_key="discharge_allowed",
        is_on_fn=lambda wishes: wishes.discharge_allowed,
    ),
    PreferenceSwitchDescription(
        key="allow_automations",
        translation_key="allow_automations",
        entity_category=EntityCategory.CONFIG,
        is_on_fn=lambda wishes: wishes.allow_automations,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: V2GConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the permissions of each vehicle, and charge now of each charger."""
    coordinator = entry.runtime_data.coordinator
    for subentry, executor in controlled(hass, entry):
        await async_add_in_turns(
            async_add_entities,
            [ChargeNowSwitch(coordinator, CHARGE_NOW, subentry, executor)],
            subentry,
        )
    if coordinator.alone:
        return
    for subentry in entry.get_subentries_of_type(SUBENTRY_VEHICLE):
        await async_add_in_turns(
            async_add_entities,
            [
                *(PreferenceSwitch(coordinator, description, subentry) for description in SWITCHES),
                QuietHoursSwitch(coordinator, QUIET_SWITCH, subentry),
            ],
            subentry,
        )


class PreferenceSwitch(VehicleEntity, SwitchEntity):
    """One permission for one vehicle."""

    entity_description: PreferenceSwitchDescription

    @property
    @override
    def is_on(self) -> bool:
        """Tell whether it is given."""
        return self.entity_description.is_on_fn(self.preferences)

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Give the permission."""
        await self.async_write_preferences({self.entity_description.key: True})

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Take it back; what runs under it is stopped by the API."""
        await self.async_write_preferences({self.entity_description.key: False})
