"""Personal data can go without breaking a proof, and the owner is told first what stays."""

from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner
import orjson
import pytest

from owner_api.audit.contents import NEVER_EMPTIED
from owner_api.cli import main
from owner_api.commands import erasure, leaves
from owner_api.core import merkle, receipt
from owner_api.store import Tx, outbox
from tests.owner_api.deal_world import Deal, World, active
from tests.owner_api.domain_world import leave_at, rows, settled as end_of_delivery, stop

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


async def test_promise_4_what_years_have_gathered_is_forgotten_piece_by_piece(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All at once it took the writer seven seconds for 20,000 deals: everybody's stop waited."""
    monkeypatch.setattr(erasure, "PIECE", 3)
    deal = await settled(world)
    whose = deal.owner.party_id
    done = await deal.owner.post("/v1/erasure", {"confirm": "erase"})
    assert (done["erased"], done["waits_for"]) == (True, [])
    # Who it was is gone at once, and nobody gets in any more.
    assert (await deal.owner.call("GET", "/v1/vehicles")).status == 401
    pieces = 0
    while await has_more_to_forget(world, whose):
        left = len(await rows(world, "SELECT 1 FROM receipt WHERE party_id = ?", whose))
        await world.move(1)
        after = len(await rows(world, "SELECT 1 FROM receipt WHERE party_id = ?", whose))
        assert left - after <= 3
        pieces += 1
    assert pieces > 3
    for table, word in (("offer", "evaluation"), ("commitment", "soc_at_start_pct")):
        sql = f"SELECT 1 FROM {table} WHERE owner_id = ? AND {word} IS NOT NULL"  # noqa: S608 - ours
        assert await rows(world, sql, whose) == []
    assert await rows(world, "SELECT 1 FROM ledger_entry WHERE party_id = ?", whose) == []
    result = CliRunner().invoke(main, ["ledger", "verify", "--database", str(world.database)])
    assert result.exit_code == 0, result.stdout


async def has_more_to_forget(world: World, owner_id: str) -> bool:
    """Tell whether an erasure is still under way."""
    sql = "SELECT 1 FROM owner WHERE owner_id = ? AND forgetting IS NOT NULL"
    return bool(await rows(world, sql, owner_id))


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
    gone = {
        "table": "ledger_entry",
        "row": "2",
        "column": "content",
        "what": "is gone, and no erasure in the log says so",
    }
    assert gone in found


async def test_promise_6_an_erasure_that_empties_the_books_is_found(world: World) -> None:
    await settled(world)

    def take_the_money(tx: Tx) -> None:
        gone = tx.all("SELECT position FROM ledger_leaf WHERE kind = 'books'")
        positions = [row["position"] for row in gone]
        at = leaves.append(tx, "erasure", world.clock.now(), {"positions": positions})
        tx.run(
            "UPDATE ledger_entry SET party_id = NULL, salt = NULL, content = NULL, erased_in = ?"
            " WHERE position IN (SELECT position FROM ledger_leaf WHERE kind = 'books')",
            at,
        )
        tx.run("DELETE FROM posting")

    await world.agent.store.write(take_the_money)
    result = CliRunner().invoke(main, ["ledger", "verify", "--database", str(world.database)])
    assert result.exit_code == 1
    found = [orjson.loads(line) for line in result.stdout.splitlines()]
    assert {each["what"] for each in found} == {NEVER_EMPTIED}


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


# One that nothing else can look like, in every field that a person fills in or a car tells.
MARK = "Ma11ory"
FLOOR_PCT, SOC_PCT, LATER_SOC_PCT, DEPARTURE_PCT = 21.37, 83.7, 82.9, 62.19
REFILL, COUNTER = "0.3713", "1.9137"


async def marked(world: World) -> Deal:
    """Live through a decline, a counter and a disputed deal with marks in all that is told."""
    deal = await active(
        world,
        soc_pct=SOC_PCT,
        preferences={"soc_floor_pct": FLOOR_PCT, "later_refill_price_per_kwh": REFILL},
        min_energy_wh=0,
    )
    await leave_at(
        deal.owner, deal.vehicle_id, world.at(30_000), soc_min_departure_pct=DEPARTURE_PCT
    )
    await deal.owner.patch(f"/v1/vehicles/{deal.vehicle_id}", {"display_name": f"{MARK} car"})
    await deal.owner.patch("/v1/me", {"display_name": f"{MARK} Li", "language": "zh-Hant"})
    await deal.owner.post("/v1/pairing-codes", {})
    await world.instruct(deal.park, deal.commitment_id)
    await world.move(20)
    world.exported_wh += 500
    await world.meter(deal.park, deal.session_id, -7000)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=LATER_SOC_PCT)
    await stop(deal)
    shown = await end_of_delivery(deal)
    for decision, more in (
        ("decline", {"reason": f"{MARK} is at the hospital"}),
        ("counter", {"energy_wh": 4_000, "price_per_kwh": COUNTER}),
    ):
        offer = await world.offer(deal.park, deal.session_id, start_at=world.at(3_600))
        said = {"actor": {"user": f"{MARK} Wei"}, **more}
        answer = await world.decide(deal.owner, offer, decision, **said)
        assert answer.status == 201, answer.body
    path = f"/v1/settlements/{shown['settlement_id']}"
    await deal.owner.post(f"{path}/dispute", {"reason": f"{MARK} read the meter"})
    await deal.owner.post(f"{path}/confirmation")
    await deal.park.post(f"/v1/park{path[3:]}/confirmation")
    return deal


