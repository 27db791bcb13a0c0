"""Receipts after a restore: each side shows what it kept, and the log says again what it lost."""

from dataclasses import dataclass
from pathlib import Path
import shutil
from typing import Any

from probatio import Schema
import pytest

from owner_api.core import receipt
from owner_api.core.keyring import Keyring
from owner_api.schemas import ledger as messages
from tests.owner_api.deal_world import Deal, World, active, open_world

from .test_epochs import cli, lose_disk
from .test_journal import public_keys, receipts_of

# More than --fast has time for.
pytestmark = pytest.mark.slow

_PARTS = ("jws", "proof", "checkpoint", "key_statements")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What both sides of a deal hold of a server that lost its disk."""

    deal: Deal
    keys: Keyring
    owner: list[Any]
    park: list[Any]
    backed_up: int

    def join(self, world: World) -> None:
        """Let both sides talk to the restored server at a later moment."""
        world.clock.at = self.deal.world.clock.at
        for caller in (self.deal.owner, self.deal.park):
            caller.world = world


async def backed_up(deal: Deal, folder: Path) -> dict[str, str]:
    """Back up; return what the owner's access was then, which a restored server still knows."""
    await deal.owner.renew()
    assert cli("backup", folder / "copy.db", "--database", folder / "owner.db") == 0
    return dict(deal.owner.grant)


async def lived(folder: Path, *, delivered_s: int = 0) -> Kept:
    """Deal, back up while it runs, or before, settle, and lose the disk but not the keys."""
    async with open_world(folder) as world:
        deal = await active(world)
        if delivered_s:
            await deal.deliver(delivered_s)
        assert cli("backup", folder / "copy.db", "--database", folder / "owner.db") == 0
        head = await deal.owner.get("/v1/ledger/checkpoint")
        await deal.deliver(300)
        await deal.stop()
        kept = Kept(
            deal=deal,
            keys=await public_keys(world),
            owner=await receipts_of(deal.owner),
            park=await receipts_of(deal.park),
            backed_up=head["size"],
        )
    lose_disk(folder)
    return kept


def restore(folder: Path) -> None:
    assert cli(
        "restore", folder / "copy.db", "--database", folder / "owner.db", "--reason", "broken disk"
    ) == 0  # fmt: skip


def shown(document: Any) -> dict[str, Any]:
    return {name: document[name] for name in _PARTS}


async def replay(caller: Any, document: Any) -> Any:
    answer = await caller.post("/v1/ledger/receipts", shown(document), status=200)
    Schema(messages.REPLAYED)(answer)
    return answer


async def test_promise_6_what_a_restore_lost_is_recorded_again_from_both_sides_receipts(
    tmp_path: Path,
) -> None:
    kept = await lived(tmp_path)
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        kept.join(world)
        sides = ((kept.deal.owner, kept.owner), (kept.deal.park, kept.park))
        for caller, documents in sides:
            for document in documents:
                answer = await replay(caller, document)
                lost = document["position"] >= kept.backed_up
                assert (answer["held"], answer["serving"]) == (not lost, True)
                assert (answer["receipt_id"] is not None) == lost
                if lost:
                    again = await caller.get(f"/v1/receipts/{answer['receipt_id']}")
                    proven = receipt.verify(again, kept.keys).entry
                    assert proven.kind == "receipt.replayed"
                    assert proven.body["body"] == document["content"]
                    assert proven.body["kind"] == document["kind"]
                    # The same receipt again is the same record.
                    assert await replay(caller, document) == answer
        kinds = [each["kind"] for each in kept.owner if each["position"] >= kept.backed_up]
        assert "settlement.provisional" in kinds
    assert cli("ledger", "verify", "--database", tmp_path / "owner.db") == 0


async def test_a_replayed_settlement_is_shown_to_the_park_as_a_claim_and_moves_no_money(
    tmp_path: Path,
) -> None:
    kept = await lived(tmp_path)
    bill = next(each for each in kept.owner if each["kind"] == "settlement.provisional")
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        kept.join(world)
        before = await kept.deal.owner.get("/v1/rewards")
        for _ in range(2):
            await replay(kept.deal.owner, bill)
        assert await kept.deal.owner.get("/v1/rewards") == before
        claims = [
            each
            for each in await receipts_of(kept.deal.park)
            if each["kind"] == "settlement.claimed"
        ]
        assert [each["subject_id"] for each in claims] == [bill["subject_id"]]
        assert claims[0]["content"]["net_minor"] == bill["content"]["net_minor"] > 0
        # Promise 7: what the park was told when it was settled, and no more.
        assert set(claims[0]["content"]) == {
            *("settlement_id", "version", "commitment_id", "state", "delivered_wh"),
            *("net_minor", "currency", "proven_by"),
        }


