"""What a person asked for or declined no rule and no automation undercuts (docs/adr/0038)."""

from typing import Any

import pytest

from .deal_world import Deal, World, presented
from .domain_world import code, preferences, running, world

__all__ = ["running", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

# It lets the usual offer, at 1.2, wait for a person; what is dearer it takes.
FROM_125 = {
    "consent_mode": "rules",
    "rules": [{"name": "good", "min_price_per_kwh": "1.25"}],
    "allow_automations": True,
}
MORE, NO = "person_asked_for_more", "person_declined"


def cash(price: str, **more: Any) -> dict[str, Any]:
    """Return a reward in the owner's money."""
    return {"kind": "cash", "currency": "CNY", "price_per_kwh": price} | more


async def countered(world: World, *, method: str = "tap", **terms: Any) -> Deal:
    """Have a person ask a park for other terms, a higher price unless they say what."""
    deal = await presented(world, preferences=FROM_125)
    assert deal.offer["state"] == "presented"
    asked = terms or {"price_per_kwh": "1.60"}
    answer = await world.decide(deal.owner, deal.offer, "counter", method=method, **asked)
    assert answer.status == 201, answer.body
    return deal


async def revised(deal: Deal, **terms: Any) -> Any:
    """Send new terms for the offer, and return what the park is told."""
    shown = await deal.park.get(f"/v1/park/offers/{deal.offer['offer_id']}")
    body = {
        "revision": shown["revision"] + 1,
        "respond_by": deal.world.at(1200),
        "terms": deal.world.terms(**terms),
    }
    path = f"/v1/park/offers/{deal.offer['offer_id']}/revisions"
    deal.offer = await deal.park.post(path, body, status=201)
    return deal.offer


async def shown(deal: Deal) -> Any:
    """Return the offer as its owner sees it."""
    return await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")


async def asks_a_person(deal: Deal) -> None:
    """Check that the offer waits, says why, and takes a person's yes but no automation's."""
    assert deal.offer["state"] == "presented", deal.offer
    assert (await shown(deal))["state_reason"] == MORE
    assert deal.offer["reason"] is None, "no park hears of rules"
    refused = await deal.world.decide(deal.owner, deal.offer, method="automation")
    assert code(refused) == (403, "forbidden")
    assert "better terms" in refused.body["detail"]
    assert (await deal.world.decide(deal.owner, deal.offer)).status == 201


async def test_promise_1_no_rule_accepts_less_than_a_person_asked_for(world: World) -> None:
    deal = await countered(world)
    await revised(deal, reward=cash("1.30"))
    await asks_a_person(deal)


async def test_what_a_person_asked_for_a_rule_accepts_when_it_comes(world: World) -> None:
    deal = await countered(world)
    assert (await revised(deal, reward=cash("1.599999")))["state"] == "presented"
    assert (await revised(deal, reward=cash("1.60")))["state"] == "accepted"
    assert (await shown(deal))["state_reason"] == "rule"


@pytest.mark.parametrize(
    "worse",
    [
        {"reward": cash("1.60", cap_minor=500)},
        {"reward": {"kind": "cash", "currency": "EUR", "price_per_kwh": "9"}},
        {"requested_energy_wh": 6500},
        {"lease_s": 90},
    ],
    ids=["cap", "currency", "energy", "lease"],
)
async def test_promise_1_nor_what_is_worse_in_any_other_way(
    world: World, worse: dict[str, Any]
) -> None:
    deal = await countered(world)
    await revised(deal, **({"reward": cash("1.60")} | worse))
    if worse.get("reward", {}).get("currency") == "EUR":
        assert deal.offer["state"] != "accepted"
        return
    await asks_a_person(deal)


async def test_promise_1_nor_with_less_time_to_dispute(world: World) -> None:
    deal = await presented(world, preferences=FROM_125, dispute_window_s=7200)
    assert (
        await world.decide(deal.owner, deal.offer, "counter", price_per_kwh="1.60")
    ).status == 201
    assert (await revised(deal, reward=cash("1.60")))["state"] == "presented"
    taken = await revised(deal, reward=cash("1.60"), dispute_window_s=7200)
    assert taken["state"] == "accepted"


async def test_promise_1_nor_another_window_of_that_offer(world: World) -> None:
    deal = await countered(world)
    later = {"start_at": world.at(7200), "end_at": world.at(10_800)}
    await revised(deal, reward=cash("1.60"), **later)
    await asks_a_person(deal)


async def test_promise_1_nor_more_energy_than_a_person_wanted_to_give(world: World) -> None:
    deal = await countered(world, energy_wh=3000)
    assert (await revised(deal, reward=cash("1.60")))["state"] == "presented"
    taken = await revised(deal, reward=cash("1.30"), requested_energy_wh=3000)
    assert taken["state"] == "accepted", "its price was good enough for the person"


@pytest.mark.parametrize("shown", [{}, {"quoted_energy_wh": 3000}], ids=["named", "shown"])
async def test_promise_1_an_automation_sells_what_a_person_wanted_to_give_and_no_more(
    world: World, shown: dict[str, int]
) -> None:
    """What it names is what would be sold, however little it says that it was shown."""
    deal = await countered(world, energy_wh=3000)
    await revised(deal, reward=cash("1.30"))
    by_automation = {"method": "automation"} | shown
    more = await world.decide(deal.owner, deal.offer, energy_wh=3001, **by_automation)
    assert code(more) == (403, "forbidden"), more.body
    part = await world.decide(deal.owner, deal.offer, energy_wh=3000, **by_automation)
    assert part.status == 201, part.body
    assert part.body["decision"]["consented_energy_wh"] == 3000


@pytest.mark.parametrize(
    ("name", "worse"),
    [("energy_wh", 3999), ("by", 9001), ("price_per_kwh", "0.31"), ("guaranteed", False)],
)
async def test_promise_1_nor_without_the_recharge_that_was_offered(
    world: World, name: str, worse: Any
) -> None:
    """As much, as early, as cheap and as sure: who asked for a price had all of that before."""
    recharge = {
        "guaranteed": True,
        "energy_wh": 4000,
        "start_at": world.at(5400),
        "by": world.at(9000),
        "max_w": 7000,
        "price_per_kwh": "0.3",
    }
    deal = await presented(world, preferences=FROM_125, recharge=recharge)
    assert (
        await world.decide(deal.owner, deal.offer, "counter", price_per_kwh="1.60")
    ).status == 201
    changed = {name: world.at(worse) if name == "by" else worse}
    await revised(deal, reward=cash("1.60"), recharge=recharge | changed)
    assert deal.offer["state"] == "presented"
    assert (await revised(deal, reward=cash("1.60"), recharge=recharge))["state"] == "accepted"


@pytest.mark.parametrize("ended", ["withdrawn", "expired", "declined", "open"])
async def test_promise_1_an_offer_that_is_sent_anew_is_no_way_around(
    world: World, ended: str
) -> None:
    deal = await countered(world)
    path = f"/v1/park/offers/{deal.offer['offer_id']}"
    if ended == "withdrawn":
        await deal.park.post(f"{path}/withdrawal", status=200)
    elif ended == "declined":
        assert (await world.decide(deal.owner, deal.offer, "decline")).status == 201
    elif ended == "expired":
        await world.move(1201)
        await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    again = {"start_at": deal.offer["terms"]["start_at"], "end_at": deal.offer["terms"]["end_at"]}
    fair = await world.offer(deal.park, deal.session_id, reward=cash("1.60"), **again)
    assert fair["state"] == "accepted"
    await deal.park.post(f"/v1/park/commitments/{fair['commitment_id']}/cancellation")
    # A minute of the same time is enough.
    at = world.clock.at
    shifted = again | {"end_at": world.at(9000)}
    deal.offer = await world.offer(deal.park, deal.session_id, reward=cash("1.30"), **shifted)
    assert at == world.clock.at
    await asks_a_person(deal)


async def test_another_hour_is_another_question(world: World) -> None:
    deal = await countered(world)
    later = {"start_at": world.at(5400), "end_at": world.at(9000)}
    other = await world.offer(deal.park, deal.session_id, reward=cash("1.30"), **later)
    assert other["state"] == "accepted"


async def test_promise_1_an_offer_for_the_window_a_person_moved_is_compared_too(
    world: World,
) -> None:
    deal = await countered(world, start_at=world.at(5400))
    old = await world.offer(deal.park, deal.session_id, reward=cash("1.30"))
    assert old["state"] == "presented", "they wanted the car for themselves then"
    asked = {"start_at": world.at(5400), "end_at": world.at(9000)}
    assert (await revised(deal, reward=cash("1.30"), **asked))["state"] == "accepted"


async def test_what_a_rule_or_an_automation_asked_for_binds_no_rule(world: World) -> None:
    deal = await countered(world, method="automation")
    assert (await revised(deal, reward=cash("1.30")))["state"] == "accepted"


async def test_promise_1_no_rule_and_no_automation_asks_a_park_for_less(world: World) -> None:
    deal = await countered(world)
    await preferences(
        deal.owner,
        deal.vehicle_id,
        rules=[{"name": "any", "counter": True}],
        min_price_per_kwh="1.1",
    )
    low = await world.offer(deal.park, deal.session_id, reward=cash("0.9"))
    assert (low["state"], low["decision"]) == ("auto_declined", None)
    await revised(deal, reward=cash("1.30"))
    for less in ({"price_per_kwh": "1.40"}, {"energy_wh": 3000}):
        asked = await world.decide(deal.owner, deal.offer, "counter", method="automation", **less)
        assert code(asked) == (403, "forbidden")
    same = {"method": "automation", "price_per_kwh": "1.60"}
    assert (await world.decide(deal.owner, deal.offer, "counter", **same)).status == 201


async def test_a_person_who_asks_again_for_less_is_taken_by_that_word(world: World) -> None:
    deal = await countered(world)
    await revised(deal, reward=cash("1.30"))
    again = await world.decide(deal.owner, deal.offer, "counter", price_per_kwh="1.40")
    assert again.status == 201
    assert (await revised(deal, reward=cash("1.40")))["state"] == "accepted"


async def test_an_offer_in_a_stopped_window_says_why_no_rule_took_it(world: World) -> None:
    deal = await presented(world, preferences=FROM_125, reward=cash("1.30"))
    assert deal.offer["state"] == "accepted"
    await deal.owner.post("/v1/stops", {})
    deal.offer = await world.offer(deal.park, deal.session_id, reward=cash("1.30"))
    assert (await shown(deal))["state_reason"] == "person_stopped"


async def test_a_stop_of_one_car_keeps_the_rules_of_no_other_from_answering(world: World) -> None:
    deal = await presented(world, preferences=FROM_125, reward=cash("1.30"))
    assert deal.offer["state"] == "accepted"
    await deal.owner.post("/v1/stops", {})
    other = await presented(world, preferences=FROM_125, reward=cash("1.30"))
    assert other.offer["state"] == "accepted"


async def test_promise_1_better_in_one_kind_of_pay_is_not_enough_where_another_is_worse(
    world: World,
) -> None:
    """Of what a person declined each kind counts; one that is better in one alone is better."""

    def paid(price: str, points: str) -> dict[str, Any]:
        money = cash(price) | {"payer": "Park"}
        extra = {"payer": "Mall", "kind": "points", "currency": "XPOINT", "price_per_kwh": points}
        return cash(price) | {"parts": [money, extra]}

    takes = {"accepted_reward_kinds": ["cash", "points"]}
    deal = await presented(world, preferences=FROM_125 | takes, reward=paid("1.20", "10"))
    assert (await world.decide(deal.owner, deal.offer, "decline")).status == 201
    worse = await world.offer(deal.park, deal.session_id, reward=paid("1.30", "9"))
    assert worse["state"] == "presented"
    better = await world.offer(deal.park, deal.session_id, reward=paid("1.30", "10"))
    assert better["state"] == "accepted"


async def declined(world: World, *, method: str = "tap", **wanted: Any) -> Deal:
    """Have somebody decline the usual offer, at 1.2, which waits for a person."""
    deal = await presented(world, preferences=FROM_125 | wanted)
    assert deal.offer["state"] == "presented"
    answer = await world.decide(deal.owner, deal.offer, "decline", method=method)
    assert answer.status == 201, answer.body
    return deal


async def leaves_it_to_a_person(deal: Deal) -> None:
    """Check that an offer waits and says why, and that only a person's yes counts."""
    assert deal.offer["state"] == "presented", deal.offer
    assert (await shown(deal))["state_reason"] == NO
    assert deal.offer["reason"] is None, "no park hears of rules"
    refused = await deal.world.decide(deal.owner, deal.offer, method="automation")
    assert code(refused) == (403, "forbidden")
    assert "declined" in refused.body["detail"]
    assert (await deal.world.decide(deal.owner, deal.offer)).status == 201


async def test_promise_1_no_rule_accepts_what_a_person_has_declined(world: World) -> None:
    deal = await declined(world, rules=[], consent_mode="ask")
    rules = [{"name": "any", "min_price_per_kwh": "1.0"}]
    await preferences(deal.owner, deal.vehicle_id, rules=rules, consent_mode="rules")
    deal.offer = await world.offer(deal.park, deal.session_id)
    await leaves_it_to_a_person(deal)


async def test_promise_1_nor_a_part_of_what_a_person_has_declined(world: World) -> None:
    deal = await declined(world, rules=[{"name": "small", "max_energy_wh": 3000}])
    deal.offer = await world.offer(deal.park, deal.session_id, requested_energy_wh=3000)
    await leaves_it_to_a_person(deal)


@pytest.mark.parametrize(
    "worse",
    [
        {"requested_energy_wh": 6500},
        {"lease_s": 90},
        {"reward": cash("1.30", cap_minor=700)},
    ],
    ids=["energy", "lease", "cap"],
)
async def test_promise_1_nor_better_pay_for_what_is_worse_in_another_way(
    world: World, worse: dict[str, Any]
) -> None:
    deal = await declined(world)
    better = {"reward": cash("1.30")} | worse
    deal.offer = await world.offer(deal.park, deal.session_id, **better)
    assert deal.offer["state"] == "presented", deal.offer
    assert (await shown(deal))["state_reason"] == NO


async def test_what_is_better_than_what_a_person_declined_a_rule_accepts(world: World) -> None:
    deal = await declined(world)
    better = await world.offer(deal.park, deal.session_id, reward=cash("1.30"))
    assert better["state"] == "accepted"


async def test_a_rule_that_would_have_taken_it_too_does_not_know_what_is_better(
    world: World,
) -> None:
    """Whoever declined 1.2 where their rule says 1.0 has not been asked about 1.2001."""
    deal = await declined(world, rules=[], consent_mode="ask")
    rules = [{"name": "any", "min_price_per_kwh": "1.0"}]
    await preferences(deal.owner, deal.vehicle_id, rules=rules, consent_mode="rules")
    deal.offer = await world.offer(deal.park, deal.session_id, reward=cash("1.2001"))
    assert deal.offer["state"] == "presented", deal.offer
    assert (await shown(deal))["state_reason"] == NO


async def test_another_rule_that_knows_what_is_better_is_not_silenced_by_one_that_does_not(
    world: World,
) -> None:
    """It stood below the one that a person's no had overruled, and was never asked."""
    deal = await declined(world, rules=[], consent_mode="ask")
    names = {"any": "1.0", "good": "1.5"}
    rules = [{"name": name, "min_price_per_kwh": price} for name, price in names.items()]
    await preferences(deal.owner, deal.vehicle_id, rules=rules, consent_mode="rules")
    deal.offer = await world.offer(deal.park, deal.session_id, reward=cash("1.45"))
    assert (deal.offer["state"], (await shown(deal))["state_reason"]) == ("presented", NO)
    deal.offer = await world.offer(deal.park, deal.session_id, reward=cash("1.60"))
    assert deal.offer["state"] == "accepted"
    said = (await shown(deal))["decision"]
    kept = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}/preferences")
    assert said["rule_id"] == kept["rules"][1]["rule_id"]


