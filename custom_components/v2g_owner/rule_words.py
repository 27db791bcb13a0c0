"""What an owner's rules say, one sentence each, in Home Assistant's language."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations

from .const import DOMAIN, WEEKDAYS
from .models import Preferences
from .money import in_words
from .price import shown_price
from .verbatim import verbatim


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleWords:
    """Tells rules in one language and currency."""

    texts: Mapping[str, str]
    currency: str
    parks: Mapping[str, str]
    """The names of parks by their ids."""

    def sentence(self, rule: Mapping[str, Any]) -> str:
        """Return a rule's name and what it takes, and that it is off where it is."""
        conditions = list(self._conditions(rule))
        takes = self._joined(conditions) if conditions else self.say("rule_any")
        if rule.get("counter"):
            takes = self.say("rule_counter", takes=takes)
        told = self.say("rule_line", name=str(rule.get("name", "")), takes=takes)
        return told if rule.get("enabled", True) else self.say("rule_off", rule=told)

    def listed(self, rules: tuple[Mapping[str, Any], ...]) -> str:
        """Return rules as a numbered list in Markdown, or that there is none."""
        lines = [
            f"{number}. {verbatim(self.sentence(rule))}" for number, rule in enumerate(rules, 1)
        ]
        return "\n".join(lines) or self.say("rule_none")

    def tried(self, answer: Mapping[str, Any]) -> str:
        """Return how many of the last offers a rule would have taken."""
        considered = answer["considered"]
        if not considered:
            return self.say("rule_untried")
        return self.say("rule_tried", accepted=answer["accepted"], considered=considered)

    def who_answers(self, wishes: Preferences) -> str:
        """Return whether rules answer, and who does or what is missing where they do not."""
        mode = wishes.consent_mode
        if mode == "rules":
            return self.say("rules_answer" if wishes.discharge_allowed else "rules_idle")
        named = self.texts.get(f"component.{DOMAIN}.entity.select.consent_mode.state.{mode}", mode)
        return self.say("rules_silent", mode=named)

    def say(self, key: str, **parts: object) -> str:
        """Return one of our sentences."""
        return self.texts[f"component.{DOMAIN}.common.{key}"].format(**parts)

    def _conditions(self, rule: Mapping[str, Any]) -> Iterator[str]:
        """Yield what a rule asks of an offer."""
        if (price := rule.get("min_price_per_kwh")) is not None:
            yield self.say("rule_price", price=f"{shown_price(price)} {self.currency}/kWh")
        if (net := rule.get("min_net_minor")) is not None:
            yield self.say("rule_net", net=in_words(net, self.currency))
        if (net_price := rule.get("min_net_per_kwh")) is not None:
            yield self.say("rule_net", net=f"{shown_price(net_price)} {self.currency}/kWh")
        if (energy := rule.get("max_energy_wh")) is not None:
            yield self.say("rule_energy", energy=f"{energy / 1000:g}")
        if purposes := rule.get("purposes"):
            yield self.say("rule_purposes", purposes=self._words("purposes", purposes))
        if parks := rule.get("park_ids"):
            names = [self.parks.get(each) or each for each in parks]
            yield self.say("rule_parks", parks=self._joined(names))
        if days := rule.get("weekdays"):
            yield self.say("rule_weekdays", weekdays=self._days(days))
        if (between := rule.get("between")) and between["start"] != between["end"]:
            yield self.say("rule_between", start=between["start"], end=between["end"])

    def _days(self, days: list[str]) -> str:
        """Return days in the week's order; three or more in a row as a span."""
        held = [index for index, day in enumerate(WEEKDAYS) if day in days]
        names = [self._word("weekdays", WEEKDAYS[index]) for index in held]
        if len(held) > 2 and held[-1] - held[0] == len(held) - 1:
            return self.say("when_window", start=names[0], end=names[-1])
        return self._joined(names)

    def _words(self, group: str, codes: list[str]) -> str:
        """Return several words of a group."""
        return self._joined([self._word(group, code) for code in codes])

    def _word(self, group: str, code: str) -> str:
        """Return a word of a group; the code of one that only a newer API knows."""
        return self.texts.get(f"component.{DOMAIN}.selector.{group}.options.{code}", code)

    def _joined(self, parts: list[str]) -> str:
        """Return parts as one text."""
        return reduce(lambda first, then: self.say("rule_and", first=first, then=then), parts)


async def async_rule_words(
    hass: HomeAssistant, currency: str, parks: Mapping[str, str]
) -> RuleWords:
    """Return what tells rules in Home Assistant's language."""
    texts: dict[str, str] = {}
    for category in ("common", "selector", "entity"):
        texts |= await async_get_translations(hass, hass.config.language, category, {DOMAIN})
    return RuleWords(texts=texts, currency=currency, parks=parks)
