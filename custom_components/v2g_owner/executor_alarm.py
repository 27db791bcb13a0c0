"""Rings at one instant: the executor must look at the very second a lease ends."""

from collections.abc import Callable
from datetime import datetime

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.util import dt as dt_util


class Alarm:
    """Calls once at the instant it was set to last."""

    def __init__(self, hass: HomeAssistant, ring: Callable[[], None]) -> None:
        """Prepare; it is not set yet."""
        self._hass = hass
        self._ring = ring
        self._cancel: CALLBACK_TYPE | None = None

    @callback
    def async_set(self, at: datetime | None) -> None:
        """Ring at ``at`` and at no other time; None or the past is never."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        if at is not None and at > dt_util.utcnow():
            self._cancel = async_track_point_in_utc_time(self._hass, self._async_ring, at)

    @callback
    def _async_ring(self, _now: datetime) -> None:
        self._cancel = None
        self._ring()