async def test_promise_1_a_no_after_a_counter_leaves_what_was_asked_for(world: World) -> None:
    deal = await countered(world)
    assert (await world.decide(deal.owner, deal.offer, "decline")).status == 201
    deal.offer = await world.offer(deal.park, deal.session_id, reward=cash("1.50"))
    await asks_a_person(deal)
    other = await countered(world, energy_wh=3000)
    assert (await world.decide(other.owner, other.offer, "decline")).status == 201
    same = {"reward": cash("1.20"), "requested_energy_wh": 3000}
    await preferences(other.owner, other.vehicle_id, rules=[{"name": "any"}])
    other.offer = await world.offer(other.park, other.session_id, **same)
    await leaves_it_to_a_person(other)


async def test_an_automations_no_and_a_no_to_another_hour_bind_no_rule(world: World) -> None:
    rules = [{"name": "small", "max_energy_wh": 3000}]
    deal = await declined(world, method="automation", rules=rules)
    again = await world.offer(deal.park, deal.session_id, requested_energy_wh=3000)
    assert again["state"] == "accepted"
    deal = await declined(world, rules=rules)
    later = {"start_at": world.at(5400), "end_at": world.at(9000), "requested_energy_wh": 3000}
    assert (await world.offer(deal.park, deal.session_id, **later))["state"] == "accepted"


async def test_promise_1_no_rule_asks_a_park_for_what_a_person_has_declined(world: World) -> None:
    deal = await declined(world)
    rules = [{"name": "any", "counter": True}]
    await preferences(deal.owner, deal.vehicle_id, rules=rules, min_price_per_kwh="1.1")
    low = await world.offer(deal.park, deal.session_id, reward=cash("0.9"))
    assert (low["state"], low["decision"]) == ("auto_declined", None)
