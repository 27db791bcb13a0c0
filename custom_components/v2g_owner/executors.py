"""The executors of an account's home chargers: begun before the API answers, ended with the entry.

They outlive a failed set-up on purpose: after a restart with the API gone, the plan on disk holds.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant
from homeassistant.util.hass_dict import HassKey

from .charger_control import CONF_CONTROL
from .charger_tests import async_end_tests
from .const import CONF_CHARGER_ID, CONF_VEHICLE_ID, DOMAIN, SUBENTRY_CHARGER, SUBENTRY_VEHICLE
from .coordinator import V2GCoordinator
from .executor import ChargerExecutor
from .executor_feed import ExecutorFeed
from .executor_meter import MeterReporter
from .executor_stop import async_stop_discharging
from .executor_store import ExecutorStore
from .rest_issue import async_forget_rest, async_watch_rest
from .trust_watch import LogWatch


@dataclass(slots=True, kw_only=True)
class Running:
    """One account's executors by charger, what they were made from, and how to stop listening."""

    made_from: Mapping[str, Any]
    executors: dict[str, ChargerExecutor] = field(default_factory=dict)
    unsubscribe: CALLBACK_TYPE | None = None


_RUNNING: Final[HassKey[dict[str, Running]]] = HassKey(f"{DOMAIN}_executors")


async def async_start_executors(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Start an executor for each charger this home may control; once, whatever set-up does."""
    running = hass.data.setdefault(_RUNNING, {})
    source = _source(entry)
    if (known := running.get(entry.entry_id)) is not None:
        # They have ended by themselves where the account was switched off with the API away.
        alive = not any(executor.ended for executor in known.executors.values())
        if alive and known.made_from == source:
            return
        await async_stop_executors(hass, entry)
    cars = {
        each.data[CONF_VEHICLE_ID]: each.data
        for each in entry.get_subentries_of_type(SUBENTRY_VEHICLE)
    }
    made = Running(made_from=source)
    for subentry in entry.get_subentries_of_type(SUBENTRY_CHARGER):
        if CONF_CONTROL in subentry.data:
            executor = ChargerExecutor(hass, subentry, cars)
            made.executors[executor.charger_id] = executor
            async_watch_rest(hass, entry, subentry, executor)
        else:
            async_forget_rest(hass, subentry)
    if not made.executors:
        return
    running[entry.entry_id] = made
    _introduce(hass)
    # Not at the event that follows: by it a charger's own integration leaves the charger.
    job = HassJob(_async_end, f"{DOMAIN} leave the chargers safe", cancel_on_shutdown=False)
    made.unsubscribe = hass.async_add_shutdown_job(job, made)
    for executor in made.executors.values():
        await executor.async_start(lambda: entry.state is not ConfigEntryState.NOT_LOADED)
        await asyncio.sleep(0)


def _introduce(hass: HomeAssistant) -> None:
    """Let each know the others, of every account: a car stands at one charger of a home."""
    made = hass.data.get(_RUNNING, {}).values()
    everybody = [executor for running in made for executor in running.executors.values()]
    for executor in everybody:
        executor.others = [other for other in everybody if other is not executor]


async def async_stop_executors(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Stop an account's executors, each with its charger safe."""
    made = hass.data.get(_RUNNING, {}).pop(entry.entry_id, None)
    if made is None:
        return
    _introduce(hass)
    if made.unsubscribe is not None:
        made.unsubscribe()
    await _async_end(made)
    linked = {each.data[CONF_CHARGER_ID] for each in entry.get_subentries_of_type(SUBENTRY_CHARGER)}
    for charger_id, executor in made.executors.items():
        # What was sold or stopped there counts for as long as its deals live, also where it is
        # linked anew. With the agent away nobody knows them, but for the one that ran.
        orders = executor.memory.orders
        counts = executor.deals or orders.lease or orders.unheard
        if charger_id not in linked and not counts:
            await ExecutorStore(hass, charger_id).async_remove()


async def _async_end(made: Running) -> None:
    """Leave every charger safe; one that does not answer keeps no other waiting."""
    await asyncio.gather(*(executor.async_shut_down() for executor in made.executors.values()))


async def async_forget_executors(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Forget what an account's chargers kept on disk."""
    await async_stop_executors(hass, entry)
    for subentry in entry.get_subentries_of_type(SUBENTRY_CHARGER):
        await ExecutorStore(hass, subentry.data[CONF_CHARGER_ID]).async_remove()


def executors_of(hass: HomeAssistant, entry: ConfigEntry[Any]) -> Mapping[str, ChargerExecutor]:
    """Return an account's executors by charger id."""
    made = hass.data.get(_RUNNING, {}).get(entry.entry_id)
    return {} if made is None else made.executors


async def async_feed_executors(
    hass: HomeAssistant, entry: ConfigEntry[Any], coordinator: V2GCoordinator, log: LogWatch
) -> None:
    """Tie the executors to the API until the entry is unloaded."""
    for executor in executors_of(hass, entry).values():
        entry.async_on_unload(ExecutorFeed(hass, coordinator, log, executor).async_start())
        entry.async_on_unload(MeterReporter(hass, coordinator, executor.mapping).async_start())
        # Each asks for a plan; twenty at once would hold up everyone else.
        await asyncio.sleep(0)


async def async_stop_at_home(
    hass: HomeAssistant, stops: Sequence[Mapping[str, str]], entry_id: str | None = None
) -> None:
    """Stop what discharges at the owner's own chargers, tests as well, before and without the API.

    Each of ``stops`` may name a ``vehicle_id`` or a ``commitment_id``; without either all of it
    stops. Accounts that are not connected count as well, unless ``entry_id`` names one.
    """
    made = hass.data.get(_RUNNING, {})
    meant = [made[each] for each in made if entry_id in {None, each}]
    await asyncio.gather(
        *(async_end_tests(hass, what, entry_id) for what in stops),
        *(
            async_stop_discharging(executor, what)
            for running in meant
            for executor in running.executors.values()
            for what in stops
        ),
    )


def _source(entry: ConfigEntry[Any]) -> dict[str, Any]:
    """Return what executors are made from."""
    return {key: dict(subentry.data) for key, subentry in entry.subentries.items()}
