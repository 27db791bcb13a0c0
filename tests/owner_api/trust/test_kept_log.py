"""The simulation's park keeps the last checkpoint it was sent and holds the log to it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
import shutil

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
import pytest

from owner_api.access.keys import key_directory
from owner_api.core import checkpoint
from owner_api.core.keyring import Keyring
from owner_api.simulation.client import Client
from owner_api.simulation.credentials import park_access
from owner_api.simulation.kept_log import KeptLog
from owner_api.simulation.log_proofs import LogContradictedError
from owner_api.simulation.park import Park
from owner_api.simulation.wall_world import WallWorld
from tests.owner_api.deal_world import Caller, Deal, World, open_world, presented

from .test_epochs import cli, lose_disk
from .test_journal import public_keys


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a park has over a restart of its operator: its access, the pinned key, its file."""

    grant: dict[str, str]
    keys: Keyring
    file: Path
    deal: Deal

    def client(self, world: World) -> Client:
        access = park_access(self.grant["client_id"], self.grant["client_secret"])
        return Client(world.http, world.url, world.clock.now, access)

    def log(self, world: World) -> KeptLog:
        return KeptLog(self.client(world), self.keys, self.file)


async def offered(world: World, folder: Path) -> Kept:
    """Bring the usual offer in front of the owner; the park has pinned the log's key."""
    deal = await presented(world)
    keys = await public_keys(world)
    return Kept(grant=deal.park.grant, keys=keys, file=folder / "kept.txt", deal=deal)


async def lived(folder: Path) -> Kept:
    """Back up, decide, let the park keep the log's head, and lose the disk."""
    async with open_world(folder) as world:
        kept = await offered(world, folder)
        assert cli("backup", folder / "copy.db", "--database", folder / "owner.db") == 0
        await world.decide(kept.deal.owner, kept.deal.offer)
        await kept.log(world).check()
    lose_disk(folder)
    return kept


async def returned(world: World, kept: Kept) -> Caller:
    """Let the owner speak to the server that runs now."""
    world.clock.at = kept.deal.world.clock.at
    kept.deal.owner.world = world
    await kept.deal.owner.renew()
    return kept.deal.owner


