"""A claim after a restore: the park books that it paid, once, and both sides' figures say so."""

from dataclasses import dataclass
from datetime import timedelta
import json
from pathlib import Path
from typing import Any

from probatio import Schema
import pytest

from owner_api.core import receipt
from owner_api.schemas import views
from owner_api.schemas.events import EVENTS
from tests.owner_api.deal_world import World, active, open_world

from .test_epochs import cli, lose_disk
from .test_journal import public_keys, receipts_of
from .test_replay import Kept, backed_up, lived, replay, restore

# More than --fast has time for.
pytestmark = pytest.mark.slow

CASH = {"kind": "cash", "currency": "CNY", "price_per_kwh": "1.2000", "payer": "East Gate Park"}
POINTS = {"payer": "East Gate Mall", "kind": "points", "currency": "XPOINT", "price_per_kwh": "10"}
BOTH = {"kind": "cash", "currency": "CNY", "price_per_kwh": "1.2000", "parts": [CASH, POINTS]}


def of_kind(documents: list[Any], kind: str) -> Any:
    return next(each for each in documents if each["kind"] == kind)


async def claims(park: Any, query: str = "") -> list[Any]:
    """Return the park's claims, held against what the contract publishes."""
    page = await park.get(f"/v1/park/claims{query}")
    Schema(views.listed(views.PARK_CLAIM))(page)
    return list(page["items"])


async def pay(park: Any, claim: Any, reference: str, status: int = 200) -> Any:
    path = f"/v1/park/claims/{claim['reward_id']}/payment"
    answer = await park.call("POST", path, {"reference": reference})
    assert answer.status == status, answer.body
    return answer.body


async def later(kept: Kept, world: World) -> None:
    """Let the deal's window pass, which the restored books hold as scheduled only."""
    await world.move(4_000)
    await kept.deal.park.renew()


async def test_a_claim_that_the_park_has_paid_stands_in_both_sides_books_once(
    tmp_path: Path,
) -> None:
    kept = await lived(tmp_path)
    bill = of_kind(kept.owner, "settlement.provisional")
    owed = bill["content"]["net_minor"]
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        kept.join(world)
        owner, park = kept.deal.owner, kept.deal.park
        assert await claims(park) == []
        for _ in range(2):
            await replay(owner, bill)
        await later(kept, world)
        (claim,) = await claims(park, "?status=open")
        assert (claim["settlement_id"], claim["payment_minor"]) == (bill["subject_id"], owed)
        heard = (await owner.events())[-1]["seq"]
        paid = await pay(park, claim, "BANK-7")
        assert (paid["status"], paid["reference"]) == ("paid", "BANK-7")
        # The same again changes nothing, another reference is refused.
        assert await pay(park, claim, "BANK-7") == paid
        refused = await pay(park, claim, "BANK-8", status=409)
        assert "BANK-7" in refused["detail"]
        told = {each["type"]: json.loads(each["data"]) for each in await owner.events(heard)}
        assert told["rewards.updated"]["paid_minor"] == owed
        Schema(EVENTS["owner"]["reward.paid"])(told["reward.paid"])
        assert told["reward.paid"]["payment_minor"] == owed

        totals = await owner.get("/v1/rewards")
        assert (totals["pending_minor"], totals["confirmed_minor"]) == (0, 0)
        assert totals["paid_minor"] == totals["this_month"]["paid_minor"] == owed > 0
        (balance,) = (await park.get("/v1/park/balances"))["items"]
        assert (balance["paid_minor"], balance["overpaid_minor"]) == (owed, 0)
        statement = await owner.get("/v1/statements/2026-12")
        assert [each["amount_minor"] for each in statement["totals"]] == [owed]
        (line,) = statement["lines"]
        assert (line["delivered_wh"], line["status"]) == (bill["content"]["delivered_wh"], "paid")
        exported = (await owner.get("/v1/export"))["tables"]
        assert len(exported["claim"]) == 1
        assert len(exported["posting"]) == 8
        keys = await public_keys(world)
        for side in (owner, park):
            proof = of_kind(await receipts_of(side), "reward.paid")
            said = receipt.verify(proof, keys).entry.body
            assert (said["payment_minor"], said["reference"]) == (owed, "BANK-7")
    assert cli("ledger", "verify", "--database", tmp_path / "owner.db") == 0


