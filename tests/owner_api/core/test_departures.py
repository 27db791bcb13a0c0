"""Which leave time is in force: one-off before calendar before weekday, through DST changes."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from owner_api.core.departures import WEEKDAYS, moved, next_departure
from owner_api.core.model import CalendarRead, Departure, Departures

from .patience import patient

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
SHANGHAI = ZoneInfo("Asia/Shanghai")
LORD_HOWE, CAIRO = ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Africa/Cairo")
ZONES = (BERLIN, NEW_YORK, SHANGHAI)
HALF = Decimal(50)
EVERY_DAY = dict.fromkeys(WEEKDAYS, time(18))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def shown_first(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Return the first minute of a day at which a clock shows a time, or one past it."""
    wanted = datetime.combine(day, clock)
    at = datetime.combine(day, clock, tzinfo=zone).astimezone(UTC) - timedelta(hours=2)
    while at.astimezone(zone).replace(tzinfo=None) < wanted:
        at += timedelta(minutes=1)
    return at


@pytest.mark.parametrize(
    ("zone", "now", "leaves"),
    [
        # Berlin: clocks go back on 2026-10-25 at 03:00 and forward on 2027-03-28 at 02:00.
        (BERLIN, "2026-10-24T20:00", "2026-10-25T07:00"),
        (BERLIN, "2027-03-27T20:00", "2027-03-28T07:00"),
        # New York: back on 2026-11-01 at 02:00, forward on 2027-03-14 at 02:00.
        (NEW_YORK, "2026-10-31T20:00", "2026-11-01T07:00"),
        (NEW_YORK, "2027-03-13T20:00", "2027-03-14T07:00"),
    ],
)
def test_promise_10_a_weekday_time_stays_the_same_clock_time_over_a_clock_change(
    zone: ZoneInfo, now: str, leaves: str
) -> None:
    departures = Departures(weekly=dict.fromkeys(WEEKDAYS, time(7)))
    found = next_departure(departures, HALF, zone, local(now, zone))
    assert found is not None
    assert found.departure_at == local(leaves, zone)
    assert found.departure_at.astimezone(zone).time() == time(7)


@pytest.mark.parametrize(
    ("zone", "clock", "jump"),
    [
        (BERLIN, time(2), "2027-03-28T01:00"),
        (BERLIN, time(2, 1), "2027-03-28T01:00"),
        (BERLIN, time(2, 30), "2027-03-28T01:00"),
        (BERLIN, time(2, 59), "2027-03-28T01:00"),
        (BERLIN, time(3), "2027-03-28T01:00"),
        (NEW_YORK, time(2, 30), "2027-03-14T07:00"),
        # Half an hour is skipped here: clocks go from 02:00 to 02:30.
        (LORD_HOWE, time(2, 15), "2027-10-02T15:30"),
        # And here a midnight.
        (CAIRO, time(0, 20), "2027-04-29T22:00"),
    ],
)
def test_promise_10_a_clock_time_that_spring_skips_is_the_instant_the_clock_jumps_over_it(
    zone: ZoneInfo, clock: time, jump: str
) -> None:
    """Earlier is the safe side: the owner may mean the first moment that is past 02:30."""
    departures = Departures(weekly=dict.fromkeys(WEEKDAYS, clock))
    at = utc(jump)
    found = next_departure(departures, HALF, zone, at - timedelta(minutes=20))
    assert found is not None
    assert found.departure_at == at
    later = next_departure(departures, HALF, zone, at)
    assert later is not None
    assert later.departure_at.astimezone(zone).time() == clock


@pytest.mark.parametrize(
    ("zone", "day", "clock"),
    [(BERLIN, "2026-10-25", time(2, 30)), (NEW_YORK, "2026-11-01", time(1, 30))],
)
def test_of_a_clock_time_that_autumn_repeats_the_first_is_meant(
    zone: ZoneInfo, day: str, clock: time
) -> None:
    """The earlier reading is the safe one: the car is ready for both."""
    departures = Departures(weekly=dict.fromkeys(WEEKDAYS, clock))
    found = next_departure(departures, HALF, zone, local(f"{day}T00:10", zone))
    assert found is not None
    first = datetime.combine(date.fromisoformat(day), clock, tzinfo=zone)
    assert found.departure_at == first.replace(fold=0).astimezone(UTC)


