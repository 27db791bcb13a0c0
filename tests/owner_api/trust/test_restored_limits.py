"""What owners tightened or ended after a backup, with a real backup and a lost disk."""

from pathlib import Path

import pytest

from tests.owner_api.deal_world import Deal, World, open_world, presented, scheduled
from tests.owner_api.domain_world import preferences

from .test_epochs import cli, lose_disk
from .test_journal import receipts_of
from .test_replay import backed_up, replay, restore

# More than --fast has time for.
pytestmark = pytest.mark.slow

_RULE = {"name": "Good price", "min_price_per_kwh": "1.0000"}


async def rejoin(deal: Deal, world: World, access: dict[str, str]) -> None:
    """Let both sides go on at a restored server with what it still knows of them."""
    world.clock.at = deal.world.clock.at
    deal.world = deal.owner.world = deal.park.world = world
    deal.owner.grant = access
    await deal.owner.renew()
    await deal.park.renew()


async def test_promise_1_a_rule_that_was_withdrawn_after_the_backup_takes_nothing_until_confirmed(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        deal = await presented(world, preferences={"consent_mode": "rules", "rules": [_RULE]})
        assert deal.offer["state"] == "accepted"
        deal = await presented(world, preferences={"soc_floor_pct": 20})
        await preferences(deal.owner, deal.vehicle_id, consent_mode="rules", rules=[_RULE])
        access = await backed_up(deal, tmp_path)
        await preferences(deal.owner, deal.vehicle_id, consent_mode="ask", soc_floor_pct=50)
    lose_disk(tmp_path)
    restore(tmp_path)
    path = f"/v1/vehicles/{deal.vehicle_id}/preferences"
    async with open_world(tmp_path) as world:
        await rejoin(deal, world, access)
        back = await deal.owner.get(path)
        assert (back["consent_mode"], back["soc_floor_pct"]) == ("rules", 20)
        made = await world.offer(deal.park, deal.session_id)
        waits = await deal.owner.get(f"/v1/offers/{made['offer_id']}")
        assert (waits["state"], waits["state_reason"]) == ("presented", "limits_unconfirmed")
        # The park is told no more than that its offer waits.
        assert "limits" not in str(made)
    # It waits for as long as it takes, whatever is started anew.
    async with open_world(tmp_path) as world:
        world.clock.at = deal.world.clock.at
        deal.world = deal.owner.world = deal.park.world = world
        again = await world.offer(deal.park, deal.session_id)
        assert again["state"] == "presented"
        tightened = await preferences(deal.owner, deal.vehicle_id, soc_floor_pct=40)
        seen = {"revision": tightened["revision"]}
        confirmed = await deal.owner.post(f"{path}/confirmation", seen)
        assert (confirmed["unconfirmed_since"], confirmed["soc_floor_pct"]) == (None, 40)
        taken = await world.offer(deal.park, deal.session_id)
        assert taken["state"] == "accepted"
    assert cli("ledger", "verify", "--database", tmp_path / "owner.db") == 0


async def test_promise_7_a_park_that_was_left_after_the_backup_is_left_again_by_the_receipt_of_it(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        deal = await presented(world)
        access = await backed_up(deal, tmp_path)
        (agreed,) = (await deal.owner.get("/v1/agreements"))["items"]
        left = f"/v1/agreements/{agreed['agreement_id']}/withdrawal"
        await deal.owner.post(left, status=200)
        kept = [
            each for each in await receipts_of(deal.owner) if each["kind"] == "agreement.withdrawn"
        ]
    lose_disk(tmp_path)
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        await rejoin(deal, world, access)
        assert (await deal.park.get("/v1/park/members"))["items"] != []
        await replay(deal.owner, *kept)
        (agreed,) = (await deal.owner.get("/v1/agreements"))["items"]
        assert agreed["state"] == "withdrawn"
        assert (await deal.park.get("/v1/park/members"))["items"] == []
        # The same receipt again does nothing, and joining anew is a new word.
        await replay(deal.owner, *kept)
        await world.join(deal.owner, deal.park, deal.vehicle_id)
        await replay(deal.owner, *kept)
        assert (await deal.park.get("/v1/park/members"))["items"] != []
    assert cli("ledger", "verify", "--database", tmp_path / "owner.db") == 0


async def test_promise_7_a_park_that_was_agreed_with_anew_and_then_left_is_left_again_too(
    tmp_path: Path,
) -> None:
    """The backup knows the first agreement alone, and the receipt of the end names the second."""
    async with open_world(tmp_path) as world:
        deal = await presented(world)
        access = await backed_up(deal, tmp_path)
        (agreed,) = (await deal.owner.get("/v1/agreements"))["items"]
        anew = {
            "park_id": deal.park.party_id,
            "terms_version": 1,
            "vehicle_ids": [deal.vehicle_id],
            "replaces": agreed["agreement_id"],
        }
        await world.move(60)
        second = await deal.owner.post("/v1/agreements", anew)
        await world.move(60)
        left = f"/v1/agreements/{second['agreement_id']}/withdrawal"
        await deal.owner.post(left, status=200)
        kept = [
            each for each in await receipts_of(deal.owner) if each["kind"].startswith("agreement.")
        ]
    lose_disk(tmp_path)
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        await rejoin(deal, world, access)
        for each in kept:
            await replay(deal.owner, each)
        (agreed,) = (await deal.owner.get("/v1/agreements"))["items"]
        assert agreed["state"] == "withdrawn"
        assert (await deal.park.get("/v1/park/members"))["items"] == []
        # Joining after that is a new word, against which an old receipt says nothing.
        await world.move(60)
        await world.join(deal.owner, deal.park, deal.vehicle_id)
        for each in kept:
            await replay(deal.owner, each)
        assert (await deal.park.get("/v1/park/members"))["items"] != []
    assert cli("ledger", "verify", "--database", tmp_path / "owner.db") == 0


@pytest.mark.parametrize("delivered", [False, True], ids=["stopped", "delivered"])
async def test_promise_4_a_deal_that_was_over_before_a_restore_ends_again_by_the_receipt_of_it(
    tmp_path: Path, *, delivered: bool
) -> None:
    """Its owner had stopped it, or it had sold what the yes covers; confirmed, it would begin."""
    async with open_world(tmp_path) as world:
        deal = await scheduled(world)
        access = await backed_up(deal, tmp_path)
        if delivered:
            await world.move(1800)
            await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
            await world.meter(deal.park, deal.session_id, context="begin")
            await deal.deliver(300)
        await deal.owner.post("/v1/stops", {"commitment_id": deal.commitment_id})
        kept = [
            each
            for each in await receipts_of(deal.owner)
            if each["kind"] == ("commitment.active" if delivered else "commitment.revoked")
        ]
    lose_disk(tmp_path)
    restore(tmp_path)
    async with open_world(tmp_path) as world:
        await rejoin(deal, world, access)
        path = f"/v1/commitments/{deal.commitment_id}"
        assert (await deal.owner.get(path))["state"] == "scheduled"
        # A park shows its own receipts; what its owner took back only the owner's word ends.
        for each in await receipts_of(deal.park):
            await replay(deal.park, each)
        await replay(deal.owner, *kept)
        ended = await deal.owner.get(path)
        expected = ("missed", "not_started") if delivered else ("revoked", "owner")
        assert (ended["state"], ended["state_reason"]) == expected
        assert (await world.instruct(deal.park, deal.commitment_id)).status == 409
    assert cli("ledger", "verify", "--database", tmp_path / "owner.db") == 0
