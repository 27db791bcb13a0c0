"""The forms in which an owner writes a rule: a yes in advance, with its conditions."""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TimeSelector,
)
import probatio

from .const import PURPOSES, WEEKDAYS
from .money import major, minor_digits
from .price import price_text

CONF_RULE: Final = "rule"
CONF_ACT: Final = "act"
CONF_NAME: Final = "name"
CONF_ENABLED: Final = "enabled"
CONF_MIN_PRICE: Final = "min_price"
CONF_MIN_NET: Final = "min_net"
CONF_MIN_NET_PER_KWH: Final = "min_net_per_kwh"
CONF_MAX_ENERGY_KWH: Final = "max_energy_kwh"
CONF_PURPOSES: Final = "purposes"
CONF_PARKS: Final = "parks"
CONF_WEEKDAYS: Final = "weekdays"
CONF_FROM: Final = "from_time"
CONF_TO: Final = "to_time"
CONF_COUNTER: Final = "counter"

ACTS: Final = ("change", "switch", "first", "up", "down", "remove")

# Which field of the form each part of the API's rule is written in.
FIELDS: Final = {
    "name": CONF_NAME,
    "enabled": CONF_ENABLED,
    "min_price_per_kwh": CONF_MIN_PRICE,
    "min_net_minor": CONF_MIN_NET,
    "min_net_per_kwh": CONF_MIN_NET_PER_KWH,
    "max_energy_wh": CONF_MAX_ENERGY_KWH,
    "purposes": CONF_PURPOSES,
    "park_ids": CONF_PARKS,
    "weekdays": CONF_WEEKDAYS,
    "between": CONF_FROM,
    "counter": CONF_COUNTER,
}
# The most that the API takes.
_MOST_PRICE: Final = 100_000
_MOST_MINOR: Final = 10**12
_MOST_KWH: Final = 10_000
_MIDNIGHT: Final = "00:00"

type Form = dict[str, Any]
type RuleView = dict[str, Any]


def _number(low: float, high: float, unit: str) -> NumberSelector:
    """Ask for a number of any fineness."""
    return NumberSelector(
        NumberSelectorConfig(
            min=low,
            max=high,
            step="any",
            unit_of_measurement=unit,
            mode=NumberSelectorMode.BOX,
        )
    )


def _several(options: tuple[str, ...], translation_key: str) -> SelectSelector:
    """Offer to choose several words."""
    return SelectSelector(
        SelectSelectorConfig(options=list(options), translation_key=translation_key, multiple=True)
    )


def _named(names: Mapping[str, str], *, multiple: bool) -> SelectSelector:
    """Offer to choose among things by name."""
    options = [SelectOptionDict(value=key, label=name) for key, name in names.items()]
    return SelectSelector(
        SelectSelectorConfig(options=options, multiple=multiple, mode=SelectSelectorMode.DROPDOWN)
    )


def rule_form(currency: str, parks: Mapping[str, str]) -> probatio.Schema:
    """Ask for a rule in the owner's currency; parks only where one is known."""
    price = _number(-_MOST_PRICE, _MOST_PRICE, f"{currency}/kWh")
    most = major(_MOST_MINOR, currency)
    fields: dict[Any, Any] = {
        probatio.Required(CONF_NAME): TextSelector(),
        probatio.Optional(CONF_MIN_PRICE): price,
        probatio.Optional(CONF_MIN_NET): _number(-most, most, currency),
        probatio.Optional(CONF_MIN_NET_PER_KWH): price,
        probatio.Optional(CONF_MAX_ENERGY_KWH): _number(0, _MOST_KWH, "kWh"),
        probatio.Optional(CONF_PURPOSES): _several(PURPOSES, "purposes"),
    }
    if parks:
        fields[probatio.Optional(CONF_PARKS)] = _named(parks, multiple=True)
    return probatio.Schema(
        fields
        | {
            probatio.Optional(CONF_WEEKDAYS): _several(WEEKDAYS, "weekdays"),
            probatio.Optional(CONF_FROM): TimeSelector(),
            probatio.Optional(CONF_TO): TimeSelector(),
            probatio.Required(CONF_COUNTER, default=False): BooleanSelector(),
            probatio.Required(CONF_ENABLED, default=True): BooleanSelector(),
        }
    )


def pick_form(sentences: Mapping[str, str]) -> probatio.Schema:
    """Ask which rule is meant, by what it says, and what to do with it."""
    acts = SelectSelectorConfig(
        options=list(ACTS), translation_key="rule_act", mode=SelectSelectorMode.LIST
    )
    return probatio.Schema(
        {
            probatio.Required(CONF_RULE): _named(sentences, multiple=False),
            probatio.Required(CONF_ACT, default=ACTS[0]): SelectSelector(acts),
        }
    )


def rule_values(rule: RuleView, currency: str) -> Form:
    """Return the form's values from the API's rule; what it does not ask for stays empty."""
    form: Form = {
        CONF_NAME: rule["name"],
        CONF_ENABLED: rule.get("enabled", True),
        CONF_COUNTER: rule.get("counter", False),
    }
    for key in ("min_price_per_kwh", "min_net_per_kwh"):
        if rule.get(key) is not None:
            form[FIELDS[key]] = float(rule[key])
    if (net := rule.get("min_net_minor")) is not None:
        form[CONF_MIN_NET] = major(net, currency)
    if (energy := rule.get("max_energy_wh")) is not None:
        form[CONF_MAX_ENERGY_KWH] = energy / 1000
    for key in ("purposes", "park_ids", "weekdays"):
        if rule.get(key):
            form[FIELDS[key]] = list(rule[key])
    if between := rule.get("between"):
        form[CONF_FROM], form[CONF_TO] = f"{between['start']}:00", f"{between['end']}:00"
    return form


def rule_body(form: Form, currency: str) -> RuleView:
    """Return the API's rule from the form: kWh and money become Wh and minor units."""
    net, energy = form.get(CONF_MIN_NET), form.get(CONF_MAX_ENERGY_KWH)
    return {
        "name": form[CONF_NAME].strip(),
        "enabled": form[CONF_ENABLED],
        "min_price_per_kwh": _price(form.get(CONF_MIN_PRICE)),
        "min_net_minor": None if net is None else round(net * 10 ** minor_digits(currency)),
        "min_net_per_kwh": _price(form.get(CONF_MIN_NET_PER_KWH)),
        "max_energy_wh": None if energy is None else round(energy * 1000),
        "purposes": list(form.get(CONF_PURPOSES, ())),
        "park_ids": list(form.get(CONF_PARKS, ())),
        "weekdays": list(form.get(CONF_WEEKDAYS, ())),
        "between": _between(form.get(CONF_FROM), form.get(CONF_TO)),
        "counter": form[CONF_COUNTER],
    }


def _price(price: float | None) -> str | None:
    """Return a price as the API takes it."""
    return None if price is None else price_text(price)


def _between(start: str | None, end: str | None) -> dict[str, str] | None:
    """Return a span of the day; it begins or ends at midnight where one side is left out.

    One that ends where it begins is the whole day, and so no condition: what is shown says that.
    """
    begins, ends = ((each or _MIDNIGHT)[:5] for each in (start, end))
    return None if begins == ends else {"start": begins, "end": ends}
