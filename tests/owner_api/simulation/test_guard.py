"""The counter of broken promises: silent on an honest deal, loud on each kind of wrong."""

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from owner_api.simulation import flow as flow_module, guard as guard_module
from owner_api.simulation.flow import Flow
from owner_api.simulation.guard import Guard, Yes

NOON = datetime(2026, 5, 18, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    """Return an instant counted from noon."""
    return NOON + timedelta(seconds=seconds)


def witness(*, floor_pct: float = 30, energy_wh: int = 5_000, backup: bool = False) -> Guard:
    """Return a guard whose owner said yes to one hour from noon, told 40 s before."""
    guard = Guard(floor_pct=floor_pct, last_soc_at=after(-40))
    guard.said_yes(
        Yes(deal="off_1", energy_wh=energy_wh, start_at=NOON, end_at=after(3_600), backup=backup)
    )
    return guard


def discharge(
    *,
    start: float = 0,
    seconds: float = 60,
    power_w: float = -6_000,
    soc_pct: float = 60,
    deal: str | None = "off_1",
    lease_s: float | None = 100,
) -> Flow:
    """Return a span of discharge that is in order unless told otherwise."""
    return Flow(
        start_at=after(start),
        end_at=after(start + seconds),
        power_w=power_w,
        soc_start_pct=soc_pct + 0.1,
        soc_end_pct=soc_pct,
        deal=deal,
        lease_until=None if lease_s is None else after(start + lease_s),
    )


def test_a_deal_in_order_breaks_nothing() -> None:
    """A yes, a lease, a fresh reading, enough battery."""
    guard = witness()
    for minute in range(14):
        guard.observe(discharge(start=60 * minute))
    assert guard.counts() == {1: 0, 2: 0, 3: 0, 4: 0}


def test_charging_is_never_counted() -> None:
    """Promises 1 to 4 speak of discharging."""
    guard = Guard(floor_pct=30)
    guard.observe(discharge(power_w=7_000, soc_pct=5, deal=None, lease_s=None))
    assert not guard.violations


@pytest.mark.parametrize(
    ("promise", "flow"),
    [
        (1, discharge(deal="off_2")),
        (1, discharge(deal=None)),
        (2, discharge(soc_pct=29.8)),
        (3, discharge(lease_s=None)),
        (3, discharge(lease_s=58)),
        (3, discharge(lease_s=130)),
        (3, discharge(start=-60)),
        (3, discharge(start=3_590)),
        (3, discharge(power_w=-400_000)),
    ],
    ids=[
        "another deal",
        "no deal",
        "below the floor",
        "no lease",
        "lease over",
        "lease too long",
        "before the window",
        "after the window",
        "more energy than consented",
    ],
)
def test_each_kind_of_wrong_breaks_its_promise(promise: int, flow: Flow) -> None:
    """Promises 1, 2 and 3: one wrong thing at a time is seen."""
    guard = witness()
    guard.last_soc_at = min(flow.start_at, after(3_000))
    guard.observe(flow)
    assert guard.counts()[promise] == 1


def test_a_reading_older_than_a_quarter_of_an_hour_is_blindness() -> None:
    """Promise 3: 15 min, and the 5 s that a stop takes."""
    guard = witness()
    guard.observe(discharge(start=800, seconds=65))
    assert guard.counts()[3] == 0
    guard.observe(discharge(start=865, seconds=1))
    assert guard.counts()[3] == 1


def test_a_state_of_charge_never_told_is_blindness() -> None:
    """Promise 3: unknown is as bad as old."""
    guard = witness()
    guard.last_soc_at = None
    guard.observe(discharge())
    assert guard.counts()[3] == 1


def test_a_tenth_of_a_point_below_the_floor_is_within_tolerance() -> None:
    """Promise 2: more than 0.1 point counts, 0.1 does not."""
    guard = witness(floor_pct=60.1)
    guard.observe(discharge(soc_pct=60.0))
    assert guard.counts()[2] == 0


def test_five_seconds_after_a_stop_power_must_be_zero() -> None:
    """Promise 4: reachable, so 5 s and not a second more."""
    guard = witness()
    guard.pressed_stop("off_1", after(30), reachable=True, lease_until=after(100))
    guard.observe(discharge(seconds=35))
    assert guard.counts()[4] == 0
    guard.observe(discharge(start=35, seconds=1))
    assert guard.counts()[4] == 1


def test_out_of_reach_the_lease_in_force_at_the_stop_is_the_limit() -> None:
    """Promise 4: a charger that cannot be told ends with its lease."""
    guard = witness()
    guard.pressed_stop("off_1", after(30), reachable=False, lease_until=after(100))
    guard.observe(discharge(seconds=100, lease_s=100))
    assert guard.counts()[4] == 0
    guard.observe(discharge(start=100, seconds=10))
    assert guard.counts()[4] == 1


def test_a_backup_deal_may_hold_a_longer_lease() -> None:
    """Promise 4: over 120 s only for backup."""
    guard = witness(backup=True)
    guard.observe(discharge(lease_s=600))
    assert not guard.violations


@pytest.mark.parametrize(
    ("soc_pct", "twin_pct", "broken"), [(49.8, 60, 1), (49.8, 45, 0), (50, 60, 0)]
)
def test_leaving_too_empty_counts_only_if_offers_are_to_blame(
    soc_pct: float, twin_pct: float, broken: int
) -> None:
    """Promise 2: a car that had been too empty anyway proves nothing."""
    guard = witness()
    guard.leaves(after(3_600), soc_pct, 50, twin_pct)
    assert guard.counts()[2] == broken


def forecast(leave_at: datetime) -> Guard:
    """Return a guard whose owner sold for an hour from noon under a forecast leave time."""
    guard = Guard(floor_pct=30, last_soc_at=after(-40))
    guard.said_yes(
        Yes(
            deal="off_1",
            energy_wh=5_000,
            start_at=NOON,
            end_at=after(3_600),
            leave_at=leave_at,
        )
    )
    guard.observe(discharge())
    return guard


def test_leaving_short_before_a_forecast_is_a_shortfall_and_no_broken_promise() -> None:
    """Nobody had given a word for that moment: it is counted by itself, with what was missing."""
    guard = forecast(after(7_200))
    guard.leaves(after(7_000), 47.5, 50, 60)
    assert not guard.violations
    assert [each.missing_pct for each in guard.shortfalls] == [2.5]
    assert (guard.stays_sold, guard.left_early) == (1, 1)


@pytest.mark.parametrize(("soc_pct", "twin_pct"), [(50.0, 60.0), (47.5, 45.0)])
def test_leaving_early_with_enough_or_through_no_fault_of_offers_is_no_shortfall(
    soc_pct: float, twin_pct: float
) -> None:
    """It is still counted as having left early."""
    guard = forecast(after(7_200))
    guard.leaves(after(7_000), soc_pct, 50, twin_pct)
    assert not guard.shortfalls
    assert guard.left_early == 1


def test_a_car_that_stays_must_be_ready_when_its_forecast_falls_due() -> None:
    """Promise 2: at the leave time in force at consent, whenever the car really leaves."""
    guard = forecast(after(7_200))
    guard.could_leave(after(7_200), 47.5, 50, 60)
    assert guard.counts()[2] == 1
    guard.leaves(after(9_000), 47.5, 50, 60)
    assert guard.counts()[2] == 1
    assert not guard.shortfalls


def test_a_forecast_that_was_kept_promises_nothing_for_later() -> None:
    """Once it fell due and the car was ready, no word is out any more."""
    guard = forecast(after(7_200))
    guard.could_leave(after(7_200), 50, 50, 60)
    guard.leaves(after(9_000), 47.5, 50, 60)
    assert not guard.violations
    assert not guard.shortfalls


def test_a_deal_of_another_stay_is_forgotten() -> None:
    """What was sold yesterday says nothing about today's departure."""
    guard = forecast(after(7_200))
    guard.leaves(after(7_300), 60, 50, 60)
    guard.arrives()
    guard.leaves(after(90_000), 40, 50, 60)
    assert guard.counts()[2] == 1
    assert guard.stays_sold == 1


def test_a_fault_that_lasts_counts_once() -> None:
    """A number of violations is a number of faults, not of simulation steps."""
    guard = witness()
    for minute in range(5):
        guard.observe(discharge(start=60 * minute, deal="off_2"))
    assert guard.counts()[1] == 1


@pytest.mark.parametrize("module", [guard_module, flow_module])
def test_the_counter_imports_nothing_of_the_api(module: object) -> None:
    """A witness that shares code with what it watches would share its errors."""
    source = Path(str(module.__file__)).read_text(encoding="utf-8")  # type: ignore[attr-defined]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            assert node.module in {"dataclasses", "datetime", "flow"}, ast.dump(node)
        assert not isinstance(node, ast.Import)
