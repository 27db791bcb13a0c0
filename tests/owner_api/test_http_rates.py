"""The rate limiter: what it lets through in any span, and how much it remembers."""

from hypothesis import given, strategies as st
import pytest

from owner_api.problems import Problem
from owner_api.server import limits
from owner_api.server.limits import RateLimiter
from tests.owner_api.conftest import StillClock


def passes(limiter: RateLimiter, key: str) -> bool:
    """Ask once."""
    try:
        limiter.take(key)
    except Problem:
        return False
    return True


@given(
    pauses=st.lists(st.floats(-5, 20), max_size=60),
    rate=st.floats(0.01, 20),
    burst=st.integers(1, 8),
)
def test_no_span_lets_more_through_than_burst_and_rate_allow(
    pauses: list[float], rate: float, burst: int
) -> None:
    clock, forward = StillClock(), 0.0
    limiter = RateLimiter(clock, rate_per_s=rate, burst=burst)
    let_through = 0
    for pause in pauses:
        clock.move(pause)
        # A clock that steps back and forth refills on each way forth, never on the way back.
        forward += max(0.0, pause)
        let_through += passes(limiter, "somebody")
        assert let_through <= burst + rate * forward + 1e-6


@given(pause=st.floats(0, 1_000), rate=st.floats(0.01, 20), burst=st.integers(1, 8))
def test_waiting_as_long_as_told_is_long_enough(pause: float, rate: float, burst: int) -> None:
    clock = StillClock()
    limiter = RateLimiter(clock, rate_per_s=rate, burst=burst)
    clock.move(pause)
    for _ in range(burst):
        limiter.take("somebody")
    with pytest.raises(Problem) as refused:
        limiter.take("somebody")
    clock.move(refused.value.retry_after_s or 0)
    assert passes(limiter, "somebody")


def test_a_flood_of_addresses_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_MAX_BUCKETS", 100)
    clock = StillClock()
    limiter = RateLimiter(clock, rate_per_s=0.001, burst=1)
    for number in range(1_000):
        clock.move(0.001)
        assert passes(limiter, f"address {number}")
        assert len(limiter._buckets) <= 100
    # Who came last is still remembered.
    assert not passes(limiter, "address 999")
