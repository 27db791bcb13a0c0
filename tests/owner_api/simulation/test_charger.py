"""A simulated charger: its lease ends by itself, its meter explains every Wh."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings, strategies as st
import pytest

from owner_api.simulation.battery import Battery, BatterySpec
from owner_api.simulation.charger import Charger, UnreachableError
from owner_api.simulation.flow import Flow

NOON = datetime(2026, 5, 18, 12, tzinfo=UTC)
SPEC = BatterySpec(usable_capacity_wh=60_000)


def after(seconds: float) -> datetime:
    """Return an instant counted from noon."""
    return NOON + timedelta(seconds=seconds)


def plugged(*, ignores_lease: bool = False, drift_ppm: float = 0.0) -> tuple[Charger, list[Flow]]:
    """Return a charger with a car at 70 % and the flows that car feels."""
    felt: list[Flow] = []
    charger = Charger("E1", NOON, ignores_lease=ignores_lease, drift_ppm=drift_ppm)
    charger.plug_in(NOON, Battery(SPEC, 42_000), Battery(SPEC, 42_000), felt.append)
    return charger, felt


def sell(charger: Charger, *, lease_s: float = 120, stop_at_wh: int = 100_000) -> None:
    """Tell it to discharge 7.2 kW from noon (2 Wh a second)."""
    charger.discharge(
        NOON,
        deal="off_1",
        power_w=-7_200,
        lease_until=after(lease_s),
        stop_at_export_wh=stop_at_wh,
    )


def test_power_is_zero_from_the_end_of_the_lease_on_without_any_message() -> None:
    """Promise 4: a charger that hears nothing more falls silent by its own clock."""
    charger, felt = plugged()
    sell(charger, lease_s=120)
    charger.advance(after(3_600))
    assert charger.export_register_wh == 240
    assert [(f.power_w, f.end_at) for f in felt if f.power_w] == [(-7_200, after(120))]
    assert charger.power_w == 0


def test_a_charger_that_ignores_its_lease_goes_on() -> None:
    """The test-only switch does what its name says."""
    charger, _ = plugged(ignores_lease=True)
    sell(charger, lease_s=120)
    charger.advance(after(600))
    assert charger.export_register_wh == 1_200


def test_a_slow_clock_ends_the_lease_late_by_its_drift_only() -> None:
    """100 ppm of 120 s are 12 ms."""
    charger, felt = plugged(drift_ppm=100)
    sell(charger, lease_s=120)
    charger.advance(after(600))
    assert felt[0].end_at - after(120) == timedelta(milliseconds=12)
    assert felt[0].lease_until == after(120)


def test_it_stops_by_itself_when_the_ordered_energy_is_out() -> None:
    """The register shows exactly what was ordered, not one Wh more."""
    charger, _ = plugged()
    sell(charger, lease_s=900, stop_at_wh=101)
    charger.advance(after(600))
    assert charger.export_register_wh == 101


def test_nothing_can_be_told_over_a_dead_link() -> None:
    """Neither a setpoint nor zero: only the lease helps then."""
    charger, _ = plugged()
    sell(charger)
    charger.reachable = False
    with pytest.raises(UnreachableError):
        charger.zero(after(10))
    with pytest.raises(UnreachableError):
        sell(charger)


def test_the_twin_gets_the_planned_charging_while_the_car_sells() -> None:
    """The twin is the same car without offers."""
    twin = Battery(SPEC, 42_000)
    charger = Charger("E1", NOON)
    charger.plug_in(NOON, Battery(SPEC, 42_000), twin, lambda _flow: None)
    charger.plan_charging(NOON, 5_000, 100)
    charger.pause(NOON, paused=True)
    sell(charger, lease_s=120)
    charger.advance(after(120))
    assert twin.energy_wh == pytest.approx(42_000 + 5_000 * 120 / 3600 * 0.93)


def test_unplugging_ends_power_at_once() -> None:
    """A car that left feels nothing more."""
    charger, felt = plugged()
    sell(charger)
    charger.unplug(after(30))
    charger.advance(after(300))
    assert felt[-1].end_at == after(30)
    assert charger.power_w == 0


@given(looks=st.lists(st.floats(0.1, 400), min_size=1, max_size=12))
@settings(deadline=None)
def test_how_often_one_looks_changes_nothing(looks: list[float]) -> None:
    """Physics does not depend on the steps of the simulation."""
    charger, felt = plugged()
    charger.plan_charging(NOON, 3_000, 70.5)
    sell(charger, lease_s=97)
    now = NOON
    for step in looks:
        now += timedelta(seconds=step)
        charger.advance(now)
    once, _ = plugged()
    once.plan_charging(NOON, 3_000, 70.5)
    sell(once, lease_s=97)
    once.advance(now)
    assert charger.export_register_wh == once.export_register_wh
    assert charger.import_register_wh == once.import_register_wh
    assert felt[-1].end_at == now


@given(looks=st.integers(1, 400))
@settings(deadline=None)
def test_a_register_counts_the_same_however_often_it_is_read(looks: int) -> None:
    """A thousand Wh in pieces of any size are a thousand Wh."""
    charger, _ = plugged()
    sell(charger, lease_s=500, stop_at_wh=2_000)
    for look in range(1, looks + 1):
        charger.advance(after(500 * look / looks))
    assert charger.export_register_wh == 1_000
