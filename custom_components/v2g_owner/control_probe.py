"""The guided test of a charger's control: set a little, look at the meter, say what is wrong."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from homeassistant.util import dt as dt_util

from .charger_driver import ChargerDriver
from .executor_sight import Eyes

_SAMPLE_S: Final = 1.0
# A charger behind a cloud may be read only every half a minute.
_SAMPLES: Final = 45
_STEADY: Final = 3
# Less than this share of what was asked is no answer, beyond the other two it is another unit.
_ANSWERS: Final = 0.3
# A charger at rest still feeds itself.
_AT_REST_W: Final = 100
_RIGHT: Final = (0.6, 1.5)


class Finding(StrEnum):
    """What a test of one direction showed."""

    WORKS = "works"
    NO_REACTION = "no_reaction"
    INVERTED = "inverted"
    WRONG_UNIT = "wrong_unit"
    NO_METER = "no_meter"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What was asked for and measured (W, + into the car), and what that means."""

    finding: Finding
    asked_w: int
    measured_w: int = 0


def classify(asked_w: int, before_w: int, after_w: int) -> Finding:
    """Return what a change of the measured power from before to after a command means.

    ``asked_w`` is not zero; power that flowed before, such as another consumer's on the same
    meter, is taken off.
    """
    share = (after_w - before_w) / asked_w
    if abs(share) < _ANSWERS:
        return Finding.NO_REACTION
    if share < 0:
        return Finding.INVERTED
    return Finding.WORKS if _RIGHT[0] <= share <= _RIGHT[1] else Finding.WRONG_UNIT


async def async_probe(driver: ChargerDriver, eyes: Eyes, power_w: int) -> Probe:
    """Set ``power_w`` for as long as the meter needs to show it, then zero, and tell what it did.

    The charger is left at zero whatever happens.
    """
    try:
        await driver.async_put(0)
        before = await _async_measure(eyes, dt_util.utcnow(), 0)
        if before is None:
            return Probe(finding=Finding.NO_METER, asked_w=power_w)
        # What it tells of the change may come before the command is acknowledged.
        asked_at = dt_util.utcnow()
        await driver.async_put(power_w)
        after = await _async_measure(eyes, asked_at, power_w, before)
        if after is None:
            return Probe(finding=Finding.NO_METER, asked_w=power_w)
        return Probe(
            finding=classify(power_w, before, after), asked_w=power_w, measured_w=after - before
        )
    finally:
        await _async_leave(driver)


async def _async_leave(driver: ChargerDriver) -> None:
    """Leave the charger at zero, also where the test is ended once more while that is tried."""
    leaving = asyncio.ensure_future(driver.async_leave())
    ended: asyncio.CancelledError | None = None
    while not leaving.done():
        try:
            await asyncio.wait([leaving])
        except asyncio.CancelledError as error:
            ended = error
    leaving.result()
    if ended is not None:
        raise ended


async def _async_measure(
    eyes: Eyes, since: datetime, asked_w: int, before_w: int = 0
) -> int | None:
    """Return the power once it is steady after ``since``; None when the meter told nothing.

    A meter that tells only what changes has nothing to tell at rest, so there what it told last
    counts. That it tells anything at all shows when something was asked for.
    """
    steady, last = 0, None
    for _ in range(_SAMPLES):
        await asyncio.sleep(_SAMPLE_S)
        reading = eyes.power()
        if reading is None:
            continue
        rests = not asked_w and abs(reading.value) <= _AT_REST_W
        if reading.at <= since and not rests:
            continue
        near = last is not None and abs(reading.value - last) <= max(100, abs(last) // 10)
        steady = steady + 1 if near else 0
        last = reading.value
        moved = not asked_w or abs(last - before_w) >= _ANSWERS * abs(asked_w)
        if steady >= _STEADY and moved:
            break
    return last
