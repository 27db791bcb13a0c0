"""What is logged: every event that matters to a side becomes an entry, in its transaction.

Each side has entries of its own, so that each can be given a receipt and neither reads what only
the other may know. What the books gained stands in entries of nobody's: they outlive an erasure.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from owner_api.core.canonical import canonical_document, encoded, plain_document
from owner_api.core.ledger import Posting
from owner_api.core.model import Decision
from owner_api.core.same import OfTheSame
from owner_api.store.documents import Fragment, embed, from_json
from owner_api.store.tx import Tx

from . import leaves, park_views
from .edge import Json
from .records import CommitmentRecord, OfferRecord, Row, VehicleRecord
from .reward_views import amounts

HOW_TO_STOP: Final = (
    "Stop at any time, without a reason: press stop, POST /v1/stops, or unplug the car. "
    "What was delivered until then is paid."
)
HOW_TO_WITHDRAW: Final = (
    "Withdraw at any time, without a reason: POST /v1/agreements/{agreement_id}/withdrawal. "
    "No further offers come, and what is scheduled or running is stopped."
)
# What a deal does that is no news to a court: how far it is, and that it was settled (which has
# entries of its own).
_UNLOGGED: Final = frozenset({"commitment.progress", "commitment.instructed", "commitment.settled"})
_LIMITS: Final = (
    "soc_floor_pct",
    "soc_ceiling_pct",
    "soc_min_departure_pct",
    "min_price_per_kwh",
    "max_discharge_wh_per_event",
    "max_discharge_wh_per_day",
    "max_discharge_wh_per_week",
    "max_discharge_events_per_day",
    "departure_buffer_s",
    "consent_mode",
)
_JUDGED: Final = (
    "evaluated_at",
    "max_energy_wh",
    "break_even_price_per_kwh",
    "net_minor",
    "breakdown",
    "soc_now_pct",
    "soc_at_departure_pct",
    "departure_at",
)


def decision(
    tx: Tx, made: Decision, offer: OfferRecord, vehicle: VehicleRecord, evaluation: str | None
) -> int:
    """Log what the owner said, to which exact terms, within which limits, and how to take it back.

    ``evaluation`` is what the owner saw of the judgement. Returns the entry's position.
    The park's entry follows with the deal, if there is one; a no is no business of the park's log.
    """
    body = {
        **plain_document(made),
        "park_id": offer.park_id,
        "vehicle_id": vehicle.vehicle_id,
        "session_id": offer.session_id,
        "purpose": offer.purpose,
        "terms": embed(canonical_document(offer.terms)),
        "limits": _limits(vehicle),
        "judged": _UNJUDGED if evaluation is None else judged(evaluation),
        # The owner's own, in which the figures and the limits are: a park may pay in points.
        "currency": vehicle.currency,
        "how_to_withdraw": HOW_TO_STOP,
    }
    return leaves.append_exact(
        tx,
        "decision",
        made.decided_at,
        body,
        party_id=vehicle.owner_id,
        subject_id=made.decision_id,
    )


def judged_as(evaluation: Json) -> Fragment:
    """Return what an entry holds of a judgement that its owner sees."""
    return embed(encoded(leaves.exact({name: evaluation.get(name) for name in _JUDGED})))


@OfTheSame
def judged(evaluation: str) -> Fragment:
    """Return what an entry holds of a judgement that is kept beside its offer."""
    return judged_as(from_json(evaluation))


_UNJUDGED: Final = judged_as({})


@OfTheSame
def _limits(vehicle: VehicleRecord) -> Fragment:
    """Return the owner's limits as they stand in an entry; they rarely change."""
    limits = {name: getattr(vehicle.preferences, name) for name in _LIMITS}
    return embed(encoded(leaves.exact(limits | {"max_discharge_w": vehicle.body.max_discharge_w})))


def limits_confirmed(
    tx: Tx,
    vehicle: VehicleRecord,
    restored_at: datetime,
    device_id: str | None,
    actor: Json,
    now: datetime,
) -> None:
    """Log that a person let the limits of a backup speak again, and which they were."""
    body = {
        "vehicle_id": vehicle.vehicle_id,
        "preferences_revision": vehicle.preferences_revision,
        "restored_at": restored_at,
        "confirmed_at": now,
        "limits": _limits(vehicle),
        "device_id": device_id,
        "actor": actor,
    }
    about = vehicle.vehicle_id
    leaves.append(
        tx, "preferences.confirmed", now, body, party_id=vehicle.owner_id, subject_id=about
    )


def commitment(tx: Tx, deal: CommitmentRecord, kind: str, now: datetime) -> None:
    """Log a step of a deal for its owner and for its park."""
    if kind in _UNLOGGED:
        return
    shown = park_views.commitment_view(deal) | {"terms_sha256": deal.terms_sha256}
    owned = shown | {
        "park_id": deal.park_id,
        "vehicle_id": deal.vehicle_id,
        "state_reason": deal.state_reason,
        "consented_energy_wh": deal.consented_energy_wh,
        "begin_register_wh": deal.begin_register_wh,
        "last_register_wh": deal.last_register_wh,
        "started_at": deal.started_at,
        "ended_at": deal.ended_at,
        "how_to_withdraw": HOW_TO_STOP,
    }
    about = deal.commitment_id
    leaves.append(tx, kind, now, owned, party_id=deal.owner_id, subject_id=about)
    leaves.append(tx, kind, now, shown, party_id=deal.park_id, subject_id=about)


