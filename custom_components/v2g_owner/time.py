"""Leave times by weekday, and quiet hours."""

from datetime import time
from typing import override

from homeassistant.components.time import TimeEntity, TimeEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import SUBENTRY_VEHICLE, WEEKDAYS
from .coordinator import V2GConfigEntry
from .entity import VehicleEntity, async_add_in_turns
from .quiet_hours import QUIET_TIMES, QuietTime

PARALLEL_UPDATES = 0

LEAVE_TIMES: tuple[TimeEntityDescription, ...] = tuple(
    TimeEntityDescription(
        key=f"leave_{day}",
        translation_key=f"leave_{day}",
        entity_category=EntityCategory.CONFIG,
    )
    for day in WEEKDAYS
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: V2GConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the seven leave times of each vehicle."""
    coordinator = entry.runtime_data.coordinator
    for subentry in entry.get_subentries_of_type(SUBENTRY_VEHICLE):
        await async_add_in_turns(
            async_add_entities,
            [
                *(LeaveTime(coordinator, description, subentry) for description in LEAVE_TIMES),
                *(QuietTime(coordinator, description, subentry) for description in QUIET_TIMES),
            ],
            subentry,
        )


class LeaveTime(VehicleEntity, TimeEntity):
    """When one vehicle leaves on one weekday, in the owner's own time."""

    @property
    def _day(self) -> str:
        """The weekday as the API names it."""
        return self.entity_description.key.removeprefix("leave_")

    @property
    @override
    def native_value(self) -> time | None:
        """Return the leave time; unknown means that none is set."""
        clock = self.departures.weekly.get(self._day)
        return time.fromisoformat(clock) if clock else None

    @override
    async def async_set_value(self, value: time) -> None:
        """Change the leave time at the API."""
        await self.async_write_departures({"weekly": {self._day: value.strftime("%H:%M")}})
