"""The reference days of blast_reference.json, rebuilt from their description."""

from collections.abc import Sequence

import numpy as np

from owner_api.planning.wear_day import SocDay

PACK_KWH = 60
_DRIVES = ((8.0, 8.5, -3.6), (17.5, 18.0, -3.6))
_EVENING = (18.0, 20.0, -10.0)
_NIGHT = (2.0, 2 + 17.2 / 11, 17.2)
_TWICE = (_NIGHT, (9.0, 11.0, -10.0), (12.0, 14.0, 10.0), _EVENING)
# Name: state of charge at 00:00, and (from hour, to hour, kWh into the pack) beside two drives.
DAYS: dict[str, tuple[float, Sequence[tuple[float, float, float]]]] = {
    "base80_imm": (0.80, [(18.0, 18 + 7.2 / 11, 7.2)]),
    "base100_imm": (1.00, [(18.0, 18 + 7.2 / 11, 7.2)]),
    "base60_imm": (0.60, [(18.0, 18 + 7.2 / 11, 7.2)]),
    "v1g80_late": (0.80 - 7.2 / 60, [(2.0, 2 + 7.2 / 11, 7.2)]),
    "v2g80_1x10": (0.80 - 17.2 / 60, [_NIGHT, _EVENING]),
    "v2g80_2x10": (0.80 - 17.2 / 60, _TWICE),
    "v2g60_2x10": (0.60 - 17.2 / 60, _TWICE),
}


def soc_of(name: str, *, step_s: int = 300) -> list[float]:
    """State of charge of a reference day, linear in each event."""
    start, events = DAYS[name]
    hours = np.arange(0, 86_400 + step_s, step_s) / 3600
    soc = np.full_like(hours, start)
    for begin, end, kwh in (*_DRIVES, *events):
        soc += kwh / PACK_KWH * np.clip((hours - begin) / (end - begin), 0, 1)
    return [float(value) for value in np.clip(soc, 0, 1)]


def day_of(name: str, *, step_s: int = 300, temperature_c: float = 25) -> SocDay:
    """Return a reference day ready for a model."""
    return SocDay.of(soc_of(name, step_s=step_s), step_s=step_s, temperature_c=temperature_c)
