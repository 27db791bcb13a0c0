"""When an offer or a deal is, as a person says it: with its day, unless that is today.

Days and times are those of Home Assistant's time zone; the card's ``moments.js`` says the same.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util

from .const import DOMAIN, WEEKDAYS

# From a week on, two days have the same name. "Tomorrow" is no name: a notification sent before
# midnight and read after it would name the wrong day.
_NAMED_DAYS: Final = range(7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Tells moments in one language."""

    texts: dict[str, str]

    def span(self, start_at: datetime, end_at: datetime) -> tuple[str, str]:
        """Return a start and an end; the end has a day where it is another than the start's."""
        return self.at(start_at), self.at(end_at, beside=dt_util.as_local(start_at).date())

    def window(self, start_at: datetime, end_at: datetime) -> str:
        """Return a start and an end as one text."""
        start, end = self.span(start_at, end_at)
        return self._text("common.when_window").format(start=start, end=end)

    def at(self, instant: datetime, *, beside: date | None = None) -> str:
        """Return a time of day, with its day unless that is ``beside``, by default today."""
        local, today = dt_util.as_local(instant), dt_util.now().date()
        if local.date() == (beside or today):
            return _clock(local)
        if (local.date() - today).days not in _NAMED_DAYS:
            return self.dated(local)
        weekday = self._weekday(local)
        return self._text("common.when_weekday").format(weekday=weekday, clock=_clock(local))

    def dated(self, instant: datetime, *, beside: date | None = None) -> str:
        """Return a time of day with its date, unless that is ``beside``."""
        local = dt_util.as_local(instant)
        if local.date() == beside:
            return _clock(local)
        return self._text("common.when_date").format(
            weekday=self._weekday(local),
            day=local.day,
            month=self._text(f"common.month_{local.month}"),
            clock=_clock(local),
        )

    def _weekday(self, local: datetime) -> str:
        """Return the name of a day."""
        return self._text(f"selector.weekdays.options.{WEEKDAYS[local.weekday()]}")

    def _text(self, key: str) -> str:
        """Return one of our texts."""
        return self.texts[f"component.{DOMAIN}.{key}"]


async def async_moments(hass: HomeAssistant, language: str) -> Moments:
    """Return what tells moments in a language."""
    common = await async_get_translations(hass, language, "common", {DOMAIN})
    selector = await async_get_translations(hass, language, "selector", {DOMAIN})
    return Moments(texts={**common, **selector})


def _clock(local: datetime) -> str:
    """Return a time of day."""
    return local.strftime("%H:%M")
