"""What charging costs: the owner's bands, or prices Home Assistant reported, padded when late."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Final

from owner_api.core.bands import band_prices
from owner_api.planning.request import TariffEntry
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from .records import VehicleRecord

# A reported price holds until the next one; the last one for no longer than this.
LAST_HOLDS: Final = timedelta(hours=1)
_KEEP: Final = timedelta(days=2)
_A_DAY: Final = timedelta(days=1)
# Two days of quarters of an hour; a longer list costs less to ask for than to keep for every car.
_MOST_REMEMBERED: Final = 200


@dataclass(frozen=True, slots=True)
class TariffView:
    """Prices from before now to the leave time, and from when on they are only assumed."""

    entries: tuple[TariffEntry, ...]
    padded_from: datetime | None = None


def tariff(tx: Tx, vehicle: VehicleRecord, now: datetime, until: datetime) -> TariffView:
    """Return the reported prices where there are any, else the owner's daily bands.

    Beyond the last reported price the dearest one known stands in, and is marked: a price that
    comes late may then only make an offer better, never worse. Where all have ended, the bands are
    known as well; after two days of silence they are the owner's only word again.
    """
    told = _reported(tx, vehicle.vehicle_id)
    first, last = (bisect_left(told, at, key=itemgetter(0)) for at in (now - _KEEP, until))
    if told and told[-1][0] > now:
        # Nothing is silent: what began long ago holds until the next one.
        first = min(first, max(0, bisect_right(told, now, key=itemgetter(0)) - 1))
    known = told[first:last]
    if not known or known[0][0] > now:
        return TariffView(_bands(vehicle, now, until))
    ends = told[last][0] if last < len(told) else known[-1][0] + LAST_HOLDS
    if ends >= until:
        return TariffView(_current(known, now))
    prices = [each for _, each in known]
    if ends <= now:
        prices += [band.price_per_kwh for band in vehicle.preferences.tariff.bands]
    assumed = (ends, max(prices))
    return TariffView(_current([*known, assumed], now), padded_from=ends)


def told_before(
    tx: Tx, vehicle_id: str, first_at: datetime, last_at: datetime
) -> list[tuple[datetime, str]]:
    """Return the reported prices of the day before others, which are told from first to last.

    None where those are of a day themselves, or where what was reported ended before they begin.
    """
    told = _reported(tx, vehicle_id)
    end = bisect_left(told, first_at, key=itemgetter(0))
    ended = end == len(told) and bool(told) and told[-1][0] + LAST_HOLDS < first_at
    if ended or last_at - first_at >= _A_DAY:
        return []
    first = bisect_left(told, first_at - _A_DAY, key=itemgetter(0))
    return [(start_at, format(price, "f")) for start_at, price in told[first:end]]


def _reported(tx: Tx, vehicle_id: str) -> list[tuple[datetime, Decimal]]:
    """Return every price that was reported for the vehicle's charging, in time order."""
    if (known := tx.recall("vehicle_price", vehicle_id)) is not None:
        return [*known]
    rows = tx.all(
        "SELECT start_at, price_per_kwh FROM vehicle_price WHERE vehicle_id = ? ORDER BY start_at",
        vehicle_id,
    )
    found = [(decode(row["start_at"]), Decimal(row["price_per_kwh"])) for row in rows]
    if len(found) <= _MOST_REMEMBERED:
        tx.remember("vehicle_price", vehicle_id, tuple(found))
    return found


def _bands(vehicle: VehicleRecord, now: datetime, until: datetime) -> tuple[TariffEntry, ...]:
    """Return the daily bands as instants, in time order; DST moves them with the local clock."""
    bands = vehicle.preferences.tariff.bands
    return _current(band_prices(bands, vehicle.zone, now, until), now)


def _current(ordered: list[tuple[datetime, Decimal]], now: datetime) -> tuple[TariffEntry, ...]:
    """Return the entry that holds now and all later ones."""
    earlier = sum(1 for at, _ in ordered if at <= now)
    kept = ordered[max(0, earlier - 1) :]
    return tuple(TariffEntry(start_at=at, price_per_kwh=each) for at, each in kept)
