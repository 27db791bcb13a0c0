"""Sensors of the account about the running or next deal."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.const import PERCENTAGE, UnitOfEnergy, UnitOfPower

from .const import COMMITMENT_STATES
from .judgement import plan_steps
from .models_deal import Commitment, Settlement
from .money import major
from .sensor_figure import FigureDescription
from .snapshot import Snapshot


def _deals(snapshot: Snapshot) -> list[Commitment]:
    """Return the commitments being stopped, then the live ones by their start; each once."""
    deals = [*snapshot.stopping_commitments, *snapshot.live_commitments]
    return list({deal.commitment_id: deal for deal in deals}.values())


def _deal(snapshot: Snapshot) -> Commitment | None:
    """Return the commitment being stopped, else the live one that starts first."""
    return next(iter(_deals(snapshot)), None)


def _of_deal[T](read: Callable[[Commitment], T]) -> Callable[[Snapshot], T | None]:
    """Read a figure of the live commitment, None while there is none."""

    def value(snapshot: Snapshot) -> T | None:
        return None if (deal := _deal(snapshot)) is None else read(deal)

    return value


def _deal_currency(snapshot: Snapshot) -> str:
    """Return the live commitment's currency, the owner's while there is none."""
    deal = _deal(snapshot)
    return (deal.currency if deal else "") or snapshot.owner.currency


def _deal_attributes(snapshot: Snapshot) -> dict[str, Any]:
    """Return what a person needs to follow every live commitment, and how the last ones ended."""
    currency = snapshot.owner.currency
    last = {"last_deals": [_result(each, currency) for each in snapshot.last_commitments]}
    if (deal := _deal(snapshot)) is None:
        return last
    offer = snapshot.offers.get(deal.offer_id)
    return {
        **_facts(deal),
        "plan": plan_steps(offer.evaluation if offer else None),
        "deals": [_facts(each) | _progress(each) for each in _deals(snapshot)],
        **last,
    }


def _facts(deal: Commitment) -> dict[str, Any]:
    """Return what was agreed in one deal and how far its stop has come."""
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


def _progress(deal: Commitment) -> dict[str, Any]:
    """Return what the sensors say of the first deal: two cars may deliver at once."""
    return {
        "state": deal.state,
        "delivered_wh": deal.delivered_wh,
        "power_w": deal.power_w,
        "earned_minor": deal.earned_minor,
        "currency": deal.currency,
    }


def _result(deal: Commitment, counted_in: str) -> dict[str, Any]:
    """Return how a deal ended and what it earned; its costs are in the owner's own money."""
    settled = deal.settlement
    lines = settled.breakdown if settled else None
    return {
        "commitment_id": deal.commitment_id,
        "vehicle_id": deal.vehicle_id,
        "park": deal.park.display_name,
        "state": deal.state,
        "stopped_at": _moment(deal.stop.stopped_at) if deal.stop else None,
        "delivered_wh": settled.delivered_wh if settled else deal.delivered_wh,
        "reward": _reward_step(settled),
        "settlement_id": settled.settlement_id if settled else None,
        "dispute_until": _moment(settled.dispute_until) if settled else None,
        # Of all payers: each has a reward of its own.
        "amount_minor": settled.net_minor if settled else None,
        "currency": settled.currency if settled else deal.currency,
        "net_minor": lines.net_minor if lines else None,
        "net_currency": counted_in,
    }


def _reward_step(settled: Settlement | None) -> str | None:
    """Return how far a reward has come, as the event that told so is called."""
    if settled is None:
        return None
    status = settled.reward.status if settled.reward else "pending"
    return f"settlement_{settled.state}" if status == "pending" else f"reward_{status}"


def _moment(instant: datetime | None) -> str | None:
    """Return an instant as text."""
    return instant.isoformat() if instant else None


DEAL_SENSORS: tuple[FigureDescription[Snapshot], ...] = (
    FigureDescription(
        key="deal_state",
        translation_key="deal_state",
        device_class=SensorDeviceClass.ENUM,
        options=["none", *COMMITMENT_STATES],
        value_fn=lambda snapshot: deal.state if (deal := _deal(snapshot)) else "none",
        attributes_fn=_deal_attributes,
    ),
    FigureDescription(
        key="deal_delivered",
        translation_key="deal_delivered",
        device_class=SensorDeviceClass.ENERGY_STORAGE,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        value_fn=_of_deal(lambda deal: deal.delivered_wh),
    ),
    FigureDescription(
        key="deal_power",
        translation_key="deal_power",
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_unit_of_measurement=UnitOfPower.KILO_WATT,
        suggested_display_precision=2,
        value_fn=_of_deal(lambda deal: deal.power_w),
    ),
    FigureDescription(
        key="deal_soc",
        translation_key="deal_soc",
        device_class=SensorDeviceClass.BATTERY,
        native_unit_of_measurement=PERCENTAGE,
        entity_registry_enabled_default=False,
        value_fn=_of_deal(lambda deal: deal.soc_pct),
    ),
    FigureDescription(
        key="deal_earned",
        translation_key="deal_earned",
        device_class=SensorDeviceClass.MONETARY,
        value_fn=lambda snapshot: (
            major(deal.earned_minor, _deal_currency(snapshot))
            if (deal := _deal(snapshot))
            else None
        ),
        unit_fn=_deal_currency,
    ),
)
