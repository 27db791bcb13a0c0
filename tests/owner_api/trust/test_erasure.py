"""Personal data can go without breaking a proof, and the owner is told first what stays."""

from pathlib import Path

from click.testing import CliRunner
import orjson
import pytest

from owner_api.cli import main
from owner_api.core import merkle, receipt
from tests.owner_api.deal_world import World

from .test_journal import public_keys, receipts_of, settled

# More than --fast has time for.
pytestmark = pytest.mark.slow


async def test_an_owner_takes_everything_along_and_is_told_what_an_erasure_leaves(
    world: World,
) -> None:
    deal = await settled(world)
    document = await deal.owner.get("/v1/export")
    assert document["owner_id"] == deal.owner.party_id
    assert len(document["tables"]["receipt"]) == len(await receipts_of(deal.owner))
    told = await deal.owner.get("/v1/erasure")
    assert any("digest" in line for line in told["stays"])
    refused = await deal.owner.call("POST", "/v1/erasure", {"confirm": "yes"})
    assert refused.status == 422


async def test_promise_6_an_erasure_empties_entries_and_breaks_no_proof(world: World) -> None:
    deal = await settled(world)
    other = await world.add_owner("Other")
    keys = await public_keys(world)
    kept = await receipts_of(deal.owner)
    done = await deal.owner.post("/v1/erasure", {"confirm": "erase"})
    assert (done["erased"], done["waits_for"]) == (True, [])

    # What the owner kept still proves what it proved, against the log as it goes on.
    head = await other.get("/v1/ledger/checkpoint")
    for document in kept:
        proven = receipt.verify(document, keys)
        assert proven.entry.party_id == deal.owner.party_id
        old, new = proven.checkpoint, head
        shown = await other.get(f"/v1/ledger/proofs/consistency?from={old.size}&to={new['size']}")
        path = [bytes.fromhex(part) for part in shown["path"]]
        root = bytes.fromhex(new["root"])
        merkle.verify_consistency(old.size, old.root, new["size"], root, path)

    # In the log nothing of the person is left, and it still verifies.
    left = await world.agent.store.read(
        lambda tx: tx.all("SELECT content FROM ledger_entry WHERE content IS NOT NULL")
    )
    texts = [row["content"] for row in left if '"postings"' not in row["content"]]
    assert not [text for text in texts if deal.owner.party_id in text]
    assert not [text for text in texts if deal.vehicle_id in text]
    result = CliRunner().invoke(main, ["ledger", "verify", "--database", str(world.database)])
    assert result.exit_code == 0, result.stdout
    # The park's own receipts are untouched.
    assert len(await receipts_of(deal.park)) >= 10


async def test_content_that_vanishes_without_an_erasure_is_found(world: World) -> None:
    await settled(world)
    await world.agent.store.write(
        lambda tx: tx.run(
            "UPDATE ledger_entry SET content = NULL, salt = NULL, party_id = NULL, erased_in = 3"
            " WHERE position = 2"
        )
    )
    path = Path(world.database)
    result = CliRunner().invoke(main, ["ledger", "verify", "--database", str(path)])
    assert result.exit_code == 1
    found = [orjson.loads(line) for line in result.stdout.splitlines()]
    assert found[0] == {
        "table": "ledger_entry",
        "row": "2",
        "column": "content",
        "what": "is gone, and no erasure in the log says so",
    }


async def test_what_a_park_does_later_tells_nothing_more_about_an_erased_owner(
    world: World,
) -> None:
    deal = await settled(world, paid=False)
    shown = await deal.owner.get("/v1/rewards")
    settlement_id = shown["items"][0]["settlement_id"]
    assert (await deal.owner.post("/v1/erasure", {"confirm": "erase"}))["erased"]
    before = await world.agent.store.read(
        lambda tx: tx.all("SELECT * FROM receipt WHERE party_id = ?", deal.owner.party_id)
    )
    assert before == []
    await deal.park.post(f"/v1/park/settlements/{settlement_id}/payment", {"reference": "PAY-8"})
    after = await world.agent.store.read(
        lambda tx: tx.all("SELECT * FROM ledger_entry WHERE party_id = ?", deal.owner.party_id)
    )
    assert after == []
    assert (await receipts_of(deal.park))[-1]["kind"] == "reward.paid"
