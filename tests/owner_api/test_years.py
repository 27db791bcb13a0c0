"""A car's years cost its owner's next request nothing: what counts at a time is found by it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from owner_api.store import Tx

from .deal_world import Deal, active, open_world
from .domain_world import accept, award, preferences, settled, stop
from .query_steps import asked, steps
from .test_domain_home_charger import at_home, meter

# More than --fast has time for.
pytestmark = pytest.mark.slow

LONG_AGO = "'2025-01-01T00:00:00.000000Z'"
# Of each table, which columns of a copied row are of a deal of its own, and when that was.
IDS = {
    "session_id": "ses",
    "offer_id": "off",
    "commitment_id": "com",
    "settlement_id": "stl",
    "reward_id": "rwd",
    "question_id": "evt",
}
TIMES = {
    "session": ("plugged_in_at", "unplugged_at", "created_at"),
    "offer": ("issued_at", "respond_by", "updated_at", "asked_from", "asked_until"),
    "offer_revision": ("respond_by", "issued_at"),
    "commitment": ("start_at", "end_at", "award_by", "decided_at", "started_at", "ended_at"),
    "settlement": ("dispute_until", "created_at", "updated_at"),
    "reward": ("earned_at", "confirmed_at"),
    "posting": ("at",),
    "question": ("asked_at",),
}
ENDED = {
    "session": {"state": "'ended'"},
    "commitment": {"order_reference": "NULL", "state": "'completed'"},
    "settlement": {"state": "'final'"},
    "reward": {"status": "'paid'"},
}


def live_for_years(tx: Tx, deals: int = 2_000) -> None:
    """Copy one deal with all that belongs to it many times, each as it ended long ago."""
    for table, times in TIMES.items():
        names = [row["name"] for row in tx.all(f"PRAGMA table_info({table})")]
        own = {name: f"printf('{prefix}_%032x', n)" for name, prefix in IDS.items()}
        own |= dict.fromkeys(times, LONG_AGO) | ENDED.get(table, {})
        rows = tx.all(f"SELECT rowid FROM {table}")  # noqa: S608 - one of our own tables
        for number, row in enumerate(rows if table == "posting" else rows[:1]):
            own["posting_id"] = own["txn_id"] = f"printf('txn_{number}%031x', n)"
            values = [own.get(name, name) for name in names]
            tx.run(
                # The names are those of our own tables and columns.
                "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted"  # noqa: S608 - as said
                f" LIMIT ?) INSERT INTO {table} ({', '.join(names)})"
                f" SELECT {', '.join(values)} FROM {table}, counted WHERE {table}.rowid = ?",
                deals,
                row["rowid"],
            )


REQUESTS: dict[str, Callable[[Deal], Awaitable[Any]]] = {
    "a tick": lambda deal: deal.world.agent.tick(),
    "a reading": lambda deal: deal.world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80),
    "a meter's": lambda deal: deal.world.meter(deal.park, deal.session_id),
    "limits": lambda deal: preferences(
        deal.owner,
        deal.vehicle_id,
        max_discharge_wh_per_week=50_000,
        max_discharge_events_per_day=9,
        cooldown_s=60,
    ),
    "rules": lambda deal: preferences(
        deal.owner, deal.vehicle_id, consent_mode="rules", rules=[{"name": "any"}]
    ),
    "a question": lambda deal: deal.park.post(
        "/v1/park/availability",
        {
            "session_id": deal.session_id,
            "start_at": deal.world.at(600),
            "end_at": deal.world.at(3_600),
        },
    ),
    "an offer and a rule's yes": lambda deal: deal.world.offer(deal.park, deal.session_id),
    "a rule tried": lambda deal: deal.owner.post(
        f"/v1/vehicles/{deal.vehicle_id}/rule-preview", {"rule": {"name": "any"}}
    ),
    "a stop": lambda deal: deal.owner.post("/v1/stops", {}),
    "open offers": lambda deal: deal.owner.get("/v1/offers"),
    "a car": lambda deal: deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}"),
    "sessions": lambda deal: deal.owner.get("/v1/sessions?limit=1"),
    "agreements": lambda deal: deal.owner.get("/v1/agreements"),
    "a statement": lambda deal: deal.owner.get("/v1/statements/2026-12"),
    "bills to pay": lambda deal: deal.park.get("/v1/park/settlements?reward=confirmed"),
    "disputed bills": lambda deal: deal.park.get("/v1/park/settlements?state=disputed"),
}


async def ended(deal: Deal) -> None:
    """Deliver a deal, stop it and have it settled, then let an hour pass."""
    await deal.deliver(600)
    await stop(deal)
    await settled(deal)
    await deal.world.move(4_000)
    await deal.world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)


async def test_promise_4_no_request_costs_more_after_two_thousand_deals_of_the_car(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them were read for each offer, yes and stop, in the writer that takes everybody's."""
    async with open_world(tmp_path) as world:
        deal = await active(world)
        await ended(deal)

        async def costs() -> dict[str, int]:
            found = {}
            for name, request in REQUESTS.items():
                with asked(monkeypatch) as queries:
                    await request(deal)
                found[name] = sum(steps(world.database, query) for query in queries)
            await world.move(7_200)
            await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
            return found

        await costs()
        before = await costs()
        await world.agent.store.write(live_for_years)
        after = await costs()
        assert {name: cost for name, cost in after.items() if cost > before[name] + 2_000} == {}