async def test_a_claim_of_a_deal_that_the_books_settle_themselves_is_never_paid_as_a_claim(
    tmp_path: Path,
) -> None:
    """Neither while it still may begin or be settled, nor when it is settled."""
    kept = await lived(tmp_path, delivered_s=60)
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        kept.join(world)
        park = kept.deal.park
        await replay(kept.deal.owner, of_kind(kept.owner, "settlement.provisional"))
        (claim,) = await claims(park)
        for _ in range(3):
            assert (await claims(park))[0]["status"] == "in_books"
            await pay(park, claim, "BANK-7", status=409)
            await later(kept, world)
        assert (await park.get("/v1/park/settlements"))["items"]
        assert (await kept.deal.owner.get("/v1/rewards"))["paid_minor"] == 0


@pytest.mark.parametrize("witness", ["owner", "park"])
async def test_a_settlement_that_is_still_there_is_paid_under_the_reference_of_before_the_loss_only(
    tmp_path: Path, witness: str
) -> None:
    """The backup has the bill without its payment, whose receipt keeps it from being paid anew."""
    async with open_world(tmp_path) as world:
        deal = await active(world)
        await deal.deliver(300)
        await deal.stop()
        await world.move(3_601)
        access = await backed_up(deal, tmp_path)
        (bill,) = (await deal.park.get("/v1/park/settlements?reward=confirmed"))["items"]
        path = f"/v1/park/settlements/{bill['settlement_id']}/payment"
        await deal.park.post(path, {"reference": "BANK-1"})
        documents = await receipts_of(getattr(deal, witness))
        kept = Kept(deal=deal, keys=await public_keys(world), owner=[], park=[], backed_up=0)
    lose_disk(tmp_path)
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        kept.join(world)
        deal.owner.grant = access
        await replay(getattr(deal, witness), of_kind(documents, "reward.paid"))
        again = await deal.park.call("POST", path, {"reference": "BANK-2"})
        assert (again.status, again.body["code"]) == (409, "conflict")
        assert "BANK-1" in again.body["detail"]
        exported = (await deal.owner.get("/v1/export"))["tables"]["earlier_payment"]
        assert [each["reference"] for each in exported] == ["BANK-1"]
        assert (await deal.owner.get("/v1/rewards"))["paid_minor"] == 0
        for _ in range(2):
            await deal.park.post(path, {"reference": "BANK-1"})
        assert (await deal.owner.get("/v1/rewards"))["paid_minor"] == bill["net_minor"] > 0


