"""Judge an offer against the owner's limits: first what forbids it, then the exact quote."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from owner_api.core.canonical import instant_text
from owner_api.core.model import (
    ConsentMode,
    NextDeparture,
    Recharge,
    Tariff,
    Terms,
    WarrantyPolicy,
)
from owner_api.core.soc import carry
from owner_api.store.times import encode
from owner_api.store.tx import Tx

from .edge import Json
from .leaving import departure_in_force
from .planner import ask
from .records import CommitmentRecord, SessionRecord, VehicleRecord
from .wear_cost import wear_per_kwh

PACK_TEMPERATURE_C: Final = (Decimal(0), Decimal(45))
# What is told to a park is cut to this step, so nothing finer can be read from a decision.
RELEASED_STEP_WH: Final = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """The verdict on one offer: a block, or a quote and the energy that may be released."""

    block: str | None
    reason: Json | None
    answer: Json | None
    request: Json | None
    departure: NextDeparture | None
    soc_pct: Decimal | None
    available_wh: int
    energy_wh: int

    @property
    def feasible(self) -> bool:
        """Return whether the owner's limits allow the offer; says nothing about its price."""
        return self.block is None and self.energy_wh > 0


def blocked(code: str, limit: Any = None, available: Any = None, unit: str | None = None) -> Json:  # noqa: ANN401 - numbers, texts or nothing
    """Return a reason that stands before any quote."""
    return {"code": code, "limit": limit, "needed": limit, "available": available, "unit": unit}


def judge(
    tx: Tx,
    vehicle: VehicleRecord,
    session: SessionRecord,
    terms: Terms,
    now: datetime,
    *,
    named_departure: datetime | None = None,
    max_age_s: int | None = None,
    leave_out: str | None = None,
) -> Judgement:
    """Return the verdict on ``terms`` for the vehicle as it stands now.

    ``named_departure`` is a leave time a person names with the decision; ``leave_out`` is the
    commitment that is judged again and must not be counted against itself.
    """
    preferences = vehicle.preferences
    departure = departure_in_force(tx, vehicle, session, now, named=named_departure)
    soc = current_soc(vehicle, session)
    block = (
        _forbidden(vehicle, session)
        or _agreement_missing(tx, vehicle, session)
        or _terms_unwanted(vehicle, terms)
        or _battery_unfit(vehicle, soc, now, max_age_s or preferences.soc_max_age_consent_s)
        or _used_up(tx, vehicle, terms, now, leave_out)
    )
    if block is None and departure is None:
        block = blocked("departure_unknown")
    if block is not None or departure is None or soc is None:
        return _refused(block, departure, soc)
    if not now < terms.end_at or departure.departure_at <= now:
        return _refused(blocked("departure_unreachable"), departure, soc)
    request = quote_request(
        tx, vehicle, session, terms, departure, soc=soc, now=now, leave_out=leave_out
    )
    answer = ask(request)
    available = int(answer["max_energy_wh"]) // RELEASED_STEP_WH * RELEASED_STEP_WH
    wanted = terms.requested_energy_wh
    energy = min(wanted, available)
    enough = energy > 0 and energy >= min(terms.min_energy_wh, wanted)
    reason = answer["reason"]
    if not enough and not reason:
        reason = blocked("energy", terms.min_energy_wh, available, "Wh")
    return Judgement(
        # Nothing at all to give is one word, whatever limit made it so.
        block=None if enough else (str(reason["code"]) if available else "not_available"),
        reason=reason,
        answer=answer,
        request=request,
        departure=departure,
        soc_pct=soc,
        available_wh=available,
        energy_wh=energy if enough else 0,
    )


def _refused(block: Json | None, departure: NextDeparture | None, soc: Decimal | None) -> Judgement:
    reason = block or blocked("soc_unknown")
    return Judgement(
        block=reason["code"],
        reason=reason,
        answer=None,
        request=None,
        departure=departure,
        soc_pct=soc,
        available_wh=0,
        energy_wh=0,
    )


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


def _forbidden(vehicle: VehicleRecord, session: SessionRecord) -> Json | None:
    """Return what the owner or the warranty forbids outright."""
    body, preferences = vehicle.body, vehicle.preferences
    if body.warranty_discharge_policy is WarrantyPolicy.PROHIBITED:
        return blocked("warranty", "prohibited")
    if not preferences.discharge_allowed:
        return blocked("discharge_not_allowed")
    if preferences.consent_mode is ConsentMode.NEVER:
        return blocked("consent_never")
    if session.state != "bound" or session.vehicle_id != vehicle.vehicle_id:
        return blocked("unbound_session")
    capped = body.warranty_discharge_policy is WarrantyPolicy.CAPPED
    cap = body.lifetime_discharge_cap_wh
    if capped and cap is not None and vehicle.live.discharged_wh >= cap:
        return blocked("warranty", cap, 0, "Wh")
    return None


