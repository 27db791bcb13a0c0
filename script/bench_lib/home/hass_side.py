"""Home Assistant with a watch on its event loop and its states; takes `hass`'s own arguments.

Answers JSON lines on the socket named by ``BENCH_SOCKET``. It is started as a file, with the
interpreter of Home Assistant's own environment.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
import itertools
import json
import os
from pathlib import Path
import random
import sys
import threading
import time
from types import MappingProxyType
from typing import Any, Final

# Behind everything else: the integration is that of the configuration, as for everybody.
sys.path.append(str(Path(__file__).parents[3]))

from homeassistant import __main__, bootstrap
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import EVENT_STATE_CHANGED, EVENT_STATE_REPORTED
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.runner import RuntimeConfig

from script.bench_lib.home.loop_watch import LoopWatch

DOMAIN: Final = "v2g_owner"
_LINE: Final = 1 << 22

type Json = dict[str, Any]
type States = list[tuple[str, str, Json]]


class Side:
    """What the bench may ask of this Home Assistant."""

    def __init__(self, hass: HomeAssistant, watch: LoopWatch) -> None:
        self._hass = hass
        self._watch = watch
        self._changed: Counter[str] = Counter()
        self._rewritten: Counter[str] = Counter()

    @callback
    def listen(self) -> None:
        """Count every write to a state of ours."""
        self._hass.bus.async_listen(EVENT_STATE_CHANGED, self._on_changed)
        self._hass.bus.async_listen(
            EVENT_STATE_REPORTED, self._on_reported, event_filter=self._is_ours
        )

    @callback
    def _is_ours(self, data: Any) -> bool:  # noqa: ANN401 - any event's data
        entry = er.async_get(self._hass).async_get(data["entity_id"])
        return entry is not None and entry.platform == DOMAIN

    @callback
    def _on_changed(self, event: Event[Any]) -> None:
        data = event.data
        if data["new_state"] is None or not self._is_ours(data):
            return
        old, new = data["old_state"], data["new_state"]
        self._changed[data["entity_id"]] += 1
        if old is not None and (old.state, old.attributes) == (new.state, new.attributes):
            self._rewritten[data["entity_id"]] += 1

    @callback
    def _on_reported(self, event: Event[Any]) -> None:
        self._rewritten[event.data["entity_id"]] += 1

    async def answer(self, asked: Json) -> Json:
        """Do one thing and return what there is to tell."""
        found: Json = await getattr(self, f"_{asked.pop('do')}")(**asked)
        return found

    async def _add(self, entry: Json) -> Json:
        made = ConfigEntry(
            version=1,
            minor_version=1,
            domain=DOMAIN,
            source="user",
            discovery_keys=MappingProxyType({}),
            options={},
            **entry,
        )
        before = self._watch.watched.stolen_s
        await self._hass.config_entries.async_add(made)
        return self._loaded(made, before)

    async def _unload(self) -> Json:
        await self._hass.config_entries.async_unload(self._entry.entry_id)
        return {}

    async def _set_up(self) -> Json:
        entry = self._entry
        before = self._watch.watched.stolen_s
        await self._hass.config_entries.async_setup(entry.entry_id)
        return self._loaded(entry, before)

    def _loaded(self, entry: ConfigEntry, stolen_s: float) -> Json:
        """Tell when the entry was ready, and how long others had the processor meanwhile."""
        ready_at, stolen_s = time.monotonic(), self._watch.watched.stolen_s - stolen_s
        if entry.state is not ConfigEntryState.LOADED:
            raise RuntimeError(f"the entry is {entry.state}: {entry.reason}")
        shown = len(list(self._shown()))
        return {"ready_at": ready_at, "stolen_s": stolen_s, "entities": shown}

    @property
    def _entry(self) -> ConfigEntry:
        return self._hass.config_entries.async_entries(DOMAIN)[0]

    def _shown(self) -> Iterator[str]:
        registry = er.async_get(self._hass)
        for each in er.async_entries_for_config_entry(registry, self._entry.entry_id):
            if self._hass.states.get(each.entity_id) is not None:
                yield each.entity_id

    async def _states(self, devices: list[States]) -> Json:
        """Let devices report, each sensor in a callback of its own, as one that pushes does."""
        for entity_id, state, attributes in itertools.chain(*devices):
            self._hass.states.async_set(entity_id, state, attributes)
            await asyncio.sleep(0)
        return {}

    async def _repeat(self, devices: list[States], every_s: float, seconds: float) -> Json:
        """Let each device say again and again what it said before.

        As integrations do that ask their device: all its sensors in one callback, each device by a
        timer of its own that began when it did.
        """
        loop, phase = asyncio.get_running_loop(), random.Random(len(devices))  # noqa: S311 - no secret
        end = loop.time() + seconds
        said = 0

        async def repeat(states: States) -> None:
            nonlocal said
            await asyncio.sleep(phase.uniform(0, min(every_s, seconds / 2)))
            while loop.time() < end:
                for entity_id, state, attributes in states:
                    self._hass.states.async_set(entity_id, state, attributes)
                    said += 1
                await asyncio.sleep(every_s)

        await asyncio.gather(*(repeat(each) for each in devices))
        return {"said": said}

    async def _name_cars(self) -> Json:
        """Say for each charger that its own car stands there, as the owner would."""
        for each in er.async_entries_for_config_entry(
            er.async_get(self._hass), self._entry.entry_id
        ):
            if each.domain == "select" and each.unique_id.endswith("_car_here"):
                subentry = self._entry.subentries[each.config_subentry_id or ""]
                data = {
                    "entity_id": each.entity_id,
                    "option": f"Vehicle {subentry.title.split()[-1]}",
                }
                await self._hass.services.async_call("select", "select_option", data, blocking=True)
        return {}

    async def _reset(self) -> Json:
        """Return what was seen since the last time, and begin anew."""
        told = self._watch.reset().told() | {
            "changed": dict(self._changed),
            "rewritten": dict(self._rewritten),
        }
        self._changed, self._rewritten = Counter(), Counter()
        return told

    async def _block(self, seconds: float) -> Json:
        """Hold the loop: the bench must notice."""
        until = time.thread_time() + seconds
        while time.thread_time() < until:
            pass
        return {}

    async def _doze(self, seconds: float) -> Json:
        """Hold the loop without working, as a read of a slow disk would: the bench must notice."""
        threading.Event().wait(seconds)
        return {}

    async def _rewrite(self) -> Json:
        """Write a state of ours as it is: the bench must notice."""
        state = self._hass.states.get(next(self._shown()))
        assert state is not None
        self._hass.states.async_set(state.entity_id, state.state, state.attributes)
        return {}

    async def _poll(self, times: int) -> Json:
        """Ask the API for what it has told already: the bench must notice."""
        for _ in range(times):
            await self._entry.runtime_data.coordinator.async_refresh()
        return {}


async def serve(side: Side, path: str) -> None:
    """Answer on a UNIX socket until the process ends."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            try:
                told = await side.answer(json.loads(line))
            except Exception as error:  # noqa: BLE001 - the bench says what went wrong
                told = {"error": repr(error)}
            writer.write(json.dumps(told).encode() + b"\n")
            await writer.drain()

    await asyncio.start_unix_server(talk, path, limit=_LINE)


def main() -> int:
    """Run Home Assistant, watched."""
    set_up = bootstrap.async_setup_hass

    async def watched(runtime_config: RuntimeConfig) -> HomeAssistant | None:
        watch = LoopWatch()
        watch.start()
        hass = await set_up(runtime_config)
        if hass is not None:
            side = Side(hass, watch)
            side.listen()
            await serve(side, os.environ["BENCH_SOCKET"])
        return hass

    bootstrap.async_setup_hass = watched
    return __main__.main()


if __name__ == "__main__":
    sys.exit(main())
