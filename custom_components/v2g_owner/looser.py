"""What lets more be sold, or with less of a yes: two values compared, whoever changes them.

In doubt it does: what cannot be compared is asked about.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import time
from typing import Any, Final

from .const import DEPARTURE_GUARDS
from .models import Charger, Preferences, TaperStep, TariffBand, Vehicle

_STEPS: Final = {
    # From what lets nothing through to what lets most.
    "consent_mode": ("never", "ask", "rules"),
    "departure_guard": DEPARTURE_GUARDS,
}
_CAPPED: Final = "capped"
_WARRANTIES: Final = ("prohibited", _CAPPED, "unknown", "allowed")
_PERMISSIONS: Final = ("discharge_allowed", "allow_automations")
_LEAST: Final = (
    "soc_floor_pct",
    "soc_min_departure_pct",
    "min_price_per_kwh",
    "soc_margin_pct",
    "departure_buffer_s",
    "cooldown_s",
)
BUDGETS: Final = (
    "max_discharge_wh_per_event",
    "max_discharge_wh_per_day",
    "max_discharge_wh_per_week",
    "max_discharge_events_per_day",
)
COSTS: Final = ("later_refill_price_per_kwh", "degradation_cost_per_kwh")
"""What one kWh that is sold costs its owner; unsaid, the agent knows what, and not we."""
_MOST: Final = (*BUDGETS, "soc_max_age_consent_s", "soc_max_age_discharge_s")
# How much the car holds, gives and takes: by them it is counted what can be put back in time.
_MOST_OF_A_CAR: Final = (
    "usable_capacity_wh",
    "max_charge_w",
    "max_discharge_w",
    "charge_efficiency",
    "discharge_efficiency",
)
_MOST_OF_A_CHARGER: Final = ("max_charge_w", "max_discharge_w")
_LEAST_OF_A_RULE: Final = ("min_price_per_kwh", "min_net_minor", "min_net_per_kwh")
_CHOICES_OF_A_RULE: Final = ("park_ids", "weekdays")
# Promise 4: a rule that names it takes longer leases as well, which one without purposes does not.
_LONG_PURPOSE: Final = "backup"
_NAMES_OF_A_RULE: Final = ("rule_id", "name", "enabled")
_COMPARED_OF_A_RULE: Final = frozenset(
    {
        *_NAMES_OF_A_RULE,
        *_LEAST_OF_A_RULE,
        *_CHOICES_OF_A_RULE,
        "max_energy_wh",
        "purposes",
        "between",
        "counter",
    }
)
_DAY_MIN: Final = 24 * 60
_NO_LIMIT: Final = float("inf")


def loosens(known: Preferences, changes: Mapping[str, Any]) -> bool:
    """Tell whether changed preferences let more be sold, or with less of a yes."""
    return (
        any(changes[key] and not getattr(known, key) for key in _PERMISSIONS if key in changes)
        or any(
            _rank(steps, changes[key]) > _rank(steps, getattr(known, key))
            for key, steps in _STEPS.items()
            if key in changes
        )
        or any(
            _least(changes[key]) < _least(getattr(known, key)) for key in _LEAST if key in changes
        )
        or any(_most(changes[key]) > _most(getattr(known, key)) for key in _MOST if key in changes)
        or any(_is_less(getattr(known, key), changes[key]) for key in COSTS if key in changes)
        or ("rules" in changes and _rules_say_more(known.rules, changes["rules"]))
        or _pays_more(known, changes)
        or ("tariff" in changes and _costs_less(known.tariff.bands, changes["tariff"]["bands"]))
    )


def facts_loosen(known: Vehicle, facts: Mapping[str, Any]) -> bool:
    """Tell whether changed facts of a car let more be sold: by its warranty, size or wear."""
    if "taper" in facts and _fills_faster(known.taper, facts["taper"]):
        return True
    told = [key for key in _MOST_OF_A_CAR if key in facts]
    if any(_most(facts[key]) > _most(getattr(known, key)) for key in told):
        return True
    if _warrants_more(known, facts):
        return True
    if facts.get("chemistry", known.chemistry) != known.chemistry:
        return True
    price, before = facts.get("pack_price_per_kwh"), known.pack_price_per_kwh
    # What the agent takes for a pack whose price nobody told is not known here.
    return price is not None and (before is None or float(price) < float(before))


def charger_loosens(known: Charger | None, facts: Mapping[str, Any]) -> bool:
    """Tell whether facts of a charger at home let more be counted on than there was there."""
    if facts["evse_id"] is None:
        return False
    if known is None or facts["evse_id"] != known.evse_id:
        return True
    return any(_most(facts[key]) > _most(getattr(known, key)) for key in _MOST_OF_A_CHARGER)


def _warrants_more(known: Vehicle, facts: Mapping[str, Any]) -> bool:
    """Tell whether a warranty is said to bear more than it was."""
    before = known.warranty_discharge_policy
    after = facts.get("warranty_discharge_policy", before)
    if after == before == _CAPPED:
        total = facts.get("lifetime_discharge_cap_wh", known.lifetime_discharge_cap_wh)
        return _most(total) > _most(known.lifetime_discharge_cap_wh)
    return _rank(_WARRANTIES, after) > _rank(_WARRANTIES, before)


def _rank(order: Sequence[str], value: str) -> int:
    """Return how much a choice lets through, by its place; one that nobody knows lets all."""
    return order.index(value) if value in order else len(order)


def _least(value: float | str | None) -> float:
    """Return a least value as a number; none is no limit."""
    return -_NO_LIMIT if value is None else float(value)


def _most(value: float | None) -> float:
    """Return a most value as a number; none is no limit."""
    return _NO_LIMIT if value is None else value


def _is_less(known: str | None, told: str | None) -> bool:
    """Tell whether a cost may be lower than it was: one that is unsaid may be anything."""
    if known is None or told is None:
        return known != told
    return float(told) < float(known)


def _rules_say_more(known: Iterable[Mapping[str, Any]], told: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether a rule that is switched on takes what it did not, or is new.

    Their order says only which of them is named.
    """
    before = {rule["rule_id"]: rule for rule in known if rule.get("enabled", True)}
    return not all(
        rule.get("rule_id") in before and _is_stricter(rule, before[rule["rule_id"]])
        for rule in told
        if rule.get("enabled", True)
    )