def places(tx: Tx, wanted: tuple[str, ...]) -> set[str]:
    """Return table, column and mark wherever a mark stands in the database."""
    found = set()
    for table in tx.all("SELECT name FROM sqlite_schema WHERE type = 'table'"):
        for row in tx.all(f'SELECT * FROM "{table["name"]}"'):  # noqa: S608 - the schema's names
            for column, value in row.items():
                text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
                found |= {f"{table['name']}.{column}: {mark}" for mark in wanted if mark in text}
    return found


async def test_an_erasure_leaves_no_word_of_the_person_and_no_figure_of_the_car(
    world: World,
) -> None:
    deal = await marked(world)
    figures = (FLOOR_PCT, SOC_PCT, LATER_SOC_PCT, DEPARTURE_PCT, REFILL, COUNTER)
    wanted = (MARK, "Kitchen", *map(str, figures))
    before = await world.agent.store.read(lambda tx: places(tx, wanted))
    assert {each.rpartition(": ")[2] for each in before} == set(wanted)
    columns = {each.partition(":")[0] for each in before}
    assert columns >= {
        "commitment.quote_request", "commitment.soc_floor_pct", "commitment.soc_at_start_pct",
        "settlement.dispute", "offer.decision",
    }  # fmt: skip
    assert (await deal.owner.post("/v1/erasure", {"confirm": "erase"}))["erased"]
    # A counter was released to the park: it stays in the park's events until these are pruned.
    left = await world.agent.store.read(lambda tx: places(tx, wanted))
    assert left == {f"outbox.data: {COUNTER}"}
    await world.move(15 * 86_400)
    kept = world.clock.at - timedelta(days=14)
    await world.agent.store.write(
        lambda tx: outbox.prune(tx, events_before=kept, repeats_before=kept)
    )
    assert await world.agent.store.read(lambda tx: places(tx, wanted)) == set()
    # The park's books go on: it may still correct what it settled.
    ours = await world.agent.store.read(lambda tx: tx.all("SELECT settlement_id FROM settlement"))
    path = f"/v1/park/settlements/{ours[-1]['settlement_id']}"
    again = await deal.park.post(f"{path}/correction", {"delivered_wh": 400, "reason": "read anew"})
    assert again["delivered_wh"] == 400
    result = CliRunner().invoke(main, ["ledger", "verify", "--database", str(world.database)])
    assert result.exit_code == 0, result.stdout
