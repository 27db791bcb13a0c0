"""What is in the battery between two readings: the meter carries it, rounded down."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, ROUND_UP, Decimal

_TENTH = Decimal("0.1")
_WAITED = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True, slots=True)
class SocEstimate:
    """A state of charge (percent, rounded down to 0.1) and how far the meter carried it."""

    soc_pct: Decimal
    carried_pct: Decimal


def carry(
    *, soc_pct: Decimal, capacity_wh: int, exported_wh: int, discharge_efficiency: Decimal
) -> SocEstimate:
    """Return the state of charge after ``exported_wh`` (AC) left through the meter.

    Exported energy costs the battery ``exported / ηd``; charging since the reading is not
    counted, so the estimate is never above the truth by what the meter has seen.
    """
    drop = Decimal(exported_wh) / discharge_efficiency / capacity_wh * 100
    carried = drop.quantize(_TENTH, rounding=ROUND_UP)
    left = (soc_pct - drop).quantize(_TENTH, rounding=ROUND_DOWN)
    return SocEstimate(soc_pct=max(Decimal(0), left), carried_pct=carried)


def headroom_wh(
    *, soc_pct: Decimal, floor_pct: Decimal, capacity_wh: int, discharge_efficiency: Decimal
) -> int:
    """Return how much AC energy (Wh, rounded down) may leave before the floor is reached."""
    usable = (soc_pct - floor_pct) / 100 * capacity_wh * discharge_efficiency
    return max(0, int(usable))


def set_back(known_at: datetime, now: datetime) -> bool:
    """Return whether the clock was set back since this was stored, nobody knows how long ago.

    No instant is stored before it came. A minute is let pass for a request that waited.
    """
    return known_at - now > _WAITED


def newest(at: datetime, known_at: datetime | None, now: datetime) -> bool:
    """Return whether a reading is the newest, as every one is after a clock was set back."""
    return known_at is None or at >= known_at or set_back(known_at, now)


def too_old(
    known_at: datetime, now: datetime, most: timedelta, clock: datetime | None = None
) -> bool:
    """Return whether what was known then says nothing any more.

    Where ``now`` is a moment that has passed, ``clock`` is the present: what was known after that
    moment says nothing against the clock.
    """
    return now - known_at > most or set_back(known_at, clock or now)


def lease_end(
    *, now: datetime, end_at: datetime, lease_s: int, power_w: int, energy_wh: int
) -> datetime:
    """Return when a lease at ``power_w`` (≥ 0) must end so that ``energy_wh`` cannot be exceeded.

    A park that falls silent keeps the last setpoint until the lease ends; shortening the lease is
    what makes a bound on energy hold without it.
    """
    until = min(now + timedelta(seconds=lease_s), end_at)
    if power_w > 0:
        until = min(until, now + timedelta(seconds=energy_wh * 3600 // power_w))
    return until
