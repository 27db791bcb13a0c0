"""Deals as calendar events, so that calendar triggers with offsets work."""

from datetime import datetime
from typing import override

from homeassistant.components.calendar import (
    CalendarEntity,
    CalendarEntityDescription,
    CalendarEvent,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .coordinator import V2GConfigEntry
from .entity import HubEntity, async_add_in_turns
from .models_deal import Commitment
from .money import major

PARALLEL_UPDATES = 0

COMMITMENTS = CalendarEntityDescription(key="commitments", translation_key="commitments")
# A deal that came to nothing is no appointment.
_NEVER_HAPPENED = frozenset({"lapsed", "cancelled", "missed"})


async def async_setup_entry(
    hass: HomeAssistant,
    entry: V2GConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the calendar of the account."""
    await async_add_in_turns(
        async_add_entities, [CommitmentCalendar(entry.runtime_data.coordinator, COMMITMENTS)]
    )


class CommitmentCalendar(HubEntity, CalendarEntity):
    """Shows when which vehicle gives energy to which park."""

    def _events(self) -> list[CalendarEvent]:
        """Return every deal that happens or happened, in order."""
        deals = self.coordinator.data.commitments.values()
        kept = (deal for deal in deals if deal.state not in _NEVER_HAPPENED)
        ordered = sorted(kept, key=lambda deal: (deal.start_at, deal.commitment_id))
        return [self._calendar_event(deal) for deal in ordered]

    def _calendar_event(self, deal: Commitment) -> CalendarEvent:
        """Return one deal in words that need no translation."""
        vehicle = self.coordinator.data.vehicles.get(deal.vehicle_id or "")
        parts = [deal.park.display_name, vehicle.display_name if vehicle else None]
        settled = deal.settlement
        energy_wh = settled.delivered_wh if settled else deal.committed_energy_wh
        money = f"{deal.price_per_kwh} {deal.currency}/kWh" if deal.price_per_kwh else ""
        if settled:
            money = f"{major(settled.net_minor, settled.currency):.2f} {settled.currency}"
        return CalendarEvent(
            start=deal.start_at,
            end=_shown_end(deal.start_at, deal.end_at),
            summary=" · ".join([*filter(None, parts), f"{energy_wh / 1000:.1f} kWh"]),
            description=money,
            uid=deal.commitment_id,
        )

    @property
    @override
    def event(self) -> CalendarEvent | None:
        """Return the running or next deal."""
        now = dt_util.utcnow()
        live = {deal.commitment_id for deal in self.coordinator.data.live_commitments}
        ahead = (each for each in self._events() if each.uid in live and each.end > now)
        return next(ahead, None)

    @override
    async def async_get_events(
        self, hass: HomeAssistant, start_date: datetime, end_date: datetime
    ) -> list[CalendarEvent]:
        """Return the deals that overlap a range."""
        return [
            event for event in self._events() if event.start < end_date and event.end > start_date
        ]


def _shown_end(start: datetime, end: datetime) -> datetime:
    """Return an end that Home Assistant takes: it compares by the clock on the wall.

    In the night that clock goes back, a deal across the change would end before it began; it is
    shown until the wall says its start for the second time.
    """
    begins, ends = (dt_util.as_local(each).replace(tzinfo=None) for each in (start, end))
    return end if ends >= begins else dt_util.as_local(start).replace(fold=1)
