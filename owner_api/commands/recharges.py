"""What a park promised to put back: looked at when it is due, and told to the owner if missing."""

from datetime import datetime, timedelta

from owner_api.config import Config
from owner_api.store.tx import Tx

from . import announce, measured
from .owner_views import agreement_view
from .records import Row, SessionRecord


def due(tx: Tx, now: datetime) -> list[Row]:
    """Return the sessions whose promised recharge has to be there by now."""
    return tx.all(
        "SELECT * FROM session WHERE recharge_due_at IS NOT NULL AND recharge_due_at <= ?"
        " AND state = 'bound'",
        now,
    )


def check(tx: Tx, row: Row, now: datetime, config: Config) -> None:
    """Record a broken recharge promise; it ends the rules' yes for that park.

    What was charged in the last minute is in no reading before the next one: that is waited for.
    """
    session = SessionRecord.from_row(row)
    promise = session.recharge
    if promise is None:
        tx.update("session", {"session_id": session.session_id}, recharge_due_at=None)
        return
    register = measured.imported_after(tx, session.session_id, promise.by)
    if register is None and now - promise.by < timedelta(seconds=config.reading_grace_s):
        return
    broken = session.recharged_wh(register) < promise.energy_wh
    tx.update(
        "session",
        {"session_id": session.session_id},
        recharge_due_at=None,
        recharge_broken=int(broken or session.recharge_broken),
    )
    if not broken:
        return
    announce.session(tx, session.session_id, now)
    agreement = tx.one(
        "SELECT * FROM agreement WHERE owner_id = ? AND park_id = ? AND state = 'active'",
        session.owner_id,
        session.park_id,
    )
    if agreement is not None:
        shown = agreement_view(tx, agreement)
        tx.emit(agreement["owner_id"], "agreement.recharge_broken", now, shown)
