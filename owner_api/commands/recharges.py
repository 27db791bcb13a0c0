"""What a park has promised to put back: expected after a deal, held against the meter, told."""

from datetime import datetime, timedelta
from typing import Final

from owner_api.config import Config
from owner_api.core.owed import OwedRecharges
from owner_api.store.documents import dump
from owner_api.store.tx import Tx

from . import announce, evaluations, measured
from .owner_views import agreement_view
from .records import CommitmentRecord, Row, SessionRecord, VehicleRecord

# A car that has said nothing for longer may have left.
_SURE_FOR: Final = timedelta(minutes=30)


def columns(owed: OwedRecharges) -> dict[str, object]:
    """Return what a session keeps of what is owed in it, and when to look at it next."""
    return {"recharge_owed": dump(owed) if owed.recharges else None, "recharge_due_at": owed.due_at}


def expect(tx: Tx, deal: CommitmentRecord, now: datetime) -> None:
    """Watch the recharge that the park promised for a deal that is settled.

    Promise 2: what it owed before it still owes, and what has come in until now was for that.
    """
    promise = deal.terms.recharge
    if promise is None or not promise.guaranteed:
        return
    session = SessionRecord.find(tx, deal.session_id)
    # A park may charge from the deal's end on, before the reading that settles it.
    read = measured.imported_by(tx, session, deal.rests_from)
    register = session.live.import_register_wh if read is None else read.wh
    if session.state == "ended":
        # Where the park has not opened it anew, the ended one is held against the park.
        session = _same_stay(tx, session, "bound") or session
    owed, begin = _until(session, session.owed, register)
    tx.update(
        "session",
        {"session_id": session.session_id},
        recharge=dump(promise),
        recharge_from_wh=begin or 0,
        **columns(owed.besides(promise, for_deal=True)),
    )
    evaluations.look_again(tx, session.session_id, deal.vehicle_id, now)


def _until(
    session: SessionRecord, owed: OwedRecharges, register_wh: int | None
) -> tuple[OwedRecharges, int | None]:
    """Return what was owed when an import register was read, and the one to count on from.

    Readings come late: no register counts from before one that was counted from already.
    """
    begin = session.recharge_begin_wh
    if begin is None or register_wh is None:
        return owed, begin if register_wh is None else register_wh
    if not owed.recharges:
        return owed, register_wh
    came_wh = max(0, register_wh - begin)
    return owed.given(came_wh), begin + came_wh


def carry_on(tx: Tx, session_id: str, now: datetime) -> None:
    """Let a session that a park opens anew go on with what is owed from the one before.

    Promise 2: it was sold on. Said once more it is no second promise: what was put back stays so.
    What was due before anybody knew whose car it is, or while its owner had left the park, no
    one has counted on.
    """
    session = SessionRecord.find(tx, session_id)
    own = session.owed.to_come(now)
    before = _same_stay(tx, session, "ended")
    if before is None or not before.owed.recharges:
        if own.due_at != session.recharge_due_at:
            tx.update("session", {"session_id": session_id}, **columns(own))
        return
    owed, begin = before.owed, before.recharge_begin_wh
    if before.recharge_due_at is None:
        owed = owed.to_come(now)
    if owed.joined(own.recharges) != owed:
        # What is promised anew is counted from now on.
        owed, begin = _until(before, owed, before.live.import_register_wh)
        own, since = _until(session, own, session.live.import_register_wh)
        owed, begin = owed.joined(own.recharges), begin if since is None else since
    tx.update("session", {"session_id": before.session_id}, **columns(OwedRecharges()))
    tx.update(
        "session",
        {"session_id": session_id},
        recharge=dump(session.recharge or before.recharge),
        recharge_from_wh=begin,
        **columns(owed),
    )


def _same_stay(tx: Tx, session: SessionRecord, state: str) -> SessionRecord | None:
    """Return another session of the car at the same charger, and so meter, since the same time."""
    row = tx.one(
        "SELECT * FROM session WHERE vehicle_id = ? AND park_id = ? AND evse_id = ?"
        " AND plugged_in_at = ? AND state = ? AND session_id != ?"
        " ORDER BY created_at DESC, session_id DESC LIMIT 1",
        session.vehicle_id,
        session.park_id,
        session.evse_id,
        session.plugged_in_at,
        state,
        session.session_id,
    )
    return None if row is None else SessionRecord.from_row(row)


