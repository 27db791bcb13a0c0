"""What a car's limits are, line by line, in Home Assistant's language."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from homeassistant.core import HomeAssistant

from .const import DOMAIN
from .coordinator import V2GCoordinator
from .limits_kept import differing
from .models import Preferences
from .moments import Moments, async_moments
from .number import NUMBERS
from .rule_words import RuleWords, async_rule_words
from .verbatim import verbatim

_SWITCHES: Final = ("discharge_allowed", "allow_automations")
_SELECTS: Final = ("consent_mode", "departure_guard")
# These are told whether or not anything differs; others where it does, or where there is a limit.
_ALWAYS: Final = frozenset(
    {*_SWITCHES, "consent_mode", "soc_floor_pct", "soc_min_departure_pct", "min_price_per_kwh"}
)
_BUDGETS: Final = "max_discharge_"
_RULES: Final = "rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsWords:
    """Tells the limits of the cars of one account."""

    words: RuleWords
    moments: Moments

    def listed(
        self, coordinator: V2GCoordinator, wishes: Preferences, here: Preferences | None
    ) -> str:
        """Return limits in Markdown, each beside what this home saw of it where that is newer."""
        newer = differing(wishes, here).keys() if here else set()
        lines, before = [], here or wishes
        told = dict(self._values(wishes))
        for (name, key), value in told.items():
            if key in newer:
                seen = dict(self._values(before))[name, key] or self.words.say("limits_none")
                now = value or self.words.say("limits_none")
                lines.append(self.words.say("limits_line_here", name=name, value=now, here=seen))
            elif key in _ALWAYS or (value and key.startswith(_BUDGETS)):
                now = value or self.words.say("limits_none")
                lines.append(self.words.say("limits_line", name=name, value=now))
        if newer - {key for _, key in told} - {_RULES}:
            lines.append(self.words.say("limits_others"))
        lines += self._parks_and_deals(coordinator, wishes)
        parts = ["\n".join(f"- {line}" for line in lines)]
        parts += [self.words.say("limits_rules"), self.words.listed(wishes.rules)]
        if _RULES in newer:
            parts += [self.words.say("limits_rules_here"), self.words.listed(before.rules)]
        return "\n\n".join(parts)

    def _values(self, wishes: Preferences) -> Iterator[tuple[tuple[str, str], str | None]]:
        """Yield the name, the key and the value of each limit that has an entity."""
        for key in _SWITCHES:
            is_on = self.words.say("limits_on" if getattr(wishes, key) else "limits_off")
            yield (self._text("switch", key, "name"), key), is_on
        for key in _SELECTS:
            chosen = getattr(wishes, key)
            yield (
                (self._text("select", key, "name"), key),
                self._text("select", key, f"state.{chosen}"),
            )
        for number in NUMBERS:
            value, unit = number.value_fn(wishes), number.native_unit_of_measurement or ""
            if number.is_price:
                unit = f"{self.words.currency}/kWh"
            shown = None if value is None else f"{value:g} {unit}".rstrip()
            yield (self._text("number", number.key, "name"), number.key), shown

    def _parks_and_deals(self, coordinator: V2GCoordinator, wishes: Preferences) -> Iterator[str]:
        """Yield who may ask, and which deals go on once the limits are confirmed."""
        data, since = coordinator.data, wishes.unconfirmed_since
        parks = sorted(
            agreement.park.display_name
            for agreement in data.agreements.values()
            if agreement.state == "active" and wishes.vehicle_id in agreement.vehicle_ids
        )
        if parks:
            yield self.words.say("limits_parks", parks=verbatim(", ".join(parks)))
        for deal in data.live_commitments:
            said_at = deal.decision.decided_at if deal.decision else None
            if deal.vehicle_id == wishes.vehicle_id and since and said_at and said_at <= since:
                window = self.moments.window(deal.start_at, deal.end_at)
                park = verbatim(deal.park.display_name)
                yield self.words.say("limits_deal", park=park, window=window)

    def _text(self, kind: str, key: str, what: str) -> str:
        """Return what an entity is called, or one of its states."""
        return self.words.texts.get(f"component.{DOMAIN}.entity.{kind}.{key}.{what}", key)


async def async_limits_words(hass: HomeAssistant, coordinator: V2GCoordinator) -> LimitsWords:
    """Return what tells limits in Home Assistant's language."""
    parks = {park.park_id: park.display_name for park in coordinator.data.parks.values()}
    return LimitsWords(
        words=await async_rule_words(hass, coordinator.data.owner.currency, parks),
        moments=await async_moments(hass, hass.config.language),
    )
