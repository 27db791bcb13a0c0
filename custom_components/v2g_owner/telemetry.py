"""Report what the owner's own sensors say about vehicles and chargers.

Each value goes out with the time its own sensor last reported it, never with the time of sending:
the API judges how old a state of charge is, and must not be told that an old one is new.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, override

from homeassistant.core import (
    CALLBACK_TYPE,
    Event,
    EventStateChangedData,
    HomeAssistant,
    State,
    callback,
)
from homeassistant.helpers.event import (
    async_call_later,
    async_track_state_change_event,
    async_track_time_interval,
)
from homeassistant.util import dt as dt_util

from .api_errors import OwnerApiError
from .const import (
    CONF_CHARGER_ID,
    CONF_EXPORT_ENTITY,
    CONF_IMPORT_ENTITY,
    CONF_ONLINE_ENTITY,
    CONF_PLUGGED_ENTITY,
    CONF_POWER_ENTITY,
    CONF_SOC_ENTITY,
    CONF_TEMPERATURE_ENTITY,
    CONF_VEHICLE_ID,
    LOGGER,
    TELEMETRY_CONFIRM_DEAL_INTERVAL,
    TELEMETRY_CONFIRM_INTERVAL,
    TELEMETRY_LOOK_INTERVAL,
    TELEMETRY_MIN_INTERVAL,
)
from .coordinator import V2GCoordinator
from .instants import utc_text
from .readings import (
    Read,
    read_energy,
    read_on,
    read_percent,
    read_power,
    read_temperature,
    told_by_now,
)

# The API shows tenths, rounded down, and lets a meter carry a state of charge no further.
_SHOWN_PCT: Final = 0.1
_CARRIED_PCT: Final = 10.0


class Reporter:
    """Sends one vehicle's or charger's readings: changes soon, unchanged ones before they age."""

    readers: ClassVar[Mapping[str, tuple[str, Read]]]
    urgent: ClassVar[frozenset[str]] = frozenset()
    resource: ClassVar[str]
    id_key: ClassVar[str]

    def __init__(
        self, hass: HomeAssistant, coordinator: V2GCoordinator, mapping: Mapping[str, Any]
    ) -> None:
        """Prepare; ``mapping`` is the subentry's data: which entity says what."""
        self._hass = hass
        self._coordinator = coordinator
        self._mapping = mapping
        self._path = f"/v1/{self.resource}/{mapping[self.id_key]}/telemetry"
        self._entities = {
            mapping[conf]: conf for conf in self.readers if mapping.get(conf) is not None
        }
        self._sent: dict[str, tuple[datetime, Any]] = {}
        self._sent_at: datetime | None = None
        self._confirmed_at = dt_util.utcnow()
        self._failed = False
        self._cancel_later: CALLBACK_TYPE | None = None
        self._stopped = False
        # Readings must arrive in the order they were made: the API ignores older ones.
        self._sending = asyncio.Lock()

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Send everything, then follow the sensors; returns the way to stop."""
        if not self._entities:
            return lambda: None
        entities = list(self._entities)
        unsubscribes = [
            async_track_state_change_event(self._hass, entities, self._async_changed),
            async_track_time_interval(
                self._hass,
                self._async_confirm,
                TELEMETRY_LOOK_INTERVAL,
                cancel_on_shutdown=True,
            ),
            self._coordinator.async_add_listener(self._async_coordinator_updated),
        ]
        self._async_send_soon(everything=True)

        @callback
        def stop() -> None:
            self._stopped = True
            self._async_cancel_later()
            for unsubscribe in unsubscribes:
                unsubscribe()

        return stop

    @callback
    def _async_changed(self, event: Event[EventStateChangedData]) -> None:
        """Send a change: at once when it is urgent, else not too often."""
        new, old = event.data["new_state"], event.data["old_state"]
        conf = self._entities[event.data["entity_id"]]
        moved = new is not None and (old is None or new.state != old.state)
        if conf in self.urgent and moved:
            self._async_send_soon()
            return
        if self._cancel_later is not None:
            return
        now = dt_util.utcnow()
        due = now if self._sent_at is None else self._sent_at + TELEMETRY_MIN_INTERVAL
        if due <= now:
            self._async_send_soon()
        else:
            self._cancel_later = async_call_later(self._hass, due - now, self._async_later)

    @callback
    def _async_later(self, _now: datetime) -> None:
        """Send what was held back."""
        self._cancel_later = None
        self._async_send_soon()

    @callback
    def _async_confirm(self, _now: datetime) -> None:
        """Send everything again in time: a sensor that repeats its value stays fresh this way."""
        every = self._confirm_every()
        if every is not None and dt_util.utcnow() - self._confirmed_at >= every:
            self._async_send_soon(everything=True)

    def _confirm_every(self) -> timedelta | None:
        """Return how often unchanged readings are confirmed, None while they need not be."""
        return None

    @callback
    def _async_coordinator_updated(self) -> None:
        """Send again what failed, now that the API answers."""
        if self._failed and self._coordinator.last_update_success:
            self._failed = False
            self._async_send_soon(everything=True)

    @callback
    def _async_send_soon(self, *, everything: bool = False) -> None:
        """Send in the background, once."""
        if self._stopped:
            return
        self._async_cancel_later()
        self._sent_at = dt_util.utcnow()
        if everything:
            self._confirmed_at = self._sent_at
        self._coordinator.config_entry.async_create_background_task(
            self._hass, self._async_send(everything=everything), name=f"report {self._path}"
        )

    @callback
    def _async_cancel_later(self) -> None:
        """Drop the timer of a change held back."""
        if self._cancel_later is not None:
            self._cancel_later()
            self._cancel_later = None

    async def _async_send(self, *, everything: bool) -> None:
        """Send what is new, or everything; a failure is made good when the API is back."""
        async with self._sending:
            news = {
                key: reading
                for key, reading in self._readings().items()
                if self._sent.get(key) != reading and (everything or self._changed(key, reading))
            }
            if not news:
                return
            try:
                await self._coordinator.api.post(self._path, {"readings": self._told(news)})
            except OwnerApiError as error:
                LOGGER.debug("Readings for %s did not arrive: %s", self._path, error)
                self._failed = True
            else:
                self._sent |= news

    def _changed(self, key: str, reading: tuple[datetime, Any]) -> bool:
        """Tell whether a value differs from the one sent last."""
        return key not in self._sent or self._sent[key][1] != reading[1]

    def _told(self, news: Mapping[str, tuple[datetime, Any]]) -> list[dict[str, Any]]:
        """Return readings in time order, values reported at the same moment together."""
        by_time: dict[datetime, dict[str, Any]] = {}
        for key, (measured_at, value) in news.items():
            by_time.setdefault(measured_at, {})[key] = value
        return [{"measured_at": utc_text(at), **by_time[at]} for at in sorted(by_time)]

    def _readings(self) -> dict[str, tuple[datetime, Any]]:
        """Return each value that a sensor knows, with the time of the sensor's last report."""
        found: dict[str, tuple[datetime, Any]] = {}
        for entity_id, conf in self._entities.items():
            key, read = self.readers[conf]
            state = told_by_now(self._hass.states.get(entity_id))
            value = None if state is None else read(state, self._mapping)
            if state is None or value is None or self._says_nothing_new(conf, state, value):
                continue
            found[key] = (state.last_reported, value)
        return found

    def _says_nothing_new(self, _conf: str, _state: State, _value: Any) -> bool:  # noqa: ANN401 - any reading
        """Return whether a value may be older than its sensor says."""
        return False


