"""Which leave time is in force: per local day one-off first, then calendar, then weekday times."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from .clock import instant
from .model import Departure, Departures, NextDeparture

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS_AHEAD = 15


def next_departure(
    departures: Departures, minimum_pct: Decimal, zone: ZoneInfo, now: datetime
) -> NextDeparture | None:
    """Return the first leave time after ``now``, or None when the owner gave none.

    A day's one-off replaces that day's calendar, a day's calendar replaces its weekday time; a
    one-off that has passed no longer replaces anything. Looks 15 local days ahead, and at the
    one-off however far ahead it is.
    """
    today = now.astimezone(zone).date()
    one_off = departures.one_off
    for ahead in range(_DAYS_AHEAD):
        found = _on_day(departures, today + timedelta(days=ahead), zone, now, minimum_pct)
        if found:
            return _named(*found, minimum_pct)
    if one_off and one_off.departure_at > now:
        return _named(one_off, "one_off", minimum_pct)
    return None


def moved(
    departures: Departures, at: datetime, minimum_pct: Decimal, zone: ZoneInfo, now: datetime
) -> Departures:
    """Return the leave times with ``at`` as the one-off: a time that came without a minimum.

    A time alone asks no less of the battery: of what it replaces, the one-off that is to come and
    what stood on its day, the highest minimum stays.
    """
    day = at.astimezone(zone).date()
    one_off, calendar = departures.one_off, departures.calendar
    replaced = [one_off] if one_off and one_off.departure_at > now else []
    if not (replaced and _local(replaced[0], zone) == day):
        events = calendar.events if calendar else ()
        coming = [each for each in events if each.departure_at > now and _local(each, zone) == day]
        replaced += [_raised(each, minimum_pct) for each in coming] or [Departure(departure_at=at)]
    asked = [each.soc_min_departure_pct for each in replaced]
    kept = max(asked, key=lambda pct: minimum_pct if pct is None else pct)
    return replace(departures, one_off=Departure(departure_at=at, soc_min_departure_pct=kept))


def _on_day(
    departures: Departures, day: date, zone: ZoneInfo, now: datetime, minimum_pct: Decimal
) -> tuple[Departure, str] | None:
    """Return the day's first leave time after ``now`` and its source."""
    one_off = departures.one_off
    if one_off and one_off.departure_at > now and _local(one_off, zone) == day:
        return one_off, "one_off"
    events = departures.calendar.events if departures.calendar else ()
    on_day = sorted(
        (event for event in events if _local(event, zone) == day),
        key=lambda event: event.departure_at,
    )
    if on_day:
        coming = next((event for event in on_day if event.departure_at > now), None)
        return (_raised(coming, minimum_pct), "calendar") if coming else None
    clock = departures.weekly.get(WEEKDAYS[day.weekday()])
    if clock:
        at = instant(day, clock, zone).astimezone(now.tzinfo)
        if at > now:
            return Departure(departure_at=at), "weekly"
    return None


def _raised(event: Departure, minimum_pct: Decimal) -> Departure:
    """Return a calendar's event without a minimum below the usual one.

    Whoever may write an event says when the car leaves; that less will do then is the owner's word.
    """
    asked = event.soc_min_departure_pct
    low = asked is not None and asked < minimum_pct
    return replace(event, soc_min_departure_pct=None) if low else event


def _local(departure: Departure, zone: ZoneInfo) -> date:
    return departure.departure_at.astimezone(zone).date()


def _named(departure: Departure, source: str, minimum_pct: Decimal) -> NextDeparture:
    needed = departure.soc_min_departure_pct
    return NextDeparture(
        departure_at=departure.departure_at,
        source=source,
        soc_min_departure_pct=minimum_pct if needed is None else needed,
        summary=departure.summary,
    )
