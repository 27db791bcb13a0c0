"""The owner's standing rules: a yes written in advance, judged on the net reward."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from .departures import WEEKDAYS
from .model import Rule

# A stop takes no longer than this (s); a longer lease is for backup and is seen before the yes.
LONGEST_USUAL_LEASE_S: Final = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What a rule looks at: one judged offer at the owner's local time."""

    local_now: datetime
    park_id: str
    purpose: str
    lease_s: int
    price_per_kwh: Decimal
    energy_wh: int
    net_minor: int
    minor_digits: int


def first_match(rules: Iterable[Rule], case: Case) -> Rule | None:
    """Return the first enabled rule whose every condition holds, or None."""
    return next((rule for rule in rules if rule.enabled and matches(rule, case)), None)


def matches(rule: Rule, case: Case) -> bool:
    """Return whether every condition the rule sets holds for the case.

    ``min_net_per_kwh`` compares net money with energy exactly:
    net_minor / 10^digits ≥ price · Wh / 1000. Promise 4: a lease longer than usual is for a rule
    that names its purpose; whoever wrote another has not seen it.
    """
    net = Decimal(case.net_minor).scaleb(-case.minor_digits)
    conditions = (
        rule.min_price_per_kwh is None or case.price_per_kwh >= rule.min_price_per_kwh,
        rule.min_net_minor is None or case.net_minor >= rule.min_net_minor,
        rule.min_net_per_kwh is None or net * 1000 >= rule.min_net_per_kwh * case.energy_wh,
        rule.max_energy_wh is None or case.energy_wh <= rule.max_energy_wh,
        case.purpose in rule.purposes if rule.purposes else case.lease_s <= LONGEST_USUAL_LEASE_S,
        not rule.park_ids or case.park_id in rule.park_ids,
        not rule.weekdays or WEEKDAYS[case.local_now.weekday()] in rule.weekdays,
        rule.between is None or rule.between.holds(case.local_now.time()),
    )
    return all(conditions)
