"""What time itself does: deadlines pass, leases end, silence becomes a no. Run twice a second."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from owner_api.config import Config
from owner_api.core.machine import (
    CommitmentState,
    Expire,
    Moved,
    OfferState,
    decide_offer,
)
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from . import announce, deals, erasure, evaluations, guard, measured, recharges, settling
from .alone import alone
from .records import CommitmentRecord, OfferRecord, Row, SessionRecord

type NewId = Callable[[str], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """When the deadlines are looked at, by which limits, and since when anybody could be heard."""

    now: datetime
    config: Config
    new_id: NewId
    heard_since: datetime | None


def tick(
    tx: Tx,
    now: datetime,
    config: Config,
    new_id: NewId,
    *,
    heard_since: datetime | None = None,
) -> None:
    """Do everything that is due at ``now``; nothing here depends on how often it is called.

    Each thing stands alone: one that fails is logged and undone, and keeps no other from its time.
    What an owner, a park or a meter was to tell is waited for from ``heard_since`` on: before, none
    listened.
    """
    moment = Moment(now=now, config=config, new_id=new_id, heard_since=heard_since)
    for row in _due_offers(tx, now):
        alone(tx, row["offer_id"], partial(_expire, tx, row, now))
    for row in deals_due(tx, now, config):
        alone(tx, row["commitment_id"], partial(_watch_deal, tx, row, moment))
    for row in _unsettled(tx):
        alone(tx, row["commitment_id"], partial(_settle, tx, row, moment))
    for row in _undisputed(tx, now):
        alone(tx, row["settlement_id"], partial(_finalize, tx, row, moment))
    for row in recharges.due(tx, now):
        alone(tx, row["session_id"], partial(recharges.check, tx, row, now, config, heard_since))
    alone(tx, "owner", partial(erasure.go_on, tx, now))


def _due_offers(tx: Tx, now: datetime) -> list[Row]:
    return tx.all(
        "SELECT * FROM offer WHERE state IN ('presented', 'countered') AND respond_by <= ?", now
    )


def _expire(tx: Tx, row: Row, now: datetime) -> None:
    """Promise 1: an offer nobody answered in time is over."""
    offer = OfferRecord.from_row(row)
    move = decide_offer(evaluations.facts(offer), Expire(), now)
    if isinstance(move, Moved):
        expired = offer.changed(tx, state=OfferState.EXPIRED.value, updated_at=now)
        announce.offer(tx, expired, now)


def deals_due(tx: Tx, now: datetime, config: Config) -> list[Row]:
    """Return the deals of which something may be due: all that run, of others those whose time is.

    Of a thousand that wait for their hour, none is read.
    """
    return tx.all(
        "SELECT * FROM commitment WHERE rowid IN ("
        " SELECT rowid FROM commitment WHERE state = 'active'"
        " UNION ALL SELECT rowid FROM commitment WHERE state = 'pending_award' AND award_by < ?1"
        " UNION ALL SELECT rowid FROM commitment WHERE state = 'scheduled'"
        " AND (end_at <= ?1 OR max(start_at, award_by) < ?2)) ORDER BY rowid",
        now,
        now - timedelta(seconds=config.start_grace_s),
    )


def _watch_deal(tx: Tx, row: Row, moment: Moment) -> None:
    """End a deal whose time has passed or whose discharge may not go on."""
    deal, now, config = CommitmentRecord.from_row(row), moment.now, moment.config
    match deal.state:
        case CommitmentState.PENDING_AWARD if now > deal.award_by:
            deals.finish(tx, deal, CommitmentState.LAPSED, "award", now)
        case CommitmentState.SCHEDULED if now >= deal.end_at or _is_late(tx, deal, moment):
            deals.finish(tx, deal, CommitmentState.MISSED, "not_started", now)
        case CommitmentState.ACTIVE if guard.lease_over(deal, now):
            guard.end_lease(tx, deal, now, config)
        case CommitmentState.ACTIVE if now >= deal.end_at:
            deals.finish(tx, deal, CommitmentState.COMPLETED, "delivered", now)
        case CommitmentState.ACTIVE:
            guard.enforce(tx, deal, now, config)
        case _:
            pass


def _is_late(tx: Tx, deal: CommitmentRecord, moment: Moment) -> bool:
    """Return whether the park let the time pass in which it could have begun."""
    now, grace = moment.now, timedelta(seconds=moment.config.start_grace_s)
    # A yes given late joins late: the grace counts from when the award had to be there.
    since = max(deal.start_at, deal.award_by)
    if now <= max(since, moment.heard_since or since) + grace:
        return False
    free_at = deals.meter_free_at(tx, deal)
    return free_at is not None and now > free_at + grace


def _unsettled(tx: Tx) -> list[Row]:
    return tx.all(
        "SELECT * FROM commitment WHERE settlement_id IS NULL AND ended_at IS NOT NULL"
        " AND started_at IS NOT NULL ORDER BY ended_at"
    )


def _settle(tx: Tx, row: Row, moment: Moment) -> None:
    """Settle what has ended; mark a stop as done when its lease, and so its power, is over."""
    deal, now = CommitmentRecord.from_row(row), moment.now
    session = SessionRecord.find(tx, deal.session_id)
    over = deal.lease_until is not None and now >= deal.lease_until
    if deal.stop is not None and deal.stop.stopped_at is None and over:
        assert deal.lease_until is not None
        if not _belied(session, deal.lease_until, deal.stop.requested_at, moment):
            deals.mark_stop(tx, deal, now, stopped_at=max(deal.lease_until, deal.stop.requested_at))
            deal = CommitmentRecord.find(tx, deal.commitment_id)
    limits, new_id = moment.config, moment.new_id
    if not settling.settle_if_read(tx, deal, session, now, limits, new_id):
        settling.settle_if_silent(tx, deal, session, now, limits, new_id, moment.heard_since)


def _belied(
    session: SessionRecord, lease_until: datetime, asked_at: datetime, moment: Moment
) -> bool:
    """Return whether the meter says that a lease's end has stopped nothing, or may say so yet."""
    seen = session.live.power_seen_at
    if seen is None or not measured.runs_on(session, asked_at):
        return False
    blind = timedelta(seconds=moment.config.blind_after_s)
    return seen > lease_until or moment.now - seen < blind


