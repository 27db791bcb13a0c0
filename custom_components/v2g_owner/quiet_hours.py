"""When nobody is to be asked: one span of the day, in the owner's own time.

The API keeps up to seven spans; the first is the one shown here, the others stay as they are.
Those that were last in force are remembered, for the API keeps none of what is switched off.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from datetime import time
from typing import Any, Final, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.components.time import TimeEntity, TimeEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import callback
from homeassistant.helpers.restore_state import RestoredExtraData, RestoreEntity

from .entity import VehicleEntity
from .models import QuietHours

# What switching on the first time begins with: nobody wants to be woken for a few kilowatt hours.
DEFAULT: Final = QuietHours(start="22:00", end="07:00")

_LAST: Final = "last"
QUIET_TIMES: Final = tuple(
    TimeEntityDescription(key=key, translation_key=key, entity_category=EntityCategory.CONFIG)
    for key in ("quiet_start", "quiet_end")
)
QUIET_SWITCH: Final = SwitchEntityDescription(
    key="quiet_hours", translation_key="quiet_hours", entity_category=EntityCategory.CONFIG
)


class _QuietEntity(VehicleEntity):
    """Writes the first span."""

    async def async_write_spans(
        self, change: Callable[[tuple[QuietHours, ...]], Iterable[QuietHours]]
    ) -> None:
        """Change the spans that are in force when it is our turn to write."""

        def told() -> dict[str, Any]:
            """Return the spans as the API takes them."""
            spans = change(self.preferences.quiet_hours)
            return {"quiet_hours": [{"start": each.start, "end": each.end} for each in spans]}

        await self.async_write_preferences(told)


class QuietHoursSwitch(_QuietEntity, RestoreEntity, SwitchEntity):
    """Whether there are quiet hours."""

    _last: tuple[QuietHours, ...] = ()

    @property
    @override
    def extra_restore_state_data(self) -> RestoredExtraData:
        """Return the spans that were last in force."""
        return RestoredExtraData({_LAST: [asdict(span) for span in self._last]})

    @override
    async def async_added_to_hass(self) -> None:
        """Remember what was in force before Home Assistant started."""
        await super().async_added_to_hass()
        if (kept := await self.async_get_last_extra_data()) is not None:
            spans = kept.as_dict().get(_LAST, ())
            self._last = tuple(QuietHours(start=each["start"], end=each["end"]) for each in spans)
        self._remember()

    @callback
    @override
    def async_show(self) -> None:
        """Remember what is in force now, whoever chose it."""
        self._remember()
        super().async_show()

    @callback
    def _remember(self) -> None:
        """Keep the spans in force, if any."""
        wishes = self.coordinator.data.preferences.get(self.vehicle_id)
        self._last = (tuple(wishes.quiet_hours) if wishes else ()) or self._last

    @property
    @override
    def is_on(self) -> bool:
        """Tell whether there are any."""
        return bool(self.preferences.quiet_hours)

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Go back to the last spans, the first time to the usual night."""
        if not self.is_on:
            await self.async_write_spans(lambda spans: spans or self._last or (DEFAULT,))

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Ask at any hour."""
        self._remember()
        await self.async_write_spans(lambda _: ())


class QuietTime(_QuietEntity, TimeEntity):
    """When the quiet hours begin or end."""

    @property
    @override
    def available(self) -> bool:
        """Tell whether there are quiet hours."""
        return super().available and bool(self.preferences.quiet_hours)

    @property
    def _is_start(self) -> bool:
        """Whether this is the beginning."""
        return self.entity_description.key == "quiet_start"

    @property
    @override
    def native_value(self) -> time | None:
        """Return the time of day."""
        span = self.preferences.quiet_hours[0]
        return time.fromisoformat(span.start if self._is_start else span.end)

    @override
    async def async_set_value(self, value: time) -> None:
        """Move one end of the span; where there is none any more, nothing is moved."""
        end = "start" if self._is_start else "end"
        clock = value.strftime("%H:%M")

        def moved(spans: tuple[QuietHours, ...]) -> Iterable[QuietHours]:
            """Return the spans with one end of the first moved."""
            return (*(replace(first, **{end: clock}) for first in spans[:1]), *spans[1:])

        await self.async_write_spans(moved)
