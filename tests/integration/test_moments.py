"""When something is, in words: nobody agrees to a time without knowing of which day."""

from datetime import UTC, datetime

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest

from custom_components.v2g_owner.moments import Moments, async_moments

# A Tuesday, an hour before midnight at the park; in UTC it is the afternoon.
NOW = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)


def shanghai(day: int, hour: int, minute: int = 0, *, month: int = 12) -> datetime:
    """Return a moment by the clock on the wall there."""
    # Eight hours ahead all year; the test may not trust the zone it is about.
    return datetime.fromisoformat(f"2026-{month:02}-{day:02}T{hour:02}:{minute:02}:00+08:00")


async def moments(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, language: str = "en"
) -> Moments:
    """Return what tells moments in a home in Shanghai at eleven in the evening."""
    await hass.config.async_set_time_zone("Asia/Shanghai")
    freezer.move_to(NOW)
    return await async_moments(hass, language)


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        (shanghai(1, 23, 5), shanghai(1, 23, 50), "23:05 to 23:50"),
        (shanghai(2, 20, 2), shanghai(2, 21, 2), "Wednesday 20:02 to 21:02"),
        (shanghai(7, 20, 2), shanghai(7, 21, 2), "Monday 20:02 to 21:02"),
        (shanghai(8, 20, 2), shanghai(8, 21, 2), "Tuesday, 8 December, 20:02 to 21:02"),
        (shanghai(1, 23, 30), shanghai(2, 0, 30), "23:30 to Wednesday 00:30"),
        (shanghai(4, 23, 30), shanghai(5, 0, 30), "Friday 23:30 to Saturday 00:30"),
        (
            shanghai(30, 22, month=11),
            shanghai(1, 23, 30),
            "Monday, 30 November, 22:00 to Tuesday 23:30",
        ),
    ],
    ids=[
        "today",
        "tomorrow",
        "in six days",
        "in a week",
        "over midnight",
        "over a later midnight",
        "since yesterday",
    ],
)
async def test_a_window_is_told_with_its_day_unless_that_is_today(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, start: datetime, end: datetime, told: str
) -> None:
    """Today's date is that of Home Assistant's zone, and a week from now has today's weekday."""
    assert (await moments(hass, freezer)).window(start, end) == told


@pytest.mark.parametrize(
    ("language", "named", "dated"),
    [
        ("en", "Friday 23:30 to Saturday 00:30", "Tuesday, 8 December, 20:02"),
        ("zh-Hans", "星期五 23:30 至 星期六 00:30", "12月8日星期二 20:02"),
        ("zh-Hant", "星期五 23:30 至 星期六 00:30", "12月8日星期二 20:02"),
    ],
)
async def test_every_language_names_days_and_dates(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, language: str, named: str, dated: str
) -> None:
    """Each in its own order."""
    tells = await moments(hass, freezer, language)
    assert tells.window(shanghai(4, 23, 30), shanghai(5, 0, 30)) == named
    assert tells.at(shanghai(8, 20, 2)) == dated


async def test_what_was_told_before_midnight_is_still_right_after_it(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    """A notification sent at eleven is read at seven: no day in it may have moved."""
    tells = await moments(hass, freezer)
    friday = shanghai(4, 20)
    told = tells.at(friday)
    for day in (2, 3):
        freezer.move_to(shanghai(day, 7))
        assert tells.at(friday) == told == "Friday 20:00"
