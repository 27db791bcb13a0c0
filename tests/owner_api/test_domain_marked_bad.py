"""A reading that its charger itself calls bad is no evidence of energy; its power still speaks."""

from typing import Any

import pytest

from .deal_world import Deal, World, presented
from .domain_world import commitment, running, world
from .test_domain_meter_runs import drawn, vehicle
from .test_domain_stop_ignored import ignored_stop

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def starts_anew(deal: Deal, *qualities: str) -> None:
    """Let the charger say nought of all it ever counted, marked as it knows it to be."""
    for quality in qualities:
        await deal.world.move(10)
        nought: Any = {"import_register_wh": 0, "export_register_wh": 0, "quality": quality}
        await deal.world.meter(deal.park, deal.session_id, 0, **nought)


@pytest.mark.parametrize(
    "qualities", [("bad", "bad"), ("missing", "missing"), ("ok", "bad"), ("bad", "ok")]
)
async def test_promise_10_registers_that_a_charger_calls_wrong_itself_move_nothing(
    world: World, qualities: tuple[str, str]
) -> None:
    """What it had ever counted was taken for energy that flowed, once it was there again."""
    deal = await presented(world)
    await drawn(deal, 5)
    before = await vehicle(deal)
    await starts_anew(deal, *qualities)
    await world.move(600)
    await world.meter(deal.park, deal.session_id, 0)
    after = await vehicle(deal)
    for name in ("charged_wh", "discharged_wh", "soc"):
        assert after[name] == before[name], name


async def test_promise_4_a_charger_that_calls_its_readings_bad_hides_no_power_behind_it(
    world: World,
) -> None:
    """Its stop was believed when the lease ended, at seven kilowatts out of the car."""
    deal = await ignored_stop(world, confirmed=True)
    for _ in range(13):
        await world.move(10, tick=False)
        world.exported_wh += 19
        await world.meter(deal.park, deal.session_id, -7_000, quality="bad")
        await world.agent.tick()
    shown = await commitment(deal)
    assert shown["power_w"] == -7_000
    assert shown["stop"]["stopped_at"] is None
    assert shown["unplug_hint"] is True
