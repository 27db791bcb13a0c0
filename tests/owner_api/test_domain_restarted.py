"""What a park could not tell a server that was down is waited for when it is there again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
import json
from pathlib import Path
from typing import Any

import pytest

from owner_api.config import Config
from owner_api.server.agent import build_agent
from owner_api.store.times import decode
from tests.fresh_database import lay

from .deal_world import Deal, MovableClock, active, open_world, scheduled
from .domain_world import commitment, settled, stop

# More than --fast has time for.
pytestmark = pytest.mark.slow

DOWN_S = 1_200


@asynccontextmanager
async def after_an_outage(folder: Path, deal: Deal, *, down_s: int = DOWN_S) -> AsyncIterator[Deal]:
    """Start the server again on the same database, 20 minutes after the deal's last minute."""
    before = deal.world
    back_at = before.clock.at + timedelta(seconds=down_s)
    async with open_world(folder, at=back_at) as world:
        world.imported_wh, world.exported_wh = before.imported_wh, before.exported_wh
        world.sequence = before.sequence
        owner, park = replace(deal.owner, world=world), replace(deal.park, world=world)
        for caller in (owner, park):
            await caller.renew()
            world.renew_at[caller.party_id] = world.clock.at + timedelta(minutes=10)
        yield replace(deal, world=world, owner=owner, park=park)


async def told_late(deal: Deal, *readings: tuple[int, int]) -> None:
    """Tell one by one what was read during the outage: (seconds since its begin, power)."""
    for passed_s, power_w in readings:
        at = deal.world.at(passed_s - DOWN_S)
        deal.world.exported_wh += round(-power_w * 30 / 3600)
        await deal.world.meter(deal.park, deal.session_id, power_w, measured_at=at)
        await deal.world.agent.tick()


@pytest.mark.parametrize("ended_by", ["the outage", "its owner"])
async def test_promise_4_what_was_delivered_in_the_last_lease_before_an_outage_is_paid(
    tmp_path: Path, ended_by: str
) -> None:
    """The charger goes on until its lease is over; its readings come when the server is back."""
    async with open_world(tmp_path) as world:
        deal = await active(world, min_energy_wh=0)
        assert (await deal.deliver(300)).status == 201
        metered = (await commitment(deal))["delivered_wh"]
        if ended_by == "its owner":
            await stop(deal)
    async with after_an_outage(tmp_path, deal) as again:
        await again.world.agent.tick()
        assert (await commitment(again))["settlement"] is None
        await told_late(again, (30, -7000), (60, -7000), (90, 0), (DOWN_S, 0))
        settled: Any = (await commitment(again))["settlement"]
        assert settled["delivered_wh"] == metered + 2 * 58
        assert settled["quality"] == "ok"


