"""Sensors of a vehicle about the newest offer it got, whatever became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity
from homeassistant.helpers.typing import StateType

from .const import OFFER_STATES
from .entity import VehicleEntity
from .judgement import (
    OFFER_REASONS,
    money_lines,
    quoted_energy,
    reason_details,
    ways_to_yes,
    why_not,
)
from .models_deal import Offer
from .money import major
from .sensor_figure import EXPLANATIONS, FigureDescription


@dataclass(frozen=True, slots=True, kw_only=True)
class LastOffer:
    """The newest offer, and the money of its owner that it is judged in."""

    offer: Offer
    counted_in: str


def _facts(last: LastOffer) -> dict[str, Any]:
    """Return what the offer asked for and what it would have left."""
    offer, currency = last.offer, last.counted_in
    found = offer.evaluation
    net = found.net_minor if found else None
    return {
        "offer_id": offer.offer_id,
        "park": offer.park.display_name,
        "issued_at": offer.issued_at.isoformat() if offer.issued_at else None,
        "start_at": offer.terms.start_at.isoformat(),
        "end_at": offer.terms.end_at.isoformat(),
        "requested_energy_wh": offer.terms.requested_energy_wh,
        "quoted_energy_wh": quoted_energy(found),
        "price_per_kwh": offer.terms.reward.price_per_kwh,
        "break_even_price_per_kwh": found.break_even_price_per_kwh if found else None,
        "currency": offer.terms.reward.currency,
        "net_currency": currency,
        "net": None if net is None else major(net, currency),
        **money_lines(found, currency),
    }


def _why_not(last: LastOffer) -> dict[str, Any]:
    """Return the limit that binds and what would have been enough."""
    offer = last.offer
    return {
        "offer_id": offer.offer_id,
        **reason_details(offer.evaluation),
        "ways": ways_to_yes(offer.evaluation),
    }


LAST_OFFER_SENSORS: tuple[FigureDescription[LastOffer], ...] = (
    FigureDescription(
        key="last_offer",
        translation_key="last_offer",
        device_class=SensorDeviceClass.ENUM,
        options=list(OFFER_STATES),
        value_fn=lambda last: last.offer.state if last.offer.state in OFFER_STATES else None,
        attributes_fn=_facts,
    ),
    FigureDescription(
        key="last_offer_reason",
        translation_key="last_offer_reason",
        device_class=SensorDeviceClass.ENUM,
        options=list(OFFER_REASONS),
        value_fn=lambda last: why_not(last.offer),
        attributes_fn=_why_not,
    ),
)


class LastOfferSensor(VehicleEntity, SensorEntity):
    """One figure of the vehicle's newest offer; unknown before the first one."""

    entity_description: FigureDescription[LastOffer]
    _unrecorded_attributes = EXPLANATIONS

    @property
    @override
    def _made_from(self) -> tuple[object, ...] | None:
        """The newest offer and the currency it is judged in."""
        return (self.available, self._last)

    @property
    def _last(self) -> LastOffer | None:
        """Return the newest offer made for the vehicle."""
        told = self.coordinator.data
        offer = told.newest_offer(self.vehicle_id)
        return None if offer is None else LastOffer(offer=offer, counted_in=told.owner.currency)

    @property
    @override
    def native_value(self) -> StateType:
        """Return the figure."""
        value = (last := self._last) and self.entity_description.value_fn(last)
        return value if isinstance(value, str) else None

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        """Return what explains the figure."""
        explain, last = self.entity_description.attributes_fn, self._last
        return None if explain is None or last is None else explain(last)
