"""A loss that was said too small, or twice under one number, can still be said rightly."""

from pathlib import Path
import sqlite3

import pytest

from owner_api.core import checkpoint
from tests.owner_api.deal_world import Caller, World, open_world

from .test_epochs import cli, lose_disk, witness
from .test_journal import receipts_of
from .test_replay import shown

# More than --fast has time for.
pytestmark = pytest.mark.slow


async def grown(caller: Caller, times: int) -> list[str]:
    """Have the log grow by some stops and return each checkpoint."""
    notes = []
    for _ in range(times):
        await caller.post("/v1/stops", {})
        notes.append(str((await caller.get("/v1/ledger/checkpoint"))["checkpoint"]))
    return notes


async def is_serving(world: World) -> bool:
    async with world.http.get(world.url + "/v1/me") as response:
        return response.status == 401


def owns_up(folder: Path, note: str | None = None) -> None:
    """Do what the error and the runbook say, with a checkpoint or with what was shown."""
    arguments: list[str | Path] = ["ledger", "new-epoch", "--reason", "said openly"]
    if note is not None:
        (folder / "lost.txt").write_text(note, encoding="utf-8")
        arguments += ["--checkpoint", folder / "lost.txt"]
    assert cli(*arguments, "--database", folder / "owner.db") == 0


def verifies(folder: Path, note: str) -> bool:
    (folder / "kept.txt").write_text(note, encoding="utf-8")
    log = ("ledger", "verify", "--database", folder / "owner.db")
    return cli(*log, "--checkpoint", folder / "kept.txt") == 0


def restore(folder: Path, *more: str | Path) -> None:
    assert cli("restore", folder / "copy.db", "--database", folder / "owner.db", *more) == 0


async def lived(folder: Path) -> list[str]:
    """Serve, back up, go on and lose the disk; return the checkpoints that the backup lacks."""
    async with open_world(folder) as world:
        owner = await world.add_owner()
        await grown(owner, 3)
        assert cli("backup", folder / "copy.db", "--database", folder / "owner.db") == 0
        notes = await grown(owner, 6)
    lose_disk(folder)
    return notes


@pytest.mark.parametrize("given", [True, False], ids=["by the operator", "by whoever showed it"])
async def test_a_loss_that_was_said_too_small_is_said_rightly_by_a_later_epoch(
    tmp_path: Path, *, given: bool
) -> None:
    notes = await lived(tmp_path)
    (tmp_path / "known.txt").write_text(notes[2], encoding="utf-8")
    restore(tmp_path, "--checkpoint", tmp_path / "known.txt")
    async with open_world(tmp_path) as world:
        await grown(await world.add_owner("New"), 12)
        assert (await witness(world, notes[2]))[1]["serving"] is True
        # More was signed than the operator has said.
        assert (await witness(world, notes[-1]))[1]["serving"] is False
    assert not verifies(tmp_path, notes[-1])
    owns_up(tmp_path, notes[-1] if given else None)
    async with open_world(tmp_path) as world:
        for note in notes:
            body = (await witness(world, note))[1]
            assert (body["holds"], body["serving"]) == (False, True)
        assert await is_serving(world)
    assert all(verifies(tmp_path, note) for note in notes)


async def test_a_smaller_loss_than_was_shown_does_not_have_to_be_said_twice(
    tmp_path: Path,
) -> None:
    notes = await lived(tmp_path)
    known = tmp_path / "known.txt"
    known.write_text(notes[0], encoding="utf-8")
    restore(tmp_path, "--checkpoint", known)
    async with open_world(tmp_path) as world:
        for note in (notes[-1], notes[-2]):
            assert (await witness(world, note))[1]["serving"] is False
    owns_up(tmp_path, notes[0])
    async with open_world(tmp_path) as world:
        for note in notes:
            assert (await witness(world, note))[1]["serving"] is True
    assert all(verifies(tmp_path, note) for note in notes)


