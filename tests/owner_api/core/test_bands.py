"""Daily price bands as instants: what the clock shows decides, when it is changed too."""

from bisect import bisect_right
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from owner_api.core.bands import band_prices
from owner_api.core.model import TariffBand

from .patience import patient

BERLIN, CAIRO = ZoneInfo("Europe/Berlin"), ZoneInfo("Africa/Cairo")
LORD_HOWE, SHANGHAI = ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Shanghai")
# The days of a clock change and one on which nothing changes.
DAYS = [
    (BERLIN, "2027-03-28"),
    (BERLIN, "2026-10-25"),
    (CAIRO, "2027-04-30"),
    (CAIRO, "2026-10-29"),
    (LORD_HOWE, "2027-10-03"),
    (LORD_HOWE, "2027-04-04"),
    (SHANGHAI, "2027-03-28"),
]


def bands_of(prices: dict[str, str]) -> tuple[TariffBand, ...]:
    return tuple(
        TariffBand(start=time.fromisoformat(start), price_per_kwh=Decimal(price))
        for start, price in prices.items()
    )


def on_day(
    zone: ZoneInfo, day: str, bands: tuple[TariffBand, ...]
) -> list[tuple[datetime, Decimal]]:
    midnight = datetime.fromisoformat(day).replace(tzinfo=zone).astimezone(UTC)
    return band_prices(bands, zone, midnight, midnight + timedelta(hours=26))


def held(found: list[tuple[datetime, Decimal]], at: datetime) -> Decimal:
    return found[bisect_right([each for each, _ in found], at) - 1][1]


@pytest.mark.parametrize(("zone", "day"), DAYS)
@given(st.lists(st.integers(0, 287), min_size=1, max_size=6, unique=True))
@patient
def test_promise_10_at_every_moment_the_price_is_that_of_the_band_the_clock_shows(
    zone: ZoneInfo, day: str, steps: list[int]
) -> None:
    clocks = [time(step // 12, step % 12 * 5) for step in steps]
    bands = tuple(
        TariffBand(start=clock, price_per_kwh=Decimal(at)) for at, clock in enumerate(clocks)
    )
    found = on_day(zone, day, bands)
    at = datetime.fromisoformat(day).replace(tzinfo=zone).astimezone(UTC)
    for _ in range(25 * 12):
        shown = at.astimezone(zone).time()
        begun = [band for band in bands if band.start <= shown] or bands
        assert held(found, at) == max(begun, key=lambda band: band.start).price_per_kwh
        at += timedelta(minutes=5)


@pytest.mark.parametrize("order", [1, -1])
def test_promise_10_of_two_bands_that_begin_with_springs_jump_the_later_one_holds(
    order: int,
) -> None:
    """The cheap half hour from 02:30 is never shown: it stood for the rest of the day."""
    bands = bands_of({"00:00": "0.60", "02:30": "0.05", "03:00": "0.60"})[::order]
    found = on_day(BERLIN, "2027-03-28", bands)
    jump = datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert (jump, Decimal("0.60")) in found
    day = [price for at, price in found if jump - timedelta(hours=2) <= at < jump.replace(hour=22)]
    assert set(day) == {Decimal("0.60")}


def test_promise_10_a_band_alone_in_the_hour_that_spring_skips_holds_from_the_jump() -> None:
    found = on_day(BERLIN, "2027-03-28", bands_of({"00:00": "0.60", "02:30": "0.05"}))
    assert (datetime(2027, 3, 28, 1, tzinfo=UTC), Decimal("0.05")) in found


def test_promise_10_an_hour_that_autumn_repeats_has_its_prices_twice() -> None:
    """From 02:30 to 03:00 is cheap both times; between, the clock shows 02:00 again."""
    bands = bands_of({"00:00": "0.60", "02:30": "0.05", "03:00": "0.60"})
    found = on_day(BERLIN, "2026-10-25", bands)
    night = [(at.strftime("%H:%M"), str(price)) for at, price in found if at.day == 25][:4]
    assert night == [("00:30", "0.05"), ("01:00", "0.60"), ("01:30", "0.05"), ("02:00", "0.60")]
