"""Virtual time: processes wake in order, time waits for them, and failures end the run."""

from datetime import UTC, datetime, timedelta

import pytest

from owner_api.simulation.virtual_clock import VirtualClock
from owner_api.simulation.world import Bell, World

START = datetime(2026, 5, 18, tzinfo=UTC)


def world_and_ticks() -> tuple[World, list[datetime]]:
    """Return a world whose settling notes the instant."""
    clock = VirtualClock(START)
    ticks: list[datetime] = []

    async def settle() -> None:
        ticks.append(clock.now())

    return World(clock, settle), ticks


def after(hours: float) -> datetime:
    """Return an instant counted from the start."""
    return START + timedelta(hours=hours)


async def test_a_year_passes_in_the_order_of_what_happens() -> None:
    """Sleepers wake by virtual time, whatever order they were started in."""
    world, _ = world_and_ticks()
    woke: list[float] = []

    async def sleeper(hours: float) -> None:
        await world.until(after(hours))
        woke.append(hours)

    for hours in (8_760, 2, 500, 2.5):
        world.spawn(sleeper(hours))
    await world.run()
    assert woke == [2, 2.5, 500, 8_760]
    assert world.now() == after(8_760)


async def test_a_bell_wakes_a_waiter_before_its_time() -> None:
    """Waiting tells whether it rang or the time ran out."""
    world, _ = world_and_ticks()
    bell, heard = Bell(), []

    async def waiter(until: float) -> None:
        heard.append((await world.wait(bell, after(until)), world.now()))

    async def ringer() -> None:
        await world.until(after(2))
        world.ring(bell)

    world.spawn(waiter(1))
    world.spawn(waiter(5))
    world.spawn(ringer())
    await world.run()
    assert heard == [(False, after(1)), (True, after(2))]


async def test_the_api_ticks_at_each_deadline_even_when_nobody_wakes() -> None:
    """A lease that ends between two steps must be seen to end; one renewed is not waited for."""
    world, ticks = world_and_ticks()

    async def process() -> None:
        world.note_deadline("lease", after(0.5))
        world.note_deadline("lease", after(1))
        await world.until(after(3))

    world.spawn(process())
    await world.run()
    assert after(1) in ticks
    assert after(0.5) not in ticks
    assert ticks == sorted(ticks)


async def test_a_failing_process_ends_the_run_with_its_own_error() -> None:
    """No run reports figures after something broke."""
    world, _ = world_and_ticks()

    async def broken() -> None:
        await world.until(after(1))
        raise ArithmeticError("the meter ran backwards")

    async def patient() -> None:
        await world.until(after(9))

    world.spawn(patient())
    world.spawn(broken())
    with pytest.raises(ArithmeticError, match="ran backwards"):
        await world.run()


async def test_the_clock_never_runs_back() -> None:
    """Virtual time is monotonic."""
    clock = VirtualClock(START)
    clock.advance_to(after(1))
    with pytest.raises(ValueError, match="cannot run back"):
        clock.advance_to(START)
