"""Setpoints under a lease: granted while every bound holds, and never renewed after a stop."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

from owner_api.calls import Answer, Call, Reply
from owner_api.core.machine import CommitmentState, Start
from owner_api.core.soc import lease_end, too_old
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.store.documents import dump
from owner_api.store.tx import Tx

from . import announce, deals, guard, measured, rejudge, unconfirmed
from .charger_bounds import bounds
from .records import CommitmentRecord, SessionRecord, VehicleRecord

_SHOWN_PCT: Final = Decimal("0.1")
_OWNERS_WORD: Final = frozenset({"owner", "preferences", "departure", "agreement"})


def instruct(tx: Tx, call: Call) -> Answer:
    """Grant a lease for a setpoint, or say why the charger must go to zero now.

    The lease ends early where the floor or the consented energy could otherwise be passed by a
    charger that hears nothing more. Where the car or its charger cannot do what the terms allow,
    the setpoint of the lease is the most they can: a refusal would be a search for it.
    """
    deal = CommitmentRecord.find(tx, call.params["commitment_id"], park_id=call.principal.party_id)
    seq, setpoint = call.body["seq"], call.body["power_setpoint_w"]
    _check_open(deal)
    _check_newer(deal, seq)
    if guard.lease_over(deal, call.now):
        # What lapsed is not renewed, whether the timer or this message was first.
        guard.end_lease(tx, deal, call.now, call.config)
        return _closed()
    vehicle = VehicleRecord.find(tx, deal.vehicle_id)
    session = SessionRecord.find(tx, deal.session_id)
    if unconfirmed.is_from_before(deal, vehicle):
        raise _not_ready()
    _check_agreed(deal, setpoint)
    most_w = bounds(tx, vehicle, session).discharge_w(deal.terms.max_discharge_w)
    setpoint = max(setpoint, -most_w)
    starts = deal.state is CommitmentState.SCHEDULED
    if starts:
        deal = _start(tx, call, deal, vehicle, session)
    found = guard.watch(vehicle, session, deal, call.now, call.config)
    if found.stop is not None:
        return _ended(tx, call, deal, found.state, found.stop, starts=starts)
    sure_until = found.sure_until or call.now
    until = lease_end(
        now=call.now,
        end_at=min(deal.end_at, sure_until),
        lease_s=deal.terms.lease_s,
        power_w=-setpoint,
        energy_wh=found.energy_wh,
    )
    shortest = timedelta(seconds=call.config.lease_min_s)
    if until - call.now < shortest:
        # What is left would be gone before the next message.
        state, reason = found.state, found.next_stop
        if sure_until - call.now < shortest:
            state, reason = CommitmentState.CURTAILED, "soc_stale"
        if deal.end_at - call.now < shortest:
            state, reason = CommitmentState.COMPLETED, "delivered"
        return _ended(tx, call, deal, state, reason, starts=starts)
    instruction = {
        "instruction_id": call.new_id("ins"),
        "seq": seq,
        "power_setpoint_w": setpoint,
        "valid_until": until,
    }
    tx.insert("instruction", commitment_id=deal.commitment_id, issued_at=call.now, **instruction)
    tx.update(
        "commitment",
        {"commitment_id": deal.commitment_id},
        last_seq=seq,
        setpoint_w=setpoint,
        worst_setpoint_w=min(deal.worst_setpoint_w, setpoint),
        lease_until=until,
        instructed_at=call.now,
    )
    if starts:
        # Both are told of a beginning once its lease stands.
        announce.commitment(tx, deal.commitment_id, call.now)
        announce.vehicle(tx, deal.vehicle_id, call.now)
    if session.meter == "owner":
        # At home the owner's own executor sets the power; the park's word goes on to it.
        announce.commitment(tx, deal.commitment_id, call.now, "commitment.instructed", park=False)
    return Reply(body=instruction, status=201)


def _ended(
    tx: Tx,
    call: Call,
    deal: CommitmentRecord,
    state: CommitmentState,
    reason: str,
    *,
    starts: bool,
) -> Problem:
    """End a deal that may not go on; one that would begin on an old reading waits for a new one.

    Raises no_lease for that, which undoes the beginning: nothing has left the battery.
    """
    if starts and reason == "soc_stale":
        raise _not_ready()
    if starts:
        announce.commitment(tx, deal.commitment_id, call.now)
    deals.finish(tx, deal, state, reason, call.now)
    return _closed()


def _not_ready() -> Problem:
    return Problem(ProblemCode.NO_LEASE, "The vehicle is not ready. Ask again.")


def _closed() -> Problem:
    """Return the one answer to a deal that just ended: never which of the owner's limits it was."""
    return Problem(ProblemCode.COMMITMENT_CLOSED, "It has ended. Go to zero now.")