def stop(tx: Tx, owner_id: str, stop_id: str, commitment_ids: Iterable[str], now: datetime) -> int:
    """Log that the owner said stop, also when nothing was running; return the entry's position."""
    body = {"stop_id": stop_id, "requested_at": now, "commitment_ids": list(commitment_ids)}
    return leaves.append(tx, "stop", now, body, party_id=owner_id, subject_id=stop_id)


def agreement(tx: Tx, agreement_id: str, now: datetime) -> None:
    """Log that an owner joined or left a park; the park knows pseudonyms only."""
    row = tx.one("SELECT * FROM agreement WHERE agreement_id = ?", agreement_id)
    assert row is not None
    members = tx.all(
        "SELECT vehicle_id, member_ref FROM member WHERE agreement_id = ? ORDER BY member_ref",
        agreement_id,
    )
    refs = [member["member_ref"] for member in members]
    kind = f"agreement.{row['state']}"
    # Both sides pin the key that will sign what follows.
    key = tx.one("SELECT key_id, x FROM ledger_key ORDER BY position DESC LIMIT 1")
    shown = {name: row[name] for name in ("state", "terms_version", "terms_sha256")}
    shown["log_key"] = key
    owned = shown | {
        "agreement_id": row["agreement_id"],
        "park_id": row["park_id"],
        "vehicle_ids": [member["vehicle_id"] for member in members],
        "how_to_withdraw": HOW_TO_WITHDRAW,
    }
    leaves.append(tx, kind, now, owned, party_id=row["owner_id"], subject_id=row["agreement_id"])
    for_park = shown | {"member_refs": refs}
    leaves.append(
        tx, kind, now, for_park, party_id=row["park_id"], subject_id=refs[0] if refs else None
    )


def settlement(tx: Tx, row: Row, now: datetime) -> None:
    """Log a settlement's step; the owner's entry holds all that its figures were computed from."""
    kind, about = f"settlement.{row['state']}", row["settlement_id"]
    deal = CommitmentRecord.find(tx, row["commitment_id"])
    shown = park_views.settlement_view(tx, row) | {
        "reward_terms": deal.terms.reward,
        "requested_energy_wh": deal.terms.requested_energy_wh,
        "terms_sha256": deal.terms_sha256,
    }
    owned = shown | {
        "park_id": row["park_id"],
        "stop_reason": row["stop_reason"],
        "reason": row["reason"],
        "dispute": from_json(row["dispute"]) if row["dispute"] else None,
        "breakdown": from_json(row["breakdown"]),
        "quote_request": from_json(deal.quote_request),
    }
    if is_here(tx, row["owner_id"]):
        leaves.append(tx, kind, now, owned, party_id=row["owner_id"], subject_id=about)
    leaves.append(tx, kind, now, shown, party_id=row["park_id"], subject_id=about)


def is_here(tx: Tx, owner_id: str) -> bool:
    """Return whether the owner was not erased: a park may pay or correct after that."""
    row = tx.by_key("owner", owner_id)
    return row is not None and row["erased_at"] is None


def reward(
    tx: Tx, row: Row, kind: str, txn_id: str, postings: Iterable[tuple[str, Posting]], now: datetime
) -> None:
    """Log a step of a reward for both sides, and the books' transaction for nobody."""
    names = ("reward_id", "settlement_id", "part", "payer", "kind", "currency", "reference")
    shown = {name: row[name] for name in names} | amounts(row) | {"step": kind, "txn_id": txn_id}
    name, about = f"reward.{kind}", row["reward_id"]
    if is_here(tx, row["owner_id"]):
        leaves.append(tx, name, now, shown, party_id=row["owner_id"], subject_id=about)
    leaves.append(tx, name, now, shown, party_id=row["park_id"], subject_id=about)
    books = {
        "txn_id": txn_id,
        "kind": kind,
        "settlement_id": row["settlement_id"],
        "reward_id": row["reward_id"],
        "postings": [
            {
                "posting_id": posting_id,
                "account": posting.account,
                "amount_minor": posting.amount_minor,
                "currency": posting.currency,
            }
            for posting_id, posting in postings
        ],
    }
    leaves.append(tx, "books", now, books, subject_id=txn_id)


def erase(tx: Tx, party_id: str, now: datetime, limit: int) -> int:
    """Empty some of a party's entries and take their receipts; return how many.

    Leaves, sums and proofs stay as they are. What remains: kinds and instants without a name,
    salted digests nobody can open any more, and the books under account names that lead to nobody.
    """
    # Each entry of a party has a receipt, and what was erased before has none any more.
    rows = tx.all(
        "SELECT position FROM receipt WHERE party_id = ? ORDER BY position LIMIT ?", party_id, limit
    )
    positions = [row["position"] for row in rows]
    if positions:
        erased_in = leaves.append(tx, "erasure", now, {"positions": positions})
        tx.run(
            "UPDATE ledger_entry SET party_id = NULL, salt = NULL, content = NULL, erased_in = ?"
            " WHERE position IN"
            " (SELECT position FROM receipt WHERE party_id = ? AND position <= ?)",
            erased_in,
            party_id,
            positions[-1],
        )
        tx.run("DELETE FROM receipt WHERE party_id = ? AND position <= ?", party_id, positions[-1])
        # What this batch remembers of the party's leaves names receipts that are gone.
        leaves.forget(tx)
    return len(positions)
