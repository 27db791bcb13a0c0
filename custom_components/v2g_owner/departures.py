"""Mirror a calendar's next fourteen days to the API as leave times.

An event is a departure at its start; "80 %" in its title says what the vehicle needs by then.
"""

from collections.abc import Mapping
from datetime import datetime
from math import ceil
import re
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_track_state_change_event, async_track_time_interval
from homeassistant.util import dt as dt_util

from .api_errors import OwnerApiError, OwnerApiProblem
from .calendar_marks import CalendarMarks
from .const import (
    CALENDAR_CONFIRM_INTERVAL,
    CALENDAR_HORIZON,
    CALENDAR_READ_INTERVAL,
    CONF_CALENDAR_ENTITY,
    CONF_VEHICLE_ID,
    LOGGER,
)
from .coordinator import V2GCoordinator
from .instants import utc_text
from .unsubscribing import together

# The API takes at most this many, and no event summary longer than this.
_MOST_EVENTS: Final = 200
_LONGEST_SUMMARY: Final = 200
_FULL_PCT: Final = 100
# Not the end of a longer number: of "87.5 %" that would be five.
_NEED: Final = re.compile(r"(?<!\d)(?<!\d[.,\uff0e])(\d{1,3}(?:[.,\uff0e]\d+)?)\s*[%\uff05]")
_POINT: Final = str.maketrans(",\uff0e", "..")


def read_events(events: list[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Return calendar events as departures, soonest first.

    All-day events name no hour to leave at and are left out, as is what has begun already.
    """
    departures = []
    for event in events:
        start = dt_util.parse_datetime(str(event.get("start", "")))
        if start is None or start.tzinfo is None or start <= now:
            continue
        title = str(event.get("summary") or "")
        departure: dict[str, Any] = {"departure_at": utc_text(start)}
        if (need := _need_pct(title)) is not None:
            departure["soc_min_departure_pct"] = need
        shown = "".join(char if char.isprintable() else " " for char in title)
        departure["summary"] = shown[:_LONGEST_SUMMARY]
        departures.append(departure)
    return sorted(departures, key=lambda each: str(each["departure_at"]))[:_MOST_EVENTS]


def _need_pct(title: str) -> int | None:
    """Return the first percentage of a battery that a title names, rounded up; None without one."""
    told = (ceil(float(found[1].translate(_POINT))) for found in _NEED.finditer(title))
    return next((pct for pct in told if pct <= _FULL_PCT), None)


class CalendarMirror:
    """Reads one vehicle's calendar and replaces the departures the API knows from it."""

    def __init__(
        self,
        hass: HomeAssistant,
        coordinator: V2GCoordinator,
        mapping: Mapping[str, Any],
        marks: CalendarMarks,
    ) -> None:
        """Prepare; ``mapping`` is the vehicle subentry's data."""
        self._hass = hass
        self._coordinator = coordinator
        self._marks = marks
        self._calendar: str | None = mapping.get(CONF_CALENDAR_ENTITY)
        self._vehicle_id: str = mapping[CONF_VEHICLE_ID]
        self._sent: list[dict[str, Any]] | None = None
        self._sent_at: datetime | None = None

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Read now, when the calendar moves, and every quarter of an hour."""
        if self._calendar is None:
            return lambda: None
        unsubscribes = [
            async_track_state_change_event(self._hass, self._calendar, self._async_changed),
            async_track_time_interval(
                self._hass, self._async_mirror, CALENDAR_READ_INTERVAL, cancel_on_shutdown=True
            ),
        ]
        self._async_changed()

        return together(unsubscribes)

    @callback
    def _async_changed(self, _event: Event[EventStateChangedData] | None = None) -> None:
        """Read the calendar in the background."""
        self._coordinator.config_entry.async_create_background_task(
            self._hass, self._async_mirror(), name=f"mirror {self._calendar}"
        )

    async def _async_mirror(self, _now: datetime | None = None) -> None:
        """Read the calendar and tell the API when it says something new, or every hour."""
        now = dt_util.utcnow()
        if (events := await self._async_events(now)) is None:
            return
        departures = read_events(events, now)
        recent = self._sent_at is not None and now - self._sent_at < CALENDAR_CONFIRM_INTERVAL
        if departures == self._sent and recent:
            return
        changes = {"calendar": {"read_at": now.isoformat(), "events": departures}}
        await self._marks.async_tells(self._vehicle_id, now)
        try:
            try:
                await self._coordinator.async_write("departures", self._vehicle_id, changes)
            except OwnerApiProblem as error:
                # Only we write the calendar: somebody else changed another leave time meanwhile.
                if error.current is None:
                    raise
                self._coordinator.async_apply("departures.updated", error.current)
                await self._coordinator.async_write("departures", self._vehicle_id, changes)
        except OwnerApiError as error:
            LOGGER.debug("Departures of %s did not arrive: %s", self._calendar, error)
            self._sent_at = None
        else:
            self._sent, self._sent_at = departures, now
            self._marks.told(self._vehicle_id, now)

    async def _async_events(self, now: datetime) -> list[dict[str, Any]] | None:
        """Return the calendar's events, None when it cannot be read now."""
        state = self._hass.states.get(self._calendar or "")
        if state is None or state.state == "unavailable":
            return None
        try:
            answer = await self._hass.services.async_call(
                "calendar",
                "get_events",
                {"start_date_time": now, "end_date_time": now + CALENDAR_HORIZON},
                target={"entity_id": self._calendar},
                blocking=True,
                return_response=True,
            )
        except HomeAssistantError as error:
            LOGGER.debug("The calendar %s cannot be read: %s", self._calendar, error)
            return None
        found: Any = (answer or {}).get(self._calendar or "")
        return list(found["events"]) if found else []
