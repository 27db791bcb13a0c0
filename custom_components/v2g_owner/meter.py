"""One reading of a home charger's meter, made of three sensors that each speak in their own time.

The API counts energy and guards the floor by a register and its time: an old register must never
go out under the time of a newer power.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.util import dt as dt_util

from .const import CONF_EXPORT_ENTITY, CONF_IMPORT_ENTITY, CONF_POWER_ENTITY
from .readings import Read, read_energy, read_power

# Of one poll's words the register's may be a moment before the power's.
_SAME_MOMENT: Final = timedelta(seconds=1)
# Below it no register counts: standby, and what a sensor trembles by.
_STILL_W: Final = 50
# Many a register speaks only when it changes. One that was polled would have spoken by then, and
# the API settles a deal without a last word after a quarter of an hour.
_SILENT_LONG: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading:
    """What a meter said of one moment: W, + into the car, and Wh."""

    measured_at: datetime
    power_w: int
    import_wh: int
    export_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """One sensor's word, and when it gave it."""

    value: int
    at: datetime


class Meter:
    """Reads a charger's power and both registers as of one moment, or not at all."""

    def __init__(self, hass: HomeAssistant, mapping: Mapping[str, Any]) -> None:
        """Prepare; ``mapping`` is the charger's subentry."""
        self._hass = hass
        self._mapping = mapping
        self._still_since: dict[str, datetime] = {}
        """Since when nothing has flowed that a register would count, by register."""

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Follow the power; returns the way to stop."""
        entity_id = self._mapping.get(CONF_POWER_ENTITY)
        if not entity_id:
            return lambda: None
        if (state := self._hass.states.get(entity_id)) is not None:
            self._power_is(state.last_changed)

        @callback
        def changed(event: Event[EventStateChangedData]) -> None:
            self._power_is(event.time_fired)

        return async_track_state_change_event(self._hass, [entity_id], changed)

    @callback
    def _power_is(self, at: datetime) -> None:
        """Note which register stands still from ``at`` on, and which one may move."""
        power = self._told(CONF_POWER_ENTITY, read_power)
        watts = None if power is None else power.value
        for conf, still in (
            (CONF_IMPORT_ENTITY, watts is not None and watts <= _STILL_W),
            (CONF_EXPORT_ENTITY, watts is not None and watts >= -_STILL_W),
        ):
            if still:
                self._still_since.setdefault(conf, at)
            else:
                self._still_since.pop(conf, None)

    def reading(self) -> MeterReading | None:
        """Return what the meter said, with the time of its oldest part; None where one is missing.

        A power that is newer than said is no harm while it flows: registers count, and the guard
        reckons from the time said on with the most that may flow. That it rests is told apart.
        """
        power = self._told(CONF_POWER_ENTITY, read_power)
        imported = self._register(CONF_IMPORT_ENTITY, power)
        exported = self._register(CONF_EXPORT_ENTITY, power)
        if power is None or imported is None or exported is None:
            return None
        return MeterReading(
            measured_at=min(power.at, imported.at, exported.at),
            power_w=power.value,
            import_wh=imported.value,
            export_wh=exported.value,
        )

    def _register(self, conf: str, power: _Told | None) -> _Told | None:
        """Return a register, as new as the power where nothing has flowed since it spoke.

        One that spoke last while power flowed does not have all of that yet: it is waited for.
        """
        told, since = self._told(conf, read_energy), self._still_since.get(conf)
        if told is None or power is None or since is None:
            return told
        if since > power.at:
            # The clock was set back.
            self._still_since[conf] = since = power.at
        silent_for = dt_util.utcnow() - told.at
        if told.at < since - _SAME_MOMENT and silent_for < _SILENT_LONG:
            return None
        return _Told(value=told.value, at=max(told.at, power.at))

    def _told(self, conf: str, read: Read) -> _Told | None:
        """Return what a mapped sensor says, None where it says nothing."""
        state = self._hass.states.get(self._mapping.get(conf) or "")
        value = None if state is None else read(state, self._mapping)
        if state is None or value is None:
            return None
        return _Told(value=value, at=state.last_reported)
