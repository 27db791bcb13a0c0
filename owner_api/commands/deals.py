"""A deal's life: made by a yes, awarded by the park, ended by whoever is first."""

from dataclasses import replace
from datetime import datetime

from owner_api.calls import Call, Reply
from owner_api.core.machine import (
    ENDED_WITH_DELIVERY,
    Award,
    CommitmentCommand,
    CommitmentFacts,
    CommitmentState,
    End,
    Moved,
    OfferState,
    Rejection,
    decide_commitment,
)
from owner_api.core.model import StopMarks
from owner_api.problems import Problem, ProblemCode
from owner_api.store.documents import dump
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from . import announce, evaluations
from .owner_views import commitment_view
from .paging import read_page
from .park_views import commitment_view as park_commitment_view
from .records import CommitmentRecord, OfferRecord


def facts(deal: CommitmentRecord) -> CommitmentFacts:
    """Return what the commitment machine needs to know."""
    return CommitmentFacts(
        state=deal.state,
        terms_sha256=deal.terms_sha256,
        consented_energy_wh=deal.consented_energy_wh,
        min_energy_wh=min(deal.terms.min_energy_wh, deal.consented_energy_wh),
        award_by=deal.award_by,
        start_at=deal.start_at,
        end_at=deal.end_at,
    )


def decide(
    deal: CommitmentRecord, command: CommitmentCommand, now: datetime
) -> Moved[CommitmentState]:
    """Return the move; raise the rejection as a problem when nothing may change."""
    move = decide_commitment(facts(deal), command, now)
    if isinstance(move, Rejection):
        raise Problem(ProblemCode(move.code), move.detail)
    return move


def award(tx: Tx, call: Call) -> Reply:
    """Award a consent: the park orders energy under exactly the terms consented to."""
    deal = CommitmentRecord.find(tx, call.params["commitment_id"], park_id=call.principal.party_id)
    body = call.body
    same = deal.order_reference == body["order_reference"]
    same = same and deal.terms_sha256 == body["terms_sha256"]
    if same and deal.committed_energy_wh == body["committed_energy_wh"]:
        return Reply(body=park_commitment_view(deal))
    decide(deal, Award(body["terms_sha256"], body["committed_energy_wh"]), call.now)
    taken = tx.one(
        "SELECT 1 AS found FROM commitment WHERE park_id = ? AND order_reference = ?",
        deal.park_id,
        body["order_reference"],
    )
    if taken:
        raise Problem(ProblemCode.CONFLICT, "This order reference is already used.")
    tx.update(
        "commitment",
        {"commitment_id": deal.commitment_id},
        state=CommitmentState.SCHEDULED.value,
        order_reference=body["order_reference"],
        committed_energy_wh=body["committed_energy_wh"],
        # What was lowered since the yes never rises again.
        energy_limit_wh=min(deal.energy_limit_wh, body["committed_energy_wh"]),
    )
    changed = announce.commitment(tx, deal.commitment_id, call.now)
    announce.vehicle(tx, deal.vehicle_id, call.now)
    if changed.energy_limit_wh < deal.energy_limit_wh:
        leave_to_others(tx, deal, call.now)
    return Reply(body=park_commitment_view(changed))


def cancel(tx: Tx, call: Call) -> Reply:
    """Cancel or cut short by the park; what was delivered is paid."""
    deal = CommitmentRecord.find(tx, call.params["commitment_id"], park_id=call.principal.party_id)
    running = deal.state is CommitmentState.ACTIVE
    to = CommitmentState.CURTAILED if running else CommitmentState.CANCELLED
    decide(deal, End(to, "park"), call.now)
    finish(tx, deal, to, "park", call.now)
    return Reply(body=park_commitment_view(CommitmentRecord.find(tx, deal.commitment_id)))


def finish(
    tx: Tx,
    deal: CommitmentRecord,
    to: CommitmentState,
    reason: str,
    now: datetime,
) -> bool:
    """End a deal if it still lives; return whether this call was the one that ended it.

    The car's other open offers are judged again: what it had still to give is free for them.
    """
    ended = end(tx, deal, to, reason, now)
    if ended:
        leave_to_others(tx, deal, now)
    return ended


def leave_to_others(tx: Tx, deal: CommitmentRecord, now: datetime) -> None:
    """Judge the open offers of a car again one of whose deals has ended, or will give less."""
    evaluations.look_again(tx, deal.session_id, deal.vehicle_id, now)


