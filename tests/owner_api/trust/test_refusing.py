"""While the log is not the one that was signed: what is served all the same, and to whom."""

import asyncio
from pathlib import Path
import sqlite3
import uuid

from owner_api.core import checkpoint, receipt
from tests.owner_api.deal_world import Deal, World, active, open_world
from tests.owner_api.sse import events

from .test_journal import public_keys


async def refuse(world: World) -> None:
    """Show the server a longer log that it signed itself."""
    notary = world.agent.notary
    longer = checkpoint.Checkpoint(
        origin=checkpoint.origin(notary.server_id, 1), size=10**6, root=b"x" * 32
    )
    shown = {"checkpoint": longer.sign(notary.private)}
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    async with world.http.post(
        f"{world.url}/v1/ledger/witness", json=shown, headers=headers
    ) as response:
        assert (await response.json())["serving"] is False


async def delivering(world: World) -> Deal:
    """Bring the usual deal to its first lease, then have the log refuse service."""
    deal = await active(world)
    await world.instruct(deal.park, deal.commitment_id)
    await refuse(world)
    return deal


async def test_promise_4_stop_outlives_the_access_token_while_the_log_refuses_service(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        deal = await delivering(world)
        await world.move(901)
        assert (await deal.owner.call("GET", "/v1/snapshot")).status == 503
        await deal.owner.renew()
        await deal.owner.post("/v1/stops", {}, status=201)


async def test_promise_4_a_park_that_lost_its_stream_hears_of_a_stop_while_the_log_refuses_service(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        deal = await delivering(world)
        before = (await deal.park.events())[-1]["seq"]
        await world.move(3_601)
        await deal.park.renew()
        await deal.owner.renew()
        await deal.owner.post("/v1/stops", {}, status=201)
        headers = {"Authorization": f"Bearer {deal.park.token}", "Last-Event-ID": str(before)}
        async with (
            asyncio.timeout(10),
            world.http.get(f"{world.url}/v1/events", headers=headers) as stream,
        ):
            assert stream.status == 200
            async for event in events(stream):
                if event.kind.startswith("stop"):
                    break


async def test_whoever_holds_the_server_to_its_word_is_served_while_the_log_refuses_service(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        deal = await delivering(world)
        keys, owner = await public_keys(world), deal.owner
        assert (await owner.get("/v1/export"))["owner_id"] == owner.party_id
        assert (await owner.get("/v1/ledger/proofs/inclusion?position=0"))["position"] == 0
        assert (await owner.get("/v1/ledger/proofs/consistency?from=1"))["from"] == 1
        listed = (await owner.get("/v1/receipts"))["items"]
        for item in listed:
            document = await owner.get(f"/v1/receipts/{item['receipt_id']}")
            assert receipt.verify(document, keys).receipt_id == item["receipt_id"]
        # What is logged now is signed with the next epoch; until then there is no receipt for it.
        await owner.post("/v1/stops", {}, status=201)
        later = (await owner.get("/v1/receipts"))["items"][len(listed) :]
        assert later
        for item in later:
            answer = await owner.call("GET", f"/v1/receipts/{item['receipt_id']}")
            assert (answer.status, answer.body["code"]) == (503, "unavailable")
            assert "No signed checkpoint covers" in answer.body["detail"]


async def test_promise_6_no_receipt_is_signed_over_content_that_was_bent(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        owner = await world.add_owner()
        for _ in range(3):
            await owner.post("/v1/stops", {})
        listed = (await owner.get("/v1/receipts"))["items"]
    connection = sqlite3.connect(tmp_path / "owner.db")
    with connection:
        connection.execute("UPDATE ledger_checkpoint SET root = zeroblob(32) WHERE number > 1")
        connection.execute("UPDATE ledger_entry SET content = replace(content, 'stop', 'go')")
        connection.execute("DELETE FROM ledger_node")
    connection.close()
    async with open_world(tmp_path) as world:
        owner.world = world
        paths = [f"/v1/receipts/{item['receipt_id']}" for item in listed]
        proof = "/v1/ledger/proofs/inclusion?position=0"
        for path in (*paths, proof, "/v1/ledger/proofs/consistency?from=1"):
            answer = await owner.call("GET", path)
            assert (answer.status, answer.body["code"]) == (503, "unavailable"), path
            assert "ledger verify" in answer.body["detail"]
