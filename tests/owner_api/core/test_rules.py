"""The owner's standing rules: every condition that is set must hold, and only those."""

from dataclasses import replace
from datetime import UTC, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given, strategies as st

from owner_api.core.departures import WEEKDAYS
from owner_api.core.model import ClockSpan, Rule
from owner_api.core.rules import Case, first_match, matches

from .patience import patient

PARKS = ("prk_a", "prk_b")
PURPOSES = ("peak_price", "pv_balance", "backup")
prices = st.decimals(-10, 10, places=4)
spans = st.builds(ClockSpan, start=st.times(), end=st.times())
cases = st.builds(
    Case,
    local_now=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)),  # noqa: DTZ001 - local
    park_id=st.sampled_from(PARKS),
    purpose=st.sampled_from(PURPOSES),
    lease_s=st.integers(10, 120),
    price_per_kwh=prices,
    energy_wh=st.integers(1, 50_000),
    net_minor=st.integers(-10_000, 10_000),
    minor_digits=st.sampled_from([0, 2, 3]),
)
conditions = {
    "min_price_per_kwh": st.none() | prices,
    "min_net_minor": st.none() | st.integers(-10_000, 10_000),
    "min_net_per_kwh": st.none() | prices,
    "max_energy_wh": st.none() | st.integers(0, 60_000),
    "purposes": st.lists(st.sampled_from(PURPOSES), max_size=2).map(tuple),
    "park_ids": st.lists(st.sampled_from(PARKS), max_size=2).map(tuple),
    "weekdays": st.lists(st.sampled_from(WEEKDAYS), max_size=4).map(tuple),
    "between": st.none() | spans,
}
rules = st.builds(
    Rule, rule_id=st.just("rul_1"), name=st.just("r"), enabled=st.booleans(), **conditions
)


@patient
@given(case=cases)
def test_a_rule_without_conditions_matches_everything(case: Case) -> None:
    assert matches(Rule(rule_id="rul_1", name="always"), case)


@patient
@given(case=cases, lease_s=st.integers(121, 900))
def test_promise_4_only_a_rule_that_names_backup_takes_a_lease_longer_than_usual(
    case: Case, lease_s: int
) -> None:
    case = replace(case, purpose="backup", lease_s=lease_s)
    always = Rule(rule_id="rul_1", name="always")
    assert not matches(always, case)
    assert not matches(replace(always, purposes=("peak_price",)), case)
    assert matches(replace(always, purposes=("peak_price", "backup")), case)


@patient
@given(rule=rules, case=cases)
def test_a_rule_matches_only_when_each_of_its_conditions_matches_alone(
    rule: Rule, case: Case
) -> None:
    alone = [
        matches(replace(Rule(rule_id="rul_1", name="r"), **{name: getattr(rule, name)}), case)
        for name in conditions
    ]
    assert matches(rule, case) is all(alone)


@patient
@given(case=cases, off=st.integers(-1, 1), far=st.integers(0, 5_000))
def test_promise_1_a_limit_of_a_rule_holds_up_to_its_last_digit_and_no_further(
    case: Case, off: int, far: int
) -> None:
    """The test before this one compares a rule with itself: here each limit is drawn anew."""
    beyond = off * (far + 1)
    least_price = case.price_per_kwh + beyond * Decimal("0.0001")
    limits: dict[str, tuple[Any, bool]] = {
        "min_price_per_kwh": (least_price, beyond <= 0),
        "min_net_minor": (case.net_minor + beyond, beyond <= 0),
        "max_energy_wh": (case.energy_wh + beyond, beyond >= 0),
    }
    for name, (limit, holds) in limits.items():
        rule = replace(Rule(rule_id="rul_1", name=name), **{name: limit})
        assert matches(rule, case) is holds, name


@patient
@given(case=cases)
def test_promise_1_a_rule_for_parks_purposes_or_days_speaks_for_those_alone(case: Case) -> None:
    today = WEEKDAYS[case.local_now.weekday()]
    named: dict[str, tuple[tuple[str, ...], str]] = {
        "park_ids": (PARKS, case.park_id),
        "purposes": (PURPOSES, case.purpose),
        "weekdays": (WEEKDAYS, today),
    }
    for name, (all_of_them, own) in named.items():
        rule = Rule(rule_id="rul_1", name=name)
        others = tuple(each for each in all_of_them if each != own)
        assert matches(replace(rule, **{name: (own,)}), case), name
        assert matches(replace(rule, **{name: all_of_them}), case), name
        assert not matches(replace(rule, **{name: others}), case), name


@patient
@given(rule=rules, case=cases)
def test_promise_1_a_disabled_rule_never_says_yes(rule: Rule, case: Case) -> None:
    assert first_match([replace(rule, enabled=False)], case) is None


@patient
@given(found=st.lists(rules, max_size=5), case=cases)
def test_the_first_enabled_matching_rule_speaks(found: list[Rule], case: Case) -> None:
    wanted = next((rule for rule in found if rule.enabled and matches(rule, case)), None)
    assert first_match(found, case) is wanted


@patient
@given(case=cases, least=prices)
def test_net_per_kwh_is_compared_exactly(case: Case, least: Decimal) -> None:
    rule = Rule(rule_id="rul_1", name="net", min_net_per_kwh=least)
    net = Fraction(case.net_minor, 10**case.minor_digits) / Fraction(case.energy_wh, 1000)
    assert matches(rule, case) is (net >= Fraction(least))


@patient
@given(span=spans, at=st.times())
def test_a_span_and_its_complement_divide_the_day(span: ClockSpan, at: time) -> None:
    """Spans wrap midnight; start included, end excluded; equal ends mean the whole day."""
    if span.start == span.end:
        assert span.holds(at)
    else:
        assert span.holds(at) is not ClockSpan(start=span.end, end=span.start).holds(at)


def test_quiet_nights_wrap_midnight() -> None:
    night = ClockSpan(start=time(22), end=time(7))
    assert [night.holds(time(hour)) for hour in (21, 22, 0, 6, 7)] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_weekdays_are_the_owners_local_ones() -> None:
    case = Case(
        local_now=datetime(2026, 12, 1, 6, tzinfo=UTC),
        park_id="prk_a",
        purpose="backup",
        lease_s=60,
        price_per_kwh=Decimal(1),
        energy_wh=1000,
        net_minor=10,
        minor_digits=2,
    )
    assert matches(Rule(rule_id="rul_1", name="tue", weekdays=("tue",)), case)
    assert not matches(Rule(rule_id="rul_1", name="mon", weekdays=("mon",)), case)
