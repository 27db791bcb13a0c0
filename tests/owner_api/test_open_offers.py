"""Many offers at once: no more wait than can be judged again, and none is out of sight."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from owner_api.config import Config

from .deal_world import World, open_world, presented

MOST = 24


@pytest.fixture(name="world")
async def _world(tmp_path: Path) -> AsyncIterator[World]:
    """Run a server that lets a park ask as often as it likes."""
    config = Config(asks_per_session_per_hour=1000, rate_burst=10**6, public_rate_burst=10**6)
    async with open_world(tmp_path, config) as opened:
        yield opened


async def test_promise_4_only_so_many_offers_of_a_session_wait_for_an_answer(world: World) -> None:
    """Promise 4: each is judged again when prices come, and nobody's stop is taken meanwhile."""
    deal = await presented(world)
    park, path = deal.park, "/v1/park/offers"
    for _ in range(MOST - 1):
        assert (await world.offer(park, deal.session_id))["state"] == "presented"
    body = {
        "session_id": deal.session_id,
        "purpose": "peak_price",
        "respond_by": world.at(1200),
        "terms": world.terms(),
    }
    await world.move(60)
    refused = await park.call("POST", path, body)
    assert (refused.status, refused.body["code"]) == (429, "budget_used_up")
    assert "withdraw one" in refused.body["detail"]
    headers = {name.lower(): value for name, value in refused.headers.items()}
    assert headers["retry-after"] == "1140", "when the first of them ends"
    # One that may wait is not refused for those that do not any more, whoever ended them.
    await park.post(f"{path}/{deal.offer['offer_id']}/withdrawal", {})
    assert (await park.call("POST", path, body)).status == 201
    assert (await park.call("POST", path, body)).status == 429
    newest = (await deal.owner.get("/v1/offers?limit=200"))["items"][-1]
    assert (await world.decide(deal.owner, newest, "decline")).status == 201
    assert (await park.call("POST", path, body)).status == 201


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