def _agreement_missing(tx: Tx, vehicle: VehicleRecord, session: SessionRecord) -> Json | None:
    """Return a block unless the owner's agreement with this park covers the vehicle."""
    row = tx.one(
        "SELECT 1 AS found FROM member JOIN agreement USING (agreement_id)"
        " WHERE member.vehicle_id = ? AND member.park_id = ? AND agreement.state = 'active'",
        vehicle.vehicle_id,
        session.park_id,
    )
    return None if row else blocked("agreement_missing")


def _terms_unwanted(vehicle: VehicleRecord, terms: Terms) -> Json | None:
    """Return a block for a currency or reward kind the owner does not take."""
    if terms.reward.kind not in vehicle.preferences.accepted_reward_kinds:
        return blocked("reward_kind", ",".join(vehicle.preferences.accepted_reward_kinds))
    if terms.reward.kind == "cash" and terms.reward.currency != vehicle.currency:
        return blocked("currency", vehicle.currency, terms.reward.currency)
    return None


def _battery_unfit(
    vehicle: VehicleRecord, soc: Decimal | None, now: datetime, max_age_s: int
) -> Json | None:
    """Promise 3: return a block when the state of charge is unknown or old, or the pack unfit."""
    live = vehicle.live
    if soc is None or live.soc_measured_at is None:
        return blocked("soc_unknown")
    age_s = int((now - live.soc_measured_at).total_seconds())
    if age_s > max_age_s:
        return blocked("soc_stale", max_age_s, age_s, "s")
    low, high = PACK_TEMPERATURE_C
    pack = live.pack_temperature_c
    if pack is not None and not low <= pack <= high:
        return blocked("temperature", f"{low}-{high}", float(pack), "°C")
    return None


def _used_up(
    tx: Tx, vehicle: VehicleRecord, terms: Terms, now: datetime, leave_out: str | None
) -> Json | None:
    """Return a block when the day's events are used up or the battery has not rested enough."""
    rest = timedelta(seconds=vehicle.preferences.cooldown_s)
    if rest:
        near = tx.one(
            "SELECT commitment_id FROM commitment WHERE vehicle_id = ? AND commitment_id IS NOT ?"
            " AND (state IN ('pending_award', 'scheduled', 'active') OR started_at IS NOT NULL)"
            " AND start_at < ? AND COALESCE(ended_at, end_at) > ? LIMIT 1",
            vehicle.vehicle_id,
            leave_out,
            terms.end_at + rest,
            terms.start_at - rest,
        )
        if near:
            return blocked("cooldown", vehicle.preferences.cooldown_s, None, "s")
    limit = vehicle.preferences.max_discharge_events_per_day
    if limit is None:
        return None
    count = len(_reserved(tx, vehicle, _day_start(vehicle, now), leave_out))
    return blocked("budget", limit, max(0, limit - count), "events") if count >= limit else None


def _day_start(vehicle: VehicleRecord, now: datetime) -> datetime:
    local = now.astimezone(vehicle.zone)
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def _reserved(
    tx: Tx, vehicle: VehicleRecord, since: datetime, leave_out: str | None
) -> list[tuple[str, int]]:
    """Return (id, Wh) of deals since: reserved at accept, counted as delivered once ended."""
    rows = tx.all(
        "SELECT * FROM commitment WHERE vehicle_id = ? AND start_at >= ?"
        " AND state NOT IN ('lapsed', 'cancelled', 'missed')",
        vehicle.vehicle_id,
        encode(since),
    )
    found = []
    for row in rows:
        deal = CommitmentRecord.from_row(row)
        live = deal.state in ("pending_award", "scheduled", "active")
        counts = live or deal.started_at is not None
        if counts and deal.commitment_id != leave_out:
            found.append(
                (deal.commitment_id, deal.committed_energy_wh if live else deal.delivered_wh)
            )
    return found