def test_a_one_off_replaces_that_days_calendar_and_weekday_time_only() -> None:
    one_off = Departure(departure_at=local("2026-12-02T10:00", SHANGHAI))
    event = Departure(departure_at=local("2026-12-02T08:00", SHANGHAI))
    calendar = CalendarRead(read_at=utc("2026-12-01T00:00"), events=(event,))
    departures = Departures(weekly=EVERY_DAY, one_off=one_off, calendar=calendar)

    today = next_departure(departures, HALF, SHANGHAI, local("2026-12-01T12:00", SHANGHAI))
    assert today is not None
    assert (today.source, today.departure_at) == ("weekly", local("2026-12-01T18:00", SHANGHAI))
    then = next_departure(departures, HALF, SHANGHAI, local("2026-12-01T19:00", SHANGHAI))
    assert then is not None
    assert (then.source, then.departure_at) == ("one_off", one_off.departure_at)


def test_a_calendar_event_replaces_that_days_weekday_time() -> None:
    event = Departure(departure_at=local("2026-12-01T15:00", SHANGHAI), summary="Dentist")
    calendar = CalendarRead(read_at=utc("2026-12-01T00:00"), events=(event,))
    departures = Departures(weekly=EVERY_DAY, calendar=calendar)
    found = next_departure(departures, HALF, SHANGHAI, local("2026-12-01T12:00", SHANGHAI))
    assert found is not None
    assert (found.source, found.summary) == ("calendar", "Dentist")
    after = next_departure(departures, HALF, SHANGHAI, local("2026-12-01T16:00", SHANGHAI))
    assert after is not None
    assert (after.source, after.departure_at) == ("weekly", local("2026-12-02T18:00", SHANGHAI))


def test_the_minimum_of_a_departure_counts_before_the_preference_even_when_it_is_zero() -> None:
    at = local("2026-12-01T15:00", SHANGHAI)
    now = local("2026-12-01T12:00", SHANGHAI)
    for told, wanted in ((Decimal(0), Decimal(0)), (Decimal(90), Decimal(90)), (None, HALF)):
        one_off = Departure(departure_at=at, soc_min_departure_pct=told)
        found = next_departure(Departures(one_off=one_off), HALF, SHANGHAI, now)
        assert found is not None
        assert found.soc_min_departure_pct == wanted


def test_without_any_leave_time_there_is_none() -> None:
    assert next_departure(Departures(), HALF, BERLIN, utc("2026-12-01T00:00")) is None


EARLIEST, LATEST = datetime(2026, 1, 1), datetime(2027, 12, 31)  # noqa: DTZ001 - bounds
instants = st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC))


@st.composite
def leave_times(draw: st.DrawFn) -> tuple[Departures, datetime]:
    """Return leave times of every source near one another, and an instant among them."""
    now = draw(instants)
    near = st.integers(-3 * 86_400, 20 * 86_400).map(lambda s: now + timedelta(seconds=s))
    close = st.builds(Departure, departure_at=near)
    weekly = draw(st.dictionaries(st.sampled_from(WEEKDAYS), st.times()))
    events = draw(st.lists(close, max_size=6))
    calendar = draw(st.sampled_from([None, CalendarRead(read_at=now, events=tuple(events))]))
    one_off = draw(st.none() | close)
    clock = {day: at.replace(second=0, microsecond=0) for day, at in weekly.items()}
    return Departures(weekly=clock, one_off=one_off, calendar=calendar), now


@patient
@given(told=leave_times(), zone=st.sampled_from(ZONES))
def test_promise_2_the_leave_time_in_force_lies_ahead_and_was_said_by_the_owner(
    told: tuple[Departures, datetime], zone: ZoneInfo
) -> None:
    departures, now = told
    found = next_departure(departures, HALF, zone, now)
    if found is None:
        return
    assert found.departure_at > now
    wall = found.departure_at.astimezone(zone)
    if found.source == "one_off":
        assert departures.one_off is not None
        assert found.departure_at == departures.one_off.departure_at
    elif found.source == "calendar":
        assert departures.calendar is not None
        assert any(e.departure_at == found.departure_at for e in departures.calendar.events)
    else:
        clock = departures.weekly[WEEKDAYS[wall.weekday()]]
        assert found.departure_at == shown_first(wall.date(), clock, zone)