def _undisputed(tx: Tx, now: datetime) -> list[Row]:
    """Return the settling that nobody disputed in time, or whose dispute was taken back."""
    return tx.all(
        "SELECT * FROM settlement WHERE state IN ('provisional', 'disputed')"
        " AND dispute_until <= ? AND (state = 'provisional' OR owner_confirmed_at IS NOT NULL)",
        now,
    )


def _finalize(tx: Tx, row: Row, moment: Moment) -> None:
    """Take silence for a yes, but not that of an owner whom an outage kept from speaking."""
    now, heard_since = moment.now, moment.heard_since
    least = timedelta(seconds=moment.config.dispute_window_min_s)
    if (
        heard_since is None
        or now >= heard_since + least
        or row["owner_confirmed_at"] is not None
        or (decode(row["dispute_until"]) >= heard_since and _is_longer(tx, row))
    ):
        settling.finalize(tx, row["settlement_id"], now, moment.new_id)
        return
    name = {"settlement_id": row["settlement_id"]}
    tx.update("settlement", name, dispute_until=heard_since + least, updated_at=now)
    announce.settlement(tx, settling.find(tx, row["settlement_id"]), now)


def _is_longer(tx: Tx, row: Row) -> bool:
    """Tell whether an outage has made the time to dispute longer already.

    Then only another that takes its end does so again: a server that is started anew each night
    would leave nothing final.
    """
    terms = CommitmentRecord.find(tx, row["commitment_id"]).terms
    agreed = decode(row["created_at"]) + timedelta(seconds=terms.dispute_window_s)
    return decode(row["dispute_until"]) > agreed
