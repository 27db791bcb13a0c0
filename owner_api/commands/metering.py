"""The meter's word: what flowed in a session, kept whole, and what follows from it."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from owner_api.calls import Call, Reply
from owner_api.core.model import SessionLive
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.store.documents import dump, to_json
from owner_api.store.tx import Tx

from . import announce, counting, deals, doubted, guard, measured, settling
from .edge import Json
from .records import CommitmentRecord, SessionRecord, VehicleRecord
from .vehicle_views import charger_view

_NO_EVIDENCE: Final = frozenset({"missing", "bad"})


def readings(tx: Tx, call: Call) -> Reply:
    """Take the charger's readings: late ones are kept, repeated ones change nothing."""
    session = SessionRecord.find(tx, call.params["session_id"], call.principal.party_id)
    if session.meter == "owner":
        raise Problem(ProblemCode.CONFLICT, "The owner's charger reports this session's meter.")
    measured.check_origins(call.body["readings"])
    latest = call.now + timedelta(seconds=call.config.clock_skew_s)
    for number, reading in enumerate(call.body["readings"]):
        if reading["measured_at"] > latest:
            error = FieldError(
                pointer=f"/readings/{number}/measured_at", code="range", limit="not after now"
            )
            raise Problem(ProblemCode.INVALID_BODY, "A reading from the future.", errors=(error,))
    return Reply(body={"accepted": take(tx, call, session, call.body["readings"])}, status=201)


def take(tx: Tx, call: Call, session: SessionRecord, told: list[Json]) -> int:
    """Store the readings that are new and act on them; return how many those were."""
    taken = 0
    for reading in sorted(told, key=lambda item: item["measured_at"]):
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
    return taken


def see_power(tx: Tx, call: Call, session_id: str, told: list[Json]) -> None:
    """Guard by powers that came without registers; nothing is counted or paid by them."""
    session = SessionRecord.find(tx, session_id)
    live, deal, out_j = session.live, _metered_deal(tx, session), 0
    for reading in sorted(told, key=lambda item: item["measured_at"]):
        at = min(reading["measured_at"], call.now)
        after = doubted.with_power(live, reading["power_w"], at)
        live, out_j = after, out_j + doubted.powered_j(live, after)
    if live != session.live:
        tx.update("session", {"session_id": session_id}, live=dump(live))
        _count_powered(tx, deal, out_j)
        _after_readings(tx, call, replace(session, live=live))


def _take(tx: Tx, call: Call, session: SessionRecord, reading: Json) -> None:
    """Store one reading and, if it is the newest, move the session's and vehicle's counters."""
    deal, marked = _metered_deal(tx, session), reading.get("quality") in _NO_EVIDENCE
    known = session.live
    if deal is None and not marked and doubted.is_right_again(known, reading, call.now):
        session = _rebased(tx, session)
    live = session.live
    newest = doubted.is_news(live, reading, call.now)
    refused = newest and doubted.cannot_be(live, reading, call.now)
    source, signed = measured.source_of(reading, session.meter), reading.get("signed")
    told = reading.get("quality", "estimated" if source == "estimate" else "ok")
    if refused and not measured.is_estimate({"source": source, "quality": told}):
        refused = doubted.cannot_be(measured.without_estimates(tx, session), reading, call.now)
    quality = "bad" if refused else told
    reading_id = call.new_id("rdg")
    tx.insert(
        "reading",
        reading_id=reading_id,
        session_id=session.session_id,
        commitment_id=deal.commitment_id if deal else None,
        measured_at=reading["measured_at"],
        received_at=call.now,
        import_register_wh=reading["import_register_wh"],
        export_register_wh=reading["export_register_wh"],
        power_w=reading["power_w"],
        context=reading.get("context", "periodic"),
        quality=quality,
        source=source,
        signed=to_json(signed).decode() if signed else None,
    )
    if not newest or quality in _NO_EVIDENCE:
        # Such a register is no evidence; the next good reading settles the total.
        heard = live
        if newest:
            # What its charger itself calls none no later reading proves right.
            by_power = doubted.discharging if marked else doubted.refuse
            heard = by_power(live, reading, call.now)
        if heard != live:
            tx.update("session", {"session_id": session.session_id}, live=dump(heard))
            _count_powered(tx, deal, doubted.powered_j(live, heard))
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
        reading_id=reading_id,
        counts_from=live.counts_from,
        unseen=None if _is_seen(live, reading["measured_at"]) else live.unseen,
        bare_power=doubted.still_newest(live, reading["measured_at"]),
    )
    tx.update("session", {"session_id": session.session_id}, live=dump(now_live))
    # What left for a deal left this car, also where the last word comes after the plug.
    for_deal = deal is not None or live.unseen is not None
    if session.vehicle_id and (session.state == "bound" or for_deal):
        counting.count_energy(tx, session, now_live)
    if deal is not None:
        tx.update(
            "commitment",
            {"commitment_id": deal.commitment_id},
            last_register_wh=reading["export_register_wh"],
            last_reading_at=reading["measured_at"],
            last_reading_id=reading_id,
            powered_j=None,
            worst_setpoint_w=_still_possible_w(deal, reading["measured_at"]),
        )