@patient
@given(told=leave_times(), zone=st.sampled_from(ZONES))
def test_promise_2_no_sooner_leave_time_of_a_day_without_a_better_source_is_passed_over(
    told: tuple[Departures, datetime], zone: ZoneInfo
) -> None:
    """A weekday time yields only to a one-off or calendar entry on its own local day."""
    departures, now = told
    found = next_departure(departures, HALF, zone, now)
    said = {e.departure_at for e in (departures.calendar.events if departures.calendar else ())}
    said |= {departures.one_off.departure_at} if departures.one_off else set()
    taken_days = {at.astimezone(zone).date() for at in said}
    first = now.astimezone(zone).date()
    for ahead in range(15):
        day = first + timedelta(days=ahead)
        clock = departures.weekly.get(WEEKDAYS[day.weekday()])
        if clock is None or day in taken_days:
            continue
        at = shown_first(day, clock, zone)
        if at > now:
            assert found is not None
            assert found.departure_at <= at
            return


@patient
@given(told=leave_times(), zone=st.sampled_from(ZONES), seconds=st.integers(1, 86_400))
def test_a_leave_time_holds_until_it_passes(
    told: tuple[Departures, datetime], zone: ZoneInfo, seconds: int
) -> None:
    """Promise 10: waiting alone never moves the leave time while it still lies ahead."""
    departures, now = told
    found = next_departure(departures, HALF, zone, now)
    if found is not None and now + timedelta(seconds=seconds) < found.departure_at:
        later = next_departure(departures, HALF, zone, now + timedelta(seconds=seconds))
        assert later is not None
        assert later.departure_at <= found.departure_at


NOON = local("2026-12-01T12:00", SHANGHAI)


def _at(text: str, minimum: int | None = None) -> Departure:
    needed = None if minimum is None else Decimal(minimum)
    return Departure(departure_at=local(text, SHANGHAI), soc_min_departure_pct=needed)


@pytest.mark.parametrize(
    ("one_off", "events", "kept"),
    [
        # Nothing but the preference stood there.
        (None, (), None),
        # The day's one-off: what it asked for, were it less than the preference.
        (_at("2026-12-01T18:00", 78), (), 78),
        (_at("2026-12-01T18:00", 20), (), 20),
        (_at("2026-12-01T18:00"), (), None),
        # It stood before the day's calendar, which asks nothing.
        (_at("2026-12-01T18:00", 60), (_at("2026-12-01T17:00", 90),), 60),
        # Another day's is replaced as well; it asks no less of this day than this day's own.
        (_at("2026-12-03T18:00", 78), (), 78),
        (_at("2026-12-03T18:00", 20), (), None),
        (_at("2026-12-03T18:00", 20), (_at("2026-12-01T17:00", 60),), 60),
        # The day's calendar: the most of what is to come.
        (None, (_at("2026-12-01T17:00", 60), _at("2026-12-01T21:00", 70)), 70),
        # A calendar asks for more than usual, never for less.
        (None, (_at("2026-12-01T17:00", 20),), None),
        (_at("2026-12-03T18:00", 20), (_at("2026-12-01T17:00", 30),), None),
        (None, (_at("2026-12-01T11:00", 90), _at("2026-12-02T17:00", 90)), None),
        # What has passed, or passes just now, asks nothing.
        (_at("2026-12-01T11:00", 90), (), None),
        (_at("2026-12-01T12:00", 90), (_at("2026-12-01T12:00", 90),), None),
    ],
)
def test_promise_2_a_leave_time_named_alone_asks_no_less_than_what_it_replaces(
    one_off: Departure | None, events: tuple[Departure, ...], kept: int | None
) -> None:
    calendar = CalendarRead(read_at=NOON, events=events)
    before = Departures(weekly=EVERY_DAY, one_off=one_off, calendar=calendar)
    at = local("2026-12-01T16:00", SHANGHAI)
    after = moved(before, at, HALF, SHANGHAI, NOON)
    needed = None if kept is None else Decimal(kept)
    assert after.one_off == Departure(departure_at=at, soc_min_departure_pct=needed)
    assert (after.weekly, after.calendar) == (before.weekly, before.calendar)
