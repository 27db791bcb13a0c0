"""Which calendars this home has told the API, so that it can take back its own and no other's.

Two homes of one owner may each read a calendar for the same car: the newest counts. The time at
which ours was read is the mark by which we know it again.
"""

from collections.abc import Collection
from datetime import datetime
from http import HTTPStatus
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from .api import Json, OwnerApi
from .api_errors import OwnerApiError, OwnerApiProblem
from .const import DOMAIN, LOGGER

# Beside the one that surely arrived: a write whose answer was lost may have arrived as well.
_MOST_UNSURE: Final = 20
# Once more when somebody changed another leave time meanwhile.
_TRIES: Final = 2


class CalendarMarks:
    """The marks of one account's cars, on disk: written before the API is told."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Prepare; nothing is read yet."""
        self._store: Store[dict[str, list[str]]] = Store(
            hass, 1, f"{DOMAIN}.{entry_id}.calendars", private=True, atomic_writes=True
        )
        self._marks: dict[str, list[str]] = {}

    async def async_load(self) -> None:
        """Read what is on disk."""
        self._marks = await self._store.async_load() or {}

    async def async_tells(self, vehicle_id: str, read_at: datetime) -> None:
        """Note that the API is about to be told a calendar read at this time."""
        sure, *unsure = [*self._marks.get(vehicle_id, []), read_at.isoformat()]
        self._marks[vehicle_id] = [sure, *unsure[-_MOST_UNSURE:]]
        await self._store.async_save(self._marks)

    def told(self, vehicle_id: str, read_at: datetime) -> None:
        """Note that it arrived: earlier ones are gone. On disk with the next one, or too many."""
        self._marks[vehicle_id] = [read_at.isoformat()]

    async def async_take_back(self, api: OwnerApi, mapped: Collection[str]) -> list[Json]:
        """Remove what this home told of cars without a calendar now; returns their leave times.

        What fails is tried again at the next start.
        """
        changed: list[Json] = []
        for vehicle_id in [each for each in self._marks if each not in mapped]:
            try:
                changed += await self._async_clear(api, vehicle_id)
            except OwnerApiProblem as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    LOGGER.debug("The calendar of %s is not taken back: %s", vehicle_id, error)
                    continue
            except OwnerApiError as error:
                LOGGER.debug("No calendar is taken back: %s", error)
                break
            del self._marks[vehicle_id]
            await self._store.async_save(self._marks)
        return changed

    async def async_remove(self) -> None:
        """Forget everything."""
        await self._store.async_remove()

    async def _async_clear(self, api: OwnerApi, vehicle_id: str) -> list[Json]:
        """Remove a car's calendar at the API where it is ours; returns the new leave times."""
        path = f"/v1/vehicles/{vehicle_id}/departures"
        ours = {dt_util.parse_datetime(mark) for mark in self._marks[vehicle_id]}
        for left in reversed(range(_TRIES)):
            found = await api.get(path)
            calendar = found.get("calendar")
            if not calendar or dt_util.parse_datetime(str(calendar["read_at"])) not in ours:
                break
            try:
                return [await api.patch(path, {"calendar": None}, int(found["revision"]))]
            except OwnerApiProblem as error:
                if error.status != HTTPStatus.PRECONDITION_FAILED or not left:
                    raise
        return []
