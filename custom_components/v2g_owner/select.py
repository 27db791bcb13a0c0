"""What an owner chooses among a few: who says yes, and whether a forecast may say when."""

from typing import override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONSENT_MODES, DEPARTURE_GUARDS, SUBENTRY_VEHICLE
from .control_entities import CAR_HERE, CarHereSelect, controlled
from .coordinator import V2GConfigEntry
from .entity import VehicleEntity, async_add_in_turns

PARALLEL_UPDATES = 0

# Their keys are the API's own names.
SELECTS = (
    SelectEntityDescription(
        key="consent_mode",
        translation_key="consent_mode",
        options=list(CONSENT_MODES),
        entity_category=EntityCategory.CONFIG,
    ),
    SelectEntityDescription(
        key="departure_guard",
        translation_key="departure_guard",
        options=list(DEPARTURE_GUARDS),
        entity_category=EntityCategory.CONFIG,
        # Few change it, and who names leave times never needs it.
        entity_registry_enabled_default=False,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: V2GConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the choices of each vehicle, and which car stands at each charger."""
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
            (PreferenceSelect(coordinator, description, subentry) for description in SELECTS),
            subentry,
        )


class PreferenceSelect(VehicleEntity, SelectEntity):
    """One choice among the preferences of one vehicle."""

    @property
    @override
    def current_option(self) -> str | None:
        """Return the choice in force."""
        chosen: str = getattr(self.preferences, self.entity_description.key)
        return chosen if chosen in self.options else None

    @override
    async def async_select_option(self, option: str) -> None:
        """Change the choice at the API."""
        await self.async_write_preferences({self.entity_description.key: option})
