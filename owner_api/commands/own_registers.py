"""What a car's own registers count: a device that starts reports nothing, and then all at once."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from owner_api.core.model import VehicleLive

from .edge import Json

# The strongest that any car is charged, and that one gives; and what may come at once.
_MOST_W: Final = {"import": 400_000, "export": 50_000}
_STEP_WH: Final = 1_000
_COUNTERS: Final = {"import": "charged_wh", "export": "discharged_wh"}


class _Told(NamedTuple):
    """A register (Wh) and when it was read; None where nobody knows."""

    wh: int
    at: datetime | None


def take(live: VehicleLive, reading: Json, at: datetime, *, counts: bool) -> VehicleLive:
    """Return what is known after a reading of the car's registers, and count what flowed.

    Not where ``counts`` is false: a charger's meter does. Of what flowed since the last reading,
    what such a meter has counted is counted once, and so is what may have left unseen.
    """
    for direction, counter in _COUNTERS.items():
        told = reading.get(f"{direction}_register_wh")
        if told is None:
            continue
        changes, flowed = _after(live, direction, _Told(told, at))
        metered = getattr(live, f"metered_{counter}")
        if counts and flowed > metered:
            changes[counter] = getattr(live, counter) + flowed - metered
            if direction == "export" and _is_all_since(live, told - flowed):
                told_wh = min(live.unseen_wh, flowed - metered)
                changes |= {"unseen_wh": live.unseen_wh - told_wh, "told_unseen_wh": told_wh}
        live = replace(live, **changes)
    return live


def _is_all_since(live: VehicleLive, before_wh: int) -> bool:
    """Return whether the register before is from before anything may have left unseen."""
    read_at, since = live.export_read_at, live.unseen_from
    if read_at is None or since is None:
        return False
    return before_wh == live.export_register_wh and read_at <= since


def _after(live: VehicleLive, direction: str, now: _Told) -> tuple[dict[str, Any], int]:
    """Return what one register's reading changes, and the energy (Wh) since the one before.

    One that cannot be is believed when another agrees with it: its device was changed, or counts
    from nothing again. The leap between the two is counted nowhere.
    """
    register, read_at = f"{direction}_register_wh", f"{direction}_read_at"
    refused = f"refused_{direction}"
    known, kept = getattr(live, register), getattr(live, refused)
    before = None if known is None else _Told(known, getattr(live, read_at))
    found: dict[str, Any] = {register: now.wh, read_at: now.at, refused: None}
    found[f"metered_{_COUNTERS[direction]}"] = 0
    if before is None:
        return found, 0
    for other in (before, *([_Told(*kept)] if kept else [])):
        if _can_be(other, now, _MOST_W[direction]):
            return found, now.wh - other.wh
    return {refused: (now.wh, now.at)}, 0


def _can_be(before: _Told, now: _Told, most_w: int) -> bool:
    """Return whether a register may have come so far: not backwards, nor faster than any car."""
    step = now.wh - before.wh
    if before.at is None or now.at is None or step < 0:
        return step >= 0
    return step <= most_w * (now.at - before.at).total_seconds() / 3600 + _STEP_WH