def end(
    tx: Tx,
    deal: CommitmentRecord,
    to: CommitmentState,
    reason: str,
    now: datetime,
) -> bool:
    """End a deal as ``finish`` does, for who has several to end and then sees to the offers.

    From here on no lease is granted: a running discharge is asked to stop at once, and what the
    charger may still do ends with the lease it holds.
    """
    move = decide_commitment(facts(deal), End(to, reason), now)
    if isinstance(move, Rejection):
        return False
    running = deal.state is CommitmentState.ACTIVE
    stop = StopMarks(requested_at=now) if running else deal.stop
    tx.update(
        "commitment",
        {"commitment_id": deal.commitment_id},
        state=to.value,
        state_reason=reason,
        setpoint_w=0,
        ended_at=now,
        stop=dump(stop) if stop else None,
    )
    if running:
        announce.commitment(tx, deal.commitment_id, now, "stop.requested")
    announce.commitment(tx, deal.commitment_id, now)
    announce.vehicle(tx, deal.vehicle_id, now)
    return True


def mark_stop(tx: Tx, deal: CommitmentRecord, now: datetime, **marks: datetime) -> None:
    """Record that a stop was confirmed or that the power is gone, each once, and tell both."""
    if deal.stop is None:
        return
    wanted = replace(deal.stop, **marks)
    if wanted == deal.stop:
        return
    tx.update("commitment", {"commitment_id": deal.commitment_id}, stop=dump(wanted))
    kind = "stop.stopped" if "stopped_at" in marks else "stop.confirmed"
    announce.commitment(tx, deal.commitment_id, now, kind)


def confirm_stop(tx: Tx, call: Call) -> Reply:
    """Take the park's word that its charger got the stop; the meter must still show it."""
    deal = CommitmentRecord.find(tx, call.params["commitment_id"], park_id=call.principal.party_id)
    if deal.stop is None:
        raise Problem(ProblemCode.CONFLICT, "Nothing was asked to stop.")
    if deal.stop.confirmed_at is None:
        at = max(deal.stop.requested_at, min(call.body["confirmed_at"], call.now))
        mark_stop(tx, deal, call.now, confirmed_at=at)
    return Reply(body=park_commitment_view(CommitmentRecord.find(tx, deal.commitment_id)))


def close_offers(tx: Tx, session_id: str, now: datetime, reason: str = "session_ended") -> None:
    """Take back what is still open in a session that no longer has its vehicle."""
    rows = tx.all(
        "SELECT * FROM offer WHERE session_id = ? AND state IN ('presented', 'countered')",
        session_id,
    )
    for row in rows:
        withdrawn = OfferRecord.from_row(row).changed(
            tx, state=OfferState.WITHDRAWN.value, state_reason=reason, updated_at=now
        )
        announce.offer(tx, withdrawn, now)


def has_delivered(deal: CommitmentRecord) -> bool:
    """Return whether the deal ended after it began, so that there is something to settle."""
    return deal.state in ENDED_WITH_DELIVERY and deal.started_at is not None


def meter_free_at(tx: Tx, deal: CommitmentRecord) -> datetime | None:
    """Return since when its charger's meter counts for no other deal; None while it does.

    Promise 9: each Wh belongs to one deal, so the next one waits until the last is settled.
    """
    counted = CommitmentRecord.metered(tx, deal.session_id)
    if any(other.commitment_id != deal.commitment_id for other in counted):
        return None
    row = tx.one(
        "SELECT max(settlement.created_at) AS settled_at FROM commitment"
        " JOIN settlement USING (commitment_id)"
        " WHERE session_id = ? AND commitment_id != ? AND version = 1",
        deal.session_id,
        deal.commitment_id,
    )
    settled_at = None if row is None else row["settled_at"]
    return deal.decided_at if settled_at is None else decode(settled_at)


def get_for_park(tx: Tx, call: Call) -> Reply:
    """Return one of the park's deals."""
    deal = CommitmentRecord.find(tx, call.params["commitment_id"], park_id=call.principal.party_id)
    return Reply(body=park_commitment_view(deal))


def get_for_owner(tx: Tx, call: Call) -> Reply:
    """Return one of the owner's deals, live."""
    deal = CommitmentRecord.find(tx, call.params["commitment_id"], owner_id=call.principal.party_id)
    return Reply(body=commitment_view(tx, deal, call.now))


def list_for_owner(tx: Tx, call: Call) -> Reply:
    """List the owner's deals."""
    return read_page(
        tx,
        call,
        "SELECT * FROM commitment WHERE owner_id = ?",
        call.principal.party_id,
        key="commitment_id",
        view=lambda row: commitment_view(tx, CommitmentRecord.from_row(row), call.now),
    )
