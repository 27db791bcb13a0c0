"""After a restore an owner's limits are the backup's: what says yes by them waits for a person."""

from datetime import timedelta
from typing import Any

import pytest

from owner_api.commands import epochs

from .deal_world import Caller, Deal, World, active, presented, scheduled
from .domain_world import (
    accept,
    award,
    code,
    commitment,
    preferences,
    running,
    stop,
    world,
)
from .trust.test_journal import receipts_of

__all__ = ["running", "world"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULE = {"name": "Good price", "enabled": True, "min_price_per_kwh": "1.0000"}
BY_RULES = {"consent_mode": "rules", "rules": [RULE]}


async def restored(world: World) -> None:
    """Have the log go on in a new epoch, as the first start after a restore does."""
    store = world.agent.store
    await store.write(lambda tx: epochs.ask_for(tx, reason="disk lost", lost_note=None))
    await store.write(lambda tx: epochs.open_pending(tx, world.clock.now()))
    await world.move(60)


async def limits(deal: Deal) -> Any:
    return await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}/preferences")


async def confirm(deal: Deal, *, seen: int | None = None, caller: Caller | None = None) -> Any:
    revision = seen or (await limits(deal))["revision"]
    path = f"/v1/vehicles/{deal.vehicle_id}/preferences/confirmation"
    body = {"revision": revision, "actor": {"user": "Li Wei"}}
    return await (caller or deal.owner).call("POST", path, body)


async def offered(deal: Deal, **changes: Any) -> Any:
    """Send another offer and return it as its owner sees it."""
    made = await deal.world.offer(deal.park, deal.session_id, **changes)
    return await deal.owner.get(f"/v1/offers/{made['offer_id']}")


async def test_promise_1_after_a_restore_no_rule_says_yes_until_a_person_has_confirmed_the_limits(
    world: World,
) -> None:
    deal = await presented(world)
    await preferences(deal.owner, deal.vehicle_id, **BY_RULES)
    await restored(world)
    waits = await offered(deal)
    assert (waits["state"], waits["state_reason"]) == ("presented", "limits_unconfirmed")
    assert (await limits(deal))["unconfirmed_since"] is not None
    answer = await confirm(deal)
    assert answer.status == 200, answer.body
    assert answer.body["unconfirmed_since"] is None
    # What waits stays with the person, and says no longer why.
    waits = await deal.owner.get(f"/v1/offers/{waits['offer_id']}")
    assert (waits["state"], waits["state_reason"]) == ("presented", None)
    taken = await offered(deal, start_at=world.at(7200), end_at=world.at(9000))
    assert (taken["state"], taken["state_reason"]) == ("accepted", "rule")


async def test_promise_1_no_automation_says_yes_or_asks_for_less_by_a_restored_permission(
    world: World,
) -> None:
    deal = await presented(world, preferences={"allow_automations": True})
    await restored(world)
    for said in ("accept", "counter"):
        refused = await world.decide(deal.owner, deal.offer, said, method="automation")
        assert code(refused) == (403, "forbidden")
        assert refused.body["reason"] == "limits_unconfirmed"
    assert (
        await world.decide(deal.owner, deal.offer, "decline", method="automation")
    ).status == 201
    await confirm(deal)
    deal.offer = await offered(deal, start_at=world.at(7200), end_at=world.at(9000))
    await accept(deal, method="automation")


async def test_a_rule_asks_no_park_for_other_terms_before_the_limits_are_confirmed(
    world: World,
) -> None:
    deal = await presented(world)
    asks = BY_RULES | {"rules": [RULE | {"counter": True, "min_price_per_kwh": None}]}
    await preferences(deal.owner, deal.vehicle_id, min_price_per_kwh="1.3000", **asks)
    await restored(world)
    assert (await offered(deal))["state"] == "auto_declined"
    await confirm(deal)
    assert (await offered(deal))["state"] == "countered"


async def test_a_persons_own_yes_counts_after_a_restore_and_is_delivered(world: World) -> None:
    deal = await presented(world)
    await restored(world)
    deal.offer = await offered(deal)
    # It is told by whose limits it was judged, also without a rule.
    assert deal.offer["state_reason"] == "limits_unconfirmed"
    await accept(deal)
    await award(deal)
    await world.move(1800)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    await world.meter(deal.park, deal.session_id, context="begin")
    assert (await world.instruct(deal.park, deal.commitment_id)).status == 201