class VehicleReporter(Reporter):
    """Reports one vehicle's sensors."""

    readers = {  # noqa: RUF012
        CONF_SOC_ENTITY: ("soc_pct", read_percent),
        CONF_PLUGGED_ENTITY: ("plugged_in", read_on),
        CONF_POWER_ENTITY: ("power_w", read_power),
        CONF_TEMPERATURE_ENTITY: ("pack_temperature_c", read_temperature),
        CONF_IMPORT_ENTITY: ("import_register_wh", read_energy),
        CONF_EXPORT_ENTITY: ("export_register_wh", read_energy),
    }
    urgent = frozenset({CONF_PLUGGED_ENTITY})
    resource = "vehicles"
    id_key = CONF_VEHICLE_ID
    _first_at: datetime | None = None
    _restored_at: datetime | None = None

    @override
    def _says_nothing_new(self, conf: str, state: State, value: Any) -> bool:
        """Promise 3: a state of charge that was only restored grows no younger.

        After a start many a sensor shows what it said before, as if it had just been measured. The
        first that repeats what the API has counts once it is reported again, or changes.
        """
        if conf != CONF_SOC_ENTITY:
            return False
        at = state.last_reported
        if self._first_at is None:
            self._first_at = at
            self._restored_at = at if self._repeats(value, at) else None
        return at == self._restored_at

    def _repeats(self, soc_pct: float, at: datetime) -> bool:
        """Return whether the API may have a state of charge already, from before ``at``.

        It shows what the meter of a session, be it over, has left of that.
        """
        vehicle = self._coordinator.data.vehicles.get(self._mapping[CONF_VEHICLE_ID])
        if vehicle is None or vehicle.soc is None or vehicle.soc.measured_at >= at:
            return False
        return -_SHOWN_PCT <= soc_pct - vehicle.soc.soc_pct <= _CARRIED_PCT + _SHOWN_PCT

    @override
    def _confirm_every(self) -> timedelta | None:
        """Keep the state of charge fresh while somebody may ask for energy."""
        plug = self._hass.states.get(self._mapping.get(CONF_PLUGGED_ENTITY) or "")
        if plug is not None and read_on(plug, self._mapping) is False:
            return None
        vehicle_id = self._mapping[CONF_VEHICLE_ID]
        deals = self._coordinator.data.live_commitments
        if any(deal.vehicle_id == vehicle_id for deal in deals):
            return TELEMETRY_CONFIRM_DEAL_INTERVAL
        return TELEMETRY_CONFIRM_INTERVAL


class ChargerReporter(Reporter):
    """Reports one charger's sensors."""

    readers = {  # noqa: RUF012
        CONF_POWER_ENTITY: ("power_w", read_power),
        CONF_IMPORT_ENTITY: ("import_register_wh", read_energy),
        CONF_EXPORT_ENTITY: ("export_register_wh", read_energy),
        CONF_ONLINE_ENTITY: ("online", read_on),
    }
    urgent = frozenset({CONF_ONLINE_ENTITY})
    resource = "chargers"
    id_key = CONF_CHARGER_ID
