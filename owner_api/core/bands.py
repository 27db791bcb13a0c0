"""An owner's daily price bands as instants: what the clock on the wall shows decides the price."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from zoneinfo import ZoneInfo

from .clock import showings
from .model import TariffBand


def band_prices(
    bands: Sequence[TariffBand], zone: ZoneInfo, now: datetime, until: datetime
) -> list[tuple[datetime, Decimal]]:
    """Return from when on which price holds, in time order, from the day before now on.

    A band that spring skips holds from the jump on where no later one begins with it; an hour that
    autumn repeats has its prices twice.
    """
    ordered = sorted(bands, key=attrgetter("start"))
    starts = [band.start for band in ordered]
    first = now.astimezone(zone).date() - timedelta(days=1)
    last = until.astimezone(zone).date()
    days = (first + timedelta(days=ahead) for ahead in range((last - first).days + 1))
    found: dict[datetime, Decimal] = {}
    for day in days:
        for start in starts:
            for at in showings(day, start, zone):
                shown = at.astimezone(zone).time()
                # Before the day's first band the last one still holds: it wraps midnight.
                found[at] = ordered[bisect_right(starts, shown) - 1].price_per_kwh
    return sorted(found.items())
