"""The one leave time that differs from the week, for as long as it lies ahead."""

from datetime import datetime
from typing import override

from homeassistant.core import CALLBACK_TYPE, callback
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.util import dt as dt_util

from .entity import VehicleEntity
from .models import Departure


class LeaveOnceEntity(VehicleEntity):
    """Shows something of the exception, and looks again once it has passed: no news says so."""

    _cancel: CALLBACK_TYPE | None = None

    @property
    def one_off(self) -> Departure | None:
        """The exception while it lies ahead."""
        known = self.coordinator.data.departures.get(self.vehicle_id)
        found = known.one_off if known else None
        return found if found and found.departure_at > dt_util.utcnow() else None

    @override
    async def async_added_to_hass(self) -> None:
        """Wait for its end."""
        await super().async_added_to_hass()
        self._wait()

    @override
    async def async_will_remove_from_hass(self) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        await super().async_will_remove_from_hass()

    @callback
    @override
    def async_show(self) -> None:
        """Show what is known now, and wait for the end of that."""
        super().async_show()
        self._wait()

    @callback
    def _wait(self) -> None:
        self._stop_waiting()
        if (one_off := self.one_off) is not None:
            self._cancel = async_track_point_in_utc_time(
                self.hass, self._passed, one_off.departure_at
            )

    @callback
    def _stop_waiting(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    @callback
    def _passed(self, _now: datetime) -> None:
        self._cancel = None
        self.async_show()
