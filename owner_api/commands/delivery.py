"""Delivery: setpoints under a lease, and the meter that says what really flowed."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from owner_api.calls import Answer, Call, Reply
from owner_api.core.machine import CommitmentState, Start
from owner_api.core.model import SessionLive
from owner_api.core.soc import lease_end
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.store.documents import dump
from owner_api.store.tx import Tx

from . import announce, deals, guard, rejudge, settling
from .edge import Json
from .records import CommitmentRecord, SessionRecord, VehicleRecord
from .vehicle_views import charger_view

_SHORTEST_LEASE: Final = timedelta(seconds=1)
_OWNERS_WORD: Final = frozenset({"owner", "preferences", "departure", "agreement"})


def instruct(tx: Tx, call: Call) -> Answer:
    """Grant a lease for a setpoint, or say why the charger must go to zero now.

    The lease ends early where the floor or the consented energy could otherwise be passed by a
    charger that hears nothing more.
    """
    deal = CommitmentRecord.find(tx, call.params["commitment_id"], park_id=call.principal.party_id)
    seq, setpoint = call.body["seq"], call.body["power_setpoint_w"]
    _check_open(deal)
    if seq <= deal.last_seq:
        raise Problem(ProblemCode.STALE_SEQUENCE, f"The newest sequence number is {deal.last_seq}.")
    if guard.lease_over(deal, call.now):
        # What lapsed is not renewed, whether the timer or this message was first.
        guard.end_lease(tx, deal, call.now, call.config)
        return _closed()
    vehicle = VehicleRecord.find(tx, deal.vehicle_id)
    session = SessionRecord.find(tx, deal.session_id)
    power_max = min(deal.terms.max_discharge_w, vehicle.body.max_discharge_w)
    if -setpoint > power_max:
        error = FieldError(pointer="/power_setpoint_w", code="range", limit=f"{-power_max} to 0")
        raise Problem(ProblemCode.INVALID_BODY, f"At most {power_max} W.", errors=(error,))
    if deal.state is CommitmentState.SCHEDULED:
        deal = _start(tx, call, deal, vehicle, session)
    found = guard.watch(vehicle, session, deal, call.now, call.config)
    if found.stop is not None:
        deals.finish(tx, deal, found.state, found.stop, call.now)
        return _closed()
    sure_until = found.sure_until or call.now
    until = lease_end(
        now=call.now,
        end_at=min(deal.end_at, sure_until),
        lease_s=deal.terms.lease_s,
        power_w=-setpoint,
        energy_wh=found.energy_wh,
    )
    if until - call.now < _SHORTEST_LEASE:
        # What is left would be gone before the next message.
        state, reason = found.state, found.next_stop
        if sure_until - call.now < _SHORTEST_LEASE:
            state, reason = CommitmentState.CURTAILED, "soc_stale"
        if deal.end_at - call.now < _SHORTEST_LEASE:
            state, reason = CommitmentState.COMPLETED, "delivered"
        deals.finish(tx, deal, state, reason, call.now)
        return _closed()
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
    return Reply(body=instruction, status=201)


def _closed() -> Problem:
    """Return the one answer to a deal that just ended: never which of the owner's limits it was."""
    return Problem(ProblemCode.COMMITMENT_CLOSED, "It has ended. Go to zero now.")


