"""Who says yes: the owner each time, the owner's rules, or nobody."""

from typing import override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONSENT_MODES, SUBENTRY_VEHICLE
from .control_entities import CAR_HERE, CarHereSelect, controlled
from .coordinator import V2GConfigEntry
from .entity import VehicleEntity, async_add_in_turns

PARALLEL_UPDATES = 0

CONSENT_MODE = SelectEntityDescription(
    key="consent_mode",
    translation_key="consent_mode",
    options=list(CONSENT_MODES),
    entity_category=EntityCategory.CONFIG,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: V2GConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the consent mode of each vehicle, and which car stands at each charger."""
    coordinator = entry.runtime_data.coordinator
    for subentry, executor in controlled(hass, entry):
        await async_add_in_turns(
            async_add_entities,
            [CarHereSelect(coordinator, CAR_HERE, subentry, executor)],
            subentry,
        )
    if coordinator.alone:
        return
    for subentry in entry.get_subentries_of_type(SUBENTRY_VEHICLE):
        await async_add_in_turns(
            async_add_entities,
            [ConsentMode(coordinator, CONSENT_MODE, subentry)],
            subentry,
        )


class ConsentMode(VehicleEntity, SelectEntity):
    """How offers for one vehicle get their answer."""

    @property
    @override
    def current_option(self) -> str | None:
        """Return the mode in force."""
        mode = self.preferences.consent_mode
        return mode if mode in CONSENT_MODES else None

    @override
    async def async_select_option(self, option: str) -> None:
        """Change the mode at the API."""
        await self.async_write_preferences({"consent_mode": option})