def _count_powered(tx: Tx, deal: CommitmentRecord | None, out_j: int) -> None:
    """Keep what left for a deal by powers alone (J): its meter's registers may never tell."""
    if deal is not None and out_j:
        told_j = (deal.powered_j or 0) + out_j
        tx.update("commitment", {"commitment_id": deal.commitment_id}, powered_j=told_j)


def _rebased(tx: Tx, session: SessionRecord) -> SessionRecord:
    """Count on from the refused reading: what a meter said before was the wrong one.

    As when its registers were not loaded yet, or it was changed. Only while no deal's energy is
    counted; the leap itself is counted nowhere, and what may have left unseen before it has left.
    """
    live = doubted.from_refused(session.live)
    assert live is not None
    imported = (live.import_register_wh or 0) - (session.live.import_register_wh or 0)
    exported = (live.export_register_wh or 0) - (session.live.export_register_wh or 0)
    first, begin = live.first_import_register_wh, session.recharge_from_wh
    live = replace(live, first_import_register_wh=None if first is None else first + imported)
    tx.update(
        "session",
        {"session_id": session.session_id},
        live=dump(live),
        recharge_from_wh=None if begin is None else begin + imported,
    )
    # The anchor is the bound session's: what another charger has seen leave since stays seen.
    bound_id = session.vehicle_id if session.state == "bound" else None
    vehicle = None if bound_id is None else VehicleRecord.kept(tx, bound_id)
    if vehicle is not None and (anchor := vehicle.live.anchor_export_wh) is not None:
        unseen_wh = session.live.unseen_after(vehicle.live.soc_measured_at)
        moved = replace(vehicle.live, anchor_export_wh=anchor + exported - unseen_wh)
        tx.update("vehicle", {"vehicle_id": vehicle.vehicle_id}, live=dump(moved))
    return SessionRecord.find(tx, session.session_id)


def _is_seen(live: SessionLive, measured_at: datetime) -> bool:
    """Return whether a reading shows all that may have left for a deal whose meter fell silent."""
    return live.unseen is None or measured_at >= live.unseen[1]


def _still_possible_w(deal: CommitmentRecord, measured_at: datetime) -> int:
    """Return the strongest discharge that may have run since a reading (W, - out of the car).

    What was asked for after it says nothing of then: neither a setpoint nor the end.
    """
    asked_at = deal.ended_at or deal.instructed_at
    before = asked_at is not None and measured_at < asked_at
    return deal.worst_setpoint_w if before else deal.setpoint_w


def _metered_deal(tx: Tx, session: SessionRecord) -> CommitmentRecord | None:
    """Return the session's deal whose energy the meter still counts."""
    return next(iter(CommitmentRecord.metered(tx, session.session_id)), None)


def _after_readings(tx: Tx, call: Call, session: SessionRecord) -> None:
    """Act on what the meter now says: stop, settle, and tell the owner."""
    deal = _metered_deal(tx, session)
    if deal is not None:
        if not guard.enforce(tx, deal, call.now, call.config):
            _seen_stopped(tx, call, deal, session)
        deal = CommitmentRecord.find(tx, deal.commitment_id)
        announce.commitment(tx, deal.commitment_id, call.now, "commitment.progress", park=False)
        settling.settle_if_read(tx, deal, session, call.now, call.config, call.new_id)
    if session.vehicle_id and session.state == "bound":
        announce.vehicle(tx, session.vehicle_id, call.now)
        _tell_charger(tx, session, call.now)


def _seen_stopped(tx: Tx, call: Call, deal: CommitmentRecord, session: SessionRecord) -> None:
    """Record that the meter shows no power after a stop was asked for."""
    seen = session.live.power_seen_at
    if deal.stop is None or deal.stop.stopped_at or seen is None:
        return
    power_w = session.live.newest_power_w
    if seen >= deal.stop.requested_at and measured.at_rest(power_w, call.config):
        deals.mark_stop(tx, deal, call.now, stopped_at=seen)


def _tell_charger(tx: Tx, session: SessionRecord, now: datetime) -> None:
    rows: list[dict[str, Any]] = tx.all(
        "SELECT * FROM charger WHERE owner_id = ? AND evse_id = ? AND deleted_at IS NULL",
        session.owner_id,
        session.evse_id,
    )
    for row in rows:
        tx.emit(row["owner_id"], "charger.updated", now, charger_view(tx, row))
