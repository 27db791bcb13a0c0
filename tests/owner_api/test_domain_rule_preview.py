"""A rule tried on past offers says what the rule itself would have said to them."""

from typing import Any

import pytest

from .deal_world import Deal, World, presented
from .domain_world import accept, preferences, running, world

__all__ = ["running", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

ANY = {"name": "any"}
NO_WEEKDAYS = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))


async def tried(deal: Deal, rule: dict[str, Any] = ANY) -> bool:
    """Return whether the preview says that a rule would have taken the newest offer."""
    path = f"/v1/vehicles/{deal.vehicle_id}/rule-preview"
    answer = await deal.owner.call("POST", path, {"rule": rule, "last": 1})
    assert answer.status == 200
    assert answer.body["accepted"] == sum(each["would_accept"] for each in answer.body["items"])
    return bool(answer.body["items"][0]["would_accept"])


def by_rule(rule: dict[str, Any] = ANY, **more: Any) -> dict[str, Any]:
    """Return preferences of an owner who has the rule."""
    return {"consent_mode": "rules", "rules": [rule]} | more


@pytest.mark.parametrize(
    ("rule", "reward", "more"),
    [
        (ANY, ("cash", "CNY", "1.2"), {}),
        (ANY, ("points", "XPTS", "9"), {}),
        (ANY, ("points", "XPTS", "0"), {"min_price_per_kwh": "1.0"}),
        (ANY, ("cash", "CNY", "0.5071"), {}),
        (ANY, ("cash", "CNY", "0.5070"), {}),
        (ANY, ("cash", "CNY", "0.9"), {"min_price_per_kwh": "1.0"}),
        ({"name": "net", "min_net_minor": 0}, ("cash", "CNY", "0.5071"), {}),
        ({"name": "dear", "min_price_per_kwh": "1.3"}, ("cash", "CNY", "1.2"), {}),
    ],
)
async def test_a_rule_would_have_taken_what_it_does_take(
    world: World, rule: dict[str, Any], reward: tuple[str, str, str], more: dict[str, str]
) -> None:
    kinds = {"accepted_reward_kinds": ["cash", "points"]} | more
    paid = dict(zip(("kind", "currency", "price_per_kwh"), reward, strict=True))
    deal = await presented(world, preferences=by_rule(rule, **kinds), reward=paid)
    assert await tried(deal, rule) == (deal.offer["state"] == "accepted")


@pytest.mark.parametrize(
    ("since", "until", "takes"), [("13:45", "14:00", True), ("13:00", "13:40", False)]
)
async def test_a_rule_is_tried_at_the_time_of_the_newest_terms(
    world: World, since: str, until: str, *, takes: bool
) -> None:
    """It is 13:30 where the owner lives, and 13:48 when the park sends better terms."""
    rule = {"name": "at that time", "between": {"start": since, "end": until}}
    deal = await presented(world, preferences=by_rule(rule | {"enabled": False}))
    await preferences(deal.owner, deal.vehicle_id, rules=[rule])
    await world.move(1100)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    body = {"revision": 2, "respond_by": world.at(1200), "terms": world.terms()}
    path = f"/v1/park/offers/{deal.offer['offer_id']}/revisions"
    assert ((await deal.park.post(path, body))["state"] == "accepted") == takes
    assert await tried(deal, rule) == takes


async def test_no_rule_would_take_offers_of_a_park_that_broke_a_recharge_promise(
    world: World,
) -> None:
    owner, park = await world.add_owner(), await world.add_park()
    vehicle_id = await world.add_vehicle(owner, **by_rule())
    member = await world.join(owner, park, vehicle_id)
    await world.telemetry(owner, vehicle_id, soc_pct=80)
    promise = {
        "guaranteed": True,
        "energy_wh": 5000,
        "start_at": world.at(0),
        "by": world.at(600),
        "max_w": 50_000,
        "price_per_kwh": "0.3",
    }
    body = {"evse_id": "E07", "plugged_in_at": world.at(0), "member_ref": member}
    session = await park.post("/v1/park/sessions", body | {"recharge": promise})
    await world.move(700)
    await world.meter(park, session["session_id"])
    await world.move(1)
    await world.telemetry(owner, vehicle_id, soc_pct=80)
    offer = await world.offer(park, session["session_id"])
    assert offer["state"] == "presented"
    deal = Deal(
        world=world,
        owner=owner,
        park=park,
        vehicle_id=vehicle_id,
        session_id=session["session_id"],
        offer=offer,
    )
    assert not await tried(deal)


async def test_a_rule_is_tried_with_the_owners_price_of_today(world: World) -> None:
    deal = await presented(world, preferences={"min_price_per_kwh": "1.4"})
    assert (deal.offer["state"], await tried(deal)) == ("auto_declined", False)
    await preferences(deal.owner, deal.vehicle_id, min_price_per_kwh="1.0")
    assert await tried(deal)
    await preferences(deal.owner, deal.vehicle_id, min_price_per_kwh="1.3")
    assert not await tried(deal)


async def test_a_rule_is_tried_on_what_was_known_when_the_offer_came(world: World) -> None:
    """It would have spoken then; that its reading has aged, or who answers now, changes nothing."""
    deal = await presented(world)
    await world.move(1100)
    await preferences(deal.owner, deal.vehicle_id, soc_max_age_consent_s=600)
    shown = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    assert shown["evaluation"]["reason"]["code"] == "soc_stale"
    assert await tried(deal)
    await preferences(deal.owner, deal.vehicle_id, consent_mode="never")
    assert await tried(deal)


async def test_promise_1_no_rule_would_have_taken_what_came_without_a_leave_time(
    world: World,
) -> None:
    deal = await presented(world, preferences={"departure_guard": "off"})
    path = f"/v1/vehicles/{deal.vehicle_id}/departures"
    await deal.owner.patch(path, {"weekly": NO_WEEKDAYS})
    await preferences(deal.owner, deal.vehicle_id, **by_rule())
    deal.offer = await world.offer(deal.park, deal.session_id)
    assert (deal.offer["state"], await tried(deal)) == ("presented", False)
    await accept(deal, departure_at=world.at(4 * 3600))
    assert not await tried(deal)


async def test_a_revision_is_judged_anew_for_the_rules_too(world: World) -> None:
    deal = await presented(world)
    cheap = {"kind": "cash", "currency": "CNY", "price_per_kwh": "0.4"}
    body = {"revision": 2, "respond_by": world.at(1200), "terms": world.terms(reward=cheap)}
    await deal.park.post(f"/v1/park/offers/{deal.offer['offer_id']}/revisions", body)
    assert not await tried(deal)


async def test_offers_of_before_are_tried_as_they_are_shown(world: World) -> None:
    deal = await presented(world)
    await world.agent.store.write(
        lambda tx: tx.change("offer", deal.offer["offer_id"], arrival=None)
    )
    assert await tried(deal)