def due(tx: Tx, now: datetime) -> list[Row]:
    """Return the sessions whose promised recharge has to be there by now."""
    return tx.all(
        "SELECT * FROM session WHERE recharge_due_at IS NOT NULL AND recharge_due_at <= ?"
        " AND state IN ('bound', 'ended') AND bound_by IS NOT NULL",
        now,
    )


def check(tx: Tx, row: Row, now: datetime, config: Config, heard_since: datetime | None) -> None:
    """Look at the recharges that are due; a broken promise ends the rules' yes for that park.

    What was charged in the last minute is in no reading before the next one: that is waited for,
    while somebody listens.
    """
    session = SessionRecord.from_row(row)
    grace = timedelta(seconds=config.reading_grace_s)
    while (by := session.owed.due_at) is not None and by <= now:
        read = measured.imported_after(tx, session, by)
        since = max(by, heard_since or by)
        if read is None and now - since < grace:
            return
        _look_at_first(tx, session, read and read.wh, now, config)
        session = SessionRecord.find(tx, session.session_id)


def _look_at_first(
    tx: Tx, session: SessionRecord, register: int | None, now: datetime, config: Config
) -> None:
    """Record whether the promise that was due first is broken, and go on with the others."""
    came_wh, left_wh = _came_wh(tx, session, register), session.owed.recharges[0].left_wh
    broken = came_wh < left_wh and _had_the_time(tx, session, now, config)
    found = {"recharge_broken_at": now} if broken else {}
    begin = session.recharge_begin_wh
    tx.update(
        "session",
        {"session_id": session.session_id},
        # What came in besides counts for those that are due later.
        recharge_from_wh=None if begin is None else begin + min(came_wh, left_wh),
        **columns(session.owed.after_first),
        **found,
    )
    if session.vehicle_id is not None:
        # What did not come in nobody counts on any more.
        evaluations.look_again(tx, session.session_id, session.vehicle_id, now)
    if not broken:
        return
    if session.state == "bound":
        # To its park it would say that the car is known, once more.
        announce.session(tx, session.session_id, now, park=False)
    agreement = tx.one(
        "SELECT * FROM agreement WHERE owner_id = ? AND park_id = ? AND state = 'active'",
        session.owner_id,
        session.park_id,
    )
    if agreement is not None:
        shown = agreement_view(tx, agreement)
        tx.emit(agreement["owner_id"], "agreement.recharge_broken", now, shown)


def _came_wh(tx: Tx, session: SessionRecord, register_wh: int | None) -> int:
    """Return the energy (Wh) that has entered the car for what is owed.

    ``register_wh`` is the meter's import register when it was due, None where nobody has read it.
    In an ended session that of any later one at the charger counts.
    """
    if session.state == "bound":
        return session.recharged_wh(register_wh)
    register_wh = measured.imported_since(
        tx, session.park_id, session.evse_id, session.plugged_in_at
    )
    return 0 if register_wh is None else session.recharged_wh(register_wh)


def _had_the_time(tx: Tx, session: SessionRecord, now: datetime, config: Config) -> bool:
    """Return whether the car stayed: only the park ends a session whose plug stays in.

    That takes no promise back.
    """
    return session.state == "bound" or is_still_in(tx, session, now, config)


def is_still_in(tx: Tx, session: SessionRecord, now: datetime, config: Config) -> bool:
    """Return whether the car says that the plug which began a session was never pulled."""
    vehicle = None if session.vehicle_id is None else VehicleRecord.kept(tx, session.vehicle_id)
    live = None if vehicle is None else vehicle.live
    if live is None or not live.plugged_in or not live.plugged_in_at or not live.measured_at:
        return False
    same_plug = abs(live.plugged_in_at - session.plugged_in_at)
    tolerance = timedelta(seconds=config.bind_tolerance_s)
    return same_plug <= tolerance and now - live.measured_at <= _SURE_FOR
