"""Every change of state that a Home Assistant has told of, so that none is missed between looks."""

import asyncio
from collections.abc import Callable
from typing import Any, Self

from .hass import DOMAIN, RunningHomeAssistant

type State = dict[str, Any]


class Watcher:
    """Follows one Home Assistant; make it with ``Watcher.of``."""

    def __init__(self, home: RunningHomeAssistant) -> None:
        self.home = home
        self._seen: list[State] = []
        self._news = asyncio.Event()
        self._entities: dict[str, str] = {}

    @classmethod
    async def of(cls, home: RunningHomeAssistant) -> Self:
        """Follow a Home Assistant whose entities of ours are all registered."""
        watcher = cls(home)
        watcher._entities = await home.entity_ids()
        await home.subscribe(watcher._hear, "subscribe_events", event_type="state_changed")
        return watcher

    def entity_id(self, ending: str) -> str:
        """Return our entity whose ``platform.unique_id`` ends so; raises KeyError without one."""
        for key, entity_id in self._entities.items():
            if key.endswith(ending):
                return entity_id
        raise KeyError(f"no entity of {DOMAIN} has a unique id that ends in {ending}")

    async def wait_for(
        self, ending: str, wanted: Callable[[State], bool], patience_s: float
    ) -> State | None:
        """Return the first wanted state since the watcher began; None when none comes in time."""
        entity_id, looked = self.entity_id(ending), 0
        try:
            async with asyncio.timeout(patience_s):
                while True:
                    self._news.clear()
                    for state in self._seen[looked:]:
                        looked += 1
                        if state["entity_id"] == entity_id and wanted(state):
                            return state
                    await self._news.wait()
        except TimeoutError:
            return None

    async def value(self, ending: str) -> str:
        """Return what an entity shows now."""
        return str((await self.home.state(self.entity_id(ending)))["state"])

    def _hear(self, event: dict[str, Any]) -> None:
        if (state := event["data"].get("new_state")) is not None:
            self._seen.append(state)
            self._news.set()
