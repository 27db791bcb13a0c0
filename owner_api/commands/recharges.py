"""What a park promised to put back: looked at when it is due, and told to the owner if missing."""

from datetime import datetime, timedelta
from typing import Final

from owner_api.config import Config
from owner_api.core.model import Recharge
from owner_api.store.tx import Tx

from . import announce, measured
from .owner_views import agreement_view
from .records import Row, SessionRecord, VehicleRecord

# A car that has said nothing for longer may have left.
_SURE_FOR: Final = timedelta(minutes=30)


def due(tx: Tx, now: datetime) -> list[Row]:
    """Return the sessions whose promised recharge has to be there by now."""
    return tx.all(
        "SELECT * FROM session WHERE recharge_due_at IS NOT NULL AND recharge_due_at <= ?"
        " AND state IN ('bound', 'ended') AND bound_by IS NOT NULL",
        now,
    )


def check(tx: Tx, row: Row, now: datetime, config: Config) -> None:
    """Record a broken recharge promise; it ends the rules' yes for that park.

    What was charged in the last minute is in no reading before the next one: that is waited for.
    """
    session = SessionRecord.from_row(row)
    promise = session.recharge
    broken = False
    if promise is not None:
        grace = timedelta(seconds=config.reading_grace_s)
        register = measured.imported_after(tx, session.session_id, promise.by)
        if register is None and now - promise.by < grace:
            return
        broken = _is_broken(tx, session, promise, register, now, config)
    tx.update(
        "session",
        {"session_id": session.session_id},
        recharge_due_at=None,
        recharge_broken=int(broken or session.recharge_broken),
    )
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
    if not _is_still_in(tx, session, now, config):
        return False
    begin = session.recharge_begin_wh
    newest = tx.one(
        "SELECT max(import_register_wh) AS wh FROM reading JOIN session USING (session_id)"
        " WHERE session.park_id = ? AND session.evse_id = ? AND reading.measured_at >= ?"
        " AND reading.quality NOT IN ('missing', 'bad')",
        session.park_id,
        session.evse_id,
        session.plugged_in_at,
    )
    register = None if newest is None else newest["wh"]
    return begin is None or register is None or register - begin < promise.energy_wh


def _is_still_in(tx: Tx, session: SessionRecord, now: datetime, config: Config) -> bool:
    """Return whether the car says that the plug which began an ended session was never pulled."""
    vehicle = None if session.vehicle_id is None else VehicleRecord.kept(tx, session.vehicle_id)
    live = None if vehicle is None else vehicle.live
    if live is None or not live.plugged_in or not live.plugged_in_at or not live.measured_at:
        return False
    same_plug = abs(live.plugged_in_at - session.plugged_in_at)
    tolerance = timedelta(seconds=config.bind_tolerance_s)
    return same_plug <= tolerance and now - live.measured_at <= _SURE_FOR
