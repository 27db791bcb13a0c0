"""What the owner tightens holds at once: live deals are judged again and revoked if they fail."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from owner_api.core.machine import CommitmentState
from owner_api.core.model import ConsentMode
from owner_api.store.tx import Tx

from . import deals, evaluations
from .evaluate import judge
from .records import CommitmentRecord, SessionRecord, VehicleRecord

# A change this small (percent of the battery) is a reading's noise: give less, do not revoke.
_NOISE_PCT: Final = Decimal(2)
# A deal is not revoked because its car has been quiet; starting it needs a fresh reading anyway.
_ANY_AGE_S: Final = 30 * 86_400


def vehicle(tx: Tx, vehicle_id: str, now: datetime, reason: str) -> None:
    """Judge every live deal of a vehicle again; what no longer holds is revoked for ``reason``.

    In turn, each beside those before it: of two that hold only apart the first one stays.
    A deal whose window is over gives nothing any more: its end is the next tick's to name.
    """
    live = CommitmentRecord.live_of_vehicle(tx, vehicle_id)
    for deal in sorted(live, key=lambda each: each.turn):
        if now >= deal.end_at:
            continue
        left = energy_left(tx, deal, now, waits=deal.state is not CommitmentState.ACTIVE)
        wanted = deal.energy_limit_wh - deal.delivered_wh
        if left is None:
            deals.end(tx, deal, CommitmentState.REVOKED, reason, now)
            continue
        record = VehicleRecord.find(tx, vehicle_id)
        noise = int(_NOISE_PCT * record.body.usable_capacity_wh / 100)
        if left <= 0 < wanted or left < wanted - noise:
            # A small deal of which nothing holds is no smaller deal: it is over.
            deals.end(tx, deal, CommitmentState.REVOKED, reason, now)
        elif left < wanted:
            limit(tx, deal, left)
    evaluations.refresh(tx, vehicle_id, now)


def energy_left(
    tx: Tx, deal: CommitmentRecord, now: datetime, *, waits: bool = False
) -> int | None:
    """Return what the deal may still give (Wh, at most what is left of it), None when nothing may.

    The owner's word once given stands when only the way of asking changes, so the consent mode
    is not asked again; everything else is. How warm the pack is says nothing of a deal that
    ``waits`` for its hour: it is asked again when that begins.
    """
    record = VehicleRecord.find(tx, deal.vehicle_id)
    preferences = replace(record.preferences, consent_mode=ConsentMode.ASK)
    live = replace(record.live, pack_temperature_c=None) if waits else record.live
    record = replace(record, preferences=preferences, live=live)
    session = SessionRecord.find(tx, deal.session_id)
    wanted = deal.energy_limit_wh - deal.delivered_wh
    if wanted <= 0:
        return 0
    terms = replace(
        deal.terms, requested_energy_wh=wanted, min_energy_wh=0, start_at=max(now, deal.start_at)
    )
    if terms.start_at >= terms.end_at:
        return 0
    judged = judge(tx, record, session, terms, now, max_age_s=_ANY_AGE_S, leave_out=deal)
    if judged.answer is None:
        return None
    return min(wanted, int(judged.answer["max_energy_wh"]))


def limit(tx: Tx, deal: CommitmentRecord, left_wh: int) -> None:
    """Lower what a deal may give in all; it never rises again."""
    wanted = min(deal.energy_limit_wh, deal.delivered_wh + left_wh)
    tx.update("commitment", {"commitment_id": deal.commitment_id}, energy_limit_wh=wanted)


def park_left(tx: Tx, vehicle_id: str, park_id: str, now: datetime) -> None:
    """Revoke a vehicle's live deals with a park whose agreement is withdrawn, and its offers."""
    for deal in CommitmentRecord.live_of_vehicle(tx, vehicle_id):
        if deal.park_id == park_id:
            deals.end(tx, deal, CommitmentState.REVOKED, "agreement", now)
    # By the car, whose others there are ever more of; and those that the next tick would end.
    rows = tx.all(
        "SELECT session_id FROM offer WHERE vehicle_id = ?1 AND park_id = ?2"
        " AND respond_by > ?3 AND state IN ('presented', 'countered')"
        " UNION SELECT session_id FROM offer INDEXED BY offer_due WHERE respond_by <= ?3"
        " AND state IN ('presented', 'countered') AND vehicle_id = ?1 AND park_id = ?2",
        vehicle_id,
        park_id,
        now,
    )
    for row in rows:
        deals.close_offers(tx, row["session_id"], now)
