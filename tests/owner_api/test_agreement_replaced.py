"""New terms are agreed to in one act: nothing of what the cars have agreed is lost on the way."""

import json
from typing import Any

import pytest

from .deal_world import Caller, Deal, World, active, presented
from .domain_world import code, commitment, running, settled, stop, world
from .test_domain_sessions import next_offer, sold_with_recharge

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def in_force(owner: Caller) -> dict[str, Any]:
    """Return the owner's one agreement that is in force."""
    items = (await owner.get("/v1/agreements"))["items"]
    (found,) = [each for each in items if each["state"] == "active"]
    return dict(found)


async def new_terms(world: World, park: Caller) -> int:
    """Put the park's next terms in force; return their version."""
    changed = await world.operate("park terms", park_id=park.party_id, terms_text="New words.")
    return int(changed["terms_version"])


async def replace(deal: Deal, version: int, *cars: str, named: str | None = None) -> Any:
    """Agree anew in place of the agreement in force, or of the one that is named."""
    named = named or (await in_force(deal.owner))["agreement_id"]
    body = {"park_id": deal.park.party_id, "terms_version": version, "replaces": named}
    cars = cars or (deal.vehicle_id,)
    return await deal.owner.call("POST", "/v1/agreements", body | {"vehicle_ids": [*cars]})


async def told(caller: Caller, after: int) -> list[str]:
    """Return the types of what a party was told after an event."""
    return [each["type"] for each in await caller.events(after)]


async def last_event(caller: Caller) -> int:
    return int((await caller.events())[-1]["seq"])


async def receipts(caller: Caller) -> list[tuple[str, Any]]:
    """Return kind and content of a party's receipts, the oldest first."""
    items = (await caller.get("/v1/receipts"))["items"]
    paths = [f"/v1/receipts/{each['receipt_id']}" for each in items]
    shown = [await caller.get(path) for path in paths]
    shown.sort(key=lambda each: each["position"])
    return [(each["kind"], each["content"]) for each in shown]


async def test_the_same_words_put_in_force_again_are_no_new_terms(world: World) -> None:
    """Whoever sets a server up by a script, and runs that twice, had every owner asked again."""
    deal = await presented(world)
    assert await new_terms(world, deal.park) == 2
    assert await new_terms(world, deal.park) == 2
    (park,) = [
        each
        for each in (await deal.owner.get("/v1/parks"))["items"]
        if each["park_id"] == deal.park.party_id
    ]
    assert (park["terms_version"], park["terms_text"]) == (2, "New words.")


async def test_a_running_deal_and_an_open_offer_go_on_under_new_terms(world: World) -> None:
    deal = await active(world)
    assert (await deal.deliver(60)).status == 201
    later = {"start_at": world.at(7200), "end_at": world.at(9000)}
    offer = await world.offer(deal.park, deal.session_id, **later)
    old, version = await in_force(deal.owner), await new_terms(world, deal.park)
    of_owner, of_park = await last_event(deal.owner), await last_event(deal.park)
    answer = await replace(deal, version)
    assert answer.status == 201, answer.body
    assert (await commitment(deal))["state"] == "active"
    assert (await deal.deliver(60)).status == 201
    session = await deal.park.get(f"/v1/park/sessions/{deal.session_id}")
    assert session["state"] == "bound"
    assert (await deal.owner.get(f"/v1/offers/{offer['offer_id']}"))["state"] == offer["state"]
    assert offer["state"] == "presented"
    (member,) = (await deal.park.get("/v1/park/members"))["items"]
    assert member["terms_version"] == version
    past = await deal.owner.get("/v1/agreements")
    (ended,) = [each for each in past["items"] if each["agreement_id"] == old["agreement_id"]]
    assert (ended["state"], ended["withdrawn_at"]) == ("replaced", answer.body["created_at"])
    for caller, after in ((deal.owner, of_owner), (deal.park, of_park)):
        about = [each for each in await told(caller, after) if each.startswith("agreement.")]
        assert about == ["agreement.replaced", "agreement.active"]
        assert "commitment.revoked" not in await told(caller, after)


