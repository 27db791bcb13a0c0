"""Sensors of the owner's account: the next offer, the running deal, the rewards."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import PERCENTAGE, UnitOfEnergy, UnitOfPower
from homeassistant.helpers.typing import StateType
from homeassistant.util import dt as dt_util

from .const import COMMITMENT_STATES
from .entity import HubEntity
from .models_deal import Commitment, Offer
from .money import major
from .snapshot import Snapshot

type Unit = Callable[[Snapshot], str]


@dataclass(frozen=True, kw_only=True)
class HubSensorDescription(SensorEntityDescription):
    """Describes a sensor of the account; ``unit_fn`` is for units that depend on the currency."""

    value_fn: Callable[[Snapshot], StateType | datetime]
    unit_fn: Unit | None = None
    attributes_fn: Callable[[Snapshot], Mapping[str, Any]] | None = None
    resets_monthly: bool = False


def _offer(snapshot: Snapshot) -> Offer | None:
    """Return the open offer that must be answered first."""
    return next(iter(snapshot.open_offers), None)


def _deal(snapshot: Snapshot) -> Commitment | None:
    """Return the commitment being stopped, else the live one that starts first."""
    return next(iter([*snapshot.stopping_commitments, *snapshot.live_commitments]), None)


def _of_offer[T](read: Callable[[Offer], T]) -> Callable[[Snapshot], T | None]:
    """Read a figure of the next offer, None while there is no offer."""

    def value(snapshot: Snapshot) -> T | None:
        return None if (offer := _offer(snapshot)) is None else read(offer)

    return value


def _of_deal[T](read: Callable[[Commitment], T]) -> Callable[[Snapshot], T | None]:
    """Read a figure of the live commitment, None while there is none."""

    def value(snapshot: Snapshot) -> T | None:
        return None if (deal := _deal(snapshot)) is None else read(deal)

    return value


def _offer_currency(snapshot: Snapshot) -> str:
    """Return the next offer's currency, the owner's while there is none."""
    offer = _offer(snapshot)
    return offer.terms.reward.currency if offer else snapshot.owner.currency


def _deal_currency(snapshot: Snapshot) -> str:
    """Return the live commitment's currency, the owner's while there is none."""
    deal = _deal(snapshot)
    return (deal.currency if deal else "") or snapshot.owner.currency


def _net(offer: Offer) -> float | None:
    """Return what the offer leaves after refill, losses and wear."""
    if offer.evaluation is None or offer.evaluation.net_minor is None:
        return None
    return major(offer.evaluation.net_minor, offer.terms.reward.currency)


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


def _deal_attributes(snapshot: Snapshot) -> dict[str, Any]:
    """Return what a person needs to follow the live commitment."""
    if (deal := _deal(snapshot)) is None:
        return {}
    stop = deal.stop
    return {
        "commitment_id": deal.commitment_id,
        "offer_id": deal.offer_id,
        "park": deal.park.display_name,
        "vehicle_id": deal.vehicle_id,
        "committed_energy_wh": deal.committed_energy_wh,
        "start_at": deal.start_at.isoformat(),
        "end_at": deal.end_at.isoformat(),
        "lease_until": deal.lease_until.isoformat() if deal.lease_until else None,
        "soc_floor_pct": deal.soc_floor_pct,
        "stop_requested_at": _moment(stop.requested_at) if stop else None,
        "stop_confirmed_at": _moment(stop.confirmed_at) if stop else None,
        "stopped_at": _moment(stop.stopped_at) if stop else None,
        "unplug_hint": deal.unplug_hint,
    }


def _moment(instant: datetime | None) -> str | None:
    """Return an instant as text."""
    return instant.isoformat() if instant else None


def _reward(key: str, read: Callable[[Snapshot], int], *, monthly: bool) -> HubSensorDescription:
    """Describe a sum of rewards in the owner's currency."""
    return HubSensorDescription(
        key=key,
        translation_key=key,
        device_class=SensorDeviceClass.MONETARY,
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda snapshot: major(read(snapshot), snapshot.rewards.currency),
        unit_fn=lambda snapshot: snapshot.rewards.currency,
        resets_monthly=monthly,
    )