def _check_open(deal: CommitmentRecord) -> None:
    """Promise 4: once stopped, nothing renews a lease, whatever arrives."""
    if deal.state in {CommitmentState.SCHEDULED, CommitmentState.ACTIVE}:
        return
    if deal.state is CommitmentState.REVOKED and deal.state_reason in _OWNERS_WORD:
        raise Problem(ProblemCode.STOP_IN_FORCE, "The owner has stopped this. Go to zero now.")
    if deal.state is CommitmentState.PENDING_AWARD:
        raise Problem(ProblemCode.NO_LEASE, "Award the commitment first.")
    raise Problem(ProblemCode.COMMITMENT_CLOSED, f"It is {deal.state}. Go to zero now.")


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
    measured, register = session.live.seen_at, session.live.export_register_wh
    blind = timedelta(seconds=call.config.blind_after_s)
    if measured is None or register is None or call.now - measured > blind:
        raise Problem(
            ProblemCode.NO_LEASE,
            f"Send a meter reading not older than {call.config.blind_after_s} s first.",
        )
    left = rejudge.energy_left(tx, deal, call.now)
    if not left:
        raise Problem(ProblemCode.NOT_FEASIBLE, "It cannot begin now.")
    rejudge.limit(tx, deal, left)
    soc = guard.estimated_soc(vehicle, session, deal, register)
    tx.update(
        "commitment",
        {"commitment_id": deal.commitment_id},
        state=CommitmentState.ACTIVE.value,
        started_at=call.now,
        begin_register_wh=register,
        last_register_wh=register,
        last_reading_at=measured,
        soc_at_start_pct=None if soc is None else str(soc.soc_pct),
    )
    if vehicle.live.anchor_export_wh is None:
        live = replace(vehicle.live, anchor_export_wh=register)
        tx.update("vehicle", {"vehicle_id": vehicle.vehicle_id}, live=dump(live))
    announce.commitment(tx, deal.commitment_id, call.now)
    announce.vehicle(tx, deal.vehicle_id, call.now)
    return CommitmentRecord.find(tx, deal.commitment_id)


def readings(tx: Tx, call: Call) -> Reply:
    """Take the charger's readings: late ones are kept, repeated ones change nothing."""
    session = SessionRecord.find(tx, call.params["session_id"], call.principal.party_id)
    taken = 0
    latest = call.now + timedelta(seconds=call.config.clock_skew_s)
    for number, reading in enumerate(call.body["readings"]):
        if reading["measured_at"] > latest:
            error = FieldError(
                pointer=f"/readings/{number}/measured_at", code="range", limit="not after now"
            )
            raise Problem(ProblemCode.INVALID_BODY, "A reading from the future.", errors=(error,))
    for reading in sorted(call.body["readings"], key=lambda item: item["measured_at"]):
        known = tx.one(
            "SELECT 1 AS found FROM reading WHERE session_id = ? AND measured_at = ?",
            session.session_id,
            reading["measured_at"],
        )
        if known is None:
            _take(tx, call, session, reading)
            taken += 1
            session = SessionRecord.find(tx, session.session_id)
    if taken:
        _after_readings(tx, call, session)
    return Reply(body={"accepted": taken}, status=201)


def _take(tx: Tx, call: Call, session: SessionRecord, reading: Json) -> None:
    """Store one reading and, if it is the newest, move the session's and vehicle's counters."""
    deal, live = _metered_deal(tx, session), session.live
    backwards = live.export_register_wh is not None and (
        reading["export_register_wh"] < live.export_register_wh
        or reading["import_register_wh"] < (live.import_register_wh or 0)
    )
    newest = live.measured_at is None or reading["measured_at"] > live.measured_at
    quality = "bad" if newest and backwards else reading.get("quality", "ok")
    tx.insert(
        "reading",
        reading_id=call.new_id("rdg"),
        session_id=session.session_id,
        commitment_id=deal.commitment_id if deal else None,
        measured_at=reading["measured_at"],
        received_at=call.now,
        import_register_wh=reading["import_register_wh"],
        export_register_wh=reading["export_register_wh"],
        power_w=reading["power_w"],
        context=reading.get("context", "periodic"),
        quality=quality,
    )
    if not newest or quality in {"missing", "bad"}:
        # A register that runs backwards is no evidence; the next good reading settles the total.
        return
    first, pack = live.first_import_register_wh, reading.get("pack_temperature_c")
    now_live = SessionLive(
        measured_at=reading["measured_at"],
        received_at=call.now,
        import_register_wh=reading["import_register_wh"],
        export_register_wh=reading["export_register_wh"],
        first_import_register_wh=reading["import_register_wh"] if first is None else first,
        power_w=reading["power_w"],
        pack_temperature_c=None if pack is None else Decimal(repr(pack)),
    )
    tx.update("session", {"session_id": session.session_id}, live=dump(now_live))
    if session.state == "bound" and session.vehicle_id:
        _count_energy(tx, session, now_live)
    if deal is not None:
        tx.update(
            "commitment",
            {"commitment_id": deal.commitment_id},
            last_register_wh=reading["export_register_wh"],
            last_reading_at=reading["measured_at"],
            worst_setpoint_w=_still_possible_w(deal, reading["measured_at"]),
        )