async def test_a_claim_of_a_deal_that_the_restored_books_settle_again_is_met_by_a_correction(
    tmp_path: Path,
) -> None:
    kept = await lived(tmp_path, delivered_s=60)
    bill = next(each for each in kept.owner if each["kind"] == "settlement.provisional")
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        kept.join(world)
        await replay(kept.deal.owner, bill)
        # Its lease has run out, and then no last reading comes.
        for _ in range(2):
            await world.move(4_000)
        park = kept.deal.park
        await park.renew()
        (again,) = (await park.get("/v1/park/settlements"))["items"]
        assert again["settlement_id"] != bill["subject_id"]
        assert again["delivered_wh"] < bill["content"]["delivered_wh"]
        corrected = await park.post(
            f"/v1/park/settlements/{again['settlement_id']}/correction",
            {"delivered_wh": bill["content"]["delivered_wh"], "reason": "lost in a restore"},
        )
        for name in ("delivered_wh", "net_minor", "currency"):
            assert corrected[name] == bill["content"][name], name


async def test_nobody_can_replay_what_is_another_partys_forged_or_another_servers(
    tmp_path: Path,
) -> None:
    kept = await lived(tmp_path)
    restore(tmp_path)
    lost = kept.owner[-1]
    other = tmp_path / "other"
    other.mkdir()
    async with open_world(other) as elsewhere:
        stranger = await elsewhere.add_owner()
        await stranger.post("/v1/stops", {})
        foreign = (await receipts_of(stranger))[-1]
    async with open_world(tmp_path) as world:
        kept.join(world)
        owner, park = kept.deal.owner, kept.deal.park
        head, _, signature = lost["jws"].rpartition(".")
        swapped = signature[:-5] + ("A" if signature[-5] != "A" else "B") + signature[-4:]
        refused = [
            (park, shown(lost)),
            (owner, shown(foreign)),
            (owner, shown(lost) | {"jws": f"{head}.{swapped}"}),
            (owner, shown(lost) | {"checkpoint": kept.owner[0]["checkpoint"]}),
            (owner, shown(lost) | {"proof": lost["proof"] | {"path": []}}),
        ]
        for caller, body in refused:
            answer = await caller.call("POST", "/v1/ledger/receipts", body)
            assert (answer.status, answer.body["code"]) == (422, "invalid_body"), body
        named = await owner.get("/v1/receipts")
        assert "receipt.replayed" not in {each["kind"] for each in named["items"]}


async def test_promise_6_a_receipt_of_a_loss_that_nobody_owned_up_to_ends_all_service(
    tmp_path: Path,
) -> None:
    kept = await lived(tmp_path)
    shutil.copy(tmp_path / "copy.db", tmp_path / "owner.db")
    async with open_world(tmp_path) as world:
        kept.join(world)
        answer = await replay(kept.deal.owner, kept.owner[-1])
        assert answer == {"held": False, "serving": False, "receipt_id": None}
        assert (await kept.deal.owner.call("GET", "/v1/me")).status == 503


@pytest.mark.parametrize("resolved", [False, True], ids=["open", "taken back"])
@pytest.mark.parametrize("newest_first", [False, True], ids=["as they came", "the newest first"])
async def test_promise_5_a_dispute_that_a_restore_lost_stands_again_by_its_receipt(
    tmp_path: Path, *, resolved: bool, newest_first: bool
) -> None:
    """Else the silence that follows would be taken for a yes to what was disputed."""
    async with open_world(tmp_path) as world:
        deal = await active(world)
        await deal.deliver(60)
        await deal.stop()
        access = await backed_up(deal, tmp_path)
        (bill,) = (await deal.park.get("/v1/park/settlements"))["items"]
        path = f"/v1/settlements/{bill['settlement_id']}"
        seen = {"measured_at": world.at(0), "export_register_wh": 120}
        words = {"reason": "my meter says more", "evidence": [seen]}
        await deal.owner.post(f"{path}/dispute", words)
        if resolved:
            await deal.owner.post(f"{path}/confirmation")
            await world.move(3_601)
        documents = await receipts_of(deal.owner)
        kept = Kept(deal=deal, keys=await public_keys(world), owner=[], park=[], backed_up=0)
    lose_disk(tmp_path)
    restore(tmp_path)
    async with open_world(tmp_path, at=deal.world.clock.at) as world:
        kept.join(world)
        deal.owner.grant = access
        await world.agent.tick()
        for document in reversed(documents) if newest_first else documents:
            if document["kind"].startswith("settlement."):
                await replay(deal.owner, document)
        await world.move(2 * 3_601)
        await deal.park.renew()
        (shown,) = (await deal.park.get("/v1/park/settlements"))["items"]
        assert shown["state"] == ("final" if resolved else "disputed")
