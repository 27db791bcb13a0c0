"""What a car tells about its battery: coarse, biased, late, and never more wrong than it may be."""

from datetime import UTC, datetime, timedelta
import random

from hypothesis import given, settings, strategies as st
import pytest

from owner_api.simulation.flow import Flow
from owner_api.simulation.gauge import BIAS_PCT, EFFICIENCY_ERROR, OLDEST, Gauge, Noise, draw_noise

NOON = datetime(2026, 5, 18, 12, tzinfo=UTC)


def seeded(seed: int) -> random.Random:
    """Return chance that comes out the same every time."""
    return random.Random(seed)  # noqa: S311 - seeded on purpose, never a secret


def after(seconds: float) -> datetime:
    """Return an instant counted from noon."""
    return NOON + timedelta(seconds=seconds)


def falling(gauge: Gauge, minutes: int) -> None:
    """Let the car fall from 80 % by a point a minute, looked at every minute."""
    gauge.plugged_in(NOON, 80.0)
    for minute in range(minutes):
        gauge.follow(
            Flow(
                start_at=after(60 * minute),
                end_at=after(60 * minute + 60),
                power_w=-7_200,
                soc_start_pct=80.0 - minute,
                soc_end_pct=79.0 - minute,
            )
        )


def test_an_exact_gauge_rounds_down_and_tells_at_once() -> None:
    """Without noise only the whole steps remain."""
    told = Gauge().read(NOON, 71.9)
    assert (told.soc_pct, told.measured_at, told.taken_at) == (71.0, NOON, NOON)


@pytest.mark.parametrize(("nearest", "shown"), [(False, 72.0), (True, 73.0)])
def test_a_bias_is_added_before_the_step(nearest: bool, shown: float) -> None:  # noqa: FBT001 - a case
    """71.6 % with a point too much is 72.6 % before rounding."""
    gauge = Gauge(Noise(bias_pct=1.0, nearest=nearest))
    assert gauge.read(NOON, 71.6).soc_pct == shown


@given(seed=st.integers(0, 10_000))
@settings(deadline=None)
def test_a_reading_is_at_most_five_minutes_old_and_true_of_its_time(seed: int) -> None:
    """At a point a minute, five minutes late is five points too much; the step hides less than 1.

    A car that dates its readings tells how old they are, one that does not claims they are new.
    """
    noise = draw_noise(seeded(seed))
    gauge = Gauge(noise, seeded(seed))
    falling(gauge, 30)
    now = after(1_800)
    told = gauge.read(now, 50.0)
    assert now - OLDEST <= told.taken_at <= now
    assert told.measured_at == (told.taken_at if noise.stamped else now)
    true_then = 50.0 + (now - told.taken_at).total_seconds() / 60
    assert abs(told.soc_pct - true_then - noise.bias_pct) < (0.51 if noise.nearest else 1.0)


def test_no_reading_is_older_than_the_one_before_or_than_the_plug() -> None:
    """Plugging in wakes a car up, and a newer message never takes an older value."""
    gauge = Gauge(Noise(oldest=OLDEST), seeded(3))
    falling(gauge, 10)
    taken = [gauge.read(after(20 * n), 80.0 - n / 3).taken_at for n in range(30)]
    assert taken[0] >= NOON
    assert taken == sorted(taken)


def test_cars_are_drawn_within_the_bounds_and_reach_for_them() -> None:
    """A thousand cars: no error above its bound, and each bound nearly reached."""
    cars = [draw_noise(seeded(seed)) for seed in range(1_000)]
    for values, bound in (
        ([car.bias_pct for car in cars], BIAS_PCT),
        ([car.charge_error for car in cars], EFFICIENCY_ERROR),
        ([car.discharge_error for car in cars], EFFICIENCY_ERROR),
    ):
        assert max(map(abs, values)) <= bound
        assert min(values) < -0.98 * bound
        assert max(values) > 0.98 * bound
    assert 400 < sum(car.stamped for car in cars) < 600
