"""Whole scenes against the real API over HTTP: promises hold, books agree, the counter counts."""

from pathlib import Path

import pytest

from owner_api.simulation import backup_event, reference_day
from owner_api.simulation.faults import Faults, Protection
from owner_api.simulation.reference_day import Role
from owner_api.simulation.stage import Stage
from owner_api.simulation.tally import Result

# More than --fast has time for.
pytestmark = pytest.mark.slow

SEED = 5


async def play_day(folder: Path, roles: tuple[Role, ...], faults: Faults | None = None) -> Result:
    """Play the reference day with one car for each role."""
    async with Stage(
        database=folder / "day.db", start_at=reference_day.at(7), seed=SEED, faults=faults
    ) as stage:
        plans = await reference_day.prepare(stage, roles)
        await reference_day.run(stage, plans)
        return await stage.result(reference_day.SCENE)


async def test_a_day_of_all_kinds_of_owners_breaks_no_promise(tmp_path: Path) -> None:
    """Promises 1 to 4 hold; the owner's figures and the park's own books agree for each car."""
    result = await play_day(tmp_path, tuple(Role))
    rows = {row.note: row for row in result.cars}
    assert not result.details
    assert not result.disagreements
    for role in (Role.ACCEPTS, Role.CAUTIOUS, Role.RULE, Role.COUNTERS):
        assert rows[role].delivered_wh > 1_000, role
    for role in (Role.STOPS, Role.STOPS_UNHEARD, Role.LEAVES_EARLY, Role.LINK_LOST):
        assert 0 < rows[role].delivered_wh < rows[Role.ACCEPTS].delivered_wh, role
    for role in (Role.DECLINES, Role.SILENT):
        assert (rows[role].accepted, rows[role].delivered_wh) == (0, 0), role
    for row in result.cars:
        assert row.soc_leaving_pct is not None
        assert row.soc_leaving_pct >= 50
        costs = row.refill_minor + row.losses_minor + row.wear_minor
        assert row.net_minor == row.gross_minor - costs
    assert result.total("gross_minor") > result.total("net_minor") > 0


@pytest.mark.parametrize(
    ("protection", "role", "promise"),
    [
        (Protection.CONSENT, Role.DECLINES, 1),
        (Protection.FLOOR, Role.CAUTIOUS, 2),
        (Protection.LEASE, Role.LINK_LOST, 3),
        (Protection.STOP, Role.STOPS, 4),
    ],
)
async def test_without_a_protection_the_counter_counts(
    tmp_path: Path, protection: Protection, role: Role, promise: int
) -> None:
    """Promises 1, 2, 3 and 4: a counter that cannot count proves nothing."""
    result = await play_day(tmp_path, (role,), Faults(protection))
    assert result.violations[promise] > 0
    assert result.cars[0].violations[str(promise)] > 0


async def test_parked_cars_carry_a_base_station_for_three_hours(tmp_path: Path) -> None:
    """When one owner stops, the others take over; what was sold is charged back as promised.

    Promise 2: the car that keeps 72 % can sell this much only because of the promised recharge.
    """
    async with Stage(
        database=tmp_path / "backup.db", start_at=reference_day.at(7), seed=SEED
    ) as stage:
        await reference_day.prepare(stage, (Role.ACCEPTS, Role.CAUTIOUS, Role.ACCEPTS))
        outage = await backup_event.run(stage, station_w=4_500)
        result = await stage.result(backup_event.SCENE)
    assert not result.details
    assert not result.disagreements
    assert outage.given_wh == pytest.approx(outage.needed_wh, rel=0.02)
    assert outage.recharges_broken == 0
    first, second, stopped = (row.delivered_wh for row in result.cars)
    assert 0 < stopped < min(first, second)
