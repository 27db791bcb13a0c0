"""Plug-in sessions at a park: opened as a claim, bound to a vehicle by something it knows."""

from dataclasses import replace
from datetime import datetime, timedelta
import hashlib
from typing import Final

from owner_api.calls import Call, Reply
from owner_api.core.machine import CommitmentState
from owner_api.core.model import Recharge, SessionLive
from owner_api.problems import FieldError, Problem, ProblemCode, not_found
from owner_api.store.documents import dump
from owner_api.store.tx import Tx

from . import announce, deals
from .edge import Json, build
from .owner_views import session_view
from .paging import page
from .park_views import session_view as park_session_view
from .records import CommitmentRecord, SessionRecord, VehicleRecord

# A park's pseudonyms under agreements in force, of vehicles that are still there.
_MEMBERS: Final = (
    "SELECT member.* FROM member JOIN agreement USING (agreement_id)"
    " JOIN vehicle USING (vehicle_id) WHERE member.park_id = ?"
    " AND agreement.state = 'active' AND vehicle.deleted_at IS NULL"
)


def open_session(tx: Tx, call: Call) -> Reply:
    """Open a session; a second car on the same EVSE ends the first one's session."""
    body, park_id = call.body, call.principal.party_id
    if body["plugged_in_at"] > call.now + timedelta(seconds=call.config.clock_skew_s):
        raise Problem(
            ProblemCode.INVALID_BODY,
            "The plug-in time lies in the future.",
            errors=(FieldError(pointer="/plugged_in_at", code="range", limit="not after now"),),
        )
    earlier = tx.all(
        "SELECT session_id FROM session WHERE park_id = ? AND evse_id = ? AND state != 'ended'",
        park_id,
        body["evse_id"],
    )
    for row in earlier:
        end(tx, row["session_id"], call.now, call.now)
    session_id = call.new_id("ses")
    recharge = build(Recharge, body["recharge"]) if body.get("recharge") else None
    if recharge and recharge.start_at >= recharge.by:
        raise Problem(
            ProblemCode.WINDOW_INVALID,
            "recharge.by: after recharge.start_at",
            errors=(FieldError(pointer="/recharge/by", code="range", limit="after start_at"),),
        )
    tx.insert(
        "session",
        session_id=session_id,
        park_id=park_id,
        evse_id=body["evse_id"],
        evse_code=_digest(body["evse_code"]) if body.get("evse_code") else None,
        identifier_digest=body.get("identifier_digest"),
        state="claimed",
        plugged_in_at=body["plugged_in_at"],
        recharge=dump(recharge) if recharge else None,
        recharge_broken=0,
        recharge_due_at=recharge.by if recharge and recharge.guaranteed else None,
        live=dump(SessionLive()),
        created_at=call.now,
    )
    _claim(tx, call, session_id)
    announce.session(tx, session_id, call.now)
    shown = park_session_view(SessionRecord.find(tx, session_id))
    return Reply(body=shown, status=201, location=f"/v1/park/sessions/{session_id}")


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def _claim(tx: Tx, call: Call, session_id: str) -> None:
    """Find whom the session claims to be and bind it if the vehicle itself says so."""
    body, park_id = call.body, call.principal.party_id
    claimed = None
    if body.get("member_ref"):
        claimed = tx.one(
            f"{_MEMBERS} AND member_ref = ?",
            park_id,
            body["member_ref"],
        )
        if claimed is None:
            raise not_found()
    members = [claimed] if claimed else _members(tx, park_id, body.get("identifier_digest"))
    for member in members:
        vehicle = VehicleRecord.find(tx, member["vehicle_id"])
        digest = body.get("identifier_digest")
        if digest and digest == vehicle.body.identifier_digest:
            bind(tx, session_id, vehicle, "identifier", call.now)
            return
        if claimed:
            tx.update(
                "session",
                {"session_id": session_id},
                owner_id=vehicle.owner_id,
                vehicle_id=vehicle.vehicle_id,
            )
            tolerance = timedelta(seconds=call.config.bind_tolerance_s)
            plugged = vehicle.live.plugged_in_at
            near = plugged is not None and abs(plugged - body["plugged_in_at"]) <= tolerance
            if vehicle.live.plugged_in and near:
                bind(tx, session_id, vehicle, "telemetry", call.now)


def _members(tx: Tx, park_id: str, digest: str | None) -> list[Json]:
    """Return the park's members; without a digest nothing could tell them apart."""
    if digest is None:
        return []
    return tx.all(_MEMBERS, park_id)


def bind(
    tx: Tx,
    session_id: str,
    vehicle: VehicleRecord,
    how: str,
    now: datetime,
) -> None:
    """Bind a session to a vehicle; the vehicle's older session, if any, ends."""
    others = tx.all(
        "SELECT session_id FROM session WHERE vehicle_id = ? AND state = 'bound'"
        " AND session_id != ?",
        vehicle.vehicle_id,
        session_id,
    )
    for other in others:
        end(tx, other["session_id"], now, now)
    tx.update(
        "session",
        {"session_id": session_id},
        state="bound",
        bound_by=how,
        owner_id=vehicle.owner_id,
        vehicle_id=vehicle.vehicle_id,
    )
    # The meter of an earlier session says nothing about this one's energy.
    tx.update(
        "vehicle",
        {"vehicle_id": vehicle.vehicle_id},
        live=dump(replace(vehicle.live, anchor_export_wh=None)),
    )


