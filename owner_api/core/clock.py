"""When a clock on the wall shows a time, on the days too on which it is put forward or back."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)


def instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Return when a clock shows a local time; one that DST skips is the instant it is jumped over.

    Of two readings the earlier is the safe one: the car is ready for both.
    """
    return showings(day, clock, zone)[0]


def showings(day: date, clock: time, zone: ZoneInfo) -> tuple[datetime, ...]:
    """Return when a clock comes to show a local time, in order.

    That is once; where autumn repeats it twice, with the turn back between; where spring skips it,
    when it is jumped over.
    """
    local = datetime.combine(day, clock, tzinfo=zone)
    # Of a skipped time the reading by the offset after the jump lies before it, and the other way.
    first, last = sorted(local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == last:
        return (first,)
    turn = _turn(first, last, zone)
    if first.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        return (turn,)
    return (first, turn, last)


def _turn(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first second that counts by the offset of ``after``, not that of ``before``."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        changed = middle.astimezone(zone).utcoffset() == offset
        before, after = (before, middle) if changed else (middle, after)
    return after
