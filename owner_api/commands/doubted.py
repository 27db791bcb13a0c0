"""Registers that cannot be: refused, found right after all, and what their power still says."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Final

from owner_api.core.model import SessionLive
from owner_api.core.soc import set_back

from . import measured
from .edge import Json

# The strongest that the API takes; and what a meter may add at once that speaks seldom.
_MOST_W: Final = 1_000_000
_STEP_WH: Final = 1_000
_TELLS_FOR: Final = timedelta(seconds=60)


def cannot_be(live: SessionLive, reading: Json, now: datetime) -> bool:
    """Return whether a register runs backwards, or faster than any car is charged."""
    if live.measured_at is None:
        return False
    passed = reading["measured_at"] - live.measured_at
    if passed < timedelta(0) and live.received_at is not None:
        # The meter's clock was set back; ours says how long it took.
        passed = max(timedelta(0), now - live.received_at)
    most_wh = _MOST_W * passed.total_seconds() / 3600 + _STEP_WH
    return not all(0 <= step <= most_wh for step in _steps(live, reading))


def is_news(live: SessionLive, reading: Json, now: datetime) -> bool:
    """Return whether a reading is later than the last one, by its time or in spite of it.

    Promise 10: registers only move on. One that has is newer, though the meter's clock was set
    back; and after ours was, nobody knows when the last one was taken.
    """
    if live.measured_at is None or reading["measured_at"] > live.measured_at:
        return True
    if live.counts_from is not None and reading["measured_at"] < live.counts_from:
        return False
    steps = _steps(live, reading)
    moved_on = min(steps) >= 0 < max(steps)
    return moved_on or (live.received_at is not None and set_back(live.received_at, now))


def _steps(live: SessionLive, reading: Json) -> tuple[int, int]:
    """Return how far each register is from where it was (Wh)."""
    return (
        reading["export_register_wh"] - (live.export_register_wh or 0),
        reading["import_register_wh"] - (live.import_register_wh or 0),
    )


def refuse(live: SessionLive, reading: Json, now: datetime) -> SessionLive:
    """Return what is known after a reading whose registers cannot be.

    Promises 3 and 4: its power still speaks against a discharge, and its pack's temperature. That
    nothing flows any more it says only where the one before agrees with it: a meter that starts
    says nought of everything.
    """
    names = ("import_register_wh", "export_register_wh", "measured_at")
    told: tuple[int, int, datetime] = tuple(reading[name] for name in names)
    known, pack = replace(live, refused=told), reading.get("pack_temperature_c")
    if pack is not None:
        known = replace(known, pack_temperature_c=Decimal(repr(pack)))
    if is_right_again(live, reading, now):
        return with_power(known, reading["power_w"], min(reading["measured_at"], now))
    return discharging(known, reading, now)


def discharging(live: SessionLive, reading: Json, now: datetime) -> SessionLive:
    """Return what is known after a reading that is no evidence: that energy leaves it may say."""
    if not measured.surely_out(reading["power_w"]):
        return live
    return with_power(live, reading["power_w"], min(reading["measured_at"], now))


def with_power(live: SessionLive, power_w: int, at: datetime) -> SessionLive:
    """Return what is known after a power without registers that count, where it is the newest."""
    known_at = live.power_seen_at
    newer = known_at is None or at > known_at
    return replace(live, bare_power=(power_w, at)) if newer else live


def powered_j(before: SessionLive, after: SessionLive) -> int:
    """Return the energy (J) that left between two states of what is known, by power alone.

    The stronger of two powers counts for the time between them. A power that was told longer ago
    says nothing of that time: the next one does.
    """
    since, until = before.power_seen_at, after.power_seen_at
    if since is None or until is None or until <= since:
        return 0
    powers = [after.newest_power_w or 0]
    if until - since <= _TELLS_FOR:
        powers.append(before.newest_power_w or 0)
    strongest_w = min(powers)
    if not measured.surely_out(strongest_w):
        return 0
    return ceil(-strongest_w * (until - since).total_seconds())


def still_newest(live: SessionLive, measured_at: datetime) -> tuple[int, datetime] | None:
    """Return the power that was told without registers and is newer than a reading with them."""
    bare = live.bare_power
    return bare if bare is not None and bare[1] > measured_at else None


def from_refused(live: SessionLive) -> SessionLive | None:
    """Return what would be known if the reading that could not be had been right after all."""
    if live.refused is None:
        return None
    imported, exported, at = live.refused
    return replace(
        live,
        measured_at=at,
        import_register_wh=imported,
        export_register_wh=exported,
        refused=None,
        counts_from=at,
        # What left unseen before these registers began they never tell: it counts for good.
        unseen=None,
        bare_power=None,
    )


def is_right_again(live: SessionLive, reading: Json, now: datetime) -> bool:
    """Return whether two readings in a row agree with each other, and not with those before."""
    other = from_refused(live)
    if other is None or other.measured_at is None or reading["measured_at"] <= other.measured_at:
        return False
    return cannot_be(live, reading, now) and not cannot_be(other, reading, now)