async def test_promise_6_a_park_keeps_what_its_stream_tells_and_an_honest_log_contradicts_nothing(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        kept = await offered(world, tmp_path)
        deal, log = kept.deal, kept.log(world)
        park = Park(deal.park.party_id, kept.client(world), WallWorld())
        park.log = log
        await park.open()
        watching = asyncio.create_task(log.watch())
        try:
            answer = await world.decide(deal.owner, deal.offer)
            told = [each for each in await deal.park.events() if each["type"] == "checkpoint.new"]
            await park.heard(told[-1]["seq"])
            async with asyncio.timeout(10):
                while log.held is None or log.held.size < (await _head(deal.park)).size:  # noqa: ASYNC110 - what it waits for comes over the network
                    await asyncio.sleep(0.01)
            early = log.note
            assert answer.status == 201
            await deal.owner.post("/v1/stops", {})
            await log.check()
            newest = log.note
            # Late news is old, and part of what is held.
            await log.check(early)
        finally:
            watching.cancel()
            await park.close()
        assert log.note == newest != early
        assert kept.file.read_text(encoding="utf-8") == newest
        assert (log.contradictions, log.losses) == ([], [])
    arguments = ("ledger", "verify", "--database", tmp_path / "owner.db")
    assert cli(*arguments, "--checkpoint", kept.file) == 0


async def test_promise_6_a_park_notices_a_forked_log_and_shows_it_to_the_server(
    tmp_path: Path,
) -> None:
    kept = await lived(tmp_path)
    shutil.copy(tmp_path / "copy.db", tmp_path / "owner.db")
    held = kept.file.read_text(encoding="utf-8")
    async with open_world(tmp_path) as world:
        log, owner = kept.log(world), await returned(world, kept)
        size = checkpoint.parse(held).size
        while (await _head(owner)).size <= size:
            await owner.post("/v1/stops", {})
        with pytest.raises(LogContradictedError, match="older tree"):
            await log.check()
        assert [each.held for each in log.contradictions] == [held]
        assert kept.file.read_text(encoding="utf-8") == held
        # Shown what it had signed before, the server serves nobody.
        assert (await owner.call("GET", "/v1/snapshot")).status == 503
        # Seen again, it is the same contradiction.
        with pytest.raises(LogContradictedError):
            await log.check()
        assert len(log.contradictions) == 1


async def test_promise_6_a_park_notices_a_shorter_log(tmp_path: Path) -> None:
    kept = await lived(tmp_path)
    shutil.copy(tmp_path / "copy.db", tmp_path / "owner.db")
    async with open_world(tmp_path) as world:
        await returned(world, kept)
        with pytest.raises(LogContradictedError, match="entries where"):
            await kept.log(world).check()


async def test_a_park_tells_a_signed_new_epoch_from_a_contradiction(tmp_path: Path) -> None:
    kept = await lived(tmp_path)
    held = checkpoint.parse(kept.file.read_text(encoding="utf-8"))
    assert cli(
        "restore", tmp_path / "copy.db", "--database", tmp_path / "owner.db",
        "--checkpoint", kept.file, "--reason", "the disk broke",
    ) == 0  # fmt: skip
    async with open_world(tmp_path) as world:
        await returned(world, kept)
        log = kept.log(world)
        await log.check()
        (loss,) = log.losses
        assert (loss.epoch, loss.reason, loss.held_size) == (2, "the disk broke", held.size)
        assert 0 < loss.kept_size < held.size
        assert log.contradictions == []
        assert log.held is not None
        assert log.held.epoch == 2


async def test_a_park_follows_a_key_that_is_vouched_for_and_no_other(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        kept = await offered(world, tmp_path)
        await kept.log(world).check()
    path = key_directory(tmp_path / "owner.db") / "receipt-ed25519.pem"
    path.rename(path.with_name("receipt-ed25519-2026.pem"))
    async with open_world(tmp_path) as world:
        owner = await returned(world, kept)
        await owner.post("/v1/stops", {})
        log = kept.log(world)
        await log.check()
        head = log.held
        assert head is not None
        stranger = head.sign(Ed25519PrivateKey.generate())
        bent = checkpoint.Checkpoint(origin=head.origin, size=head.size - 1, root=b"x" * 32)
        for note in (stranger, bent.sign(world.agent.notary.private)):
            with pytest.raises(LogContradictedError):
                await log.check(note)
        assert log.held == head
        assert len(log.contradictions) == 2


async def _head(caller: Caller) -> checkpoint.Checkpoint:
    return checkpoint.parse((await caller.get("/v1/ledger/checkpoint"))["checkpoint"])


async def test_a_park_takes_a_fork_for_a_loss_once_the_log_has_owned_up_to_it(
    tmp_path: Path,
) -> None:
    kept = await lived(tmp_path)
    shutil.copy(tmp_path / "copy.db", tmp_path / "owner.db")
    held = kept.file.read_text(encoding="utf-8")
    new_epoch = ("ledger", "new-epoch", "--reason", "rolled back", "--database")
    async with open_world(tmp_path) as world:
        owner = await returned(world, kept)
        while (await _head(owner)).size <= checkpoint.parse(held).size:
            await owner.post("/v1/stops", {})
        with pytest.raises(LogContradictedError, match="older tree"):
            await kept.log(world).check()
    # Shown by the park, remembered by the server, and given up by name.
    assert cli(*new_epoch, tmp_path / "owner.db") == 0
    async with open_world(tmp_path) as world:
        await returned(world, kept)
        log = kept.log(world)
        await log.check()
        (loss,) = log.losses
        assert (loss.reason, loss.kept_size) == ("rolled back", 0)
        assert log.contradictions == []
    arguments = ("ledger", "verify", "--database", tmp_path / "owner.db")
    assert cli(*arguments, "--checkpoint", kept.file) == 0
