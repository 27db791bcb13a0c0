"""Whose car is it: a session is claimed, bound by something the car or its owner knows, let go."""

from dataclasses import replace
from datetime import datetime, timedelta
import hashlib
from typing import Final
import unicodedata

from owner_api.calls import Call
from owner_api.core.machine import CommitmentState
from owner_api.problems import not_found
from owner_api.store.documents import dump
from owner_api.store.tx import Tx

from . import announce, deals, guard, measured, questions, recharges
from .records import CommitmentRecord, SessionRecord, VehicleRecord
from .standing import open_session

_DASHES: Final = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))
# A park's pseudonyms under agreements in force, of vehicles that are still there.
_MEMBERS: Final = (
    "SELECT member.* FROM member JOIN agreement USING (agreement_id)"
    " JOIN vehicle USING (vehicle_id) WHERE member.park_id = ?"
    " AND agreement.state = 'active' AND vehicle.deleted_at IS NULL"
)


def code_digest(code: str) -> str:
    """Return the SHA-256 of the code on an EVSE; the code itself is not kept.

    A person types it from the charger: case, width and the kind of dash are the keyboard's.
    """
    plain = unicodedata.normalize("NFKC", code).translate(_DASHES).strip().upper()
    return hashlib.sha256(plain.encode()).hexdigest()


def claim(tx: Tx, call: Call, session_id: str) -> None:
    """Find whom the session claims to be and bind it if the vehicle itself says so."""
    body, park_id = call.body, call.principal.party_id
    named = named_by(tx, body.get("identifier_digest"))
    if body.get("member_ref"):
        member = tx.one(f"{_MEMBERS} AND member_ref = ?", park_id, body["member_ref"])
        if member is None:
            raise not_found()
    else:
        member = tx.one(f"{_MEMBERS} AND member.vehicle_id = ?", park_id, named)
    if member is None:
        return
    vehicle = VehicleRecord.find(tx, member["vehicle_id"])
    standing = open_session(tx, vehicle.vehicle_id)
    elsewhere = standing if standing and standing.park_id != park_id else None
    # Promise 7: a digest is no secret to a park where the car once stood. It takes no session at
    # another park while the car itself says that it is plugged in there.
    if vehicle.vehicle_id == named and (
        elsewhere is None or not recharges.is_still_in(tx, elsewhere, call.now, call.config)
    ):
        bind(tx, session_id, vehicle, "identifier", call.now)
        return
    questions.check_claims(tx, call, vehicle.vehicle_id)
    tx.update(
        "session",
        {"session_id": session_id},
        owner_id=vehicle.owner_id,
        vehicle_id=vehicle.vehicle_id,
    )
    tolerance = timedelta(seconds=call.config.bind_tolerance_s)
    plugged = vehicle.live.plugged_in_at
    near = plugged is not None and abs(plugged - body["plugged_in_at"]) <= tolerance
    # Promise 7: the plug says when, not where. Who guesses when must not take, and so learn of, the
    # session that the car has at another park; a park may open its own anew.
    if vehicle.live.plugged_in and near and elsewhere is None:
        bind(tx, session_id, vehicle, "telemetry", call.now)


def named_by(tx: Tx, digest: str | None) -> str | None:
    """Return the one vehicle whose identifier has this digest, at whatever park.

    Promise 1: a digest is no secret. Where a second owner names it as well, it tells nobody whose
    car it is; to refuse the second would tell that there is a first, who need not be the right one.
    """
    if digest is None:
        return None
    rows = tx.all(
        "SELECT vehicle_id FROM vehicle WHERE deleted_at IS NULL AND identifier_digest = ?",
        digest,
    )
    return rows[0]["vehicle_id"] if len(rows) == 1 else None


