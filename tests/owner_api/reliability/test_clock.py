"""A short run of clock steps, and proof that what they look for is noticed."""

import pytest

from script.reliability_lib.clock.command import KINDS, good, step, trusting


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_promise_10_a_clock_that_is_stepped_lets_nothing_last_or_pay_more(kind: str) -> None:
    found = step(kind, 8, seed=3)
    assert good(found), found


@pytest.mark.slow
def test_a_guard_that_trusts_the_wall_clock_lets_a_blind_car_go_on() -> None:
    with trusting():
        assert step("ten minutes back", 10, seed=4).late > 0
