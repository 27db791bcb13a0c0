"""What an owner sees of parks: sessions, agreements, offers, deals and settlements."""

from datetime import datetime
from typing import Final

from owner_api.core.canonical import instant_text, plain_document
from owner_api.core.machine import CommitmentState
from owner_api.core.settlement import measure, priced, total
from owner_api.store.documents import embed, from_json
from owner_api.store.tx import Tx

from .edge import Json, instant, view, view_json
from .measured import STOP_TAKES, runs_on
from .quoting import current_soc
from .records import CommitmentRecord, OfferRecord, Row, SessionRecord, VehicleRecord
from .reward_views import reward_views

LIVE: Final = "('pending_award', 'scheduled', 'active')"

# What an answer says of its offer, which stands beside it.
_OF_THE_OFFER: Final = frozenset(("offer_id", "terms_sha256"))


def park_name(tx: Tx, park_id: str) -> Json:
    """Return a park's id and name."""
    row = tx.by_key("park", park_id)
    return {"park_id": park_id, "display_name": row["display_name"] if row else ""}


def session_view(tx: Tx, session: SessionRecord) -> Json:
    """Return one plug-in session of the owner's vehicle; of several recharges the next one due."""
    recharge = session.owed.next or session.recharge
    return {
        "session_id": session.session_id,
        "park": park_name(tx, session.park_id),
        "evse_id": session.evse_id,
        "vehicle_id": session.vehicle_id,
        "state": session.state,
        "meter": session.meter,
        "plugged_in_at": instant_text(session.plugged_in_at),
        "unplugged_at": None
        if session.unplugged_at is None
        else instant_text(session.unplugged_at),
        "recharge": None if recharge is None else view(recharge),
        "recharge_broken": session.recharge_broken_at is not None,
    }


def broken_promise(tx: Tx, owner_id: str, park_id: str) -> bool:
    """Return whether the park broke a recharge promise under the agreement in force."""
    row = tx.one(
        "SELECT 1 AS found FROM session JOIN agreement a"
        " ON a.owner_id = session.owner_id AND a.park_id = session.park_id"
        " WHERE session.owner_id = ? AND session.park_id = ? AND a.state = 'active'"
        # Agreeing anew gives another chance, also where the plug stays in.
        " AND recharge_broken_at IS NOT NULL AND recharge_broken_at >= a.created_at LIMIT 1",
        owner_id,
        park_id,
    )
    return row is not None


def agreement_view(tx: Tx, row: Row) -> Json:
    """Return a standing agreement with a park."""
    members = tx.all(
        "SELECT vehicle_id FROM member WHERE agreement_id = ? ORDER BY vehicle_id",
        row["agreement_id"],
    )
    return {
        "agreement_id": row["agreement_id"],
        "park": park_name(tx, row["park_id"]),
        "terms_version": row["terms_version"],
        "terms_sha256": row["terms_sha256"],
        "state": row["state"],
        "vehicle_ids": [member["vehicle_id"] for member in members],
        "created_at": instant(row["created_at"]),
        "withdrawn_at": instant(row["withdrawn_at"]),
        "recharge_broken": row["state"] == "active"
        and broken_promise(tx, row["owner_id"], row["park_id"]),
    }


def offer_view(tx: Tx, offer: OfferRecord) -> Json:
    """Return an offer with its evaluation and the owner's answer."""
    session = tx.by_key("session", offer.session_id)
    assert session is not None
    return {
        "offer_id": offer.offer_id,
        "revision": offer.revision,
        "park": park_name(tx, offer.park_id),
        "vehicle_id": offer.vehicle_id,
        "session_id": offer.session_id,
        "evse_id": session["evse_id"],
        "purpose": offer.purpose,
        "state": offer.state.value,
        "state_reason": offer.state_reason,
        "issued_at": instant_text(offer.issued_at),
        "respond_by": instant_text(offer.respond_by),
        "terms": view_json(offer.terms),
        "terms_sha256": offer.terms_sha256,
        "evaluation": None if offer.evaluation_json is None else embed(offer.evaluation_json),
        "decision": decision_view(offer),
        "commitment_id": offer.commitment_id,
    }


def decision_view(offer: OfferRecord) -> Json | None:
    """Return the owner's answer to an offer, None while there is none."""
    if offer.decision is None:
        return None
    said = plain_document(offer.decision)
    return {name: value for name, value in said.items() if name not in _OF_THE_OFFER}


