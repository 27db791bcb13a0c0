"""Many offers at once: none that waits is out of sight."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from owner_api.config import Config

from .deal_world import World, open_world, presented


@pytest.fixture(name="world")
async def _world(tmp_path: Path) -> AsyncIterator[World]:
    """Run a server that lets a park ask as often as it likes."""
    config = Config(asks_per_session_per_hour=1000, rate_burst=10**6, public_rate_burst=10**6)
    async with open_world(tmp_path, config) as opened:
        yield opened


async def test_promise_8_what_waits_for_an_answer_is_not_pushed_out_by_what_came_after(
    world: World,
) -> None:
    """Promise 8: a park that sends and takes back fifty offers hid the one that is open."""
    deal = await presented(world)
    for _ in range(51):
        offer = await world.offer(deal.park, deal.session_id)
        await deal.park.post(f"/v1/park/offers/{offer['offer_id']}/withdrawal", {})
    shown = (await deal.owner.get("/v1/snapshot"))["offers"]
    assert [each["state"] for each in shown] == ["presented"] + ["withdrawn"] * 50
    assert shown[0]["offer_id"] == deal.offer["offer_id"]
