"""An owner's months, by the time zone that was theirs when something was booked.

Promise 6: a statement that was shown stays what it was when its owner moves, and what is booked
stands in one month, whatever zones there were.
"""

from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from owner_api.store.times import decode
from owner_api.store.tx import Tx

from .records import Row


class Stretch(NamedTuple):
    """A part of a month (``end_at`` excluded), and the zone that it was in."""

    start_at: datetime
    end_at: datetime
    time_zone: str


def change_zone(tx: Tx, owner: Row, now: datetime) -> None:
    """Keep until when the zone that an owner leaves was theirs, if anything was booked in it."""
    owner_id = owner["owner_id"]
    booked = tx.one(
        "SELECT 1 AS found FROM posting WHERE account > ?1 || ':' AND account < ?1 || ';'"
        " AND at >= coalesce((SELECT max(until_at) FROM earlier_zone WHERE owner_id = ?1), '')"
        " LIMIT 1",
        owner_id,
    )
    if booked is not None:
        tx.run(
            "INSERT INTO earlier_zone (owner_id, until_at, time_zone) VALUES (?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            owner_id,
            now,
            owner["time_zone"],
        )


def month_of(tx: Tx, owner: Row, first: date) -> list[Stretch]:
    """Return all of an owner's month that begins at ``first``: one stretch, unless they moved."""
    left = tx.all(
        "SELECT until_at, time_zone FROM earlier_zone WHERE owner_id = ? ORDER BY until_at",
        owner["owner_id"],
    )
    found: list[Stretch] = []
    since: datetime | None = None
    for row in (*left, {"until_at": None, "time_zone": owner["time_zone"]}):
        start, end = _local_month(first, ZoneInfo(row["time_zone"]))
        until = None if row["until_at"] is None else decode(row["until_at"])
        start = start if since is None else max(start, since)
        end = end if until is None else min(end, until)
        if start < end:
            found.append(Stretch(start, end, row["time_zone"]))
        since = until
    return found


def _local_month(first: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the local midnights that begin and end a month."""
    after = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    start, end = (datetime(day.year, day.month, 1, tzinfo=zone) for day in (first, after))
    return start, end
