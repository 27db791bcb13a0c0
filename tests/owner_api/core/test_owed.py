"""What is owed goes down by what is given, and binds a park to no more than it has said."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given, strategies as st

from owner_api.core.model import Recharge
from owner_api.core.owed import OwedRecharges

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
POWER_W = 7_000


@st.composite
def recharges(draw: st.DrawFn) -> Recharge:
    """Return some guarantee within a day."""
    starts = draw(st.integers(0, 80_000))
    return Recharge(
        guaranteed=True,
        energy_wh=draw(st.integers(1, 60_000)),
        start_at=NOON + timedelta(seconds=starts),
        by=NOON + timedelta(seconds=starts + draw(st.integers(1, 40_000))),
        max_w=draw(st.sampled_from([1_000, 3_500, POWER_W, 11_000])),
        price_per_kwh=Decimal("0.3"),
    )


def owed_of(promises: list[Recharge]) -> OwedRecharges:
    """Return all of them, promised for a deal each."""
    owed = OwedRecharges()
    for promise in promises:
        owed = owed.besides(promise, for_deal=True)
    return owed


@given(promises=st.lists(recharges(), max_size=5), steps=st.lists(st.integers(0, 40_000)))
def test_each_wh_counts_for_one_promise_and_for_the_one_that_is_due_first(
    promises: list[Recharge], steps: list[int]
) -> None:
    owed, came = owed_of(promises), 0
    whole = owed.left_wh
    for energy_wh in steps:
        owed, came = owed.given(energy_wh), came + energy_wh
        assert owed.left_wh == max(0, whole - came)
        # Nothing of a later one is given while an earlier one waits.
        for sooner, later in pairwise(owed.recharges):
            assert sooner.promise.by <= later.promise.by
            assert sooner.left_wh == 0 or later.left_wh == later.promise.energy_wh
    assert len(owed.recharges) == len(promises)


@given(promises=st.lists(recharges(), max_size=5), came_wh=st.integers(0, 60_000))
def test_promise_2_nothing_is_counted_on_that_a_park_may_give_later_or_not_at_all(
    promises: list[Recharge], came_wh: int
) -> None:
    owed = owed_of(promises).given(came_wh)
    latest = owed.at_the_latest(POWER_W, lambda _: timedelta())
    left = [each.left_wh for each in owed.recharges]
    for stretch in latest:
        assert any(
            each.start_at <= stretch.start_at < stretch.by <= each.by
            and each.max_w == stretch.max_w
            for each in promises
        )
    counted_wh = sum(
        each.max_w * (each.by - each.start_at).total_seconds() / 3_600 for each in latest
    )
    assert counted_wh <= sum(left)
    # Two that both take all the power are not given at once.
    full = sorted((each.start_at, each.by) for each in latest if each.max_w >= POWER_W)
    assert all(sooner[1] <= later[0] for sooner, later in pairwise(full))
