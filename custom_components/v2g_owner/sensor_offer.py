"""Sensors of the account about the offer that must be answered first."""

from collections.abc import Callable
from typing import Any

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import UnitOfEnergy

from .judgement import (
    OFFER_REASONS,
    WAYS,
    money_lines,
    plan_steps,
    quoted_energy,
    reason_details,
    ways_to_yes,
    why_not,
)
from .models_deal import Evaluation, Offer
from .money import major
from .sensor_figure import FigureDescription
from .snapshot import Snapshot


def _offer(snapshot: Snapshot) -> Offer | None:
    """Return the open offer that must be answered first."""
    return next(iter(snapshot.open_offers), None)


def _of_offer[T](read: Callable[[Offer], T]) -> Callable[[Snapshot], T | None]:
    """Read a figure of the next offer, None while there is no offer."""

    def value(snapshot: Snapshot) -> T | None:
        return None if (offer := _offer(snapshot)) is None else read(offer)

    return value


def _of_evaluation(
    explain: Callable[[Evaluation | None], dict[str, Any]],
) -> Callable[[Snapshot], dict[str, Any]]:
    """Explain the next offer by its judgement, nothing while there is no offer."""

    def attributes(snapshot: Snapshot) -> dict[str, Any]:
        return {} if (offer := _offer(snapshot)) is None else explain(offer.evaluation)

    return attributes


def _offer_currency(snapshot: Snapshot) -> str:
    """Return what the next offer pays in, the owner's currency while there is none."""
    offer = _offer(snapshot)
    return offer.terms.reward.currency if offer else snapshot.owner.currency


def _counted_in(snapshot: Snapshot) -> str:
    """Return what an offer is judged in: the owner's money, also where it pays in points."""
    return snapshot.owner.currency


def _net(snapshot: Snapshot) -> float | None:
    """Return what the next offer leaves after refill, losses and wear."""
    offer = _offer(snapshot)
    if offer is None or offer.evaluation is None or offer.evaluation.net_minor is None:
        return None
    return major(offer.evaluation.net_minor, _counted_in(snapshot))


def _wear(snapshot: Snapshot) -> float | None:
    """Return what the next offer would wear the battery."""
    offer = _offer(snapshot)
    return money_lines(offer.evaluation if offer else None, _counted_in(snapshot))["wear"]


def _break_even(offer: Offer) -> float | None:
    """Return the price per kWh at which the offer would leave nothing."""
    found = offer.evaluation
    if found is None or found.break_even_price_per_kwh is None:
        return None
    return float(found.break_even_price_per_kwh)


def _nearest_way(offer: Offer) -> str:
    """Return the first single change that would make the offer one to accept."""
    ways = ways_to_yes(offer.evaluation)
    return ways[0]["way"] if ways else "none"


def _money_attributes(snapshot: Snapshot) -> dict[str, Any]:
    """Return where the next offer's reward goes, and from when on its prices are assumed."""
    if (offer := _offer(snapshot)) is None:
        return {}
    found = offer.evaluation
    assumed = found.prices_assumed_from if found else None
    return {
        **money_lines(found, _counted_in(snapshot)),
        "prices_assumed_from": assumed.isoformat() if assumed else None,
    }


def _offer_price_unit(snapshot: Snapshot) -> str:
    """Return the unit of the next offer's price."""
    return f"{_offer_currency(snapshot)}/kWh"


def _break_even_unit(snapshot: Snapshot) -> str:
    """Return the unit of the price that the next offer's costs come to."""
    return f"{_counted_in(snapshot)}/kWh"


def _offer_attributes(snapshot: Snapshot) -> dict[str, Any]:
    """Return what a person needs to judge the next offer."""
    if (offer := _offer(snapshot)) is None:
        return {}
    found = offer.evaluation
    return {
        "offer_id": offer.offer_id,
        "revision": offer.revision,
        "park": offer.park.display_name,
        "vehicle_id": offer.vehicle_id,
        "state": offer.state,
        "purpose": offer.purpose,
        "end_at": offer.terms.end_at.isoformat(),
        "min_energy_wh": offer.terms.min_energy_wh,
        "max_energy_wh": offer.terms.max_energy_wh,
        "max_discharge_w": offer.terms.max_discharge_w,
        "lease_s": offer.terms.lease_s,
        "verdict": found.verdict if found else None,
        "soc_now_pct": found.soc_now_pct if found else None,
        "soc_after_pct": found.soc_after_pct if found else None,
        "soc_at_departure_pct": found.soc_at_departure_pct if found else None,
        "soc_floor_pct": found.soc_floor_pct if found else None,
        "soc_min_departure_pct": found.soc_min_departure_pct if found else None,
        "reason": found.reason if found else None,
        "nearest": list(found.nearest or ()) if found else [],
    }


OFFER_SENSORS: tuple[FigureDescription[Snapshot], ...] = (
    FigureDescription(
        key="open_offers",
        translation_key="open_offers",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda snapshot: len(snapshot.open_offers),
    ),
    FigureDescription(
        key="next_offer_price",
        translation_key="next_offer_price",
        suggested_display_precision=2,
        value_fn=_of_offer(lambda offer: float(offer.terms.reward.price_per_kwh)),
        unit_fn=_offer_price_unit,
        attributes_fn=_offer_attributes,
    ),
    FigureDescription(
        key="next_offer_energy",
        translation_key="next_offer_energy",
        device_class=SensorDeviceClass.ENERGY_STORAGE,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        value_fn=_of_offer(lambda offer: offer.terms.requested_energy_wh),
        attributes_fn=_of_evaluation(
            lambda found: {"quoted_energy_wh": quoted_energy(found), "plan": plan_steps(found)}
        ),
    ),
    FigureDescription(
        key="next_offer_start",
        translation_key="next_offer_start",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=_of_offer(lambda offer: offer.terms.start_at),
    ),
    FigureDescription(
        key="next_offer_answer_by",
        translation_key="next_offer_answer_by",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=_of_offer(lambda offer: offer.respond_by),
    ),
    FigureDescription(
        key="next_offer_net",
        translation_key="next_offer_net",
        device_class=SensorDeviceClass.MONETARY,
        value_fn=_net,
        unit_fn=_counted_in,
        attributes_fn=_money_attributes,
    ),
    FigureDescription(
        key="next_offer_wear",
        translation_key="next_offer_wear",
        device_class=SensorDeviceClass.MONETARY,
        value_fn=_wear,
        unit_fn=_counted_in,
    ),
    FigureDescription(
        key="next_offer_break_even",
        translation_key="next_offer_break_even",
        suggested_display_precision=2,
        value_fn=_of_offer(_break_even),
        unit_fn=_break_even_unit,
    ),
    FigureDescription(
        key="next_offer_reason",
        translation_key="next_offer_reason",
        device_class=SensorDeviceClass.ENUM,
        options=list(OFFER_REASONS),
        value_fn=_of_offer(why_not),
        attributes_fn=_of_evaluation(reason_details),
    ),
    FigureDescription(
        key="next_offer_nearest",
        translation_key="next_offer_nearest",
        device_class=SensorDeviceClass.ENUM,
        options=["none", *WAYS.values()],
        value_fn=_of_offer(_nearest_way),
        attributes_fn=_of_evaluation(lambda found: {"ways": ways_to_yes(found)}),
    ),
)