def bind(
    tx: Tx,
    session_id: str,
    vehicle: VehicleRecord,
    how: str,
    now: datetime,
) -> None:
    """Bind a session to a vehicle; the vehicle's older session, if any, ends."""
    others = tx.all(
        "SELECT session_id FROM session INDEXED BY session_live"
        " WHERE vehicle_id = ? AND state = 'bound'"
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
    _leave_guesses(tx, session_id)
    recharges.carry_on(tx, session_id, now)
    # The meter of an earlier session says nothing about this one's energy; what it saw is carried.
    live = VehicleRecord.find(tx, vehicle.vehicle_id).live
    tx.update(
        "vehicle",
        {"vehicle_id": vehicle.vehicle_id},
        live=dump(replace(live, anchor_export_wh=None)),
    )


def _leave_guesses(tx: Tx, session_id: str) -> None:
    """Let what is counted for a car begin at its meter's own word.

    An estimate from before was counted for nobody, and what it said too much would be taken from
    what the car has given in its life.
    """
    session = SessionRecord.find(tx, session_id)
    own = measured.without_estimates(tx, session)
    if own is not session.live:
        tx.update("session", {"session_id": session_id}, live=dump(own))


def bind_by_telemetry(tx: Tx, vehicle: VehicleRecord, now: datetime, tolerance_s: int) -> None:
    """Bind the newest session claimed when the vehicle, bound to none, says it was plugged in.

    A claim that lay in wait for the car is older than the one its plug has brought about.
    """
    plugged = vehicle.live.plugged_in_at
    if not vehicle.live.plugged_in or plugged is None:
        return
    rows = tx.all(
        "SELECT session.* FROM session INDEXED BY session_live"
        " JOIN member USING (park_id, vehicle_id)"
        " JOIN agreement USING (agreement_id)"
        " WHERE session.vehicle_id = ? AND session.state = 'claimed'"
        " AND agreement.state = 'active'"
        " ORDER BY session.created_at DESC, session.session_id DESC",
        vehicle.vehicle_id,
    )
    for row in rows:
        session = SessionRecord.from_row(row)
        if abs(session.plugged_in_at - plugged) <= timedelta(seconds=tolerance_s):
            bind(tx, session.session_id, vehicle, "telemetry", now)
            announce.session(tx, session.session_id, now)
            return


def end(
    tx: Tx,
    session_id: str,
    unplugged_at: datetime,
    now: datetime,
) -> None:
    """End a session and every live deal in it: a car that is gone gives nothing."""
    ending = SessionRecord.find(tx, session_id)
    _carry(tx, ending, now)
    # Nobody asks for what a car that nobody knows was promised, and every tick would read it.
    forgotten = {} if ending.state == "bound" else {"recharge_due_at": None}
    tx.update(
        "session",
        {"session_id": session_id},
        state="ended",
        unplugged_at=unplugged_at,
        **forgotten,
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
        deals.end(tx, deal, CommitmentState.FAILED if running else to, "unplugged", now)
    deals.close_offers(tx, session_id, now)
    announce.session(tx, session_id, now)
    session = SessionRecord.find(tx, session_id)
    if session.vehicle_id:
        announce.vehicle(tx, session.vehicle_id, now)


def _carry(tx: Tx, session: SessionRecord, now: datetime) -> None:
    """Keep what left the battery in a session since the last reading: the car is as empty after."""
    vehicle = VehicleRecord.kept(tx, session.vehicle_id) if session.vehicle_id else None
    if session.state != "bound" or vehicle is None or vehicle.live.anchor_export_wh is None:
        return
    running = CommitmentRecord.metered(tx, session.session_id)
    # A charger that has not heard of the end goes on until its lease is over, unseen.
    leases = [(deal, deal.lease_until) for deal in running if deal.lease_until is not None]
    seen = session.live.export_register_wh or 0
    register = max([seen, *(guard.worst_export_wh(session, deal, at) for deal, at in leases)])
    gone = register - vehicle.live.anchor_export_wh
    gone += session.live.unseen_after(vehicle.live.soc_measured_at)
    live = replace(vehicle.live, anchor_export_wh=None)
    if gone > 0:
        until = max([now, *(at for _, at in leases)]) if register > seen else now
        live = replace(live, carried_wh=live.carried_wh + gone, carried_until=until)
    tx.update("vehicle", {"vehicle_id": vehicle.vehicle_id}, live=dump(live))


def part(tx: Tx, vehicle_id: str, park_id: str, now: datetime) -> None:
    """Let a park see a vehicle no more whose agreement is withdrawn: its session is bound to none.

    It stays the owner's, so the meter still settles what was delivered in it and its owner may see
    where; only an agreement in force lets it be bound again.
    """
    rows = tx.all(
        "SELECT * FROM session INDEXED BY session_live"
        " WHERE vehicle_id = ? AND park_id = ? AND state = 'bound'",
        vehicle_id,
        park_id,
    )
    for row in rows:
        _carry(tx, SessionRecord.from_row(row), now)
        _let_go(tx, row["session_id"], now)


def release(tx: Tx, vehicle_id: str, now: datetime) -> None:
    """Let go of a vehicle's open sessions when it is deleted: nobody known claims them."""
    rows = tx.all(
        "SELECT session_id FROM session INDEXED BY session_live"
        " WHERE vehicle_id = ? AND (state = 'bound' OR state = 'claimed')",
        vehicle_id,
    )
    for row in rows:
        deals.close_offers(tx, row["session_id"], now, "vehicle_deleted")
        # Promised to this car: the next one's owner is promised nothing.
        nothing = dict.fromkeys(("recharge", "recharge_owed", "recharge_from_wh"))
        _let_go(tx, row["session_id"], now, owner_id=None, vehicle_id=None, **nothing)


def _let_go(tx: Tx, session_id: str, now: datetime, **more: object) -> None:
    """Bind a session to none; until it is bound again nobody asks for what was promised in it."""
    tx.update(
        "session",
        {"session_id": session_id},
        state="claimed",
        bound_by=None,
        recharge_due_at=None,
        **more,
    )
    announce.session(tx, session_id, now)
