"""What stands before any quote: the owner's word, the warranty, the reading, the budgets."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from owner_api.core.machine import LIVE_COMMITMENTS
from owner_api.core.model import ConsentMode, Terms, WarrantyPolicy
from owner_api.core.soc import too_old
from owner_api.planning.check import MAX_ENERGY_WH
from owner_api.store.times import encode
from owner_api.store.tx import Tx

from .edge import Json
from .records import CommitmentRecord, SessionRecord, VehicleRecord

PACK_TEMPERATURE_C: Final = (Decimal(0), Decimal(45))
# Added to a local midnight this is the next local midnight, whatever the clocks do between.
_DAY: Final = timedelta(days=1)
# By the index of the few that are not settled: of a car's others there are ever more.
_UNSETTLED: Final = (
    "SELECT * FROM commitment INDEXED BY commitment_unsettled WHERE vehicle_id = ?"
    " AND settlement_id IS NULL AND ended_at IS NOT NULL AND started_at IS NOT NULL"
)


def blocked(code: str, limit: Any = None, available: Any = None, unit: str | None = None) -> Json:  # noqa: ANN401 - numbers, texts or nothing
    """Return a reason that stands before any quote."""
    return {"code": code, "limit": limit, "needed": limit, "available": available, "unit": unit}


def refused(vehicle: VehicleRecord) -> Json | None:
    """Return which word of the owner's refuses every offer, whatever its terms."""
    preferences = vehicle.preferences
    if not preferences.discharge_allowed:
        return blocked("discharge_not_allowed")
    never = preferences.consent_mode is ConsentMode.NEVER
    return blocked("consent_never") if never else None


def forbidden(vehicle: VehicleRecord, session: SessionRecord) -> Json | None:
    """Return what the owner, the warranty or the plug forbids outright, the first one first."""
    if vehicle.body.warranty_discharge_policy is WarrantyPolicy.PROHIBITED:
        return blocked("warranty", "prohibited")
    if reason := refused(vehicle):
        return reason
    cap = vehicle.body.lifetime_discharge_cap_wh
    foreign = session.state != "bound" or session.vehicle_id != vehicle.vehicle_id
    checks = (
        (foreign, blocked("unbound_session")),
        (vehicle.live.plugged_in is False, blocked("not_plugged_in")),
        (warranty_left_wh(vehicle) == 0, blocked("warranty", cap, 0, "Wh")),
    )
    return next((reason for holds, reason in checks if holds), None)


def warranty_left_wh(vehicle: VehicleRecord, reserved_wh: int = 0) -> int | None:
    """Return what the warranty allows yet (Wh) beside what is reserved; None without a limit.

    A cap that nobody has stated allows nothing: of what is left, nobody can say that there is any.
    """
    match vehicle.body.warranty_discharge_policy:
        case WarrantyPolicy.PROHIBITED:
            return 0
        case WarrantyPolicy.CAPPED:
            cap = vehicle.body.lifetime_discharge_cap_wh or 0
            live = vehicle.live
            return max(0, cap - live.discharged_wh - live.unseen_wh - reserved_wh)
        case _:
            return None


def unsettled_wh(tx: Tx, vehicle: VehicleRecord) -> int:
    """Return what may have left unseen (Wh) for deals that wait for their meter's last word.

    Only a warranty's limit asks for it.
    """
    if vehicle.body.warranty_discharge_policy is not WarrantyPolicy.CAPPED:
        return 0
    deals = map(CommitmentRecord.from_row, tx.all(_UNSETTLED, vehicle.vehicle_id))
    return sum(deal.unseen_wh for deal in deals)


def agreement_missing(tx: Tx, vehicle: VehicleRecord, session: SessionRecord) -> Json | None:
    """Return a block unless the owner's agreement with this park covers the vehicle."""
    agreed = session.park_id in parks_agreed(tx, vehicle.vehicle_id)
    return None if agreed else blocked("agreement_missing")


def parks_agreed(tx: Tx, vehicle_id: str) -> frozenset[str]:
    """Return the parks that the owner has an agreement with for the vehicle."""
    if (known := tx.recall("member", vehicle_id)) is not None:
        parks: frozenset[str] = known
        return parks
    rows = tx.all(
        "SELECT member.park_id FROM member JOIN agreement USING (agreement_id)"
        " WHERE member.vehicle_id = ? AND agreement.state = 'active'",
        vehicle_id,
    )
    found = frozenset(row["park_id"] for row in rows)
    tx.remember("member", vehicle_id, found)
    return found


def terms_unwanted(vehicle: VehicleRecord, terms: Terms) -> Json | None:
    """Return a block for a currency or reward kind the owner does not take."""
    accepted = vehicle.preferences.accepted_reward_kinds
    for part in terms.reward.shares:
        if part.kind not in accepted:
            return blocked("reward_kind", ",".join(accepted))
        if part.kind == "cash" and part.currency != vehicle.currency:
            return blocked("currency", vehicle.currency, part.currency)
    return None


def battery_unfit(
    vehicle: VehicleRecord, soc: Decimal | None, now: datetime, max_age_s: int
) -> Json | None:
    """Promise 3: return a block when the state of charge is unknown or old, or the pack unfit."""
    live = vehicle.live
    if soc is None or live.soc_measured_at is None:
        return blocked("soc_unknown")
    if too_old(live.soc_measured_at, now, timedelta(seconds=max_age_s)):
        age_s = int((now - live.soc_measured_at).total_seconds())
        return blocked("soc_stale", max_age_s, age_s, "s")
    low, high = PACK_TEMPERATURE_C
    pack = live.pack_temperature_c
    if pack is not None and not low <= pack <= high:
        return blocked("temperature", f"{low}-{high}", float(pack), "°C")
    return None


