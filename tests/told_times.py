"""Times and how they are told: the phone and the card must say the same of one offer."""

from datetime import UTC, datetime
from typing import Final

ZONE: Final = "Asia/Shanghai"
# A Tuesday, an hour before midnight there; in UTC it is the afternoon.
NOW: Final = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)


def there(day: int, hour: int, minute: int = 0, *, month: int = 12) -> datetime:
    """Return a moment by the clock on the wall there."""
    # Eight hours ahead all year; what is tested may not be trusted with the zone.
    return datetime.fromisoformat(f"2026-{month:02}-{day:02}T{hour:02}:{minute:02}:00+08:00")


# From when to when, in English, and in either Chinese.
TOLD: Final = {
    "today": (there(1, 23, 5), there(1, 23, 50), "23:05 to 23:50", "23:05 至 23:50"),
    "tomorrow": (
        there(2, 20, 2),
        there(2, 21, 2),
        "Wednesday 20:02 to 21:02",
        "星期三20:02 至 21:02",
    ),
    "in six days": (
        there(7, 20, 2),
        there(7, 21, 2),
        "Monday 20:02 to 21:02",
        "星期一20:02 至 21:02",
    ),
    "in a week": (
        there(8, 20, 2),
        there(8, 21, 2),
        "Tuesday, 8 December, 20:02 to 21:02",
        "12月8日星期二20:02 至 21:02",
    ),
    "over midnight": (
        there(1, 23, 30),
        there(2, 0, 30),
        "23:30 to Wednesday 00:30",
        "23:30 至 星期三00:30",
    ),
    "over a later midnight": (
        there(4, 23, 30),
        there(5, 0, 30),
        "Friday 23:30 to Saturday 00:30",
        "星期五23:30 至 星期六00:30",
    ),
    "since yesterday": (
        there(30, 22, month=11),
        there(1, 23, 30),
        "Monday, 30 November, 22:00 to Tuesday 23:30",
        "11月30日星期一22:00 至 星期二23:30",
    ),
}