@pytest.mark.parametrize("witness", ["owner", "park"])
async def test_a_deal_that_the_books_settle_again_is_paid_under_the_reference_of_before_the_loss(
    tmp_path: Path, witness: str
) -> None:
    """Backed up while it ran; whoever pays what waits to be paid would pay it twice."""
    async with open_world(tmp_path) as world:
        deal = await active(world)
        await deal.deliver(60)
        access = await backed_up(deal, tmp_path)
        await deal.deliver(300)
        await deal.stop()
        await world.move(3_601)
        (bill,) = (await deal.park.get("/v1/park/settlements"))["items"]
        path = f"/v1/park/settlements/{bill['settlement_id']}/payment"
        await deal.park.post(path, {"reference": "BANK-1"})
        documents = await receipts_of(getattr(deal, witness))
        kept = Kept(deal=deal, keys=await public_keys(world), owner=[], park=[], backed_up=0)
    lose_disk(tmp_path)
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        kept.join(world)
        deal.owner.grant = access
        park = deal.park
        for kind in ("reward.paid", "settlement.provisional"):
            await replay(getattr(deal, witness), of_kind(documents, kind))
        for _ in range(3):
            await later(kept, world)
        (again,) = (await park.get("/v1/park/settlements?reward=confirmed"))["items"]
        assert again["settlement_id"] != bill["settlement_id"]
        path = f"/v1/park/settlements/{again['settlement_id']}"
        for step in ("settled", "corrected"):
            if step == "corrected":
                wanted = {"delivered_wh": bill["delivered_wh"], "reason": "as it was"}
                again = await park.post(f"{path}/correction", wanted)
                path = f"/v1/park/settlements/{again['settlement_id']}"
                await later(kept, world)
            twice = await park.call("POST", f"{path}/payment", {"reference": "BANK-2"})
            assert (twice.status, twice.body["code"]) == (409, "conflict")
            assert "BANK-1" in twice.body["detail"]
        await park.post(f"{path}/payment", {"reference": "BANK-1"})
        assert (await deal.owner.get("/v1/rewards"))["paid_minor"] == bill["net_minor"]
        # What is corrected after that is another payment.
        less = {"delivered_wh": bill["delivered_wh"] - 200, "reason": "read again"}
        more = {"delivered_wh": bill["delivered_wh"] + 100, "reason": "read again"}
        for body in (less, more):
            again = await park.post(f"{path}/correction", body)
            path = f"/v1/park/settlements/{again['settlement_id']}"
        await later(kept, world)
        paid = await park.post(f"{path}/payment", {"reference": "BANK-3"})
        assert paid["reward"]["payment_minor"] == again["net_minor"] - bill["net_minor"] > 0


@pytest.mark.parametrize("shown", ["before", "after"])
@pytest.mark.parametrize("backed_up_as", ["confirmed", "pending"])
async def test_a_correction_counts_a_payment_that_the_loss_took_and_a_receipt_proves(
    tmp_path: Path, backed_up_as: str, shown: str
) -> None:
    """The backup has the bill without its payment; corrected, only the rest is to be paid.

    Whether the receipt of the payment is shown before the correction or after it.
    """
    async with open_world(tmp_path) as world:
        deal = await active(world)
        await deal.deliver(300)
        await deal.stop()
        if backed_up_as == "pending":
            access = await backed_up(deal, tmp_path)
        await world.move(3_601)
        if backed_up_as == "confirmed":
            access = await backed_up(deal, tmp_path)
        (bill,) = (await deal.park.get("/v1/park/settlements?reward=confirmed"))["items"]
        path = f"/v1/park/settlements/{bill['settlement_id']}"
        await deal.park.post(f"{path}/payment", {"reference": "BANK-1"})
        documents = await receipts_of(deal.owner)
        kept = Kept(deal=deal, keys=await public_keys(world), owner=[], park=[], backed_up=0)
    lose_disk(tmp_path)
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        kept.join(world)
        deal.owner.grant = access
        if backed_up_as == "pending":
            world.clock.at -= timedelta(seconds=1_800)
        await deal.park.renew()
        if shown == "before":
            await replay(deal.owner, of_kind(documents, "reward.paid"))
        more = {"delivered_wh": bill["delivered_wh"] + 100, "reason": "read again"}
        second = await deal.park.post(f"{path}/correction", more)
        if shown == "after":
            for _ in range(2):
                await replay(deal.owner, of_kind(documents, "reward.paid"))
            path = f"/v1/park/settlements/{second['settlement_id']}"
            second = await deal.park.get(path)
        owed, paid = second["net_minor"], bill["net_minor"]
        reward = second["reward"]
        assert (reward["already_paid_minor"], reward["payment_minor"]) == (paid, owed - paid)
        totals = await deal.owner.get("/v1/rewards")
        assert (totals["paid_minor"], totals["pending_minor"]) == (paid, owed - paid)
        (balance,) = (await deal.park.get("/v1/park/balances"))["items"]
        assert (balance["paid_minor"], balance["pending_minor"]) == (paid, owed - paid)
        told = [json.loads(e["data"]) for e in await deal.owner.events() if "reward." in e["type"]]
        assert "BANK-1" in [each["reference"] for each in told]
        # What the correction asks for is the rest, and then nothing is owed.
        await deal.owner.post(f"/v1/settlements/{second['settlement_id']}/confirmation")
        await deal.park.post(f"/v1/park/settlements/{second['settlement_id']}/confirmation")
        last = f"/v1/park/settlements/{second['settlement_id']}/payment"
        await deal.park.post(last, {"reference": "BANK-2"})
        assert (await deal.owner.get("/v1/rewards"))["paid_minor"] == owed
    assert cli("ledger", "verify", "--database", tmp_path / "owner.db") == 0