def budget_left_wh(
    tx: Tx, vehicle: VehicleRecord, now: datetime, leave_out: str | None = None
) -> int | None:
    """Return the energy (Wh) the owner's budgets still allow, None when there is no budget."""
    preferences, left = vehicle.preferences, []
    if preferences.max_discharge_wh_per_event is not None:
        left.append(preferences.max_discharge_wh_per_event)
    day = _day_start(vehicle, now)
    spans = (
        (preferences.max_discharge_wh_per_day, day),
        (preferences.max_discharge_wh_per_week, day - timedelta(days=day.weekday())),
    )
    for limit, since in spans:
        if limit is not None:
            used = sum(energy for _, energy in _reserved(tx, vehicle, since, leave_out))
            left.append(max(0, limit - used))
    cap = vehicle.body.lifetime_discharge_cap_wh
    if cap is not None and vehicle.body.warranty_discharge_policy is WarrantyPolicy.CAPPED:
        left.append(max(0, cap - vehicle.live.discharged_wh))
    return min(left) if left else None


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
        "tariff": tariff_entries(preferences.tariff, vehicle, now, departure.departure_at),
        "charging": [charging_entry(promised)] if promised and promised.guaranteed else [],
        "commitments": _fixed(tx, vehicle, leave_out),
        "currency": terms.reward.currency,
        "offer": {
            "start_at": instant_text(max(terms.start_at, now)),
            "end_at": instant_text(terms.end_at),
            "requested_energy_wh": terms.requested_energy_wh,
            "min_energy_wh": min(terms.min_energy_wh, terms.requested_energy_wh),
            "max_discharge_w": terms.max_discharge_w,
            "price_per_kwh": terms.reward.price_per_kwh,
            "currency": terms.reward.currency,
            "fixed_minor": terms.reward.fixed_minor,
        },
    }
    if later is not None:
        request["later_refill_price_per_kwh"] = str(later)
    if terms.reward.cap_minor is not None:
        request["offer"]["cap_minor"] = terms.reward.cap_minor
    if body.taper:
        request["taper"] = [
            {"from_soc_pct": float(step.from_soc_pct), "max_charge_w": step.max_charge_w}
            for step in body.taper
        ]
    budget = budget_left_wh(tx, vehicle, now, leave_out)
    if budget is not None:
        request["budget_left_wh"] = budget
    return request


def charging_entry(promise: Recharge) -> Json:
    """Return what a guaranteed recharge promises at any time: its latest possible stretch.

    All of ``energy_wh`` by ``by`` at no more than ``max_w`` only binds the park to charge in the
    last ``energy / max_w`` before ``by``; earlier charging is a gift, not a promise.
    """
    stretch = timedelta(seconds=promise.energy_wh * 3600 // promise.max_w)
    start = max(promise.start_at, promise.by - stretch)
    return {
        "start_at": instant_text(start),
        "end_at": instant_text(promise.by),
        "max_w": promise.max_w,
        "price_per_kwh": str(promise.price_per_kwh),
    }


def _fixed(tx: Tx, vehicle: VehicleRecord, leave_out: str | None) -> list[Json]:
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


def tariff_entries(
    tariff: Tariff, vehicle: VehicleRecord, now: datetime, until: datetime
) -> list[Json]:
    """Return the daily bands as instants from before ``now`` to ``until``, in time order."""
    first = now.astimezone(vehicle.zone).date() - timedelta(days=1)
    last = until.astimezone(vehicle.zone).date()
    entries: dict[datetime, str] = {}
    for ahead in range((last - first).days + 1):
        day = first + timedelta(days=ahead)
        for band in tariff.bands:
            local = datetime.combine(day, band.start, tzinfo=vehicle.zone)
            entries[local.astimezone(now.tzinfo)] = str(band.price_per_kwh)
    ordered = sorted(entries.items())
    earlier = [item for item in ordered if item[0] <= now]
    kept = ordered[max(0, len(earlier) - 1) :]
    return [{"start_at": instant_text(at), "price_per_kwh": text} for at, text in kept]


def evaluation_view(vehicle: VehicleRecord, judged: Judgement, terms: Terms, now: datetime) -> Json:
    """Return what the owner sees of a judgement: every figure, the reason and the nearest yes."""
    answer: Mapping[str, Any] = judged.answer or {}
    capacity = vehicle.body.usable_capacity_wh
    soc = judged.soc_pct
    after = None
    if soc is not None and judged.energy_wh:
        drop = Decimal(judged.energy_wh) / vehicle.body.discharge_efficiency / capacity * 100
        after = round(float(soc - drop), 1)
    departure = judged.departure
    kept = (
        "verdict",
        "fits",
        "break_even_price_per_kwh",
        "net_minor",
        "breakdown",
        "soc_at_departure_pct",
        "soc_lowest_pct",
        "counter",
        "plan",
    )
    return {
        **{key: answer.get(key) for key in kept},
        "verdict": answer.get("verdict", "decline"),
        "evaluated_at": instant_text(now),
        "max_energy_wh": answer.get("max_energy_wh", 0),
        "quoted_energy_wh": judged.energy_wh or None,
        "soc_now_pct": None if soc is None else float(soc),
        "soc_after_pct": after,
        "soc_floor_pct": float(vehicle.preferences.soc_floor_pct),
        "soc_min_departure_pct": None
        if departure is None
        else float(departure.soc_min_departure_pct),
        "departure_at": None if departure is None else instant_text(departure.departure_at),
        "reason": judged.reason,
        "nearest": answer.get("nearest", []),
        "lease_s": terms.lease_s,
    }