async def test_a_number_that_two_restores_gave_out_is_no_end_of_service_for_good(
    tmp_path: Path,
) -> None:
    await lived(tmp_path)
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        gone = await grown(await world.add_owner("First"), 6)
    lose_disk(tmp_path)
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        ours = await grown(await world.add_owner("Second"), 12)
        assert {checkpoint.parse(note).epoch for note in (gone[0], ours[0])} == {2}
        assert (await witness(world, gone[3]))[1]["serving"] is False
        assert (await witness(world, gone[1]))[1]["serving"] is False
    assert not verifies(tmp_path, gone[3])
    # What was shown is remembered; the operator need not have it.
    owns_up(tmp_path)
    async with open_world(tmp_path) as world:
        for note in gone[:4]:
            assert (await witness(world, note))[1]["serving"] is True
        for note in ours:
            assert (await witness(world, note))[1]["holds"] is True
        # Nobody has yet said that more than this was lost.
        assert (await witness(world, gone[-1]))[1]["serving"] is False
    assert all(verifies(tmp_path, note) for note in ours)
    # Served again, and still told to whoever holds one: it is not the history that was signed.
    assert not any(verifies(tmp_path, note) for note in gone[:4])
    owns_up(tmp_path, gone[-1])
    async with open_world(tmp_path) as world:
        for note in gone:
            assert (await witness(world, note))[1]["serving"] is True
        assert await is_serving(world)
    assert all(verifies(tmp_path, note) for note in ours)


async def test_promise_6_a_lost_end_that_was_said_does_not_excuse_a_fork_before_it(
    tmp_path: Path,
) -> None:
    notes = await lived(tmp_path)
    (tmp_path / "copy.db").rename(tmp_path / "owner.db")
    async with open_world(tmp_path) as world:
        # Rolled back in silence and grown again; then the end of that is lost, and said to be.
        owner = await world.add_owner("New")
        await grown(owner, 10)
        assert cli("backup", tmp_path / "copy.db", "--database", tmp_path / "owner.db") == 0
        more = await grown(owner, 3)
    lose_disk(tmp_path)
    (tmp_path / "known.txt").write_text(more[-1], encoding="utf-8")
    restore(tmp_path, "--checkpoint", tmp_path / "known.txt")
    async with open_world(tmp_path) as world:
        assert (await witness(world, more[-1]))[1]["serving"] is True
        assert (await witness(world, notes[0]))[1]["serving"] is False
    assert not verifies(tmp_path, notes[0])
    owns_up(tmp_path)
    async with open_world(tmp_path) as world:
        assert (await witness(world, notes[0]))[1]["serving"] is True
        opened = (await (await world.add_owner("Later")).get("/v1/ledger/epochs"))["items"]
        assert opened[-1]["lost"]["checkpoint"] == notes[0]
        assert opened[-1]["lost"]["size"] < opened[-1]["kept"]["size"]


async def test_promise_6_a_log_that_cannot_answer_for_a_checkpoint_does_not_hold_it(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        owner = await world.add_owner()
        notes = await grown(owner, 5)
        with sqlite3.connect(world.database) as stranger:
            stranger.execute("DELETE FROM ledger_node WHERE level = 2")
        stranger.close()
        status, body = await witness(world, notes[-1])
        assert (status, body["holds"], body["serving"]) == (200, False, False)
        assert not await is_serving(world)
        # Promise 4: stop works, whatever the log says.
        await owner.post("/v1/stops", {}, status=201)
    async with open_world(tmp_path) as world:
        assert not await is_serving(world)


async def test_promise_6_a_receipt_shown_to_a_damaged_log_ends_service_too(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        owner = await world.add_owner()
        await grown(owner, 5)
        document = shown((await receipts_of(owner))[-1])
        with sqlite3.connect(world.database) as stranger:
            stranger.execute("DELETE FROM ledger_node WHERE level = 2")
        stranger.close()
        answer = await owner.call("POST", "/v1/ledger/receipts", document)
        assert (answer.status, answer.body["serving"]) == (200, False)
        assert not await is_serving(world)