HUB_SENSORS: tuple[HubSensorDescription, ...] = (
    HubSensorDescription(
        key="open_offers",
        translation_key="open_offers",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda snapshot: len(snapshot.open_offers),
    ),
    HubSensorDescription(
        key="next_offer_price",
        translation_key="next_offer_price",
        suggested_display_precision=2,
        value_fn=_of_offer(lambda offer: float(offer.terms.reward.price_per_kwh)),
        unit_fn=lambda snapshot: f"{_offer_currency(snapshot)}/kWh",
        attributes_fn=_offer_attributes,
    ),
    HubSensorDescription(
        key="next_offer_energy",
        translation_key="next_offer_energy",
        device_class=SensorDeviceClass.ENERGY_STORAGE,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        value_fn=_of_offer(lambda offer: offer.terms.requested_energy_wh),
    ),
    HubSensorDescription(
        key="next_offer_start",
        translation_key="next_offer_start",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=_of_offer(lambda offer: offer.terms.start_at),
    ),
    HubSensorDescription(
        key="next_offer_answer_by",
        translation_key="next_offer_answer_by",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=_of_offer(lambda offer: offer.respond_by),
    ),
    HubSensorDescription(
        key="next_offer_net",
        translation_key="next_offer_net",
        device_class=SensorDeviceClass.MONETARY,
        suggested_display_precision=2,
        value_fn=_of_offer(_net),
        unit_fn=_offer_currency,
    ),
    HubSensorDescription(
        key="deal_state",
        translation_key="deal_state",
        device_class=SensorDeviceClass.ENUM,
        options=["none", *COMMITMENT_STATES],
        value_fn=lambda snapshot: deal.state if (deal := _deal(snapshot)) else "none",
        attributes_fn=_deal_attributes,
    ),
    HubSensorDescription(
        key="deal_delivered",
        translation_key="deal_delivered",
        device_class=SensorDeviceClass.ENERGY_STORAGE,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        value_fn=_of_deal(lambda deal: deal.delivered_wh),
    ),
    HubSensorDescription(
        key="deal_power",
        translation_key="deal_power",
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_unit_of_measurement=UnitOfPower.KILO_WATT,
        suggested_display_precision=2,
        value_fn=_of_deal(lambda deal: deal.power_w),
    ),
    HubSensorDescription(
        key="deal_soc",
        translation_key="deal_soc",
        device_class=SensorDeviceClass.BATTERY,
        native_unit_of_measurement=PERCENTAGE,
        entity_registry_enabled_default=False,
        value_fn=_of_deal(lambda deal: deal.soc_pct),
    ),
    HubSensorDescription(
        key="deal_earned",
        translation_key="deal_earned",
        device_class=SensorDeviceClass.MONETARY,
        suggested_display_precision=2,
        value_fn=lambda snapshot: (
            major(deal.earned_minor, _deal_currency(snapshot))
            if (deal := _deal(snapshot))
            else None
        ),
        unit_fn=_deal_currency,
    ),
    _reward("rewards_pending", lambda s: s.rewards.this_month.pending_minor, monthly=True),
    _reward("rewards_confirmed", lambda s: s.rewards.this_month.confirmed_minor, monthly=True),
    _reward("rewards_paid", lambda s: s.rewards.this_month.paid_minor, monthly=True),
    _reward(
        "rewards_total",
        lambda s: s.rewards.confirmed_minor + s.rewards.paid_minor,
        monthly=False,
    ),
)


class HubSensor(HubEntity, SensorEntity):
    """One figure of the account."""

    entity_description: HubSensorDescription
    # The curve of every offer and deal belongs to the API; the recorder keeps the states.
    _unrecorded_attributes = frozenset(
        {
            "lease_until",
            "lease_s",
            "nearest",
            "reason",
            "soc_after_pct",
            "soc_at_departure_pct",
            "soc_floor_pct",
            "soc_min_departure_pct",
            "soc_now_pct",
            "unplug_hint",
        }
    )

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return the figure."""
        return self.entity_description.value_fn(self.coordinator.data)

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        """Return the unit, which for money follows the currency."""
        unit = self.entity_description.unit_fn
        return super().native_unit_of_measurement if unit is None else unit(self.coordinator.data)

    @property
    @override
    def last_reset(self) -> datetime | None:
        """Return the start of the month, in the owner's time, for what counts from there."""
        if not self.entity_description.resets_monthly:
            return None
        zone = dt_util.get_time_zone(self.coordinator.data.owner.time_zone) or dt_util.UTC
        return dt_util.now(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        """Return what explains the figure."""
        explain = self.entity_description.attributes_fn
        return None if explain is None else explain(self.coordinator.data)
