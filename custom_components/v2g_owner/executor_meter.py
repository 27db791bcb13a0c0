"""Reports a home charger's meter to the API while a deal needs it: what counts is what it says."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, State, callback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util import dt as dt_util

from .api_errors import OwnerApiError
from .const import (
    CONF_CHARGER_ID,
    CONF_EXPORT_ENTITY,
    CONF_IMPORT_ENTITY,
    CONF_POWER_ENTITY,
    LOGGER,
)
from .coordinator import V2GCoordinator
from .models_deal import Commitment
from .readings import Read, read_energy, read_power

# A stop is seen, and a lease judged, by a reading that is at most so old.
_EVERY: Final = timedelta(seconds=5)
# The first lease needs a meter that has spoken within a minute.
_BEFORE: Final = timedelta(seconds=90)
_READERS: Final[Mapping[str, tuple[str, Read]]] = {
    CONF_POWER_ENTITY: ("power_w", read_power),
    CONF_IMPORT_ENTITY: ("import_register_wh", read_energy),
    CONF_EXPORT_ENTITY: ("export_register_wh", read_energy),
}


class MeterReporter:
    """Sends power and both registers of one charger, as they were measured, during its deals."""

    def __init__(
        self, hass: HomeAssistant, coordinator: V2GCoordinator, mapping: Mapping[str, Any]
    ) -> None:
        """Prepare; ``mapping`` is the charger's subentry."""
        self._hass = hass
        self._coordinator = coordinator
        self._mapping = mapping
        self._sent_at: datetime | None = None
        self._busy = False

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Look every five seconds; returns the way to stop."""
        return async_track_time_interval(self._hass, self._async_look, _EVERY)

    @callback
    def _async_look(self, _now: datetime) -> None:
        """Send a reading where a deal needs one and the meter has spoken since the last."""
        if self._busy or not self._needed(dt_util.utcnow()):
            return
        reading = self._reading()
        if reading is None or reading["measured_at"] == self._sent_at:
            return
        self._busy = True
        self._coordinator.config_entry.async_create_background_task(
            self._hass, self._async_send(reading), f"meter {self._mapping[CONF_CHARGER_ID]}"
        )

    def _needed(self, now: datetime) -> bool:
        """Tell whether a deal at this charger runs, is about to, or waits for its last reading."""
        charger = self._coordinator.data.chargers.get(self._mapping[CONF_CHARGER_ID])
        if charger is None or charger.evse_id is None:
            return False
        return any(
            deal.evse_id == charger.evse_id and _wants_meter(deal, now)
            for deal in self._coordinator.data.commitments.values()
        )

    def _reading(self) -> dict[str, Any] | None:
        """Return what the meter says and when it last spoke, None when a part is missing."""
        values: dict[str, Any] = {}
        times: list[datetime] = []
        for conf, (key, read) in _READERS.items():
            state: State | None = self._hass.states.get(self._mapping.get(conf) or "")
            value = None if state is None else read(state, self._mapping)
            if state is None or value is None:
                return None
            values[key] = value
            times.append(state.last_reported)
        return {"measured_at": max(times), **values}

    async def _async_send(self, reading: Mapping[str, Any]) -> None:
        """Send one reading; what did not arrive is made good by the next."""
        measured_at: datetime = reading["measured_at"]
        body = {**reading, "measured_at": measured_at.isoformat().replace("+00:00", "Z")}
        path = f"/v1/chargers/{self._mapping[CONF_CHARGER_ID]}/telemetry"
        try:
            await self._coordinator.api.post(path, {"readings": [body]})
            self._sent_at = measured_at
        except OwnerApiError as error:
            LOGGER.debug("A meter reading did not arrive: %s", error)
        finally:
            self._busy = False


def _wants_meter(deal: Commitment, now: datetime) -> bool:
    """Tell whether the API waits for the meter of a deal."""
    if deal.is_live:
        return deal.start_at - _BEFORE <= now
    return deal.lease_until is not None and deal.settlement is None
