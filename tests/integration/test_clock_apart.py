"""Home Assistant's clock is set back while the agent's goes on as before."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest

from .power_promises import Second
from .power_stage import Stage, on_stage

# More than --fast has time for.
pytestmark = pytest.mark.slow

BACK = timedelta(hours=2)


def set_back(stage: Stage) -> None:
    """Set the home's clock back, and not the agent's."""
    stage.freezer.tick(-BACK)
    stage.world.clock.ahead = BACK


async def looking(stage: Stage, seconds: int) -> list[Second]:
    """Let seconds pass after that: a real timer of two seconds does not mind."""
    rows: list[Second] = []
    for _ in range(seconds):
        rows += await stage.seconds(1)
        stage.executor.async_tick()
    return rows


async def test_promise_3_a_lease_given_after_the_clock_was_set_back_ends_with_the_link(
    evening: FrozenDateTimeFactory,
    socket_enabled: None,
    tmp_path: Path,
    hass_storage: dict[str, Any],
) -> None:
    """Promise 3: the agent tells when it ends by its own clock, which is two hours ahead here."""
    async with on_stage(evening, tmp_path, hass_storage) as stage:
        await stage.sell(hours=4)
        await stage.deliver()
        set_back(stage)
        granted, stage.renewed_at = stage.granted, None
        await looking(stage, 5)
        assert stage.granted != granted, "the park has a new lease"
        await stage.cut_network()
        rows = await looking(stage, 130)
        assert rows[0].power_w < -6_000
        assert min(row.power_w for row in rows[65:]) >= -50


async def test_promise_10_after_the_clock_was_set_back_the_charging_is_planned_on(
    evening: FrozenDateTimeFactory,
    socket_enabled: None,
    tmp_path: Path,
    hass_storage: dict[str, Any],
) -> None:
    """Promise 10: a plan is old in a quarter of an hour; the car spoke since it was charged."""
    wishes: dict[str, Any] = {"soc_min_departure_pct": 50, "soc_target_departure_pct": 50}
    async with on_stage(evening, tmp_path, hass_storage, **wishes) as stage:
        await stage.leave_in(hours=10)
        stage.executor.async_charge_now()
        await stage.seconds(30)
        assert stage.box.real_w > 1_000
        stage.executor.async_resume()
        await stage.seconds(30)
        known = stage.executor.memory.orders.plan
        assert known is not None
        set_back(stage)
        await looking(stage, 90)
        stage.box.soc_silent = True
        for _ in range(5):
            stage.freezer.tick(240)
            await looking(stage, 1)
            stage.entry.runtime_data.coordinator.async_update_listeners()  # type: ignore[union-attr]
            await stage.settle()
        planned = stage.executor.memory.orders.plan
        assert planned is not None
        assert planned.made_at - known.made_at > timedelta(minutes=15)