@pytest.mark.parametrize("witness", ["owner", "park"])
async def test_what_was_paid_before_the_loss_is_not_paid_again(
    tmp_path: Path, witness: str
) -> None:
    """Whoever of the two shows the receipt of the payment, and in whatever order it comes."""
    async with open_world(tmp_path) as world:
        deal = await active(world)
        access = await backed_up(deal, tmp_path)
        await deal.deliver(300)
        await deal.stop()
        await world.move(3_601)
        (bill,) = (await deal.park.get("/v1/park/settlements"))["items"]
        path = f"/v1/park/settlements/{bill['settlement_id']}/payment"
        await deal.park.post(path, {"reference": "BANK-1"})
        keys = await public_keys(world)
        documents = {"owner": await receipts_of(deal.owner), "park": await receipts_of(deal.park)}
        kept = Kept(deal=deal, keys=keys, owner=documents["owner"], park=[], backed_up=0)
    lose_disk(tmp_path)
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        kept.join(world)
        deal.owner.grant = access
        caller = getattr(deal, witness)
        await replay(caller, of_kind(documents[witness], "reward.paid"))
        for kind in ("settlement.final", "settlement.provisional"):
            await replay(deal.owner, of_kind(kept.owner, kind))
        await later(kept, world)
        (claim,) = await claims(deal.park)
        assert (claim["status"], claim["reference"], claim["paid_at"]) == ("paid", "BANK-1", None)
        assert await pay(deal.park, claim, "BANK-1") == claim
        await pay(deal.park, claim, "BANK-2", status=409)
        assert (await deal.owner.get("/v1/rewards"))["paid_minor"] == 0


