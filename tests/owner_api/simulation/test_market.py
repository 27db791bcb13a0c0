"""Prices of one year for sessions of another: same weekday, same hour, same season."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import given, settings, strategies as st
import pytest

from owner_api.simulation.market import (
    CNY_PER_EUR,
    FEES_CNY_PER_KWH,
    DayAhead,
    PricesCsvError,
    read_prices,
)

OSLO = ZoneInfo("Europe/Oslo")
FIRST = datetime(2020, 1, 1)  # noqa: DTZ001 - local clock hours, as in the file
HOURS = [FIRST + timedelta(hours=n) for n in range(24 * 365)]
# A price that tells which hour it is: the day of the year in hundreds, then the hour.
MARKET = DayAhead({at: Decimal(at.timetuple().tm_yday * 100 + at.hour) for at in HOURS}, OSLO)


@pytest.mark.parametrize(
    ("local", "twin"),
    [
        (datetime(2018, 12, 21, 10, 20, tzinfo=OSLO), datetime(2020, 12, 18, tzinfo=OSLO)),
        (datetime(2019, 1, 1, 18, tzinfo=OSLO), datetime(2020, 12, 29, tzinfo=OSLO)),
        (datetime(2019, 7, 15, 3, 59, tzinfo=OSLO), datetime(2020, 7, 13, tzinfo=OSLO)),
        (datetime(2020, 1, 31, 23, tzinfo=OSLO), datetime(2020, 1, 31, tzinfo=OSLO)),
    ],
)
def test_a_session_of_another_year_gets_the_day_52_weeks_on(
    local: datetime, twin: datetime
) -> None:
    """Whole years of 52 weeks keep the weekday; New Year's Day wraps to the year's last week."""
    assert _twin(local).date() == twin.date()
    assert local.weekday() == twin.weekday()


@given(st.datetimes(datetime(2017, 1, 1), datetime(2023, 1, 1)))  # noqa: DTZ001 - made aware below
@settings(deadline=None)
def test_every_instant_of_other_years_has_a_price_of_its_weekday_and_hour(moment: datetime) -> None:
    """Also in the hours that a clock change leaves out or doubles."""
    at = moment.replace(tzinfo=UTC)
    hour = _twin(at)
    local = at.astimezone(OSLO)
    assert (hour.weekday(), hour.hour) == (local.weekday(), local.hour)


def _twin(at: datetime) -> datetime:
    """Return the hour of 2020 whose price ``at`` gets."""
    day, hour = divmod(round((MARKET.price(at) - FEES_CNY_PER_KWH) / CNY_PER_EUR * 1000), 100)
    return FIRST + timedelta(days=day - 1, hours=hour)


def test_tomorrows_prices_are_known_from_13_oclock_on() -> None:
    """As the exchange publishes them."""
    before = MARKET.known(datetime(2020, 6, 10, 12, 30, tzinfo=OSLO))
    later = MARKET.known(datetime(2020, 6, 10, 13, 30, tzinfo=OSLO))
    assert [before[0][0].hour, len(before)] == [10, 12]
    assert len(later) == 11 + 24
    assert before[0][0] <= datetime(2020, 6, 10, 12, 30, tzinfo=OSLO)


@pytest.mark.parametrize(
    "rows",
    [
        ["hour,price", "1,2"],
        ["start_local,eur_per_mwh", "2020-01-01 00:00:00,x"],
        ["start_local,eur_per_mwh", "2020-01-01 00:00:00,1", "2020-01-01 02:00:00,1"],
        ["start_local,eur_per_mwh", "2020-01-01 00:00:00,NaN"],
        ["start_local,eur_per_mwh", "2020-01-01 00:00:00,1"],
    ],
    ids=["columns", "no number", "a gap", "not finite", "too short"],
)
def test_a_file_that_is_no_year_of_hours_is_refused(tmp_path: Path, rows: list[str]) -> None:
    """The message says what would pass."""
    file = tmp_path / "prices.csv"
    file.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(PricesCsvError, match="need"):
        read_prices(file, OSLO)
