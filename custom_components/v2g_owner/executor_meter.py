"""Reports a home charger's meter to the API while a deal needs it: what counts is what it says."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util import dt as dt_util

from .api_errors import OwnerApiError
from .const import CONF_CHARGER_ID, LOGGER
from .coordinator import V2GCoordinator
from .instants import utc_text
from .meter import Meter, MeterReading
from .models_deal import Commitment
from .unsubscribing import together

# A stop is seen, and a lease judged, by a reading that is at most so old.
_EVERY: Final = timedelta(seconds=5)
# The first lease needs a meter that has spoken within a minute.
_BEFORE: Final = timedelta(seconds=90)


class MeterReporter:
    """Sends power and both registers of one charger, as they were measured, during its deals."""

    def __init__(
        self, hass: HomeAssistant, coordinator: V2GCoordinator, mapping: Mapping[str, Any]
    ) -> None:
        """Prepare; ``mapping`` is the charger's subentry."""
        self._hass = hass
        self._coordinator = coordinator
        self._mapping = mapping
        self._meter = Meter(hass, mapping)
        self._sent_at: datetime | None = None
        self._busy = False

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Look every five seconds; returns the way to stop."""
        unsubscribes = (
            self._meter.async_start(),
            async_track_time_interval(self._hass, self._async_look, _EVERY),
        )

        return together(unsubscribes)

    @callback
    def _async_look(self, _now: datetime) -> None:
        """Send a reading where a deal needs one and the meter has spoken since the last."""
        if self._busy or not self._needed(dt_util.utcnow()):
            return
        reading = self._meter.reading()
        if reading is None or reading.measured_at == self._sent_at:
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

    async def _async_send(self, reading: MeterReading) -> None:
        """Send one reading; what did not arrive is made good by the next."""
        body = {
            "measured_at": utc_text(reading.measured_at),
            "power_w": reading.power_w,
            "import_register_wh": reading.import_wh,
            "export_register_wh": reading.export_wh,
        }
        path = f"/v1/chargers/{self._mapping[CONF_CHARGER_ID]}/telemetry"
        try:
            await self._coordinator.api.post(path, {"readings": [body]})
            self._sent_at = reading.measured_at
        except OwnerApiError as error:
            LOGGER.debug("A meter reading did not arrive: %s", error)
        finally:
            self._busy = False


def _wants_meter(deal: Commitment, now: datetime) -> bool:
    """Tell whether the API waits for the meter of a deal."""
    if deal.is_live:
        return deal.start_at - _BEFORE <= now
    return deal.lease_until is not None and deal.settlement is None
