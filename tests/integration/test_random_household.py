"""Two home chargers through evenings in which anything happens, in any order.

Four evenings each time. Many more, after a change of the executor or through a night:

    export RANDOM_EVENINGS=500 RANDOM_FIRST=1000
    pytest -k promises tests/integration/test_random_household.py

A script that breaks a promise is made as short as it can be, and printed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
import logging
import os
from random import Random
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import DOMAIN as HA_DOMAIN
from homeassistant.helpers import frame, translation
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
import pytest
from pytest_homeassistant_custom_component.common import async_test_home_assistant

from custom_components.v2g_owner import (
    control_decision,
    executor,
    executor_look,
    executor_orders,
)
from custom_components.v2g_owner.charger_driver import ChargerDriver
from custom_components.v2g_owner.control_model import Orders, Verdict
from custom_components.v2g_owner.executor import ChargerExecutor

from .charger_world import EVENING
from .household import Box, Car
from .household_agent import HomeAgent
from .random_household import Household, Step, random_script

# More than --fast has time for.
pytestmark = pytest.mark.slow

EVENINGS = int(os.environ.get("RANDOM_EVENINGS", "4"))
FIRST = int(os.environ.get("RANDOM_FIRST", "0"))
SHAPES = ["wallbox", "watts", "kilowatts", "sigenergy"]

type Play = Callable[[list[Step], list[str]], Awaitable[Household]]


@pytest.fixture
async def play(
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> Play:
    """Play scripts, each in a home of its own."""
    # Thousands of seconds pass at once: nobody reads that each was slow.
    asyncio.get_running_loop().set_debug(False)
    for name in ("", "homeassistant", "homeassistant.core", "custom_components"):
        caplog.set_level(logging.WARNING, name)

    async def played(script: list[Step], shapes: list[str]) -> Household:
        freezer.move_to(EVENING)
        hass_storage.clear()
        caplog.clear()
        async with async_test_home_assistant() as hass:
            hass.data.pop(DATA_CUSTOM_COMPONENTS)
            frame.async_setup(hass)
            await translation.async_load_integrations(hass, {HA_DOMAIN})
            names = zip(("left", "right"), shapes, strict=True)
            boxes = [Box(hass=hass, name=name, shape=shape) for name, shape in names]
            own = [
                Car(hass=hass, name="blue", soc_pct=60.4),
                Car(hass=hass, name="red", soc_pct=50.2),
            ]
            home = Household(
                hass=hass,
                freezer=freezer,
                disk=hass_storage,
                boxes=boxes,
                cars=[*own, Car(hass=hass, name="guest", soc_pct=40.0, mapped=False)],
                agent=HomeAgent(boxes=boxes, cars=own),
            )
            await home.play(script)
            # What still hangs at a slow charger ends by itself.
            await home.seconds(45)
            await hass.async_stop(force=True)
        said = [entry.getMessage() for entry in caplog.records if _is_ours_to_mend(entry)]
        home.broken += [f"the log: {text}" for text in said]
        return home

    return played


def _is_ours_to_mend(entry: logging.LogRecord) -> bool:
    """Tell whether a line of the log tells of an error."""
    return entry.levelno >= logging.ERROR and entry.name.startswith(("custom_components", "home"))


async def shortest(play: Play, script: list[Step], shapes: list[str]) -> list[Step]:
    """Return what is left of a script that breaks a promise once all else is left out."""
    size = len(script) // 2
    while size:
        at = 0
        while at < len(script):
            shorter = script[:at] + script[at + size :]
            if (await play(shorter, shapes)).broken:
                script = shorter
            else:
                at += size
        size //= 2
    return script


async def evenings(play: Play, count: int) -> tuple[list[str], int]:
    """Play random evenings until one breaks a promise; returns what, and the seconds sold."""
    sold = 0
    for seed in range(FIRST, FIRST + count):
        random = Random(seed)  # noqa: S311 - an evening is no secret
        shapes = random.choices(SHAPES, k=2)
        script = random_script(random)
        home = await play(script, shapes)
        sold += home.delivered_s
        if home.broken:
            short = await shortest(play, script, shapes)
            return [f"evening {seed}, {shapes}: {short}", *(await play(short, shapes)).broken], sold
    return [], sold


async def test_promises_1_2_3_4_and_10_hold_whatever_happens_in_an_evening(play: Play) -> None:
    """Promises 1, 2, 3, 4 and 10: against the true cars, second by second."""
    broken, sold = await evenings(play, EVENINGS)
    assert broken == []
    assert sold > EVENINGS, "where nothing is sold nothing can go wrong"


def for_ever(orders: Orders, *args: Any, **more: Any) -> Verdict:
    """Decide as if no lease ended."""
    given = orders.lease
    if given is not None:
        orders = replace(orders, lease=replace(given, until=given.until + timedelta(days=1)))
    return control_decision.decide(orders, *args, **more)


async def deaf(_executor: ChargerExecutor) -> None:
    """Hear no stop."""


SOLD: list[Step] = [(6, "come", 0, 0), (10, "deal", 0, -6_900)]
PASS: Step = (70, "lag", 0, 0)
BROKEN: dict[str, tuple[Any, str, Any, list[Step], str]] = {
    "the floor": (
        control_decision,
        "_too_low",
        lambda *_, **__: None,
        [(10, "jump", 0, -20), (0, "floor", 0, 55)],
        "below the floor",
    ),
    "the end of the lease": (executor, "decide", for_ever, [PASS], "the lease has ended"),
    "stop now": (
        ChargerExecutor,
        "async_stop_now",
        deaf,
        [(10, "stop_now", 0, None)],
        "it was stopped",
    ),
    "the proof of a yes": (
        executor_orders,
        "_within",
        lambda lease, *_: lease,
        [(0, "proof", 0, "never"), (1, "deal", 0, -6_900), PASS],
        "nothing proves a yes",
    ),
    "the energy of a yes": (
        control_decision,
        "_is_all_sold",
        lambda *_: False,
        [
            (0, "proof", 0, "less energy"),
            (1, "deal", 0, -6_900),
            *[(40, "renew", 0, -6_900)] * 5,
        ],
        "more has left than the yes is for",
    ),
    "what unplugging ends": (
        executor_look,
        "_ended_by",
        lambda orders: orders.left,
        [(10, "go", 0, None), (8, "come", 0, 0), (8, "renew", 0, -6_900)],
        "it was unplugged",
    ),
    "pauses between commands": (
        ChargerDriver,
        "_due",
        lambda *_: True,
        [(0, "soc", 0, "silent"), PASS],
        "too many commands",
    ),
}


@pytest.mark.parametrize("guard", BROKEN)
async def test_a_guard_that_is_broken_is_noticed(play: Play, guard: str) -> None:
    """It can fail, by the fault that the guard is there for, and only where it is broken."""
    where, name, instead, script, said = BROKEN[guard]
    assert (await play([*SOLD, *script], SHAPES[:2])).broken == []
    with patch.object(where, name, instead):
        home = await play([*SOLD, *script], SHAPES[:2])
    assert any(said in each for each in home.broken), home.broken
