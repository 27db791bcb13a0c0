"""The one leave time that differs from the week."""

from datetime import datetime
from typing import override

from homeassistant.components.datetime import DateTimeEntity, DateTimeEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import SUBENTRY_VEHICLE
from .coordinator import V2GConfigEntry
from .entity import async_add_in_turns
from .instants import utc_text
from .leave_once import LeaveOnceEntity

PARALLEL_UPDATES = 0

LEAVE_ONCE = DateTimeEntityDescription(
    key="leave_once", translation_key="leave_once", entity_category=EntityCategory.CONFIG
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: V2GConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the exceptional leave time of each vehicle."""
    coordinator = entry.runtime_data.coordinator
    for subentry in entry.get_subentries_of_type(SUBENTRY_VEHICLE):
        await async_add_in_turns(
            async_add_entities,
            [LeaveOnce(coordinator, LEAVE_ONCE, subentry)],
            subentry,
        )


class LeaveOnce(LeaveOnceEntity, DateTimeEntity):
    """When one vehicle leaves next, where that differs from calendar and week."""

    @property
    @override
    def native_value(self) -> datetime | None:
        """Return the exception while it lies ahead; unknown means that there is none."""
        return self.one_off.departure_at if self.one_off else None

    @override
    async def async_set_value(self, value: datetime) -> None:
        """Set the exception at the API."""
        await self.async_write_departures({"one_off": {"departure_at": utc_text(value)}})