def commitment_view(tx: Tx, deal: CommitmentRecord, now: datetime) -> Json:
    """Return a deal, live: delivered so far, earned so far, and how a stop stands."""
    offer = OfferRecord.find(tx, deal.offer_id)
    session = SessionRecord.find(tx, deal.session_id)
    vehicle = VehicleRecord.kept(tx, deal.vehicle_id)
    return deal_view(tx, deal, now, offer=offer, session=session, vehicle=vehicle)


def deal_view(
    tx: Tx,
    deal: CommitmentRecord,
    now: datetime,
    *,
    offer: OfferRecord,
    session: SessionRecord,
    vehicle: VehicleRecord | None,
) -> Json:
    """Return a deal beside the records it belongs to."""
    soc = current_soc(vehicle, session) if vehicle else None
    reward, stop = deal.terms.reward, deal.stop
    unplug = False
    if stop is not None and stop.stopped_at is None and deal.settlement_id is None:
        doubt = stop.confirmed_at is None or runs_on(session, stop.requested_at)
        unplug = doubt and now - stop.requested_at >= STOP_TAKES
    settlement = None
    if deal.settlement_id is not None:
        settlement = tx.one("SELECT * FROM settlement WHERE settlement_id = ?", deal.settlement_id)
    return {
        "commitment_id": deal.commitment_id,
        "offer_id": deal.offer_id,
        "park": park_name(tx, deal.park_id),
        "vehicle_id": deal.vehicle_id,
        "session_id": deal.session_id,
        "evse_id": session.evse_id,
        "state": deal.state.value,
        "state_reason": deal.state_reason,
        "committed_energy_wh": deal.committed_energy_wh,
        "max_discharge_w": deal.terms.max_discharge_w,
        "start_at": instant_text(deal.start_at),
        "end_at": instant_text(deal.end_at),
        "ended_at": None if deal.ended_at is None else instant_text(deal.ended_at),
        "award_by": instant_text(deal.award_by),
        "lease_until": None if deal.lease_until is None else instant_text(deal.lease_until),
        "power_setpoint_w": deal.setpoint_w if deal.state is CommitmentState.ACTIVE else None,
        "delivered_wh": deal.delivered_wh,
        "power_w": session.live.newest_power_w,
        "soc_pct": None if soc is None else float(soc),
        "soc_floor_pct": float(deal.soc_floor_pct),
        "earned_minor": _earned_minor(deal) if settlement is None else settlement["net_minor"],
        "currency": reward.currency,
        "price_per_kwh": reward.price_per_kwh,
        "stop": None if stop is None else view(stop),
        "unplug_hint": unplug,
        "settlement": settlement_view(tx, settlement) if settlement else None,
        "decision": decision_view(offer),
    }


def _earned_minor(deal: CommitmentRecord) -> int:
    """Return what a deal would be worth if it were settled now (minor units)."""
    if not deal.delivered_wh:
        return 0
    delivery = measure(
        ordered_wh=deal.committed_energy_wh,
        begin_register_wh=deal.begin_register_wh or 0,
        end_register_wh=deal.last_register_wh or 0,
    )
    requested = deal.terms.requested_energy_wh
    return total(priced(delivery, part, requested) for part in deal.terms.reward.head).net_minor


_SETTLED: Final = (
    "settlement_id",
    "version",
    "commitment_id",
    "state",
    "baseline_wh",
    "ordered_wh",
    "actual_wh",
    "delivered_wh",
    "deficiency_wh",
    "price_per_kwh",
    "gross_minor",
    "fixed_minor",
    "penalty_minor",
    "net_minor",
    "currency",
    "basis",
    "source",
    "quality",
    "begin_register_wh",
    "end_register_wh",
)


def settlement_figures(tx: Tx, row: Row) -> Json:
    """Return the figures of a settlement that both sides may see."""
    return {
        **{key: row[key] for key in _SETTLED},
        "readings": from_json(row["readings"]),
        "dispute_until": instant(row["dispute_until"]),
        "supersedes": row["supersedes"],
        **reward_views(tx, row),
    }


def settlement_view(tx: Tx, row: Row) -> Json:
    """Return a settlement with the owner's own economics beside what the park owes."""
    return {
        **settlement_figures(tx, row),
        "stop_reason": row["stop_reason"],
        "reason": row["reason"],
        "breakdown": from_json(row["breakdown"]),
        "created_at": instant(row["created_at"]),
        "owner_confirmed_at": instant(row["owner_confirmed_at"]),
        "park_confirmed_at": instant(row["park_confirmed_at"]),
    }
