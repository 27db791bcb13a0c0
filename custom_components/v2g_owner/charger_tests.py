"""The guided tests that run now: a stop, wherever it comes from, ends them at zero."""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.core import HassJob, HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningTest:
    """One test, the charger it sets and the car it moves energy into and out of."""

    entry_id: str
    charger_id: str
    vehicle_id: str
    task: asyncio.Task[None]


_TESTS: Final[HassKey[list[RunningTest]]] = HassKey(f"{DOMAIN}_tests")


@callback
def async_start_test(
    hass: HomeAssistant,
    test: Coroutine[Any, Any, None],
    *,
    entry_id: str,
    charger_id: str,
    vehicle_id: str,
) -> asyncio.Task[None]:
    """Run a test that leaves zero behind when it is cancelled; any stop can then find it."""
    # Not eagerly: whoever looks must know of the test before it sets anything.
    task = hass.async_create_task(test, "test a charger", eager_start=False)
    made = RunningTest(entry_id=entry_id, charger_id=charger_id, vehicle_id=vehicle_id, task=task)
    running = hass.data.setdefault(_TESTS, [])
    running.append(made)

    # Not at the event that follows: by it a charger's own integration leaves the charger.
    job = HassJob(_async_end, f"{DOMAIN} end a test", cancel_on_shutdown=False)
    unsubscribe = hass.async_add_shutdown_job(job, [made])

    @callback
    def ended(_task: asyncio.Task[None]) -> None:
        running.remove(made)
        unsubscribe()

    task.add_done_callback(ended)
    return task


@callback
def is_tested_now(hass: HomeAssistant, charger_id: str) -> bool:
    """Tell whether a test has this charger in its hands, also for who began after it did."""
    return any(each.charger_id == charger_id for each in hass.data.get(_TESTS, []))


async def async_end_tests(
    hass: HomeAssistant, what: Mapping[str, str], entry_id: str | None = None
) -> None:
    """End the tests of a vehicle_id or charger_id, or with neither all; returns at zero.

    A stop that names a commitment_id is about a deal, and no test is one.
    """
    if "commitment_id" in what:
        return
    await _async_end(
        [
            each
            for each in hass.data.get(_TESTS, [])
            if entry_id in {None, each.entry_id}
            and what.get("vehicle_id", each.vehicle_id) == each.vehicle_id
            and what.get("charger_id", each.charger_id) == each.charger_id
        ]
    )


async def _async_end(tests: list[RunningTest]) -> None:
    """Cancel some tests and wait until each has set zero."""
    for each in tests:
        each.task.cancel()
    if tests:
        await asyncio.wait([each.task for each in tests])
