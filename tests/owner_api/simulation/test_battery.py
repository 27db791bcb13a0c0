"""A simulated pack: energy is conserved, limits hold, and the taper is followed exactly."""

from hypothesis import given, settings, strategies as st
import pytest

from owner_api.simulation.battery import Battery, BatterySpec, TaperStep

SPEC = BatterySpec(
    usable_capacity_wh=60_000,
    max_charge_w=11_000,
    max_discharge_w=7_000,
    charge_efficiency=0.9,
    discharge_efficiency=0.9,
    taper=(
        TaperStep(from_soc_pct=80, max_charge_w=7_000),
        TaperStep(from_soc_pct=90, max_charge_w=3_000),
    ),
)


def at(soc_pct: float) -> Battery:
    """Return a pack at a state of charge."""
    return Battery(SPEC, SPEC.usable_capacity_wh * soc_pct / 100)


def test_a_kilowatt_hour_sold_costs_the_pack_more_than_a_kilowatt_hour() -> None:
    """7 kW AC for an hour at 90 % takes 7.78 kWh out of 60 kWh: 12.96 points."""
    pack = at(80)
    (stretch,) = pack.run(-7_000, 3_600)
    assert stretch.power_w == -7_000
    assert pack.soc_pct == pytest.approx(80 - 100 * 7_000 / 0.9 / 60_000)


def test_charging_slows_down_at_each_step_of_the_taper() -> None:
    """From 78 % the first two points take 11 kW, the next ten 7 kW, then 3 kW."""
    pack = at(78)
    powers = [(s.power_w, round(s.soc_end_pct, 6)) for s in pack.run(22_000, 4 * 3_600)]
    assert powers[:2] == [(11_000, 80.0), (7_000, 90.0)]
    assert powers[2][0] == 3_000


def test_charging_ends_at_the_target() -> None:
    """What is asked for beyond the target is not taken, and the span is still covered."""
    pack = at(70)
    stretches = pack.run(11_000, 4 * 3_600, 75)
    assert pack.soc_pct == pytest.approx(75)
    assert stretches[-1].power_w == 0
    assert sum(stretch.seconds for stretch in stretches) == pytest.approx(4 * 3_600)


@given(
    soc_pct=st.floats(0, 100),
    asked=st.lists(st.tuples(st.floats(-20_000, 20_000), st.floats(0, 20_000)), max_size=6),
)
def test_energy_in_and_out_explains_every_change_of_the_pack(
    soc_pct: float, asked: list[tuple[float, float]]
) -> None:
    """Metered AC energy through the efficiencies equals the change inside, whatever is asked."""
    pack = at(soc_pct)
    before = pack.energy_wh
    stretches = [s for power, seconds in asked for s in pack.run(power, seconds)]
    moved = sum(
        s.power_w * s.seconds / 3600 * (0.9 if s.power_w > 0 else 1 / 0.9) for s in stretches
    )
    assert pack.energy_wh - before == pytest.approx(moved, abs=1e-3)
    assert -1e-6 <= pack.energy_wh <= 60_000 + 1e-6
    assert all(-7_000 <= s.power_w <= 11_000 for s in stretches)
    assert sum(s.seconds for s in stretches) == pytest.approx(sum(s for _, s in asked), abs=1e-6)


@given(soc_pct=st.floats(0, 100))
@settings(deadline=None)
def test_a_gauge_without_bias_never_promises_more_than_there_is(soc_pct: float) -> None:
    """The car tells whole steps, rounded down."""
    told = at(soc_pct).reported_soc_pct(step_pct=1.0)
    assert soc_pct - 1 - 1e-6 < told <= soc_pct + 1e-6
    assert told == int(told)