def _is_stricter(rule: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Tell whether a rule takes nothing that it did not take before."""
    others = (rule.keys() | before.keys()) - _COMPARED_OF_A_RULE
    purposes, purposes_before = rule.get("purposes") or (), before.get("purposes") or ()
    return (
        all(_least(rule.get(key)) >= _least(before.get(key)) for key in _LEAST_OF_A_RULE)
        and _most(rule.get("max_energy_wh")) <= _most(before.get("max_energy_wh"))
        and all(_is_among(rule.get(key), before.get(key)) for key in _CHOICES_OF_A_RULE)
        and _is_among(purposes, purposes_before)
        and (_LONG_PURPOSE not in purposes or _LONG_PURPOSE in purposes_before)
        and _minutes(rule.get("between")) <= _minutes(before.get("between"))
        and (before.get("counter", False) or not rule.get("counter", False))
        and all(rule.get(key) == before.get(key) for key in others)
    )


def _is_among(chosen: Sequence[str] | None, before: Sequence[str] | None) -> bool:
    """Tell whether nothing is chosen that was not; nothing chosen is everything."""
    return not before or (bool(chosen) and set(chosen or ()) <= set(before))


def _minutes(between: Mapping[str, str] | None) -> frozenset[int]:
    """Return the minutes of the day in a span; none is all of them."""
    if between is None:
        return frozenset(range(_DAY_MIN))
    start, end = (_minute(between[key]) for key in ("start", "end"))
    if start < end:
        return frozenset(range(start, end))
    return frozenset((*range(start, _DAY_MIN), *range(end)))


def _minute(clock: str) -> int:
    """Return the minute of the day of a clock time."""
    at = time.fromisoformat(clock)
    return at.hour * 60 + at.minute


def _pays_more(known: Preferences, changes: Mapping[str, Any]) -> bool:
    """Tell whether a kind of pay is taken that was not, or is worth more than it was."""
    kinds = changes.get("accepted_reward_kinds", known.accepted_reward_kinds)
    worth = {rate.currency: float(rate.price_per_unit) for rate in known.in_kind_rates}
    return not set(kinds) <= set(known.accepted_reward_kinds) or any(
        float(rate["price_per_unit"]) > worth.get(rate["currency"], 0)
        for rate in changes.get("in_kind_rates", ())
    )


def _costs_less(known: Sequence[TariffBand], told: Sequence[Mapping[str, str]]) -> bool:
    """Tell whether charging costs less at some time of the day: what is sold is put back at it."""
    before = [(_minute(band.start), float(band.price_per_kwh)) for band in known]
    after = [(_minute(band["start"]), float(band["price_per_kwh"])) for band in told]
    if not before or not after:
        return True
    starts = {start for start, _ in (*before, *after)}
    return any(_price_at(after, start) < _price_at(before, start) for start in starts)


def _price_at(bands: Sequence[tuple[int, float]], minute: int) -> float:
    """Return the price at a minute; the day's last band goes on past midnight."""
    ordered = sorted(bands)
    begun = [price for start, price in ordered if start <= minute]
    return (begun or [ordered[-1][1]])[-1]


def _fills_faster(known: Sequence[TaperStep], told: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a car is said to take more at some charge than it was."""
    before = [(step.from_soc_pct, step.max_charge_w) for step in known]
    after = [(step["from_soc_pct"], step["max_charge_w"]) for step in told]
    return any(
        _taken_at(after, soc) > _taken_at(before, soc)
        for soc in {0.0, *(soc for soc, _ in (*before, *after))}
    )


def _taken_at(steps: Sequence[tuple[float, int]], soc: float) -> float:
    """Return the most that a car takes at a charge."""
    return min((power for begins, power in steps if begins <= soc), default=_NO_LIMIT)
