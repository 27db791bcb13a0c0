"""The battery between two readings: never thought fuller than it is, never below the floor."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, strategies as st

from owner_api.core.soc import carry, headroom_wh, lease_end, too_old

from .patience import patient

NOW = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
percents = st.decimals(0, 100, places=2)
capacities = st.integers(1_000, 2_000_000)
efficiencies = st.decimals(Decimal("0.5"), 1, places=3)
energies = st.integers(0, 200_000)


def left_pct(soc: Decimal, capacity: int, exported: int, efficiency: Decimal) -> Fraction:
    """Return the exact state of charge after an export, by the definition in design §5."""
    return Fraction(soc) - Fraction(exported) / Fraction(efficiency) / capacity * 100


@patient
@given(soc=percents, capacity=capacities, exported=energies, efficiency=efficiencies)
def test_promise_3_the_meter_carries_the_reading_and_rounds_down(
    soc: Decimal, capacity: int, exported: int, efficiency: Decimal
) -> None:
    found = carry(
        soc_pct=soc, capacity_wh=capacity, exported_wh=exported, discharge_efficiency=efficiency
    )
    exact = left_pct(soc, capacity, exported, efficiency)
    assert Fraction(found.soc_pct) <= max(Fraction(0), exact)
    assert Fraction(found.soc_pct) > exact - Fraction(1, 10) or found.soc_pct == 0
    assert Fraction(found.carried_pct) >= Fraction(soc) - exact


@patient
@given(
    soc=percents, floor=percents, capacity=capacities, exported=energies, efficiency=efficiencies
)
def test_promise_2_the_headroom_never_reaches_below_the_floor(
    soc: Decimal, floor: Decimal, capacity: int, exported: int, efficiency: Decimal
) -> None:
    room = headroom_wh(
        soc_pct=soc, floor_pct=floor, capacity_wh=capacity, discharge_efficiency=efficiency
    )
    assert room >= 0
    if soc >= floor:
        assert left_pct(soc, capacity, room, efficiency) >= Fraction(floor)
        assert left_pct(soc, capacity, room + 2, efficiency) < Fraction(floor)
    else:
        assert room == 0


@patient
@given(
    most=st.integers(0, 7_200),
    before=st.integers(-7_200, 7_200),
    behind=st.integers(0, 7_200),
    hair=st.integers(-1, 1),
)
def test_promise_3_what_was_known_is_believed_to_its_age_and_no_further_ahead_than_a_minute(
    most: int, before: int, behind: int, hair: int
) -> None:
    """A moment that has passed, ``behind`` the clock, does not make what came since wrong."""
    tick, second = timedelta(microseconds=1), timedelta(seconds=1)
    for seconds in (before, most, -60, -60 - behind):
        known_at = NOW - seconds * second + hair * tick
        aged, ahead = NOW - known_at > most * second, known_at - NOW
        assert too_old(known_at, NOW, most * second) is (aged or ahead > 60 * second)
        clock = NOW + behind * second
        set_back = ahead > (60 + behind) * second
        assert too_old(known_at, NOW, most * second, clock) is (aged or set_back)


@patient
@given(
    lease=st.integers(10, 900),
    window=st.integers(0, 7_200),
    power=st.integers(0, 350_000),
    energy=st.integers(0, 200_000),
)
def test_promise_2_a_park_that_falls_silent_cannot_exceed_the_energy(
    lease: int, window: int, power: int, energy: int
) -> None:
    end_at = NOW + timedelta(seconds=window)
    until = lease_end(now=NOW, end_at=end_at, lease_s=lease, power_w=power, energy_wh=energy)
    granted = Fraction(int((until - NOW) / timedelta(microseconds=1)), 10**6)
    assert power * granted / 3600 <= energy
    assert granted <= lease
    assert until <= end_at
    assert granted >= 0


@patient
@given(
    soc=st.integers(21, 100),
    capacity=st.integers(10_000, 120_000),
    efficiency=efficiencies,
    power=st.integers(500, 50_000),
    lease=st.integers(10, 120),
    answered=st.lists(st.floats(0, 1), min_size=1, max_size=60),
)
def test_promise_2_whatever_share_of_each_lease_the_charger_uses_the_floor_holds(
    soc: int,
    capacity: int,
    efficiency: Decimal,
    power: int,
    lease: int,
    answered: list[float],
) -> None:
    """A charger that runs each lease for any part of it, then asks again, stays above 20 %."""
    floor, exported = Decimal(20), Fraction(0)
    for share in answered:
        # The register counts whole Wh, rounded down; the agent adds one for what it hides.
        known = int(exported) + 1
        estimate = carry(
            soc_pct=Decimal(soc),
            capacity_wh=capacity,
            exported_wh=known,
            discharge_efficiency=efficiency,
        )
        room = headroom_wh(
            soc_pct=estimate.soc_pct,
            floor_pct=floor,
            capacity_wh=capacity,
            discharge_efficiency=efficiency,
        )
        until = lease_end(
            now=NOW,
            end_at=NOW + timedelta(hours=9),
            lease_s=lease,
            power_w=power,
            energy_wh=room,
        )
        exported += power * Fraction((until - NOW).total_seconds()) * Fraction(share) / 3600
    assert Fraction(soc) - exported / Fraction(efficiency) / capacity * 100 >= floor