async def test_a_meter_that_stays_silent_after_an_outage_is_waited_for_a_quarter_of_an_hour(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        deal = await active(world, min_energy_wh=0)
        await deal.deliver(300)
        await stop(deal)
    async with after_an_outage(tmp_path, deal) as again:
        await again.world.move(0)
        await again.world.move(899)
        assert (await commitment(again))["settlement"] is None
        await again.world.move(1)
        assert (await commitment(again))["settlement"]["quality"] == "missing"


async def test_a_recharge_that_was_given_during_an_outage_is_kept(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        promise: Any = {
            "guaranteed": True,
            "energy_wh": 1_000,
            "start_at": world.at(1_800),
            "by": world.at(2_700),
            "max_w": 7_000,
            "price_per_kwh": "0.3",
        }
        deal = await active(world, min_energy_wh=0, recharge=promise)
        await deal.deliver(300)
        await stop(deal)
        await world.move(30)
        await world.meter(deal.park, deal.session_id)
    async with after_an_outage(tmp_path, deal) as again:
        await again.world.move(400)
        again.world.imported_wh += 1_000
        for passed_s in (300, 1_200):
            at = again.world.at(passed_s - DOWN_S - 400)
            await again.world.meter(again.park, again.session_id, measured_at=at)
        await again.world.move(1)
        assert (await again.owner.get("/v1/sessions"))["items"][-1]["recharge_broken"] is False


async def test_promise_10_a_deal_whose_hour_came_during_an_outage_can_still_begin(
    tmp_path: Path,
) -> None:
    """Nobody heard the park that would have begun it: it has its five minutes after that."""
    async with open_world(tmp_path) as world:
        deal = await scheduled(world, min_energy_wh=0)
        await world.move(1_500)
    async with after_an_outage(tmp_path, deal) as again:
        world = again.world
        await world.agent.tick()
        await world.move(290)
        await world.telemetry(again.owner, again.vehicle_id, soc_pct=80)
        await world.meter(again.park, again.session_id)
        assert (await again.deliver(60)).status == 201
        assert (await commitment(again))["state"] == "active"


async def test_a_deal_that_no_park_begins_after_an_outage_is_missed(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        deal = await scheduled(world, min_energy_wh=0)
        await world.move(1_500)
    async with after_an_outage(tmp_path, deal) as again:
        await again.world.agent.tick()
        await again.world.move(301)
        assert (await commitment(again))["state"] == "missed"


async def settled_before(folder: Path) -> tuple[Deal, Any]:
    """Settle a deal, and bring its hour for a dispute to ten minutes before its end."""
    async with open_world(folder) as world:
        deal = await active(world, min_energy_wh=0)
        await deal.deliver(300)
        await stop(deal)
        found = await settled(deal)
        await world.move(3_000)
    return deal, found


async def test_an_owner_whose_time_to_dispute_ended_in_an_outage_has_an_hour_from_then(
    tmp_path: Path,
) -> None:
    """Nobody heard a word of theirs; both sides are told until when there is time now."""
    deal, found = await settled_before(tmp_path)
    async with after_an_outage(tmp_path, deal) as again:
        until = again.world.at(3_600)
        for _ in range(2):
            await again.world.agent.tick()
        for caller in (again.owner, again.park):
            told = [e for e in await caller.events() if e["type"] == "settlement.provisional"]
            assert [json.loads(e["data"])["dispute_until"] for e in told][1:] == [until]
        path = f"/v1/settlements/{found['settlement_id']}/dispute"
        said = await again.owner.post(path, {"reason": "my meter says more"}, status=201)
        assert said["state"] == "disputed"


class LateClock(MovableClock):
    """A clock that stands at the server's end until the network has told it what time it is."""

    def __init__(self, at: datetime, *, down_s: int) -> None:
        super().__init__()
        self.at, self._down_s, self._ticks = at, down_s, 0
        self.told = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Pass a few ticks, the time being told at the second, and stand still then."""
        self._ticks += 1
        late = {2: self._down_s}.get(self._ticks, 0)
        self.at += timedelta(seconds=seconds + late)
        if self._ticks > 4:
            self.told.set()
            await asyncio.Event().wait()


async def test_a_machine_without_a_clock_chip_gives_the_time_to_dispute_as_well(
    tmp_path: Path,
) -> None:
    """It starts at the time at which it went down, and jumps a moment later."""
    deal, found = await settled_before(tmp_path)
    clock = LateClock(deal.world.clock.at, down_s=DOWN_S)
    async with await build_agent(lay(tmp_path / "owner.db"), clock, Config()) as agent:
        await agent.start("127.0.0.1", 0)
        await clock.told.wait()
        row = await agent.store.read(
            lambda tx: tx.one(
                "SELECT state, dispute_until FROM settlement WHERE settlement_id = ?",
                found["settlement_id"],
            )
        )
    assert row is not None
    assert row["state"] == "provisional"
    left = decode(row["dispute_until"]) - clock.at
    assert timedelta(minutes=59) < left <= timedelta(hours=1)


@pytest.mark.parametrize("owner_agreed", [False, True])
async def test_an_owner_who_stays_silent_after_an_outage_or_had_agreed_has_agreed(
    tmp_path: Path, *, owner_agreed: bool
) -> None:
    deal, found = await settled_before(tmp_path)
    async with after_an_outage(tmp_path, deal) as again:
        if owner_agreed:
            await again.owner.post(f"/v1/settlements/{found['settlement_id']}/confirmation")
        await again.world.agent.tick()
        state = (await commitment(again))["settlement"]["state"]
        assert state == ("final" if owner_agreed else "provisional")
        await again.world.move(3_600)
        assert (await commitment(again))["settlement"]["state"] == "final"


async def test_a_server_that_is_started_again_and_again_makes_a_settlement_final_all_the_same(
    tmp_path: Path,
) -> None:
    """As one that renews its certificate each night, where owners have a day at least."""
    deal, _ = await settled_before(tmp_path)
    for number in range(3):
        async with after_an_outage(tmp_path, deal, down_s=5) as deal:
            await deal.world.agent.tick()
            for _ in range(5):
                await deal.world.move(600)
            state = (await commitment(deal))["settlement"]["state"]
            assert state == ("provisional" if number == 0 else "final")
