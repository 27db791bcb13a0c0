"""Turn what is known of a car and an offer into the one question the planner answers."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from owner_api.core.canonical import instant_text
from owner_api.core.model import NextDeparture, Recharge, RewardTerms, Terms
from owner_api.core.soc import carry
from owner_api.store.tx import Tx

from .edge import Json
from .limits import budget_left_wh
from .records import CommitmentRecord, SessionRecord, VehicleRecord
from .tariffs import tariff
from .wear_cost import wear_per_kwh

_ISO_LETTERS: Final = 3


def current_soc(vehicle: VehicleRecord, session: SessionRecord | None) -> Decimal | None:
    """Return the state of charge now: the last reading, carried down by the charger's meter."""
    live = vehicle.live
    if live.soc_pct is None:
        return None
    exported = 0
    if session and session.live.export_register_wh is not None:
        anchor = live.anchor_export_wh
        exported = 0 if anchor is None else max(0, session.live.export_register_wh - anchor)
    if not exported:
        return live.soc_pct
    return carry(
        soc_pct=live.soc_pct,
        capacity_wh=vehicle.body.usable_capacity_wh,
        exported_wh=exported,
        discharge_efficiency=vehicle.body.discharge_efficiency,
    ).soc_pct


def quote_request(
    tx: Tx,
    vehicle: VehicleRecord,
    session: SessionRecord | None,
    terms: Terms,
    departure: NextDeparture,
    *,
    soc: Decimal,
    now: datetime,
    leave_out: str | None = None,
) -> Json:
    """Return the ``v2g.quote-request/1`` that asks the planner about ``terms``."""
    body, preferences = vehicle.body, vehicle.preferences
    promised = terms.recharge or (session.recharge if session else None)
    later = preferences.later_refill_price_per_kwh
    request: Json = {
        "schema": "v2g.quote-request/1",
        "now": instant_text(now),
        "departure_at": instant_text(departure.departure_at),
        "departure_buffer_s": preferences.departure_buffer_s,
        "vehicle": {
            "usable_capacity_wh": body.usable_capacity_wh,
            "soc_pct": float(max(Decimal(0), soc - preferences.soc_margin_pct)),
            "max_charge_w": body.max_charge_w,
            "max_discharge_w": body.max_discharge_w,
            "charge_efficiency": float(body.charge_efficiency),
            "discharge_efficiency": float(body.discharge_efficiency),
        },
        "preferences": {
            "soc_floor_pct": float(preferences.soc_floor_pct),
            "soc_ceiling_pct": float(preferences.soc_ceiling_pct),
            "soc_min_departure_pct": float(departure.soc_min_departure_pct),
            "degradation_cost_per_kwh": wear_per_kwh(vehicle),
            "min_price_per_kwh": str(preferences.min_price_per_kwh),
        },
        "tariff": tariff(tx, vehicle, now, departure.departure_at).entries,
        "charging": charging_entries(promised) if promised and promised.guaranteed else [],
        "commitments": fixed_deals(tx, vehicle, leave_out),
        "currency": _planned_currency(vehicle),
        "offer": {
            "start_at": instant_text(max(terms.start_at, now)),
            "end_at": instant_text(terms.end_at),
            "requested_energy_wh": terms.requested_energy_wh,
            "min_energy_wh": min(terms.min_energy_wh, terms.requested_energy_wh),
            "max_discharge_w": terms.max_discharge_w,
            **_pay(vehicle, terms.reward),
        },
    }
    if promised is None and session is not None and session.meter == "owner":
        # At the owner's own charger this agent promises the charging itself.
        del request["charging"]
    if later is not None:
        request["later_refill_price_per_kwh"] = str(later)
    if body.taper:
        request["taper"] = [
            {"from_soc_pct": float(step.from_soc_pct), "max_charge_w": step.max_charge_w}
            for step in body.taper
        ]
    budget = budget_left_wh(tx, vehicle, max(now, terms.start_at), leave_out)
    if budget is not None:
        request["budget_left_wh"] = budget
    return request


def _pay(vehicle: VehicleRecord, reward: RewardTerms) -> Json:
    """Return what counts toward the net: cash only; other rewards stand beside it (design §5)."""
    cash = reward.kind == "cash"
    capped = cash and reward.cap_minor is not None
    return {
        "price_per_kwh": reward.price_per_kwh if cash else "0",
        "currency": _planned_currency(vehicle),
        "fixed_minor": reward.fixed_minor if cash else 0,
        **({"cap_minor": reward.cap_minor} if capped else {}),
    }


def _planned_currency(vehicle: VehicleRecord) -> str:
    """Return the owner's currency; a unit of one's own counts as ISO 4217's XXX, no currency."""
    return vehicle.currency if len(vehicle.currency) == _ISO_LETTERS else "XXX"


def charging_entries(promise: Recharge) -> list[Json]:
    """Return what a guaranteed recharge promises at any time: its latest possible stretch.

    All of ``energy_wh`` by ``by`` at no more than ``max_w`` only binds the park to charge in the
    last ``energy / max_w`` before ``by``; earlier charging is a gift, not a promise.
    """
    stretch = timedelta(seconds=promise.energy_wh * 3600 // promise.max_w)
    start = max(promise.start_at, promise.by - stretch)
    if start >= promise.by:
        # Less than a second's worth of charging promises nothing.
        return []
    entry = {
        "start_at": instant_text(start),
        "end_at": instant_text(promise.by),
        "max_w": promise.max_w,
        "price_per_kwh": str(promise.price_per_kwh),
    }
    return [entry]


def fixed_deals(tx: Tx, vehicle: VehicleRecord, leave_out: str | None = None) -> list[Json]:
    """Return the vehicle's other live deals, which any plan must keep."""
    deals = CommitmentRecord.live_of_vehicle(tx, vehicle.vehicle_id)
    return [
        {
            "start_at": instant_text(deal.start_at),
            "end_at": instant_text(deal.end_at),
            "energy_wh": max(0, deal.energy_limit_wh - deal.delivered_wh),
            "max_discharge_w": deal.terms.max_discharge_w,
        }
        for deal in deals
        if deal.commitment_id != leave_out
    ]
