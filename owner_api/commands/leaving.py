"""The leave time in force: the owner's word first, the forecast of this car's stays after it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from owner_api.core.departures import moved, next_departure
from owner_api.core.model import NextDeparture
from owner_api.planning.dwell import Stay, StayHistory, forecast_dwell
from owner_api.planning.dwell_prior import shipped_prior
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from .records import SessionRecord, VehicleRecord

# How often a forecast leave time may be too late, by the owner's choice.
_LEVELS: Final[Mapping[str, float]] = {"q02": 0.02, "q05": 0.05, "q10": 0.10}
# With fewer ended stays of its own a car's forecast is mostly other people's habits.
_FEWEST_STAYS: Final = 5
_MOST_STAYS: Final = 400


@cache
def _prior() -> StayHistory:
    """Return the shipped population prior, read once."""
    return shipped_prior()


def departure_in_force(
    tx: Tx,
    vehicle: VehicleRecord,
    session: SessionRecord | None,
    now: datetime,
    *,
    named: datetime | None = None,
) -> NextDeparture | None:
    """Return the leave time that holds now, None when neither word nor forecast gives one.

    ``named`` is a leave time a person names with a decision, as the one-off.
    """
    departures, preferences = vehicle.departures, vehicle.preferences
    minimum_pct = preferences.soc_min_departure_pct
    if named:
        departures = moved(departures, named, minimum_pct, vehicle.zone, now)
    told = next_departure(departures, minimum_pct, vehicle.zone, now)
    if named and told and departures.one_off:
        # What the replaced one asked for must be there, also where another leave time comes first.
        kept = departures.one_off.soc_min_departure_pct or Decimal(0)
        told = replace(told, soc_min_departure_pct=max(told.soc_min_departure_pct, kept))
    if told is not None or session is None:
        return told
    level = _LEVELS.get(preferences.departure_guard)
    if level is None or session.plugged_in_at > now:
        return None
    ended = _ended_stays(tx, vehicle.vehicle_id)
    if len(ended) < _FEWEST_STAYS:
        return None
    found = forecast_dwell(
        _history(ended, vehicle.zone),
        prior=_prior(),
        plugged_in_at=session.plugged_in_at,
        now=now,
        zone=vehicle.zone,
    )
    return NextDeparture(
        departure_at=found.departure_at(level),
        source="forecast",
        soc_min_departure_pct=minimum_pct,
    )


def would_hold(
    tx: Tx, vehicle: VehicleRecord, session: SessionRecord | None, now: datetime, at: datetime
) -> bool:
    """Return whether a leave time would hold if it were named: no other comes before it."""
    found = departure_in_force(tx, vehicle, session, now, named=at)
    return found is not None and found.departure_at == at


def _ended_stays(tx: Tx, vehicle_id: str) -> tuple[tuple[str, str], ...]:
    """Return begin and end, as stored, of the vehicle's newest ended stays at parks."""
    rows = tx.all(
        "SELECT plugged_in_at, unplugged_at FROM session WHERE vehicle_id = ?"
        " AND state = 'ended' AND bound_by IS NOT NULL AND unplugged_at > plugged_in_at"
        " ORDER BY plugged_in_at DESC LIMIT ?",
        vehicle_id,
        _MOST_STAYS,
    )
    return tuple((row["plugged_in_at"], row["unplugged_at"]) for row in rows)


# A car's past only grows when a stay ends, but is asked for with every reading.
@lru_cache(maxsize=512)
def _history(ended: tuple[tuple[str, str], ...], zone: ZoneInfo) -> StayHistory:
    """Return stored stays as a history in the owner's zone."""
    stays = []
    for begin_text, end_text in ended:
        begin, end = decode(begin_text), decode(end_text)
        stays.append(Stay(plugged_in_at=begin, dwell_h=(end - begin).total_seconds() / 3600))
    return StayHistory.of(stays, zone)
