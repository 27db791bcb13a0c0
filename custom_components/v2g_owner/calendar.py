"""Deals and open offers as calendar events, so that calendar triggers with offsets work."""

from datetime import datetime
from typing import override

from homeassistant.components.calendar import (
    CalendarEntity,
    CalendarEntityDescription,
    CalendarEvent,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .coordinator import V2GConfigEntry
from .entity import HubEntity, async_add_in_turns
from .models_deal import Commitment, Offer
from .moments import Moments, async_moments
from .money import in_words

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
    """Shows when which vehicle gives energy to which park, or is asked to."""

    @property
    @override
    def _made_from(self) -> tuple[object, ...] | None:
        """Deals, offers and the names of cars; a reading of a car changes no appointment."""
        told = self.coordinator.data
        names = [vehicle.display_name for vehicle in told.vehicles.values()]
        return (self.available, told.commitments, told.offers, names)

    @callback
    @override
    def async_show(self) -> None:
        """Show an open calendar its offers too: they are no part of the state."""
        super().async_show()
        self.async_update_event_listeners()

    def _deals(self) -> list[CalendarEvent]:
        """Return every deal that happens or happened, in order."""
        deals = self.coordinator.data.commitments.values()
        kept = (deal for deal in deals if _happens(deal))
        ordered = sorted(kept, key=lambda deal: (deal.start_at, deal.commitment_id))
        return [self._deal_event(deal) for deal in ordered]

    def _deal_event(self, deal: Commitment) -> CalendarEvent:
        """Return one deal in words that need no translation."""
        settled = deal.settlement
        energy_wh = settled.delivered_wh if settled else deal.committed_energy_wh
        money = f"{deal.price_per_kwh} {deal.currency}/kWh" if deal.price_per_kwh else ""
        if settled:
            money = in_words(settled.net_minor, settled.currency)
        return CalendarEvent(
            start=deal.start_at,
            end=_shown_end(deal.start_at, deal.end_at),
            summary=self._sentence(deal, energy_wh),
            description=money,
            uid=deal.commitment_id,
        )

    async def _async_offers(self) -> list[CalendarEvent]:
        """Return every offer that can still be answered, worded as not agreed."""
        if not (offers := self.coordinator.data.open_offers):
            return []
        language = self.hass.config.language
        texts = await async_get_translations(self.hass, language, "common", {DOMAIN})
        moments = await async_moments(self.hass, language)
        return [self._offer_event(offer, texts, moments) for offer in offers]

    def _offer_event(self, offer: Offer, texts: dict[str, str], moments: Moments) -> CalendarEvent:
        """Return one offer in the words of Home Assistant's language."""
        terms, path = offer.terms, f"component.{DOMAIN}.common.calendar_offer"
        # Who reads it on the page of its own day would take a time alone for one of that day.
        shown_on = dt_util.as_local(terms.start_at).date()
        answer_by = moments.dated(offer.respond_by, beside=shown_on)
        price = f"{terms.reward.price_per_kwh} {terms.reward.currency}/kWh"
        sentence = self._sentence(offer, terms.requested_energy_wh)
        return CalendarEvent(
            start=terms.start_at,
            end=_shown_end(terms.start_at, terms.end_at),
            summary=texts[path].format(offer=sentence),
            description=texts[f"{path}_terms"].format(price=price, answer_by=answer_by),
            uid=offer.offer_id,
        )

    def _sentence(self, subject: Commitment | Offer, energy_wh: int) -> str:
        """Return who takes how much from which car."""
        vehicle = self.coordinator.data.vehicles.get(subject.vehicle_id or "")
        parts = [subject.park.display_name, vehicle.display_name if vehicle else None]
        return " · ".join([*filter(None, parts), f"{energy_wh / 1000:.1f} kWh"])

    @property
    @override
    def event(self) -> CalendarEvent | None:
        """Return the running or next deal; an offer is no appointment until it is agreed."""
        now = dt_util.utcnow()
        live = {deal.commitment_id for deal in self.coordinator.data.live_commitments}
        ahead = (each for each in self._deals() if each.uid in live and each.end > now)
        return next(ahead, None)

    @override
    async def async_get_events(
        self, hass: HomeAssistant, start_date: datetime, end_date: datetime
    ) -> list[CalendarEvent]:
        """Return the deals and open offers that overlap a range."""
        events = [*self._deals(), *await self._async_offers()]
        events.sort(key=lambda event: dt_util.as_utc(event.start_datetime_local))
        return [event for event in events if event.start < end_date and event.end > start_date]


def _happens(deal: Commitment) -> bool:
    """Tell whether a deal is to come or has begun; one that ended before it began is neither."""
    if deal.state in _NEVER_HAPPENED:
        return False
    delivered = deal.settlement is not None and deal.settlement.delivered_wh > 0
    return deal.is_live or deal.lease_until is not None or delivered


def _shown_end(start: datetime, end: datetime) -> datetime:
    """Return an end that Home Assistant takes: it compares by the clock on the wall.

    In the night that clock goes back, a deal across the change would end before it began; it is
    shown until the wall says its start for the second time.
    """
    begins, ends = (dt_util.as_local(each).replace(tzinfo=None) for each in (start, end))
    return end if ends >= begins else dt_util.as_local(start).replace(fold=1)