def _check_agreed(deal: CommitmentRecord, setpoint_w: int) -> None:
    agreed_w = deal.terms.max_discharge_w
    if -setpoint_w > agreed_w:
        error = FieldError(pointer="/power_setpoint_w", code="range", limit=f"{-agreed_w} to 0")
        raise Problem(ProblemCode.INVALID_BODY, f"At most {agreed_w} W.", errors=(error,))


def _check_open(deal: CommitmentRecord) -> None:
    """Promise 4: once stopped, nothing renews a lease, whatever arrives."""
    if deal.state in {CommitmentState.SCHEDULED, CommitmentState.ACTIVE}:
        return
    if deal.state is CommitmentState.REVOKED and deal.state_reason in _OWNERS_WORD:
        raise Problem(ProblemCode.STOP_IN_FORCE, "The owner has stopped this. Go to zero now.")
    if deal.state is CommitmentState.PENDING_AWARD:
        raise Problem(ProblemCode.NO_LEASE, "Award the commitment first.")
    raise Problem(ProblemCode.COMMITMENT_CLOSED, f"It is {deal.state}. Go to zero now.")


def _check_newer(deal: CommitmentRecord, seq: int) -> None:
    """Promise 10: a setpoint that was overtaken on its way is not obeyed."""
    if seq <= deal.last_seq:
        raise Problem(
            ProblemCode.STALE_SEQUENCE,
            f"The newest sequence number is {deal.last_seq}.",
            current={"last_seq": deal.last_seq},
        )


def _start(
    tx: Tx,
    call: Call,
    deal: CommitmentRecord,
    vehicle: VehicleRecord,
    session: SessionRecord,
) -> CommitmentRecord:
    """Begin delivery: only inside the window, with a live meter and a battery that still can."""
    deals.decide(deal, Start(), call.now)
    if session.state != "bound":
        raise Problem(ProblemCode.NOT_BOUND, "The session is not bound to the vehicle.")
    seen_at, register = session.live.seen_at, session.live.export_register_wh
    blind = timedelta(seconds=call.config.blind_after_s)
    if seen_at is None or register is None or too_old(seen_at, call.now, blind):
        raise Problem(ProblemCode.NO_LEASE, _unread(session, call.config.blind_after_s))
    if measured.without_estimates(tx, session) is not session.live:
        # Its own word may be lower, and what leaves until then would be beyond the yes, unpaid.
        detail = "The last reading is an estimate. Send what the meter itself says first."
        raise Problem(ProblemCode.NO_LEASE, detail)
    if deals.meter_free_at(tx, deal) is None:
        detail = "Another deal's energy is counted here: end it and send a reading at rest first."
        raise Problem(ProblemCode.NO_LEASE, detail)
    left = rejudge.energy_left(tx, deal, call.now)
    if not left:
        raise Problem(ProblemCode.NOT_FEASIBLE, "It cannot begin now.")
    rejudge.limit(tx, deal, left)
    soc = _soc_at_start(tx, vehicle, session, deal, register)
    tx.update(
        "commitment",
        {"commitment_id": deal.commitment_id},
        state=CommitmentState.ACTIVE.value,
        started_at=call.now,
        begin_register_wh=register,
        last_register_wh=register,
        last_reading_at=seen_at,
        begin_reading_id=session.live.reading_id,
        last_reading_id=session.live.reading_id,
        soc_at_start_pct=None if soc is None else str(soc),
    )
    if vehicle.live.anchor_export_wh is None:
        live = replace(vehicle.live, anchor_export_wh=register)
        tx.update("vehicle", {"vehicle_id": vehicle.vehicle_id}, live=dump(live))
    return CommitmentRecord.find(tx, deal.commitment_id)


def _unread(session: SessionRecord, seconds: int) -> str:
    """Say which reading is missing, and whose it is: a park's is refused at an owner's charger."""
    if session.meter == "owner":
        return f"The owner's charger has sent no reading for {seconds} s. Ask again."
    return f"Send a meter reading not older than {seconds} s first."


def _soc_at_start(
    tx: Tx,
    vehicle: VehicleRecord,
    session: SessionRecord,
    deal: CommitmentRecord,
    register: int,
) -> Decimal | None:
    """Return the state of charge to hold later readings against, by all that the meter has seen.

    Nothing is sold of what was charged since the last reading; but a car whose next one shows it
    is no other car.
    """
    soc = guard.estimated_soc(vehicle, session, deal, register)
    if soc is None:
        return None
    before = measured.imported_at(tx, session, vehicle.live.soc_measured_at)
    before = session.live.first_import_register_wh if before is None else before
    charged_wh = max(0, (session.live.import_register_wh or 0) - (before or 0))
    body = vehicle.body
    charged_pct = Decimal(charged_wh) * body.charge_efficiency / body.usable_capacity_wh * 100
    return soc.soc_pct + charged_pct.quantize(_SHOWN_PCT)