async def test_of_several_versions_only_the_newest_that_was_shown_is_paid_and_each_payer_apart(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        takes = {"accepted_reward_kinds": ["cash", "points"]}
        deal = await active(world, reward=BOTH, preferences=takes)
        access = await backed_up(deal, tmp_path)
        await deal.deliver(300)
        await deal.stop()
        (bill,) = (await deal.park.get("/v1/park/settlements"))["items"]
        wrong = {"delivered_wh": bill["delivered_wh"] + 100, "reason": "read early"}
        path = f"/v1/park/settlements/{bill['settlement_id']}/correction"
        second = await deal.park.post(path, wrong)
        documents = await receipts_of(deal.owner)
        kept = Kept(deal=deal, keys=await public_keys(world), owner=documents, park=[], backed_up=0)
    lose_disk(tmp_path)
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        kept.join(world)
        deal.owner.grant = access
        park = deal.park
        for document in reversed(documents):
            if document["kind"].startswith("settlement."):
                await replay(deal.owner, document)
        await later(kept, world)
        assert {(each["version"], each["status"]) for each in await claims(park)} == {
            (1, "superseded"),
            (2, "open"),
        }
        old = next(each for each in await claims(park) if each["version"] == 1)
        await pay(park, old, "BANK-1", status=409)
        for each in await claims(park, "?status=open"):
            await pay(park, each, f"REF-{each['part']}")
        totals = await deal.owner.get("/v1/rewards")
        assert totals["paid_minor"] == second["rewards"][0]["amount_minor"]
        assert totals["others"][0]["paid_minor"] == second["rewards"][1]["amount_minor"] > 0
        assert {each["status"] for each in await claims(park)} == {"superseded", "paid"}


@pytest.mark.parametrize("first", ["owner", "park"])
async def test_a_version_that_the_parks_own_receipts_say_was_corrected_is_not_paid(
    tmp_path: Path, first: str
) -> None:
    """The owner shows the bill alone, and not that it was corrected to less."""
    async with open_world(tmp_path) as world:
        deal = await active(world)
        access = await backed_up(deal, tmp_path)
        await deal.deliver(300)
        await deal.stop()
        (bill,) = (await deal.park.get("/v1/park/settlements"))["items"]
        less = {"delivered_wh": bill["delivered_wh"] - 200, "reason": "read again"}
        path = f"/v1/park/settlements/{bill['settlement_id']}/correction"
        second = await deal.park.post(path, less)
        documents = {"owner": await receipts_of(deal.owner), "park": await receipts_of(deal.park)}
        kept = Kept(deal=deal, keys=await public_keys(world), owner=[], park=[], backed_up=0)
    lose_disk(tmp_path)
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        kept.join(world)
        deal.owner.grant = access
        park = deal.park
        kinds = {"owner": "settlement.provisional", "park": "settlement.corrected"}
        for side in sorted(kinds, key=lambda side: side != first):
            await replay(getattr(deal, side), of_kind(documents[side], kinds[side]))
        await later(kept, world)
        (old,) = await claims(park)
        assert (old["version"], old["status"]) == (1, "superseded")
        await pay(park, old, "BANK-1", status=409)
        # What the park owes it is told by the owner.
        for document in documents["owner"]:
            if document["kind"].startswith("settlement."):
                await replay(deal.owner, document)
        (new,) = await claims(park, "?status=open")
        assert (new["version"], new["payment_minor"]) == (2, second["net_minor"])


async def test_a_version_that_turns_up_after_another_of_its_deal_was_paid_is_not_paid_too(
    tmp_path: Path,
) -> None:
    kept = await lived(tmp_path)
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        kept.join(world)
        park, stranger = kept.deal.park, await world.add_park("West Gate Park")
        await replay(kept.deal.owner, of_kind(kept.owner, "settlement.provisional"))
        await later(kept, world)
        (claim,) = await claims(park)
        # Nobody else's: as if there were none.
        assert await claims(stranger) == []
        await pay(stranger, claim, "BANK-1", status=404)
        await pay(park, claim, "BANK-1")
        newer = f"rwd_{7:032x}"
        await world.agent.store.write(
            lambda tx: tx.run(
                "INSERT INTO claim SELECT ?, receipt_id, settlement_id, version + 1, commitment_id,"
                " owner_id, park_id, part, payer, kind, currency, price_per_kwh, delivered_wh,"
                " amount_minor + 5, 0, settled_at, claimed_at, NULL, NULL FROM claim",
                newer,
            )
        )
        found = {each["reward_id"]: each["status"] for each in await claims(park)}
        assert found == {claim["reward_id"]: "paid", newer: "superseded"}
        await pay(park, {"reward_id": newer}, "BANK-2", status=409)


@dataclass(frozen=True, kw_only=True)
class TwoLives:
    """A deal that was settled in two histories, both lost, and paid in the second."""

    kept: Kept
    access: dict[str, str]
    first: list[Any]
    second: list[Any]
    again: Any


async def two_lives(tmp_path: Path, witness: str, *, more_s: int, corrected: bool) -> TwoLives:
    """Lose a deal twice; the second restore goes back to before it began.

    All that was paid in the second life has one reference, also the rest after a correction.
    """
    async with open_world(tmp_path) as world:
        deal = await active(world)
        access = await backed_up(deal, tmp_path)
        (tmp_path / "copy.db").rename(tmp_path / "first.db")
        await deal.deliver(60)
        later_access = await backed_up(deal, tmp_path)
        if more_s:
            await deal.deliver(more_s)
        await deal.stop()
        first = await receipts_of(deal.owner)
        kept = Kept(deal=deal, keys=await public_keys(world), owner=[], park=[], backed_up=0)
    lose_disk(tmp_path)
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        kept.join(world)
        deal.owner.grant = later_access
        for _ in range(3):
            await later(kept, world)
        (again,) = (await deal.park.get("/v1/park/settlements?reward=confirmed"))["items"]
        path = f"/v1/park/settlements/{again['settlement_id']}"
        again = await deal.park.post(f"{path}/payment", {"reference": "BANK-1"})
        if corrected:
            more = {"delivered_wh": again["delivered_wh"] + 10, "reason": "read again"}
            again = await deal.park.post(f"{path}/correction", more)
            await later(kept, world)
            path = f"/v1/park/settlements/{again['settlement_id']}"
            again = await deal.park.post(f"{path}/payment", {"reference": "BANK-1"})
        await deal.owner.renew()
        second = await receipts_of(getattr(deal, witness))
        (tmp_path / "known.txt").write_text(json.dumps(second[-1]), "utf-8")
        kept = Kept(deal=deal, keys=await public_keys(world), owner=[], park=[], backed_up=0)
    lose_disk(tmp_path)
    restored = ("restore", tmp_path / "first.db", "--database", tmp_path / "owner.db")
    assert cli(*restored, "--checkpoint", tmp_path / "known.txt") == 0
    return TwoLives(kept=kept, access=access, first=first, second=second, again=again)


@pytest.mark.parametrize(("more_s", "corrected"), [(0, False), (60, False), (60, True)])
@pytest.mark.parametrize("order", ["first life first", "second life first"])
@pytest.mark.parametrize("witness", ["owner", "park"])
async def test_a_deal_that_was_settled_in_two_lost_histories_is_owed_once(
    tmp_path: Path, order: str, more_s: int, *, corrected: bool, witness: str
) -> None:
    """An owner may show the first life alone; then the park's own receipts tell of the second.

    Two payments of one history are two, though the park gave both the same reference.
    """
    lives = await two_lives(tmp_path, witness, more_s=more_s, corrected=corrected)
    deal, again = lives.kept.deal, lives.again
    async with open_world(tmp_path) as world:
        lives.kept.join(world)
        deal.owner.grant = lives.access
        told = getattr(deal, witness)
        shown = [(deal.owner, of_kind(lives.first, "settlement.provisional"))]
        kinds = ("settlement.final", "reward.paid")
        shown += [(told, each) for each in lives.second if each["kind"] in kinds]
        for caller, document in shown if order == "first life first" else reversed(shown):
            await replay(caller, document)
        await later(lives.kept, world)
        found = {each["settlement_id"]: each for each in await claims(deal.park)}
        if witness == "owner":
            assert found[again["settlement_id"]]["status"] == "paid"
        (other,) = (each for each in found.values() if each["status"] != "paid")
        owed, paid = other["amount_minor"], again["net_minor"]
        assert (other["already_paid_minor"], other["payment_minor"]) == (paid, owed - paid)
        # A newer version that the owner has shown counts, whichever life it is from.
        is_open = more_s > 0 and not (corrected and witness == "owner")
        assert other["status"] == ("open" if is_open else "superseded")
        done = await pay(deal.park, other, "BANK-2", status=200 if is_open else 409)
        assert not is_open or done["payment_minor"] == owed - paid > 0
        booked = owed - paid if is_open else 0
        assert (await deal.owner.get("/v1/rewards"))["paid_minor"] == booked
