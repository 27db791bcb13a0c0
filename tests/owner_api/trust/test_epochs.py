"""A restored database is an older history: nothing is served until it says so openly."""

from datetime import timedelta
import os
from pathlib import Path
import shutil
import sqlite3
import uuid

import aiohttp
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
import orjson
from probatio import Schema
import pytest

from owner_api.access.keys import key_directory, load_keys
from owner_api.cli import main
from owner_api.commands import epochs
from owner_api.commands.receipts import COVERING
from owner_api.core import checkpoint, keyring, receipt
from owner_api.core.merkle import leaf_hash
from owner_api.schemas import ledger as messages
from tests.owner_api.deal_world import Caller, World, open_world, presented

from .test_journal import public_keys, receipts_of


def cli(*arguments: str | Path) -> int:
    return CliRunner().invoke(main, [str(part) for part in arguments]).exit_code


async def witness(world: World, note: str) -> tuple[int, dict[str, object]]:
    url = f"{world.url}/v1/ledger/witness"
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    async with world.http.post(url, json={"checkpoint": note}, headers=headers) as response:
        body = await response.json()
        if response.status == 200:
            Schema(messages.WITNESSED)(body)
        return response.status, body


async def lived(folder: Path) -> dict[str, object]:
    """Serve, back up, go on and lose the disk; return what the owner kept."""
    async with open_world(folder) as world:
        deal = await presented(world)
        assert cli("backup", folder / "copy.db", "--database", folder / "owner.db") == 0
        await world.decide(deal.owner, deal.offer)
        kept = {
            "old": (await receipts_of(deal.owner))[0],
            "lost": (await receipts_of(deal.owner))[-1],
            "head": (await deal.owner.get("/v1/ledger/checkpoint"))["checkpoint"],
            "keys": await public_keys(world),
            "caller": deal.owner,
        }
    lose_disk(folder)
    return kept


def lose_disk(folder: Path) -> None:
    """Delete the database but not its keys."""
    for path in folder.glob("owner.db*"):
        if path.is_file():
            path.unlink()


@pytest.mark.parametrize("apart", [False, True], ids=["a thread writes", "a process writes"])
async def test_promise_6_a_server_that_is_shown_a_longer_log_of_its_own_serves_nobody(
    tmp_path: Path, *, apart: bool
) -> None:
    kept = await lived(tmp_path)
    shutil.copy(tmp_path / "copy.db", tmp_path / "owner.db")
    async with open_world(tmp_path, apart=apart) as world:
        for path in ("/v1/server", "/readyz"):
            async with world.http.get(world.url + path) as response:
                assert response.status == 200
        status, body = await witness(world, str(kept["head"]))
        assert (status, body["holds"], body["serving"]) == (200, False, False)
        async with world.http.get(world.url + "/v1/me") as response:
            assert response.status == 503
            assert "new-epoch" in (await response.json())["detail"]
        async with world.http.get(world.url + "/v1/jwks.json") as response:
            assert response.status == 200
        # Promise 4: stop works, whatever the log says; what it logs waits for the new epoch.
        caller = kept["caller"]
        assert isinstance(caller, Caller)
        caller.world = world
        world.renew_at[caller.party_id] = world.clock.at + timedelta(minutes=5)
        before = await caller.get("/v1/ledger/checkpoint")
        for _ in range(5):
            await caller.post("/v1/stops", {}, status=201)
        assert await caller.get("/v1/ledger/checkpoint") == before
    # It stays so after a restart, until the operator says what is lost.
    async with (
        open_world(tmp_path, apart=apart) as world,
        world.http.get(world.url + "/v1/me") as response,
    ):
        assert response.status == 503
    assert cli("ledger", "new-epoch", "--reason", "disk", "--database", tmp_path / "owner.db") == 0
    async with open_world(tmp_path) as world:
        async with world.http.get(world.url + "/v1/me") as response:
            assert response.status == 401
        assert (await witness(world, str(kept["head"])))[1] | {"head": 0} == {
            "holds": False,
            "serving": True,
            "head": 0,
        }
    await check_whole(tmp_path, kept)