async def paid_in_the_end(deal: Deal) -> None:
    """Have a deal of the next day settled, corrected, agreed to and paid."""
    world, park = deal.world, deal.park
    await world.move(86_400 - 1_900)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    deal.offer = await world.offer(park, deal.session_id)
    await accept(deal)
    assert (await award(deal)).status == 200
    await world.move(1_800)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    await world.meter(park, deal.session_id, context="begin")
    await deal.deliver(60)
    await stop(deal)
    billed = await settled(deal)
    said = {"delivered_wh": billed["delivered_wh"] - 1, "reason": "meter"}
    path = "/v1/park/settlements/"
    bill = await park.post(f"{path}{billed['settlement_id']}/correction", said)
    await deal.owner.post(f"/v1/settlements/{bill['settlement_id']}/confirmation")
    await park.post(f"{path}{bill['settlement_id']}/confirmation")
    await park.post(f"{path}{bill['settlement_id']}/payment", {"reference": "bank-1"})


async def test_promise_4_no_bill_costs_more_after_two_thousand_of_the_owners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each summed all that was ever booked for the owner, and a month's by the last 400 days'."""
    async with open_world(tmp_path) as world:
        deal = await active(world)
        await ended(deal)

        async def of_a_bill() -> int:
            with asked(monkeypatch) as queries:
                await paid_in_the_end(deal)
            return sum(steps(world.database, query) for query in queries)

        await of_a_bill()
        before = await of_a_bill()
        await world.agent.store.write(live_for_years)
        # A server that has just begun sums once what it goes on from.
        await of_a_bill()
        # The month's own bills, those of this test among them, are summed each time.
        assert await of_a_bill() <= before + 10_000


async def test_promise_4_a_park_is_left_as_quickly_after_two_thousand_deals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(tmp_path) as world:
        deal = await active(world)
        await ended(deal)
        body = {"park_id": deal.park.party_id, "terms_version": 1}

        async def of_leaving() -> int:
            (agreed, *_) = reversed((await deal.owner.get("/v1/agreements"))["items"])
            with asked(monkeypatch) as queries:
                await deal.owner.post(f"/v1/agreements/{agreed['agreement_id']}/withdrawal")
            await deal.owner.post("/v1/agreements", body | {"vehicle_ids": [deal.vehicle_id]})
            return sum(steps(world.database, query) for query in queries)

        await of_leaving()
        before = await of_leaving()
        await world.agent.store.write(live_for_years)
        assert await of_leaving() <= before + 1_000


async def test_promise_4_a_home_chargers_reading_costs_no_more_after_two_thousand_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes every few seconds, and went through all stays that its owner ever had."""
    async with open_world(tmp_path) as world:
        deal, charger_id = await at_home(world)

        async def of_a_reading() -> int:
            await world.move(5)
            with asked(monkeypatch) as queries:
                await meter(world, deal.owner, charger_id, 700)
            return sum(steps(world.database, query) for query in queries)

        await of_a_reading()
        before = await of_a_reading()
        await world.agent.store.write(live_for_years)
        assert await of_a_reading() <= before + 100