async def test_promise_1_what_the_new_agreement_covers_no_more_ends_with_the_old(
    world: World,
) -> None:
    deal = await active(world)
    assert (await deal.deliver(60)).status == 201
    other = await world.add_vehicle(deal.owner)
    version = await new_terms(world, deal.park)
    assert (await replace(deal, version, other)).status == 201
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("revoked", "agreement")
    session = await deal.park.get(f"/v1/park/sessions/{deal.session_id}")
    assert session["state"] == "claimed"
    assert (await in_force(deal.owner))["vehicle_ids"] == [other]
    path = f"/v1/park/commitments/{deal.commitment_id}/stop-confirmation"
    await deal.park.post(path, {"confirmed_at": world.at(0)})
    await world.meter(deal.park, deal.session_id, 0)
    assert (await settled(deal))["delivered_wh"] > 0


async def test_both_sides_get_receipts_of_what_ended_and_of_what_took_its_place(
    world: World,
) -> None:
    deal = await presented(world)
    old, version = await in_force(deal.owner), await new_terms(world, deal.park)
    (before,) = (await deal.park.get("/v1/park/members"))["items"]
    made = (await replace(deal, version)).body
    (after,) = (await deal.park.get("/v1/park/members"))["items"]
    for caller, name, ids in (
        (deal.owner, "agreement_id", [old["agreement_id"], made["agreement_id"]]),
        (deal.park, "member_refs", [[before["member_ref"]], [after["member_ref"]]]),
    ):
        kept = [each for each in await receipts(caller) if each[0].startswith("agreement.")][-2:]
        assert [kind for kind, _ in kept] == ["agreement.replaced", "agreement.active"]
        assert [content[name] for _, content in kept] == ids
        assert [content["terms_version"] for _, content in kept] == [1, version]
    tells = [each for each in await deal.park.events() if each["type"] == "agreement.replaced"]
    assert json.loads(tells[-1]["data"]) == {
        "member_refs": [before["member_ref"]],
        "state": "replaced",
    }


async def test_terms_that_are_old_by_now_replace_nothing(world: World) -> None:
    deal = await presented(world)
    old = await in_force(deal.owner)
    await new_terms(world, deal.park)
    assert code(await replace(deal, 1)) == (409, "stale_terms")
    assert await in_force(deal.owner) == old
    assert (await world.decide(deal.owner, deal.offer)).status == 201


async def test_promise_1_only_the_agreement_in_force_is_replaced(world: World) -> None:
    deal = await presented(world)
    old = (await in_force(deal.owner))["agreement_id"]
    stranger = await presented(world)
    theirs = (await in_force(stranger.owner))["agreement_id"]
    assert code(await replace(deal, 1, named=theirs)) == (409, "conflict")
    body = {"park_id": deal.park.party_id, "terms_version": 1, "vehicle_ids": [deal.vehicle_id]}
    unnamed = await deal.owner.call("POST", "/v1/agreements", body)
    assert code(unnamed) == (409, "conflict")
    assert old in unnamed.body["detail"]
    await deal.owner.post(f"/v1/agreements/{old}/withdrawal")
    # Whoever left the park meanwhile, on another device, has not joined it again.
    assert code(await replace(deal, 1, named=old)) == (409, "conflict")
    assert (await deal.park.get("/v1/park/members"))["items"] == []


async def test_promise_4_withdrawing_what_was_replaced_is_no_silent_yes(world: World) -> None:
    deal = await presented(world)
    old = (await in_force(deal.owner))["agreement_id"]
    new = (await replace(deal, 1)).body["agreement_id"]
    refused = await deal.owner.call("POST", f"/v1/agreements/{old}/withdrawal")
    assert code(refused) == (409, "conflict")
    assert new in refused.body["detail"]
    gone = await deal.owner.post(f"/v1/agreements/{new}/withdrawal")
    assert gone["state"] == "withdrawn"
    assert (await deal.owner.post(f"/v1/agreements/{old}/withdrawal"))["state"] == "replaced"


async def test_a_promise_broken_after_the_new_agreement_counts_and_one_before_does_not(
    world: World,
) -> None:
    deal = await sold_with_recharge(world)
    assert (await replace(deal, 1)).status == 201
    await world.move(8100)
    assert (await in_force(deal.owner))["recharge_broken"] is True
    assert (await next_offer(deal))["state"] == "presented"
    await world.move(1)
    assert (await replace(deal, 1)).status == 201
    assert (await in_force(deal.owner))["recharge_broken"] is False
    assert (await next_offer(deal))["state"] == "accepted"


async def test_a_deal_that_was_kept_is_stopped_and_paid_as_any_other(world: World) -> None:
    deal = await active(world)
    assert (await replace(deal, 1)).status == 201
    assert (await deal.deliver(600)).status == 201
    await stop(deal)
    assert (await settled(deal))["delivered_wh"] > 1000