async def test_a_restore_opens_a_new_signed_epoch_that_says_what_is_missing_and_why(
    tmp_path: Path,
) -> None:
    kept = await lived(tmp_path)
    note = tmp_path / "last.txt"
    note.write_text(str(kept["head"]), encoding="utf-8")
    assert cli(
        "restore", tmp_path / "copy.db", "--database", tmp_path / "owner.db",
        "--checkpoint", note, "--reason", "the disk broke",
    ) == 0  # fmt: skip
    async with open_world(tmp_path) as world:
        owner = await world.add_owner("New")
        shown = await owner.get("/v1/ledger/epochs")
        Schema(messages.EPOCHS)(shown)
        opened = shown["items"][0]
        lost = checkpoint.parse(str(kept["head"]))
        assert (opened["epoch"], opened["reason"]) == (2, "the disk broke")
        assert opened["lost"]["size"] == lost.size > opened["kept"]["size"]
        head = await owner.get("/v1/ledger/checkpoint")
        assert head["origin"].endswith("/2")
        assert head["epoch"] == 2
        assert (await witness(world, str(kept["head"])))[1]["serving"] is True
        assert (await witness(world, head["checkpoint"]))[1]["holds"] is True
        old_party = getattr(kept["caller"], "party_id", "")
        told = await world.agent.store.read(
            lambda tx: tx.all(
                "SELECT data FROM outbox WHERE party_id = ? AND type = 'ledger.epoch'", old_party
            )
        )
        assert orjson.loads(told[0]["data"])["reason"] == "the disk broke"
    await check_whole(tmp_path, kept)


async def test_promise_6_a_restore_that_is_refused_or_cut_off_leaves_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await lived(tmp_path)
    source, database, note = tmp_path / "copy.db", tmp_path / "owner.db", tmp_path / "last.txt"
    restore = ("restore", source, "--database", database)
    signed = str(kept["head"])
    lost = checkpoint.parse(signed)
    stranger = Ed25519PrivateKey.generate()
    for text in ("nonsense", lost.sign(stranger), signed.replace(str(lost.size), "9", 1)):
        note.write_text(text, encoding="utf-8")
        assert cli(*restore, "--checkpoint", note) == 2
        assert not database.exists()
    assert cli(*restore, "--reason", "") == 2
    assert not database.exists()

    def cut_off(*_names: object) -> None:
        # The draft has got the database's name, and then nothing more happens.
        link(*_names)
        raise OSError("no power")

    link = os.link
    monkeypatch.setattr("owner_api.store.copying.os.link", cut_off)
    assert cli(*restore, "--reason", "the disk broke") == 3
    monkeypatch.undo()
    async with open_world(tmp_path) as world:
        owner = await world.add_owner()
        assert [each["reason"] for each in (await owner.get("/v1/ledger/epochs"))["items"]] == [
            "the disk broke"
        ]


async def test_the_lost_log_may_be_named_by_a_key_that_is_newer_than_the_backup(
    tmp_path: Path,
) -> None:
    kept = await lived(tmp_path)
    keys, note = key_directory(tmp_path / "owner.db"), tmp_path / "last.txt"
    lost = checkpoint.parse(str(kept["head"]))
    (keys / "receipt-ed25519.pem").rename(keys / "receipt-ed25519-2026.pem")
    new = load_keys(tmp_path / "owner.db").receipt.private
    assert isinstance(new, Ed25519PrivateKey)
    note.write_text(lost.sign(new), encoding="utf-8")
    restore = ("restore", tmp_path / "copy.db", "--database", tmp_path / "owner.db")
    assert cli(*restore, "--checkpoint", note) == 0
    elsewhere = checkpoint.Checkpoint(
        origin=checkpoint.origin("srv_another", 1), size=lost.size, root=lost.root
    )
    note.write_text(elsewhere.sign(new), encoding="utf-8")
    again = ("ledger", "new-epoch", "--reason", "again", "--database", tmp_path / "owner.db")
    assert cli(*again, "--checkpoint", note) == 2
    assert cli(*again) == 0


async def check_whole(folder: Path, kept: dict[str, object]) -> None:
    """Check that the new log holds and both old receipts still prove what they proved."""
    head = folder / "kept.txt"
    head.write_text(str(kept["head"]), encoding="utf-8")
    arguments = ("ledger", "verify", "--database", folder / "owner.db", "--checkpoint", head)
    assert cli(*arguments) == 0
    for name in ("old", "lost"):
        document = kept[name]
        assert isinstance(document, dict)
        assert receipt.verify(document, kept["keys"]).position >= 0  # type: ignore[arg-type]


