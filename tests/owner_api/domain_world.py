"""One running server for a file of tests: each test gets the noon of a new day and its own parties.

After every test the books must balance, both sides must have been told how they stand, and no timer
may be left that fails.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
import json
from typing import Any

import pytest
import pytest_asyncio

from .deal_world import NOON, Answer, Caller, Deal, World, open_world


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Run one server for all tests of a file."""
    async with open_world(tmp_path_factory.mktemp("world")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def world(running: World) -> AsyncIterator[World]:
    """Give the noon of a new day, and audit the ledger afterwards."""
    passed = (running.clock.at - NOON) // timedelta(days=1)
    running.clock.at = NOON + timedelta(days=passed + 1)
    await running.agent.tick()
    yield running
    await running.agent.tick()
    await books_balance(running)
    await streams_have_told(running)


async def books_balance(world: World) -> None:
    """Every transaction, and so every currency, sums to zero."""
    rows = await world.agent.store.read(
        lambda tx: tx.all(
            "SELECT txn_id, currency FROM posting GROUP BY txn_id, currency"
            " HAVING SUM(amount_minor) != 0"
        )
    )
    assert rows == []


async def streams_have_told(world: World) -> None:
    """Hold what streams said last of settlements, rewards and sums against how they stand."""
    said: dict[tuple[str, str], Any] = {}
    for event in await rows(world, "SELECT party_id, type, data FROM outbox ORDER BY seq"):
        kind, data = event["type"].split(".")[0], json.loads(event["data"])
        said[event["party_id"], data.get(f"{kind}_id", kind)] = event["type"], data
    stand = await rows(
        world,
        "SELECT settlement_id AS id, 'settlement.' || state AS stands, owner_id, park_id"
        " FROM settlement UNION ALL"
        " SELECT reward_id, 'reward.' || status, owner_id, park_id FROM reward"
        " WHERE status != 'pending'",
    )
    for row in stand:
        for party in ("owner_id", "park_id"):
            told, _ = said.get((row[party], row["id"]), (None, None))
            assert told in {row["stands"], None}, (party, row)
    sums = "SELECT account, SUM(amount_minor) AS total FROM posting GROUP BY account"
    booked = {row["account"]: row["total"] for row in await rows(world, sums)}
    for (party, kind), (_, data) in said.items():
        if kind == "rewards":
            for status in ("pending", "confirmed", "paid"):
                stands = booked.get(f"{party}:{status}", 0)
                assert data["others"] or data[f"{status}_minor"] == stands, (party, status)


async def rows(world: World, sql: str, *params: object) -> list[dict[str, Any]]:
    """Return what the database holds, for what no answer shows."""
    return await world.agent.store.read(lambda tx: tx.all(sql, *params))


async def commitment(deal: Deal) -> Any:
    """Return the deal as its owner sees it."""
    return await deal.owner.get(f"/v1/commitments/{deal.commitment_id}")


async def park_commitment(deal: Deal) -> Any:
    """Return the deal as its park sees it."""
    return await deal.park.get(f"/v1/park/commitments/{deal.commitment_id}")


async def accept(deal: Deal, **more: Any) -> Any:
    """Accept the deal's offer and remember the commitment."""
    answer = await deal.world.decide(deal.owner, deal.offer, "accept", **more)
    assert answer.status == 201, answer.body
    deal.commitment_id = answer.body["commitment_id"]
    return answer.body


async def award(deal: Deal, **changes: Any) -> Answer:
    """Order the consented energy under the consented terms, unless told otherwise."""
    shown = await park_commitment(deal)
    body = {
        "order_reference": f"PO-{deal.commitment_id[-8:]}",
        "terms_sha256": deal.offer["terms_sha256"],
        "committed_energy_wh": shown["committed_energy_wh"],
    } | changes
    path = f"/v1/park/commitments/{deal.commitment_id}/award"
    return await deal.park.call("POST", path, body)


async def stop(deal: Deal) -> Any:
    """Press stop."""
    return await deal.owner.post("/v1/stops", {"commitment_id": deal.commitment_id})


async def settled(deal: Deal) -> Any:
    """Read the meter at rest once more and return the settlement."""
    await deal.world.move(5)
    await deal.world.meter(deal.park, deal.session_id, 0, context="end")
    found = (await commitment(deal))["settlement"]
    assert found is not None
    return found


def code(answer: Answer) -> tuple[int, str]:
    """Return an answer's status and problem code."""
    return answer.status, answer.body["code"]


async def preferences(owner: Caller, vehicle_id: str, **changes: Any) -> Any:
    """Change an owner's preferences."""
    return await owner.patch(f"/v1/vehicles/{vehicle_id}/preferences", changes)


async def leave_at(owner: Caller, vehicle_id: str, at: str, **more: Any) -> Any:
    """Say when the car leaves, once."""
    one_off = {"departure_at": at, **more}
    return await owner.patch(f"/v1/vehicles/{vehicle_id}/departures", {"one_off": one_off})


async def at_home(world: World) -> Deal:
    """Plug a car in at its owner's charger, hardly above its departure minimum; no offer yet."""
    owner, park = await world.add_owner(), await world.add_park()
    vehicle_id = await world.add_vehicle(owner, soc_min_departure_pct=76, soc_margin_pct=0)
    member = await world.join(owner, park, vehicle_id)
    await owner.post("/v1/chargers", {"display_name": "Garage", "evse_id": "HOME1"})
    await world.telemetry(owner, vehicle_id, soc_pct=80)
    opened = {"evse_id": "HOME1", "plugged_in_at": world.at(0), "member_ref": member}
    session = await park.post("/v1/park/sessions", opened | {"meter": "owner"})
    return Deal(
        world=world,
        owner=owner,
        park=park,
        vehicle_id=vehicle_id,
        session_id=session["session_id"],
        offer=None,
    )
