"""What selling has cost the battery so far, beside age and what standing lower has saved."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from owner_api.calls import Call, Reply
from owner_api.core.canonical import instant_text
from owner_api.core.model import VehicleLive
from owner_api.core.money import minor_digits
from owner_api.planning.wear_day import SocDay
from owner_api.planning.wear_ledger import LedgerDay, health_ledger, live_days
from owner_api.planning.wear_models import wear_model
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from .records import Row, VehicleRecord

_STEP_S: Final = 900
_DAY: Final = timedelta(days=1)
_DEFAULT_TEMPERATURE_C: Final = 25.0
# An unknown chemistry is priced and aged as the one that suffers more from selling.
_MODELS: Final = {"lfp": "lfp_250ah", "nmc": "nmc111_kokam", "unknown": "nmc111_kokam"}


def keep_sample(tx: Tx, vehicle_id: str, live: VehicleLive) -> None:
    """Keep one state of charge per quarter of an hour, with the energy counters beside it."""
    if live.soc_pct is None or live.soc_measured_at is None:
        return
    at = live.soc_measured_at
    slot = datetime.fromtimestamp(at.timestamp() // _STEP_S * _STEP_S, UTC)
    values = {
        "soc_pct": str(live.soc_pct),
        "charged_wh": live.charged_wh,
        "discharged_wh": live.discharged_wh,
        "pack_temperature_c": None
        if live.pack_temperature_c is None
        else str(live.pack_temperature_c),
    }
    where = {"vehicle_id": vehicle_id, "at": slot}
    if not tx.update("soc_sample", where, **values):
        tx.insert("soc_sample", **where, **values)


def health(tx: Tx, call: Call) -> Reply:
    """Return the battery-health view over every full day that was recorded."""
    vehicle = VehicleRecord.find(tx, call.params["vehicle_id"], call.principal.party_id)
    rows = tx.all("SELECT * FROM soc_sample WHERE vehicle_id = ? ORDER BY at", vehicle.vehicle_id)
    name = _MODELS[vehicle.body.chemistry]
    model = wear_model(name)
    days = list(_days(vehicle, rows))
    found = health_ledger(
        model,
        live_days(model, days),
        new_capacity_wh=vehicle.body.usable_capacity_wh,
        pack_price_per_kwh=str(vehicle.body.pack_price_per_kwh),
        currency=vehicle.currency,
        minor_per_unit=10 ** minor_digits(vehicle.currency),
    )
    shown = {
        "vehicle_id": vehicle.vehicle_id,
        "model": name,
        "since": instant_text(decode(rows[0]["at"])) if rows else None,
        "discharged_wh": vehicle.live.discharged_wh,
        **asdict(found),
    }
    return Reply(body=shown)


def _days(vehicle: VehicleRecord, rows: list[Row]) -> Iterator[LedgerDay]:
    """Yield each full UTC day, as it was and as it would have been had nothing been sold.

    What was sold and not yet charged back is added to the battery that sold nothing; charging
    counts as putting that back first. Between two samples the state of charge is a straight line.
    """
    if not rows:
        return
    times = [decode(row["at"]) for row in rows]
    at = np.array([each.timestamp() for each in times])
    told = np.array([float(row["soc_pct"]) / 100 for row in rows])
    owed = np.array(_owed(vehicle, rows))
    celsius = [_number(row["pack_temperature_c"]) for row in rows]
    start = times[0].replace(hour=0, minute=0, second=0, microsecond=0)
    if start < times[0]:
        start += _DAY
    while start + _DAY <= times[-1]:
        grid = start.timestamp() + np.arange(0, _DAY.total_seconds() + 1, _STEP_S)
        lived = np.clip(np.interp(grid, at, told), 0, 1)
        other = np.clip(lived + np.interp(grid, at, owed), 0, 1)
        warmth = temperature(times, celsius, start)
        yield LedgerDay(
            with_v2g=SocDay.of(lived.tolist(), step_s=_STEP_S, temperature_c=warmth),
            without_v2g=SocDay.of(other.tolist(), step_s=_STEP_S, temperature_c=warmth),
        )
        start += _DAY


def _owed(vehicle: VehicleRecord, rows: list[Row]) -> list[float]:
    """Return, per sample, the fraction of the battery that was sold and not yet put back."""
    body, owed, found = vehicle.body, 0.0, []
    before = rows[0]
    for row in rows:
        sold = (row["discharged_wh"] - before["discharged_wh"]) / float(body.discharge_efficiency)
        back = (row["charged_wh"] - before["charged_wh"]) * float(body.charge_efficiency)
        owed = max(0.0, owed + sold - back)
        found.append(owed / body.usable_capacity_wh)
        before = row
    return found


def temperature(
    times: Sequence[datetime], celsius: Sequence[float | None], start: datetime
) -> float:
    """Return the mean pack temperature of the day from ``start``, or 25 °C where it is not told.

    ``times`` are in order, so a day costs its own samples, not those of every other.
    """
    first, end = bisect_left(times, start), bisect_left(times, start + _DAY)
    told = [each for each in celsius[first:end] if each is not None]
    return sum(told) / len(told) if told else _DEFAULT_TEMPERATURE_C


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)