async def test_promise_4_a_deal_that_a_backup_brought_back_begins_when_a_person_has_looked(
    world: World,
) -> None:
    """Its owner may have stopped it, or raised the floor above it, after the backup was made."""
    deal = await scheduled(world)
    await restored(world)
    await world.move(1800)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    await world.meter(deal.park, deal.session_id, context="begin")
    refused = await world.instruct(deal.park, deal.commitment_id)
    # Promise 7: the same as for a car whose reading is old.
    assert code(refused) == (409, "no_lease")
    assert refused.body["detail"] == "The vehicle is not ready. Ask again."
    assert (await commitment(deal))["state"] == "scheduled"
    await confirm(deal)
    assert (await world.instruct(deal.park, deal.commitment_id)).status == 201


async def test_promise_4_a_running_deal_that_a_backup_brought_back_gets_no_lease_and_can_be_stopped(
    world: World,
) -> None:
    deal = await active(world)
    await deal.deliver(60)
    await restored(world)
    refused = await world.instruct(deal.park, deal.commitment_id)
    assert refused.status == 409
    await stop(deal)
    assert (await commitment(deal))["state"] in {"revoked", "failed"}


async def test_promise_1_a_deal_from_before_a_restore_is_held_also_where_the_clock_is_behind_it(
    world: World,
) -> None:
    deal = await scheduled(world)
    world.clock.at -= timedelta(seconds=600)
    await restored(world)
    world.clock.at += timedelta(seconds=2400)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    await world.meter(deal.park, deal.session_id, context="begin")
    assert code(await world.instruct(deal.park, deal.commitment_id)) == (409, "no_lease")


async def test_a_changed_limit_is_no_confirmation_of_the_others(world: World) -> None:
    """An automation may have changed it, and of the rest nobody has said anything."""
    deal = await presented(world)
    await restored(world)
    since = (await limits(deal))["unconfirmed_since"]
    await preferences(deal.owner, deal.vehicle_id, soc_floor_pct=40, **BY_RULES)
    assert (await limits(deal))["unconfirmed_since"] == since
    assert (await offered(deal))["state_reason"] == "limits_unconfirmed"


async def test_what_is_confirmed_are_the_limits_that_were_seen_and_nobody_elses(
    world: World,
) -> None:
    deal = await presented(world)
    await restored(world)
    seen = (await limits(deal))["revision"]
    await preferences(deal.owner, deal.vehicle_id, soc_floor_pct=40)
    late = await confirm(deal, seen=seen)
    assert code(late) == (409, "conflict")
    assert late.body["current"]["soc_floor_pct"] == 40
    assert (await confirm(deal, caller=await world.add_owner())).status == 404
    assert (await limits(deal))["unconfirmed_since"] is not None


async def test_each_car_is_confirmed_by_itself_and_what_came_after_a_restore_is_not_held(
    world: World,
) -> None:
    deal = await presented(world)
    other = await world.add_vehicle(deal.owner)
    await restored(world)
    later = await world.add_vehicle(deal.owner)
    await confirm(deal)
    read = await deal.owner.get("/v1/snapshot")
    held = {each["vehicle_id"]: each["unconfirmed_since"] for each in read["preferences"]}
    assert held[other] is not None
    assert held[deal.vehicle_id] is held[later] is None


async def test_a_second_restore_holds_what_was_confirmed_after_the_first(world: World) -> None:
    deal = await presented(world)
    await preferences(deal.owner, deal.vehicle_id, **BY_RULES)
    await restored(world)
    await confirm(deal)
    await restored(world)
    assert (await offered(deal))["state_reason"] == "limits_unconfirmed"


async def test_promise_6_a_confirmation_has_a_receipt_that_names_the_limits(world: World) -> None:
    deal = await presented(world, preferences={"soc_floor_pct": 30})
    await restored(world)
    since = (await limits(deal))["unconfirmed_since"]
    for _ in range(2):
        # Said again it is no new word.
        answer = await confirm(deal)
        assert answer.status == 200
    kept = await receipts_of(deal.owner)
    (told,) = [each for each in kept if each["kind"] == "preferences.confirmed"]
    said = told["content"]
    assert said["limits"]["soc_floor_pct"] == "30"
    assert (said["restored_at"], said["actor"]) == (since, {"user": "Li Wei"})
    assert said["preferences_revision"] == answer.body["revision"]
    # No park has heard of it.
    assert not [each for each in await receipts_of(deal.park) if "confirmed" in each["kind"]]
    (event,) = [each for each in await deal.owner.events() if each["type"] == "preferences.updated"]
    assert '"unconfirmed_since":null' in event["data"]
