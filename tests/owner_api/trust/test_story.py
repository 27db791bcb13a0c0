"""Criterion 7, told as it would happen: the operator deletes a reward, the owner proves it."""

import asyncio
from collections.abc import Sequence
import json
from pathlib import Path
import sqlite3
from typing import Any

from click.testing import CliRunner, Result
import orjson

from owner_api.audit.findings import COVERED
from owner_api.cli import main
from owner_api.commands import leaves
from owner_api.commands.notary import Notary
from owner_api.store import Tx
from tests.owner_api.deal_world import NOON, World, open_world

from .test_journal import receipts_of, settled


def _cli(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(part) for part in arguments])


async def _keep(world: World, home: Path) -> int:
    """Do what the owner's Home Assistant does: pin the key, keep receipts and the checkpoint."""
    async with world.http.get(world.url + "/v1/jwks.json") as response:
        (home / "pinned.json").write_bytes(await response.read())
    deal = await settled(world)
    for document in await receipts_of(deal.owner):
        name = document["kind"] if document["kind"].startswith("reward.") else "other"
        (home / f"{name}.json").write_bytes(orjson.dumps(document))
    head = await deal.owner.get("/v1/ledger/checkpoint")
    (home / "checkpoint.txt").write_text(head["checkpoint"], encoding="utf-8")
    shown = await deal.owner.get("/v1/rewards")
    return int(shown["paid_minor"])


def _operator_deletes_the_reward(database: Path, notary: Notary) -> None:
    """Write a new past without the reward, and sign it with the real key: a perfect lie."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("BEGIN")
    tx = Tx(connection)
    entries = tx.all(
        "SELECT kind, at, content FROM ledger_entry JOIN ledger_leaf USING (position)"
        " ORDER BY position"
    )
    key = tx.one("SELECT * FROM ledger_key")
    assert key is not None
    for table in reversed(COVERED):
        tx.run(f"DELETE FROM {table}")  # noqa: S608 - names from a constant
    tx.run("DELETE FROM reward")
    for entry in entries:
        content = json.loads(entry["content"])
        if entry["kind"].startswith("reward.") or entry["kind"] == "books":
            continue
        position = leaves.append(
            tx,
            entry["kind"],
            NOON.fromisoformat(entry["at"]),
            content["body"],
            party_id=content["party_id"],
            subject_id=content["subject_id"],
        )
        if entry["kind"] == "key":
            tx.insert("ledger_key", **key | {"position": position})
    Notary(server_id=notary.server_id, private=notary.private).seal(tx)
    connection.execute("COMMIT")
    connection.close()


def _findings(result: Result) -> Sequence[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_promise_6_an_owner_proves_a_reward_that_the_operator_deleted(tmp_path: Path) -> None:
    home, server = tmp_path / "home", tmp_path / "server"
    home.mkdir()
    server.mkdir()

    # One sunny afternoon an owner sells some energy and is paid for it.
    async def afternoon() -> tuple[int, Path, Notary]:
        async with open_world(server) as world:
            paid = await _keep(world, home)
            return paid, world.database, world.agent.notary

    paid, database, notary = asyncio.run(afternoon())
    assert paid > 0
    assert _cli("ledger", "verify", "--database", database).exit_code == 0

    # At night the operator makes it undone: no reward, no posting, a perfect log around the hole.
    _operator_deletes_the_reward(database, notary)
    alone = _cli("ledger", "verify", "--database", database)
    assert alone.exit_code == 0
    assert "cannot be excluded" in alone.stderr
    connection = sqlite3.connect(database)
    assert connection.execute("SELECT count(*) FROM reward").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM posting").fetchone() == (0,)
    connection.close()

    # In the morning the owner has only a few files, and the operator's database is out of reach.
    proof = _cli(
        "receipt", "verify", home / "reward.paid.json", "--public-key", home / "pinned.json",
        "--json",
    )  # fmt: skip
    assert proof.exit_code == 0, proof.output
    shown = json.loads(proof.stdout)
    assert shown["valid"] is True
    assert shown["content"]["amount_minor"] == paid
    assert shown["content"]["step"] == "paid"
    assert shown["content"]["reference"] == "PAY-7"
    assert shown["issuer"].endswith(notary.server_id)

    # An arbiter who may look at the database sees, with the kept checkpoint, that it was rebuilt.
    caught = _cli(
        "ledger", "verify", "--database", database,
        "--checkpoint", home / "checkpoint.txt", "--public-key", home / "pinned.json",
    )  # fmt: skip
    assert caught.exit_code == 1
    assert any("rebuilt" in f["what"] or "cut" in f["what"] for f in _findings(caught))

    # And the owner could not have invented a higher reward.
    document = orjson.loads((home / "reward.paid.json").read_bytes())
    jws = document["jws"]
    document["jws"] = jws[:300] + ("A" if jws[300] != "A" else "B") + jws[301:]
    (home / "forged.json").write_bytes(orjson.dumps(document))
    forged = _cli("receipt", "verify", home / "forged.json", "--public-key", home / "pinned.json")
    assert forged.exit_code == 1
    assert "NOT VALID" in forged.stdout


def test_what_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    empty, missing = tmp_path / "empty", tmp_path / "missing"
    empty.write_bytes(b"")
    assert _cli("ledger", "verify", "--database", missing).exit_code == 3
    assert _cli("ledger", "verify", "--database", empty).exit_code == 3
    assert _cli("receipt", "verify", empty, "--public-key", empty).exit_code == 2


async def test_a_kept_checkpoint_is_taken_however_its_keeper_wrote_it_down(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        owner = await world.add_owner()
        await owner.post("/v1/stops", {})
        answer = await owner.get("/v1/ledger/checkpoint")
        receipt = (await receipts_of(owner))[0]
    note, file, database = answer["checkpoint"], tmp_path / "kept", tmp_path / "owner.db"
    verify = ("ledger", "verify", "--database", database, "--checkpoint", file)
    again = ("ledger", "new-epoch", "--reason", "x", "--database", database, "--checkpoint", file)
    bent = note.replace("\n2\n", "\n1\n")
    assert bent != note
    for text, code in (
        (note, 0),
        (f"{note}\n", 0),
        (note.removesuffix("\n"), 0),
        (note.replace("\n", "\r\n"), 0),
        (json.dumps(answer, indent=2), 0),
        (json.dumps(receipt), 0),
        # One that nobody signed so is a checkpoint, and holds nothing.
        (bent, 1),
        ("", 2),
        ("nonsense", 2),
        (note[:-20], 2),
        ("{}", 2),
        ("{", 2),
        ('{"checkpoint": 7}', 2),
        (json.dumps({"checkpoint": "nonsense"}), 2),
    ):
        file.write_bytes(text.encode())
        told = _cli(*verify)
        assert told.exit_code == code, (text, told.output)
        if code == 2:
            assert "kept" in told.stderr, told.stderr
        assert _cli(*again).exit_code == (2 if code else 0), text
    file.write_bytes(b"\xff\xfe")
    assert _cli(*verify).exit_code == _cli(*again).exit_code == 2
