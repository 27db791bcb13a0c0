"""What the rate limiter lets through in any span, how much it remembers, and whose turn it is."""

import asyncio

from hypothesis import given, strategies as st
import pytest

from owner_api.problems import Problem
from owner_api.server import limits
from owner_api.server.limits import RateLimiter
from owner_api.store import Store
from tests.owner_api.conftest import StillClock
from tests.owner_api.http_bench import bench


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


async def test_promise_4_many_commands_of_one_owner_let_anothers_by(
    store: Store, clock: StillClock
) -> None:
    """The writer works on one at a time, and the next in line may be somebody's stop."""
    async with bench(store, clock) as api:
        slow = asyncio.create_task(api.post("/v1/slow-things", {"name": "slow"}))
        await asyncio.to_thread(api.gate.entered.wait)
        flood = []
        for number in range(20):
            name = f"flood {number:02}"
            flood.append(asyncio.create_task(api.post("/v1/things", {"name": name}, key=name[6:])))
            await asyncio.sleep(0.01)
        other = asyncio.create_task(api.post("/v1/things", {"name": "other"}, party="own_b"))
        await asyncio.sleep(0.2)
        api.gate.open.set()
        answers = await asyncio.gather(slow, *flood, other)
        assert {each.status for each in answers} == {201}
        rows = await store.read(
            lambda tx: tx.all("SELECT value FROM meta WHERE key LIKE 'thing:%' ORDER BY rowid")
        )
    made = [row["value"] for row in rows]
    assert made.index("other") <= 3
    # Each owner's own keep their order.
    mine = [each for each in made if each.startswith("flood")]
    assert mine == sorted(mine)