def _still_possible_w(deal: CommitmentRecord, measured_at: datetime) -> int:
    """Return the strongest discharge that may have run since a reading (W, - out of the car)."""
    before = deal.instructed_at is not None and measured_at < deal.instructed_at
    return deal.worst_setpoint_w if before else deal.setpoint_w


def _metered_deal(tx: Tx, session: SessionRecord) -> CommitmentRecord | None:
    """Return the session's deal whose energy the meter still counts."""
    row = tx.one(
        "SELECT * FROM commitment WHERE session_id = ? AND started_at IS NOT NULL"
        " AND settlement_id IS NULL ORDER BY started_at DESC LIMIT 1",
        session.session_id,
    )
    return CommitmentRecord.from_row(row) if row else None


def _count_energy(tx: Tx, session: SessionRecord, now_live: SessionLive) -> None:
    """Add what the meter saw since the last reading to the vehicle's lifetime counters."""
    assert session.vehicle_id is not None
    before = session.live
    if before.import_register_wh is None or before.export_register_wh is None:
        return
    vehicle = VehicleRecord.find(tx, session.vehicle_id)
    charged = (now_live.import_register_wh or 0) - before.import_register_wh
    discharged = (now_live.export_register_wh or 0) - before.export_register_wh
    live = replace(
        vehicle.live,
        charged_wh=vehicle.live.charged_wh + charged,
        discharged_wh=vehicle.live.discharged_wh + discharged,
    )
    tx.update("vehicle", {"vehicle_id": vehicle.vehicle_id}, live=dump(live))


def _after_readings(tx: Tx, call: Call, session: SessionRecord) -> None:
    """Act on what the meter now says: stop, settle, and tell the owner."""
    deal = _metered_deal(tx, session)
    if deal is not None:
        if not guard.enforce(tx, deal, call.now, call.config):
            _seen_stopped(tx, call, deal, session)
        deal = CommitmentRecord.find(tx, deal.commitment_id)
        announce.commitment(tx, deal.commitment_id, call.now, "commitment.progress", park=False)
        settling.settle_if_ready(tx, deal, session, call.now, call.config, call.new_id)
    if session.vehicle_id and session.state == "bound":
        announce.vehicle(tx, session.vehicle_id, call.now)
        _tell_charger(tx, session, call.now)


def _seen_stopped(tx: Tx, call: Call, deal: CommitmentRecord, session: SessionRecord) -> None:
    """Record that the meter shows no power after a stop was asked for."""
    live = session.live
    if deal.stop is None or deal.stop.stopped_at or live.measured_at is None:
        return
    quiet = abs(live.power_w or 0) < call.config.stopped_power_w
    if quiet and live.measured_at >= deal.stop.requested_at:
        deals.mark_stop(tx, deal, call.now, stopped_at=live.measured_at)


def _tell_charger(tx: Tx, session: SessionRecord, now: datetime) -> None:
    rows: list[dict[str, Any]] = tx.all(
        "SELECT * FROM charger WHERE owner_id = ? AND evse_id = ? AND deleted_at IS NULL",
        session.owner_id,
        session.evse_id,
    )
    for row in rows:
        tx.emit(row["owner_id"], "charger.updated", now, charger_view(tx, row))
