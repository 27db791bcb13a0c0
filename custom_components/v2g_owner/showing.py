"""Which of our entities have to be looked at after news, and how that holds nobody up.

Twenty vehicles and chargers are a thousand entities: each reading of one car must not cost a look
at all of them, and news about everything is shown a few milliseconds at a time.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
import time
from typing import Any, Final, Protocol

from homeassistant.core import CALLBACK_TYPE, callback

from .snapshot import Snapshot

# Longer than this nobody else in Home Assistant waits for our entities.
_SHOW_FOR_S: Final = 0.005
# Longer slices make set-up shorter: whenever the loop pauses, the recorder works, which gives
# Python's lock back only after 5 ms.
_WORK_FOR_S: Final = 0.01
_OF_VEHICLES: Final = ("vehicles", "preferences", "departures", "offers", "commitments")


class Shown(Protocol):
    """An entity that shows what it is made from."""

    def async_show(self) -> None:
        """Write the state where it says something new."""


class Queue:
    """Entities whose state may be old, in the order in which that became known."""

    def __init__(self) -> None:
        """Begin with none."""
        self._waiting: dict[Shown, None] = {}
        self._busy = False

    @property
    def is_due(self) -> bool:
        """Tell whether somebody has to begin to show."""
        return bool(self._waiting) and not self._busy

    @callback
    def add(self, entity: Shown) -> None:
        """Let an entity wait."""
        self._waiting[entity] = None

    @callback
    def discard(self, entity: Shown) -> None:
        """Forget an entity that goes."""
        self._waiting.pop(entity, None)

    async def async_show(self) -> None:
        """Show what waits, with a pause whenever it has taken long."""
        self._busy = True
        try:
            until = time.monotonic() + _SHOW_FOR_S
            while self._waiting:
                entity = next(iter(self._waiting))
                del self._waiting[entity]
                entity.async_show()
                if time.monotonic() > until:
                    await asyncio.sleep(0)
                    until = time.monotonic() + _SHOW_FOR_S
        finally:
            self._busy = False


class Turns:
    """Keeps what is much work from holding the loop: a slice, then everybody else, then the next.

    Those who take turns share them: ten platforms at once would make ten slices of one.
    """

    def __init__(self) -> None:
        """Begin with the first slice."""
        self._lock = asyncio.Lock()
        self._until = 0.0

    async def async_next(self) -> None:
        """Return when there is time for some more work."""
        waited = self._lock.locked()
        async with self._lock:
            if not waited and time.monotonic() < self._until:
                return
            if not waited:
                await asyncio.sleep(0)
            self._until = time.monotonic() + _WORK_FOR_S


class DeviceListeners:
    """What listens to news about single vehicles and chargers, by their id."""

    def __init__(self) -> None:
        """Begin with none."""
        self._by_device: defaultdict[str, dict[CALLBACK_TYPE, None]] = defaultdict(dict)

    @callback
    def add(self, device_id: str, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Add a listener; returns the way out."""
        self._by_device[device_id][listener] = None
        return lambda: self._by_device[device_id].pop(listener, None)

    def of(self, devices: Iterable[str] | None = None) -> Iterator[CALLBACK_TYPE]:
        """Return the listeners of some devices, by default of all."""
        for device_id in list(self._by_device) if devices is None else devices:
            yield from tuple(self._by_device.get(device_id, ()))


def concerned(old: Snapshot, new: Snapshot) -> Collection[str] | None:
    """Return the vehicles and chargers that news is about; None says that it concerns all."""
    if old.owner is not new.owner:
        return None
    vehicles: set[str] = set()
    for name in _OF_VEHICLES:
        changed = _changed(getattr(old, name), getattr(new, name))
        vehicles |= {item.vehicle_id for item in changed if item.vehicle_id is not None}
    chargers = {item.charger_id for item in _changed(old.chargers, new.chargers)}
    # A charger shows the name of the vehicle that stands there.
    chargers |= {key for key, item in new.chargers.items() if item.vehicle_id in vehicles}
    return vehicles | chargers


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the items that are new, replaced or gone."""
    if old is new:
        return
    yield from (item for key, item in new.items() if old.get(key) is not item)
    yield from (item for key, item in old.items() if key not in new)
