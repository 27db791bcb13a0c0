"""Promise 4: a stop is not said to have worked while the meter shows that it has not."""

import pytest

from .deal_world import Deal, World, active
from .domain_world import commitment, running, stop, world

__all__ = ["running", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def ignored_stop(world: World, *, confirmed: bool) -> Deal:
    """Press stop at a charger that goes on, whatever its park says."""
    deal = await active(world)
    assert (await deal.deliver(60)).status == 201
    await stop(deal)
    if confirmed:
        path = f"/v1/park/commitments/{deal.commitment_id}/stop-confirmation"
        await deal.park.post(path, {"confirmed_at": world.at(0)})
    return deal


async def goes_on(deal: Deal, seconds: int, **more: str) -> None:
    """Let the charger discharge for a while longer, its meter telling so."""
    for _ in range(seconds // 10):
        await deal.world.move(10, tick=False)
        deal.world.exported_wh += 19
        await deal.world.meter(deal.park, deal.session_id, -7_000, **more)
        await deal.world.agent.tick()


async def test_promise_4_a_confirmed_stop_that_the_meter_belies_says_to_unplug(
    world: World,
) -> None:
    deal = await ignored_stop(world, confirmed=True)
    assert (await commitment(deal))["unplug_hint"] is False
    await goes_on(deal, 20)
    shown = await commitment(deal)
    assert shown["stop"]["confirmed_at"] is not None
    assert shown["stop"]["stopped_at"] is None
    assert shown["unplug_hint"] is True


@pytest.mark.parametrize("quality", ["ok", "estimated", "bad"])
async def test_promise_4_nothing_has_stopped_while_the_meter_runs_on_after_the_lease(
    world: World, quality: str
) -> None:
    """Also where the park itself calls what its meter says bad: doubt is no proof of rest."""
    deal = await ignored_stop(world, confirmed=True)
    await goes_on(deal, 120, quality=quality)
    shown = await commitment(deal)
    assert shown["stop"]["stopped_at"] is None
    assert shown["unplug_hint"] is True

    await world.move(5)
    await world.meter(deal.park, deal.session_id, 0)
    shown = await commitment(deal)
    assert shown["stop"]["stopped_at"] == world.at(0)
    assert shown["unplug_hint"] is False


async def test_promise_4_a_stop_that_the_meter_belies_for_long_is_still_told_and_paid(
    world: World,
) -> None:
    """No settlement closes it while the meter speaks: it is not silent."""
    deal = await ignored_stop(world, confirmed=True)
    begin = world.exported_wh
    await goes_on(deal, 1_000)
    shown = await commitment(deal)
    assert shown["unplug_hint"] is True
    assert shown["settlement"] is None

    await world.move(5)
    await world.meter(deal.park, deal.session_id, 0)
    shown = await commitment(deal)
    assert shown["stop"]["stopped_at"] == world.at(0)
    assert shown["unplug_hint"] is False
    assert shown["settlement"]["delivered_wh"] >= world.exported_wh - begin
    assert shown["settlement"]["quality"] == "ok"


async def test_a_meter_that_belied_a_stop_and_fell_silent_settles_by_its_last_word(
    world: World,
) -> None:
    deal = await ignored_stop(world, confirmed=True)
    await goes_on(deal, 120)
    await world.move(890)
    assert (await commitment(deal))["settlement"] is None
    await world.move(20)
    assert (await commitment(deal))["settlement"]["quality"] == "missing"


async def test_promise_4_rest_that_was_measured_before_the_stop_says_nothing_of_it(
    world: World,
) -> None:
    deal = await active(world)
    assert (await world.instruct(deal.park, deal.commitment_id)).status == 201
    await world.move(5)
    before = world.at(0)
    await world.move(5)
    await stop(deal)
    await world.meter(deal.park, deal.session_id, 0, measured_at=before)
    assert (await commitment(deal))["stop"]["stopped_at"] is None
    await world.move(3)
    await world.meter(deal.park, deal.session_id, 0)
    assert (await commitment(deal))["stop"]["stopped_at"] == world.at(0)
