"""After a restore a stream goes on where no number of the lost history passes for a new one."""

from pathlib import Path
from typing import Any

import pytest

from owner_api.store import outbox
from tests.owner_api.deal_world import Caller, World, open_world, presented
from tests.owner_api.sse import Event, events

from .test_epochs import cli, lose_disk

# More than --fast has time for.
pytestmark = pytest.mark.slow


async def last_number(world: World, party_id: str) -> int:
    span = await world.agent.store.read(lambda tx: outbox.span(tx, party_id))
    return span.head


async def goes_on(world: World, caller: Caller, after: int) -> tuple[int, Any]:
    """Reconnect after a number; return the status, and the problem or the first event."""
    headers = {"Authorization": f"Bearer {caller.token}", "Last-Event-ID": str(after)}
    async with world.http.get(world.url + "/v1/events", headers=headers) as response:
        if response.status != 200:
            return response.status, await response.json()
        return response.status, await anext(events(response))


async def test_a_number_from_the_lost_history_is_refused_also_once_the_new_one_has_passed_it(
    tmp_path: Path,
) -> None:
    """Promise 10: a park that was cut off during the restore misses no yes without being told."""
    async with open_world(tmp_path) as world:
        deal = await presented(world)
        assert cli("backup", tmp_path / "copy.db", "--database", tmp_path / "owner.db") == 0
        await world.decide(deal.owner, deal.offer)
        lost = await last_number(world, deal.park.party_id)
        own = await last_number(world, deal.owner.party_id)
    lose_disk(tmp_path)
    assert cli("restore", tmp_path / "copy.db", "--database", tmp_path / "owner.db") == 0
    async with open_world(tmp_path) as world:
        park, owner = deal.park, deal.owner
        park.world = owner.world = world
        await park.renew()
        await world.decide(owner, deal.offer)
        assert await last_number(world, park.party_id) > lost
        for caller, number in ((park, lost), (owner, own)):
            status, problem = await goes_on(world, caller, number)
            assert (status, problem["code"]) == (410, "replay_window_passed")
            # What is kept begins with the loss, and is whole from there.
            status, event = await goes_on(world, caller, problem["current"]["oldest"] - 1)
            assert isinstance(event, Event)
            assert (status, event.kind) == (200, "ledger.epoch")


async def test_a_party_that_had_heard_nothing_at_the_backup_begins_beyond_what_it_heard_later(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        park = await world.add_park()
        assert await last_number(world, park.party_id) == 0
    assert cli("backup", tmp_path / "copy.db", "--database", tmp_path / "owner.db") == 0
    lose_disk(tmp_path)
    assert cli("restore", tmp_path / "copy.db", "--database", tmp_path / "owner.db") == 0
    async with open_world(tmp_path) as world:
        kept = await world.agent.store.read(lambda tx: outbox.span(tx, park.party_id))
        assert kept.head == kept.oldest
        assert not kept.covers(1)
