"""What a park has promised to put back: expected after a deal, held against the meter, told."""

from datetime import datetime, timedelta
from typing import Final

from owner_api.config import Config
from owner_api.core.model import Recharge
from owner_api.store.documents import dump
from owner_api.store.tx import Tx

from . import announce, measured
from .owner_views import agreement_view
from .records import CommitmentRecord, Row, SessionRecord, VehicleRecord

# A car that has said nothing for longer may have left.
_SURE_FOR: Final = timedelta(minutes=30)


def expect(tx: Tx, deal: CommitmentRecord) -> None:
    """Watch the recharge that the park promised for a deal that is settled."""
    promise = deal.terms.recharge
    if promise is None or not promise.guaranteed:
        return
    session = SessionRecord.find(tx, deal.session_id)
    # A park may charge from the deal's end on, before the reading that settles it.
    register = measured.imported_by(tx, deal.session_id, deal.ended_at)
    if register is None:
        register = session.live.import_register_wh
    if session.state == "ended":
        # Where the park has not opened it anew, the ended one is held against the park.
        session = _same_stay(tx, session, "bound") or session
    tx.update(
        "session",
        {"session_id": session.session_id},
        recharge=dump(promise),
        recharge_due_at=promise.by,
        recharge_from_wh=register or 0,
    )


def carry_on(tx: Tx, session_id: str, now: datetime) -> None:
    """Let a session that a park opens anew go on with what was promised in the one before.

    Promise 2: it was sold on. Said once more it is no second promise: what was put back stays so.
    """
    session = SessionRecord.find(tx, session_id)
    before = _same_stay(tx, session, "ended")
    if before is None or before.recharge is None:
        return
    promise = before.recharge
    if session.recharge not in (None, promise):
        return
    to_come = promise.guaranteed and promise.by > now
    tx.update("session", {"session_id": before.session_id}, recharge_due_at=None)
    tx.update(
        "session",
        {"session_id": session_id},
        recharge=dump(promise),
        recharge_due_at=promise.by if to_come else None,
        recharge_from_wh=before.recharge_begin_wh,
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
    """Record a broken recharge promise; it ends the rules' yes for that park.

    What was charged in the last minute is in no reading before the next one: that is waited for,
    while somebody listens.
    """
    session = SessionRecord.from_row(row)
    promise = session.recharge
    broken = False
    if promise is not None:
        grace = timedelta(seconds=config.reading_grace_s)
        register = measured.imported_after(tx, session.session_id, promise.by)
        since = max(promise.by, heard_since or promise.by)
        if register is None and now - since < grace:
            return
        broken = _is_broken(tx, session, promise, register, now, config)
    found = {"recharge_broken_at": now} if broken else {}
    tx.update("session", {"session_id": session.session_id}, recharge_due_at=None, **found)
    if not broken:
        return
    if session.state == "bound":
        announce.session(tx, session.session_id, now)
    agreement = tx.one(
        "SELECT * FROM agreement WHERE owner_id = ? AND park_id = ? AND state = 'active'",
        session.owner_id,
        session.park_id,
    )
    if agreement is not None:
        shown = agreement_view(tx, agreement)
        tx.emit(agreement["owner_id"], "agreement.recharge_broken", now, shown)


def _is_broken(
    tx: Tx,
    session: SessionRecord,
    promise: Recharge,
    register_wh: int | None,
    now: datetime,
    config: Config,
) -> bool:
    """Return whether the energy is not there, though the car gave the park the time for it.

    ``register_wh`` is the meter's import register when it was due, None where nobody has read it.
    """
    if session.state == "bound":
        return session.recharged_wh(register_wh) < promise.energy_wh
    # Only the park ends a session whose plug stays in: that takes no promise back.
    if not is_still_in(tx, session, now, config):
        return False
    begin = session.recharge_begin_wh
    register = measured.imported_since(tx, session.park_id, session.evse_id, session.plugged_in_at)
    return begin is None or register is None or register - begin < promise.energy_wh


def is_still_in(tx: Tx, session: SessionRecord, now: datetime, config: Config) -> bool:
    """Return whether the car says that the plug which began a session was never pulled."""
    vehicle = None if session.vehicle_id is None else VehicleRecord.kept(tx, session.vehicle_id)
    live = None if vehicle is None else vehicle.live
    if live is None or not live.plugged_in or not live.plugged_in_at or not live.measured_at:
        return False
    same_plug = abs(live.plugged_in_at - session.plugged_in_at)
    tolerance = timedelta(seconds=config.bind_tolerance_s)
    return same_plug <= tolerance and now - live.measured_at <= _SURE_FOR
