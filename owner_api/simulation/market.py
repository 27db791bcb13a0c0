"""Day-ahead prices of one year, and what a kWh costs whoever charges in another one.

A session of another year gets the prices of the same clock time, weekday and season: whole years
of 52 weeks are added or taken away until the hour lies in the file. Clock times stay as they are,
so a price belongs to what people do at that hour.
"""

from collections.abc import Mapping
import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

COLUMNS: Final = ("start_local", "eur_per_mwh")
# About what the European Central Bank's rates of 2020 average to.
CNY_PER_EUR: Final = Decimal("7.9")
# Grid, levies and tax on top of the energy: what makes a household's price of a market price.
FEES_CNY_PER_KWH: Final = Decimal("0.45")
_YEAR: Final = timedelta(weeks=52)
_HOUR: Final = timedelta(hours=1)
_PUBLISHED_AT_H: Final = 13
_STEP: Final = Decimal("0.0001")


class PricesCsvError(ValueError):
    """The file is no list of hourly prices; the message says what would pass."""


@dataclass(frozen=True, slots=True)
class DayAhead:
    """Hourly market prices by local clock hour (naive, EUR/MWh), read in the cars' ``zone``."""

    by_hour: Mapping[datetime, Decimal]
    zone: ZoneInfo

    def price(self, at: datetime) -> Decimal:
        """Return what a kWh costs the owner in the hour of ``at``, CNY with 4 decimals."""
        market = self.by_hour[self._twin_hour(at)] * CNY_PER_EUR / 1000
        return (market + FEES_CNY_PER_KWH).quantize(_STEP, rounding=ROUND_HALF_EVEN)

    def known(self, at: datetime) -> list[tuple[datetime, Decimal]]:
        """Return hour and price of what is published at ``at``.

        All of today's clock hours from this one on, tomorrow's too from 13:00 on.
        """
        hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        local = hour.astimezone(self.zone)
        days = 2 if local.hour >= _PUBLISHED_AT_H else 1
        end = (local.replace(hour=0) + timedelta(days=days)).date()
        found = []
        while hour.astimezone(self.zone).date() < end:
            found.append((hour, self.price(hour)))
            hour += _HOUR
        return found

    def _twin_hour(self, at: datetime) -> datetime:
        hour = at.astimezone(self.zone).replace(
            minute=0, second=0, microsecond=0, tzinfo=None, fold=0
        )
        first = next(iter(self.by_hour))
        last = first + (len(self.by_hour) - 1) * _HOUR
        while hour < first:
            hour += _YEAR
        while hour > last:
            hour -= _YEAR
        return hour


def read_prices(path: Path, zone: ZoneInfo) -> DayAhead:
    """Read ``start_local,eur_per_mwh``: one row for each hour of at least 52 weeks, in order.

    Raises PricesCsvError, OSError.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        if not set(COLUMNS) <= set(rows.fieldnames or ()):
            raise PricesCsvError(f"the header needs the columns {', '.join(COLUMNS)}")
        by_hour: dict[datetime, Decimal] = {}
        expected: datetime | None = None
        for number, row in enumerate(rows, start=2):
            try:
                hour = datetime.fromisoformat(row["start_local"])
                price = Decimal(row["eur_per_mwh"])
            except (ValueError, InvalidOperation) as error:
                raise PricesCsvError(f"line {number}: a local time and a price needed") from error
            if hour.tzinfo or (expected and hour != expected) or not price.is_finite():
                raise PricesCsvError(f"line {number}: the hour {expected} and a price needed")
            by_hour[hour] = price
            expected = hour + _HOUR
    if len(by_hour) * _HOUR < _YEAR:
        raise PricesCsvError(f"{len(by_hour)} hours: at least 52 weeks are needed")
    return DayAhead(by_hour, zone)
