"""What is due is found by its time: thousands that wait for theirs cost a tick nothing."""

from datetime import timedelta
from functools import partial
from pathlib import Path
import sqlite3

import pytest

from owner_api.commands import timers
from owner_api.config import Config
from owner_api.ids import new_id
from owner_api.store import Tx, upgrading

from .deal_world import NOON, open_world, presented, scheduled
from .domain_world import preferences
from .query_steps import asked, copy_more, steps


def test_no_tick_goes_through_a_whole_table(tmp_path: Path) -> None:
    path = tmp_path / "owner.db"
    upgrading.upgrade(path)
    connection = sqlite3.connect(path, isolation_level=None)
    said: list[str] = []
    connection.set_trace_callback(said.append)
    timers.tick(Tx(connection), NOON, Config(), new_id)
    connection.set_trace_callback(None)
    asked = [sql for sql in said if sql.startswith("SELECT")]
    plans = {sql: connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall() for sql in asked}
    connection.close()
    assert len(plans) == 6
    for sql, plan in plans.items():
        assert not [step[3] for step in plan if step[3].startswith("SCAN")], sql


async def test_a_deal_that_waits_for_its_hour_is_not_read_by_a_tick(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        deal = await scheduled(world)
        config = world.agent.config

        def due(tx: Tx, after: timedelta) -> list[str]:
            now = world.clock.at + after
            return [row["commitment_id"] for row in timers.deals_due(tx, now, config)]

        body = await deal.owner.get(f"/v1/commitments/{deal.commitment_id}")
        assert body["state"] == "scheduled"
        assert await world.agent.store.read(lambda tx: due(tx, timedelta(0))) == []
        later = timedelta(days=1)
        assert await world.agent.store.read(lambda tx: due(tx, later)) == [deal.commitment_id]


async def test_promise_4_deals_that_ended_before_they_began_cost_a_tick_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each was read twice a second for good: after a year of them nobody's stop got through."""
    async with open_world(tmp_path) as world:
        deal = await scheduled(world)
        await deal.park.post(f"/v1/park/commitments/{deal.commitment_id}/cancellation")

        async def of_a_tick() -> int:
            with asked(monkeypatch) as queries:
                await world.agent.tick()
            return sum(steps(world.database, query) for query in queries)

        few = await of_a_tick()
        copied = ("commitment", "commitment_id", "com")
        await world.agent.store.write(partial(copy_more, copies=2_000, named=copied))
        assert await of_a_tick() <= few + 10


async def test_promise_4_a_cars_reading_costs_the_same_after_a_thousand_deals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reading went through all that the car had ever sold, in the writer that takes stops."""
    async with open_world(tmp_path) as world:
        deal = await scheduled(world)
        await deal.park.post(f"/v1/park/commitments/{deal.commitment_id}/cancellation")
        end = {"unplugged_at": world.at(0)}
        await deal.park.post(f"/v1/park/sessions/{deal.session_id}/end", end)

        async def of_a_reading() -> int:
            await world.move(60)
            with asked(monkeypatch) as queries:
                await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
            return sum(steps(world.database, query) for query in queries)

        few = await of_a_reading()
        for copied in (("commitment", "commitment_id", "com"), ("session", "session_id", "ses")):
            await world.agent.store.write(partial(copy_more, copies=1_000, named=copied))
        assert await of_a_reading() <= few + 100


async def test_an_offer_costs_the_same_after_a_thousand_answers_to_earlier_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(tmp_path) as world:
        rules = [{"name": "dear", "min_price_per_kwh": "9"}]
        deal = await presented(world, preferences={"consent_mode": "rules", "rules": rules})
        assert (await world.decide(deal.owner, deal.offer, "decline")).status == 201
        rules = [{"name": "any"}]
        await preferences(deal.owner, deal.vehicle_id, rules=rules)
        await world.move(7_200)

        async def of_an_offer() -> int:
            await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
            with asked(monkeypatch) as queries:
                offer = await world.offer(deal.park, deal.session_id)
            assert offer["state"] == "accepted"
            await deal.park.post(f"/v1/park/commitments/{offer['commitment_id']}/cancellation")
            return sum(steps(world.database, query) for query in queries)

        few = await of_an_offer()
        copied = ("offer", "offer_id", "off")
        await world.agent.store.write(partial(copy_more, copies=1_000, named=copied))
        assert await of_an_offer() <= few + 100