def bind_by_telemetry(tx: Tx, vehicle: VehicleRecord, now: datetime, tolerance_s: int) -> None:
    """Bind a claimed session when the vehicle says it was plugged in at the same time."""
    plugged = vehicle.live.plugged_in_at
    if not vehicle.live.plugged_in or plugged is None:
        return
    rows = tx.all(
        "SELECT * FROM session WHERE vehicle_id = ? AND state = 'claimed'", vehicle.vehicle_id
    )
    for row in rows:
        session = SessionRecord.from_row(row)
        if abs(session.plugged_in_at - plugged) <= timedelta(seconds=tolerance_s):
            bind(tx, session.session_id, vehicle, "telemetry", now)
            announce.session(tx, session.session_id, now)


def check_in(tx: Tx, call: Call) -> Reply:
    """Bind a session by the code on the EVSE: the owner stands in front of it."""
    vehicle = VehicleRecord.find(tx, call.body["vehicle_id"], call.principal.party_id)
    row = tx.one(
        "SELECT session.* FROM session JOIN member ON member.park_id = session.park_id"
        " JOIN agreement USING (agreement_id)"
        " WHERE session.evse_code = ? AND session.state = 'claimed' AND member.vehicle_id = ?"
        " AND agreement.state = 'active'"
        # What the park claims for another car is not taken over by a code anybody can read.
        " AND (session.vehicle_id IS NULL OR session.vehicle_id = ?)",
        _digest(call.body["evse_code"]),
        vehicle.vehicle_id,
        vehicle.vehicle_id,
    )
    if row is None:
        raise not_found()
    bind(tx, row["session_id"], vehicle, "check_in", call.now)
    announce.session(tx, row["session_id"], call.now)
    announce.vehicle(tx, vehicle.vehicle_id, call.now)
    shown = session_view(tx, SessionRecord.find(tx, row["session_id"]))
    return Reply(body=shown, status=201)


def end_by_park(tx: Tx, call: Call) -> Reply:
    """End a session because the car was unplugged."""
    session = SessionRecord.find(tx, call.params["session_id"], call.principal.party_id)
    if session.state != "ended":
        unplugged = max(session.plugged_in_at, min(call.body["unplugged_at"], call.now))
        end(tx, session.session_id, unplugged, call.now)
    return Reply(body=park_session_view(SessionRecord.find(tx, session.session_id)))


def end(
    tx: Tx,
    session_id: str,
    unplugged_at: datetime,
    now: datetime,
) -> None:
    """End a session and every live deal in it: a car that is gone gives nothing."""
    tx.update(
        "session",
        {"session_id": session_id},
        state="ended",
        unplugged_at=unplugged_at,
        recharge_due_at=None,
    )
    rows = tx.all(
        "SELECT * FROM commitment WHERE session_id = ?"
        " AND state IN ('pending_award', 'scheduled', 'active')",
        session_id,
    )
    for row in rows:
        deal = CommitmentRecord.from_row(row)
        running = deal.state is CommitmentState.ACTIVE
        scheduled = deal.state is CommitmentState.SCHEDULED
        to = CommitmentState.MISSED if scheduled else CommitmentState.REVOKED
        deals.finish(tx, deal, CommitmentState.FAILED if running else to, "unplugged", now)
    deals.close_offers(tx, session_id, now)
    announce.session(tx, session_id, now)
    session = SessionRecord.find(tx, session_id)
    if session.vehicle_id:
        announce.vehicle(tx, session.vehicle_id, now)


def release(tx: Tx, vehicle_id: str, now: datetime) -> None:
    """Let go of a vehicle's open sessions when it is deleted: nobody known claims them."""
    rows = tx.all(
        "SELECT session_id FROM session WHERE vehicle_id = ? AND state != 'ended'", vehicle_id
    )
    for row in rows:
        deals.close_offers(tx, row["session_id"], now, "vehicle_deleted")
        tx.update(
            "session",
            {"session_id": row["session_id"]},
            state="claimed",
            bound_by=None,
            owner_id=None,
            vehicle_id=None,
            recharge_due_at=None,
        )
        announce.session(tx, row["session_id"], now)


def list_for_owner(tx: Tx, call: Call) -> Reply:
    """List the owner's sessions."""
    rows = tx.all(
        "SELECT * FROM session WHERE owner_id = ? ORDER BY session_id", call.principal.party_id
    )
    return page(call, [session_view(tx, SessionRecord.from_row(row)) for row in rows], "session_id")


def list_for_park(tx: Tx, call: Call) -> Reply:
    """List the park's sessions that have not ended."""
    rows = tx.all(
        "SELECT * FROM session WHERE park_id = ? AND state != 'ended' ORDER BY session_id",
        call.principal.party_id,
    )
    shown = [park_session_view(SessionRecord.from_row(row)) for row in rows]
    return page(call, shown, "session_id")


def get_for_park(tx: Tx, call: Call) -> Reply:
    """Return one of the park's sessions."""
    session = SessionRecord.find(tx, call.params["session_id"], call.principal.party_id)
    return Reply(body=park_session_view(session))