async def test_a_stranger_cannot_stop_a_server_with_a_made_up_checkpoint(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        head = world.agent.notary
        forged = checkpoint.Checkpoint(
            origin=checkpoint.origin(head.server_id, 1), size=10**6, root=b"x" * 32
        )
        other = Ed25519PrivateKey.generate()
        signed = forged.sign(other)
        no_ascii = signed[:-6] + "\u2014" + signed[-5:]
        elsewhere = checkpoint.Checkpoint(
            origin=checkpoint.origin("srv_another", 1), size=10**6, root=b"x" * 32
        )
        for note in (signed, no_ascii, elsewhere.sign(head.private), "nonsense"):
            status, body = await witness(world, note)
            assert (status, body["code"]) == (422, "invalid_body")
        async with world.http.get(world.url + "/v1/me") as response:
            assert response.status == 401


async def test_a_new_key_is_vouched_for_by_the_old_one_and_receipts_verify_with_the_old_pin(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        pinned = await public_keys(world)
        deal = await presented(world)
        first = await receipts_of(deal.owner)
    path = key_directory(tmp_path / "owner.db") / "receipt-ed25519.pem"
    path.rename(path.with_name("receipt-ed25519-2026.pem"))
    async with open_world(tmp_path) as world:
        world.clock.at = deal.world.clock.at
        deal.owner.world = world
        await deal.owner.renew()
        await deal.owner.post("/v1/stops", {})
        later = await receipts_of(deal.owner)
        assert (await public_keys(world)).keys() != pinned.keys()
        named = await deal.owner.get("/v1/ledger/keys")
        Schema(messages.KEYS)(named)
        first_key, new_key = named["items"]
        assert first_key["statement"] is None
        assert keyring.follow(pinned, [new_key["statement"]]).keys() == {
            first_key["key_id"],
            new_key["key_id"],
        }
        said = {name: new_key[name] for name in ("key_id", "x", "statement")}
        entry = receipt.Entry(
            kind="key", at=new_key["at"], party_id=None, subject_id=None, body=said
        )
        digest = receipt.content_digest(bytes.fromhex(new_key["salt"]), entry.content)
        proof = await deal.owner.get(f"/v1/ledger/proofs/inclusion?position={new_key['position']}")
        leaf = leaf_hash(receipt.leaf_bytes("key", entry.at, digest))
        assert proof["leaf_hash"] == leaf.hex()
    assert [d["content"] for d in later[: len(first)]] == [d["content"] for d in first]
    for document in later:
        assert receipt.verify(document, pinned).entry.party_id == deal.owner.party_id
        if document["kind"] == "stop":
            bare = document | {"key_statements": []}
            with pytest.raises(receipt.ReceiptError, match="not trusted"):
                receipt.verify(bare, pinned)


@pytest.mark.parametrize("changes", [1, 2])
async def test_promise_6_an_old_receipt_verifies_by_the_present_key_alone_and_by_every_former_one(
    tmp_path: Path, changes: int
) -> None:
    pins = []
    async with open_world(tmp_path) as world:
        deal = await presented(world)
        pins.append(await public_keys(world))
    for number in range(changes):
        path = key_directory(tmp_path / "owner.db") / "receipt-ed25519.pem"
        path.rename(path.with_name(f"receipt-ed25519-{number}.pem"))
        async with open_world(tmp_path) as world:
            world.clock.at = deal.world.clock.at
            deal.owner.world = world
            await deal.owner.renew()
            await deal.owner.post("/v1/stops", {})
            later = await receipts_of(deal.owner)
            pins.append(await public_keys(world))
    assert [document["kind"] for document in later].count("stop") == changes
    for document in later:
        position = document["position"]
        for pinned in pins:
            assert receipt.verify(document, pinned).position == position
        # No word of a former key is needed by whoever pinned the present one.
        receipt.verify(document | {"key_statements": []}, pins[-1])


async def test_an_old_receipt_verifies_by_the_present_key_when_the_former_one_is_lost(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        deal = await presented(world)
    (key_directory(tmp_path / "owner.db") / "receipt-ed25519.pem").unlink()
    assert cli("ledger", "new-key", "--database", tmp_path / "owner.db") == 0
    async with open_world(tmp_path) as world:
        world.clock.at = deal.world.clock.at
        deal.owner.world = world
        await deal.owner.renew()
        for document in await receipts_of(deal.owner):
            receipt.verify(document, await public_keys(world))


async def test_the_checkpoint_over_a_receipt_is_found_without_a_scan(world: World) -> None:
    plan = await world.agent.store.read(
        lambda tx: tx.all(f"EXPLAIN QUERY PLAN {COVERING}", 1, world.agent.notary.key_id)
    )
    steps = [row["detail"] for row in plan]
    assert steps
    assert not [step for step in steps if step.startswith("SCAN") or "TEMP B-TREE" in step], steps


@pytest.mark.parametrize(
    "asked", [epochs.NEWEST, epochs.OPENED, epochs.NAMED_KEYS], ids=["newest", "epochs", "keys"]
)
async def test_promise_4_what_the_log_says_of_itself_is_found_without_a_scan(
    world: World, asked: str
) -> None:
    """Anybody may show a checkpoint; no stop may wait while millions of entries are read."""
    plan = await world.agent.store.read(lambda tx: tx.all(f"EXPLAIN QUERY PLAN {asked}"))
    steps = [row["detail"] for row in plan]
    assert steps
    assert not [step for step in steps if step.startswith("SCAN") or "TEMP B-TREE" in step], steps


async def test_a_stranger_who_shows_a_checkpoint_leaves_nothing_behind(world: World) -> None:
    """Anybody may show one as often as the rates allow: kept answers would fill disk and memory."""
    deal = await presented(world)
    note = str((await deal.owner.get("/v1/ledger/checkpoint"))["checkpoint"])

    async def kept() -> int:
        row = await world.agent.store.read(lambda tx: tx.one("SELECT count(*) n FROM idempotency"))
        assert row is not None
        return int(row["n"])

    before = await kept()
    for _ in range(5):
        assert (await witness(world, note))[1]["holds"] is True
    url = f"{world.url}/v1/ledger/witness"
    async with world.http.post(url, json={"checkpoint": note}) as response:
        assert response.status == 200
    assert await kept() == before


async def test_a_batch_that_cannot_be_sealed_is_not_kept(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        owner = await world.add_owner()
        before = await owner.get("/v1/ledger/checkpoint")

        def broken(_tx: object) -> None:
            raise ValueError("no pen")

        sealing = world.agent.notary.seal
        world.agent.store.before_commit(broken)
        refused = await owner.call("POST", "/v1/stops", {}, key="once")
        assert refused.status == 503
        world.agent.store.before_commit(sealing)
        assert await owner.get("/v1/ledger/checkpoint") == before
        again = await owner.call("POST", "/v1/stops", {}, key="once")
        assert again.status == 201
        assert isinstance(world.http, aiohttp.ClientSession)
        shown = await receipts_of(owner)
        assert [item["kind"] for item in shown] == ["stop"]


@pytest.mark.parametrize("apart", [False, True], ids=["a thread writes", "a process writes"])
async def test_promise_6_a_log_that_is_bent_while_the_server_runs_is_seen_at_the_next_write(
    tmp_path: Path, *, apart: bool
) -> None:
    async with open_world(tmp_path, apart=apart) as world:
        owner = await world.add_owner()
        await owner.post("/v1/stops", {}, status=201)
        with sqlite3.connect(tmp_path / "owner.db") as stranger:
            stranger.execute("UPDATE ledger_checkpoint SET root = zeroblob(32)")
        stranger.close()
        before = await owner.get("/v1/ledger/checkpoint")
        # Promise 4: stop works, whatever the log says.
        await owner.post("/v1/stops", {}, status=201)
        assert await owner.get("/v1/ledger/checkpoint") == before
        refused = await owner.call("GET", "/v1/snapshot")
        assert refused.status == 503
        assert "ledger verify" in refused.body["detail"]


@pytest.mark.parametrize(
    "bend",
    [
        "UPDATE ledger_node SET hash = zeroblob(32) WHERE level = 2",
        "DELETE FROM ledger_node WHERE level = 2",
        "UPDATE ledger_checkpoint SET root = zeroblob(32)",
        "DELETE FROM ledger_leaf WHERE position = (SELECT max(position) FROM ledger_leaf)",
    ],
)
async def test_promise_6_nothing_is_signed_on_top_of_a_tree_that_was_bent(
    tmp_path: Path, bend: str
) -> None:
    async with open_world(tmp_path) as world:
        owner = await world.add_owner()
        for _ in range(4):
            await owner.post("/v1/stops", {})
    connection = sqlite3.connect(tmp_path / "owner.db")
    connection.execute(bend)
    connection.commit()
    connection.close()
    async with open_world(tmp_path) as world:
        owner.world = world
        world.renew_at[owner.party_id] = world.clock.at + timedelta(minutes=5)
        before = await owner.get("/v1/ledger/checkpoint")
        refused = await owner.call("GET", "/v1/snapshot")
        assert refused.status == 503
        assert "ledger verify" in refused.body["detail"]
        # Promise 4: stop works, whatever the log says.
        await owner.post("/v1/stops", {}, status=201)
        assert await owner.get("/v1/ledger/checkpoint") == before