def used_up(
    tx: Tx,
    vehicle: VehicleRecord,
    terms: Terms,
    now: datetime,
    leave_out: CommitmentRecord | None,
) -> Json | None:
    """Return a block when the day's events are used up or the battery has not rested enough."""
    start_at = max(now, terms.start_at)
    rest = timedelta(seconds=vehicle.preferences.cooldown_s)
    if rest:
        near = tx.all(
            "SELECT * FROM commitment WHERE vehicle_id = ?1"
            " AND (state IN ('pending_award', 'scheduled', 'active') OR started_at IS NOT NULL)"
            # Nothing flows after a window, however late its end was noticed.
            " AND start_at < ?2 AND min(COALESCE(ended_at, end_at), end_at) > ?3 AND end_at > ?3",
            vehicle.vehicle_id,
            terms.end_at + rest,
            start_at - rest,
        )
        if any(_stands_before(CommitmentRecord.from_row(row), leave_out) for row in near):
            return blocked("cooldown", vehicle.preferences.cooldown_s, None, "s")
    limit = vehicle.preferences.max_discharge_events_per_day
    if limit is None:
        return None
    day = _day_start(vehicle, start_at if leave_out is None else leave_out.counts_at)
    counted = _counted(tx, vehicle, day, day + _DAY)
    count = sum(_stands_before(deal, leave_out) for deal, _ in counted)
    return blocked("budget", limit, 0, "events") if count >= limit else None


def _stands_before(deal: CommitmentRecord, again: CommitmentRecord | None) -> bool:
    """Return whether a deal is counted against a new one, or one that is judged ``again``.

    Of several live ones each is held against those before it, or all would fall for the last.
    """
    if again is None:
        return True
    if deal.commitment_id == again.commitment_id:
        return False
    return deal.state not in LIVE_COMMITMENTS or deal.turn < again.turn


def _day_start(vehicle: VehicleRecord, at: datetime) -> datetime:
    """Return the midnight before ``at`` on the owner's clock, in the owner's zone.

    Where autumn repeats the hour after it, the day begins the first time.
    """
    local = at.astimezone(vehicle.zone)
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _counted(
    tx: Tx, vehicle: VehicleRecord, since: datetime, until: datetime
) -> list[tuple[CommitmentRecord, int]]:
    """Return (deal, Wh) of a span: reserved at accept, counted as delivered once ended.

    What no reading has shown yet counts too: a car may be elsewhere before it does.
    """
    rows = tx.all(
        # No deal begins, nor is agreed to, when its window is over.
        "SELECT * FROM commitment WHERE vehicle_id = ?1 AND end_at > ?2"
        " AND max(start_at, decided_at) >= ?2 AND max(start_at, decided_at) < ?3"
        " AND state NOT IN ('lapsed', 'cancelled', 'missed')",
        vehicle.vehicle_id,
        encode(since),
        encode(until),
    )
    found = []
    for row in rows:
        deal = CommitmentRecord.from_row(row)
        live = deal.state in LIVE_COMMITMENTS
        if live or deal.started_at is not None:
            found.append((deal, deal.committed_energy_wh if live else _may_have_left_wh(tx, deal)))
    return found


def _may_have_left_wh(tx: Tx, deal: CommitmentRecord) -> int:
    """Return the energy (Wh) that left by an ended deal, by its meter's first word after it.

    Without one, what may have left counts, also of a deal that was settled without it.
    """
    most_wh = deal.may_have_left_wh
    if deal.settlement_id is None or most_wh == deal.given_wh:
        return most_wh
    row = tx.one(
        "SELECT export_register_wh AS wh FROM reading WHERE session_id = ? AND measured_at >= ?"
        " AND quality NOT IN ('missing', 'bad') ORDER BY measured_at LIMIT 1",
        deal.session_id,
        deal.lease_until,
    )
    if row is None or row["wh"] < (deal.last_register_wh or 0):
        return most_wh
    # A meter that was changed for one that begins higher says nothing of so much.
    told_wh = int(row["wh"]) - (deal.begin_register_wh or 0)
    return min(max(deal.committed_energy_wh, most_wh), told_wh)


def _used_wh(
    tx: Tx,
    vehicle: VehicleRecord,
    since: datetime,
    until: datetime,
    leave_out: CommitmentRecord | None,
) -> int:
    """Return the energy (Wh) of a span's deals; what one that is judged again gave stays used."""
    found = _counted(tx, vehicle, since, until)
    given = sum(
        deal.delivered_wh
        for deal, _ in found
        if leave_out is not None and deal.commitment_id == leave_out.commitment_id
    )
    return given + sum(energy for deal, energy in found if _stands_before(deal, leave_out))


def budget_left_wh(
    tx: Tx, vehicle: VehicleRecord, at: datetime, leave_out: CommitmentRecord | None = None
) -> int | None:
    """Return the energy (Wh) the owner's budgets allow on the local day and week of ``at``.

    None means that there is no budget. A deal that is judged again, ``leave_out``, is held against
    the day and week that it counts in, less what it has given.
    """
    preferences, left = vehicle.preferences, []
    given = 0 if leave_out is None else leave_out.delivered_wh
    if preferences.max_discharge_wh_per_event is not None:
        left.append(max(0, preferences.max_discharge_wh_per_event - given))
    day = _day_start(vehicle, at if leave_out is None else leave_out.counts_at)
    monday = day - day.weekday() * _DAY
    spans = (
        (preferences.max_discharge_wh_per_day, day, day + _DAY),
        (preferences.max_discharge_wh_per_week, monday, monday + 7 * _DAY),
    )
    for limit, since, until in spans:
        if limit is not None:
            used = _used_wh(tx, vehicle, since, until, leave_out)
            left.append(max(0, limit - used))
    return min(*left, MAX_ENERGY_WH) if left else None
