"""The owner's answer over HTTP: one revision, exact terms, once; rules and automations within."""

from decimal import Decimal
import json
from typing import Any

import pytest

from owner_api.planning.quote import parse_request, quote
from owner_api.planning.request_writer import request_to_json

from .deal_world import Deal, World, presented, scheduled
from .domain_world import (
    accept,
    award,
    code,
    commitment,
    leave_at,
    park_commitment,
    preferences,
    rows,
    running,
    stop,
    world,
)

__all__ = ["running", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

ALWAYS = {"name": "always"}


async def revise(deal: Deal, revision: int = 2, **changes: Any) -> Any:
    body = {
        "revision": revision,
        "respond_by": deal.world.at(1200),
        "terms": deal.world.terms(**changes),
    }
    return await deal.park.call("POST", f"/v1/park/offers/{deal.offer['offer_id']}/revisions", body)


async def test_a_decision_on_a_stale_revision_gets_409_with_the_current_terms(
    world: World,
) -> None:
    deal = await presented(world)
    newer = await revise(deal, requested_energy_wh=4000)
    assert newer.status == 201
    answer = await world.decide(deal.owner, deal.offer)
    assert code(answer) == (409, "stale_terms")
    current = answer.body["current"]
    assert (current["revision"], current["terms"]["requested_energy_wh"]) == (2, 4000)
    assert current["terms_sha256"] == newer.body["terms_sha256"]
    again = await world.decide(deal.owner, current)
    assert again.status == 201


async def test_a_decision_on_other_terms_gets_409_even_when_one_digit_differs(
    world: World,
) -> None:
    deal = await presented(world)
    digest = deal.offer["terms_sha256"]
    other = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    answer = await world.decide(deal.owner, deal.offer | {"terms_sha256": other})
    assert code(answer) == (409, "stale_terms")
    assert (await deal.owner.get("/v1/commitments"))["items"] == []


async def test_promise_10_a_double_tap_is_one_decision_and_one_deal(world: World) -> None:
    deal = await presented(world)
    first = await world.decide(deal.owner, deal.offer)
    second = await world.decide(deal.owner, deal.offer)
    assert (first.status, second.status) == (201, 201)
    assert second.body["decision"] == first.body["decision"]
    assert len((await deal.owner.get("/v1/commitments"))["items"]) == 1


async def test_a_decline_after_an_accept_changes_nothing(world: World) -> None:
    deal = await presented(world)
    await accept(deal)
    answer = await world.decide(deal.owner, deal.offer, "decline")
    assert code(answer) == (409, "offer_closed")
    assert (await commitment(deal))["state"] == "pending_award"


async def test_the_old_terms_cannot_be_accepted_after_a_counter(world: World) -> None:
    deal = await presented(world)
    countered = await world.decide(deal.owner, deal.offer, "counter", price_per_kwh="1.5")
    assert countered.body["state"] == "countered"
    answer = await world.decide(deal.owner, deal.offer)
    assert code(answer) == (409, "offer_closed")
    better = await revise(deal, reward=deal.offer["terms"]["reward"] | {"price_per_kwh": "1.5"})
    accepted = await world.decide(deal.owner, better.body)
    assert accepted.body["state"] == "accepted"


@pytest.mark.parametrize("ticked", [True, False])
async def test_promise_1_after_the_deadline_every_answer_gets_410(
    world: World, *, ticked: bool
) -> None:
    deal = await presented(world)
    await world.move(1200, tick=ticked)
    for decision in ("accept", "decline", "counter"):
        answer = await world.decide(deal.owner, deal.offer, decision)
        assert code(answer) == (410, "offer_expired")
    await world.agent.tick()
    shown = await deal.park.get(f"/v1/park/offers/{deal.offer['offer_id']}")
    assert (shown["state"], shown["decision"], shown["commitment_id"]) == ("expired", None, None)


async def test_an_offer_past_its_time_is_neither_revised_nor_withdrawn(world: World) -> None:
    deal = await presented(world)
    await world.move(1200, tick=False)
    assert code(await revise(deal)) == (410, "offer_expired")
    path = f"/v1/park/offers/{deal.offer['offer_id']}/withdrawal"
    assert code(await deal.park.call("POST", path)) == (410, "offer_expired")


@pytest.mark.parametrize("revision", [1, 3])
async def test_only_the_next_revision_is_taken(world: World, revision: int) -> None:
    deal = await presented(world)
    answer = await revise(deal, revision)
    wanted = (422, "invalid_body") if revision == 1 else (409, "stale_sequence")
    assert code(answer) == wanted


async def test_a_revision_of_a_backup_offer_may_keep_its_longer_lease(world: World) -> None:
    """Promise 4: longer than 120 s only for backup, in each revision alike."""
    deal = await presented(world)
    body = {
        "session_id": deal.session_id,
        "purpose": "backup",
        "respond_by": world.at(1200),
        "terms": world.terms(lease_s=600),
    }
    offer = await deal.park.post("/v1/park/offers", body)
    backup = Deal(
        world=world,
        owner=deal.owner,
        park=deal.park,
        vehicle_id=deal.vehicle_id,
        session_id=deal.session_id,
        offer=offer,
    )
    assert (await revise(backup, lease_s=600)).status == 201
    assert code(await revise(deal, lease_s=121)) == (422, "invalid_body")


async def test_a_withdrawn_offer_cannot_be_accepted(world: World) -> None:
    deal = await presented(world)
    shown = await deal.park.post(f"/v1/park/offers/{deal.offer['offer_id']}/withdrawal")
    assert shown["state"] == "withdrawn"
    assert code(await world.decide(deal.owner, deal.offer)) == (409, "offer_closed")


async def test_a_park_finds_the_offers_that_wait_without_reading_all_it_ever_made(
    world: World,
) -> None:
    """After a crash; the oldest came first, whatever had become of them."""
    deal = await presented(world)
    await deal.park.post(f"/v1/park/offers/{deal.offer['offer_id']}/withdrawal")
    waits = await world.offer(deal.park, deal.session_id)
    for query, found in (
        ("", [waits["offer_id"]]),
        ("?state=open", [waits["offer_id"]]),
        ("?state=all", [deal.offer["offer_id"], waits["offer_id"]]),
    ):
        page = await deal.park.get(f"/v1/park/offers{query}")
        assert [offer["offer_id"] for offer in page["items"]] == found
    await world.decide(deal.owner, waits)
    assert (await deal.park.get("/v1/park/offers"))["items"] == []


async def test_an_accepted_offer_cannot_be_withdrawn_or_revised(world: World) -> None:
    deal = await presented(world)
    await accept(deal)
    path = f"/v1/park/offers/{deal.offer['offer_id']}/withdrawal"
    assert code(await deal.park.call("POST", path)) == (409, "offer_closed")
    assert code(await revise(deal)) == (409, "offer_closed")


async def test_promise_7_a_counter_releases_what_the_owner_named_and_nothing_before(
    world: World,
) -> None:
    deal = await presented(world)
    path = f"/v1/park/offers/{deal.offer['offer_id']}"
    assert (await deal.park.get(path))["decision"] is None
    await world.decide(deal.owner, deal.offer, "counter", energy_wh=4000, price_per_kwh="1.35")
    released = (await deal.park.get(path))["decision"]
    assert released["counter_terms"] == {
        "energy_wh": 4000,
        "price_per_kwh": "1.35",
        "start_at": None,
    }
    assert released["consented_energy_wh"] is None


async def test_promise_8_a_plain_counter_sends_the_computed_best_terms_rounded_to_500_wh(
    world: World,
) -> None:
    deal = await presented(
        world,
        soc_pct=60,
        requested_energy_wh=9000,
        min_energy_wh=1000,
    )
    answer = await world.decide(deal.owner, deal.offer, "counter")
    assert answer.status == 201
    energy = answer.body["decision"]["counter_terms"]["energy_wh"]
    assert energy % 500 == 0
    assert 0 < energy <= answer.body["evaluation"]["max_energy_wh"]


async def test_a_plain_counter_never_asks_for_less_than_is_offered(world: World) -> None:
    deal = await presented(world)
    answer = await world.decide(deal.owner, deal.offer, "counter")
    computed = Decimal(answer.body["evaluation"]["counter"]["price_per_kwh"])
    asked = Decimal(answer.body["decision"]["counter_terms"]["price_per_kwh"])
    offered = Decimal(deal.offer["terms"]["reward"]["price_per_kwh"])
    assert computed < offered == asked


async def test_promise_9_a_fixed_reward_is_quoted_as_it_is_paid_when_only_a_part_fits(
    world: World,
) -> None:
    """The settlement pays it by the share of the request; a quote of all of it was never paid."""
    reward = {"kind": "cash", "currency": "CNY", "price_per_kwh": "1.2000", "fixed_minor": 900}
    wanted = {"requested_energy_wh": 12_000, "max_energy_wh": 12_000, "min_energy_wh": 1000}
    deal = await presented(world, soc_pct=60, reward=reward, **wanted)
    shown = await accept(deal)
    evaluation, sold_wh = shown["evaluation"], shown["decision"]["consented_energy_wh"]
    assert (evaluation["fits"], sold_wh < 12_000) == ("part", True)
    gross = round(sold_wh * 0.12) + 900 * sold_wh // 12_000
    assert evaluation["breakdown"]["gross_minor"] == gross


async def test_a_person_may_consent_to_less_than_asked_within_the_terms(world: World) -> None:
    deal = await presented(world)
    for wrong in (2999, 6001):
        answer = await world.decide(deal.owner, deal.offer, energy_wh=wrong)
        assert code(answer) == (409, "not_feasible")
        assert answer.body["errors"][0] == {
            "pointer": "/energy_wh",
            "code": "range",
            "limit": "3000 to 6000",
        }
    shown = await accept(deal, energy_wh=3500)
    assert shown["decision"]["consented_energy_wh"] == 3500
    assert code(await award(deal, committed_energy_wh=3501)) == (409, "award_mismatch")
    assert (await award(deal, committed_energy_wh=3500)).status == 200


async def test_promise_1_a_yes_covers_no_more_energy_than_its_owner_was_told(world: World) -> None:
    """Promise 1: a car that charged meanwhile could sell three times as much as was shown."""
    low = {"soc_floor_pct": 20, "soc_min_departure_pct": 20}
    deal = await presented(world, soc_pct=27, preferences=low, min_energy_wh=500)
    path = f"/v1/offers/{deal.offer['offer_id']}"
    told = (await deal.owner.get(path))["evaluation"]
    assert told["quoted_energy_wh"] < deal.offer["terms"]["requested_energy_wh"]
    await world.move(120)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=60)
    assert (await deal.owner.get(path))["evaluation"] == told, "what the owner sees at the tap"

    shown = await accept(deal)
    assert shown["decision"]["consented_energy_wh"] == told["quoted_energy_wh"]
    kept = shown["evaluation"]
    assert kept["quoted_energy_wh"] == told["quoted_energy_wh"]
    assert kept["net_minor"] == told["net_minor"]
    assert kept["max_energy_wh"] > told["max_energy_wh"], "as it stands at the yes"
    assert (await park_commitment(deal))["committed_energy_wh"] == told["quoted_energy_wh"]


async def test_promise_1_a_yes_covers_no_more_than_the_notification_said_that_it_answers(
    world: World,
) -> None:
    """Promise 1: prices came, so the offer was judged anew, and the phone still shows the old."""
    low = {"soc_floor_pct": 20, "soc_min_departure_pct": 20}
    deal = await presented(world, soc_pct=27, preferences=low, min_energy_wh=500)
    path = f"/v1/offers/{deal.offer['offer_id']}"
    shown = (await deal.owner.get(path))["evaluation"]["quoted_energy_wh"]
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=60)
    entries = [{"start_at": world.at(0), "price_per_kwh": "0.5000"}]
    await deal.owner.post(f"/v1/vehicles/{deal.vehicle_id}/prices", {"entries": entries})
    by_now = (await deal.owner.get(path))["evaluation"]["quoted_energy_wh"]
    assert by_now > shown

    agreed = await accept(deal, quoted_energy_wh=shown)
    assert agreed["decision"]["consented_energy_wh"] == shown
    assert agreed["evaluation"]["quoted_energy_wh"] == shown
    again = await world.decide(deal.owner, deal.offer, quoted_energy_wh=by_now)
    assert again.status == 201, "it was shown more than was sold"
    assert again.body["decision"] == agreed["decision"]
    other = await world.decide(deal.owner, deal.offer, quoted_energy_wh=shown - 500)
    assert code(other) == (409, "offer_closed"), "who was shown less has not said yes to this"


async def test_a_person_may_name_more_than_they_were_told_where_it_fits_by_now(
    world: World,
) -> None:
    low = {"soc_floor_pct": 20, "soc_min_departure_pct": 20}
    deal = await presented(world, soc_pct=27, preferences=low, min_energy_wh=500)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=60)
    shown = await accept(deal, energy_wh=6000)
    assert shown["decision"]["consented_energy_wh"] == 6000


async def test_an_accept_re_checks_and_names_what_no_longer_holds(world: World) -> None:
    """Promise 2: consent is judged with what is known at the tap, not at the offer."""
    deal = await presented(world)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=52)
    answer = await world.decide(deal.owner, deal.offer)
    assert answer.status == 409
    assert answer.body["current"]["reason"]["code"]
    assert (await deal.owner.get("/v1/commitments"))["items"] == []


async def test_an_accepted_offer_keeps_its_figures_and_names_no_other_terms(world: World) -> None:
    """Who was shown a price that would do may have it; with the yes there is nothing to counter."""
    deal = await presented(world)
    before = (await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}"))["evaluation"]
    after = (await accept(deal))["evaluation"]
    assert Decimal(before["counter"]["price_per_kwh"]) > 0
    assert (after["counter"], after["nearest"], after["reason"]) == (None, [], None)
    figures = ("verdict", "fits", "net_minor", "breakdown", "max_energy_wh", "plan")
    assert {name: after[name] for name in figures} == {name: before[name] for name in figures}


async def test_promise_3_a_reading_over_30_minutes_old_supports_no_consent(world: World) -> None:
    deal = await presented(world, start_at=world.at(3600), end_at=world.at(7200))
    body = {
        "session_id": deal.session_id,
        "purpose": "test",
        "respond_by": world.at(3000),
        "terms": world.terms(start_at=world.at(3600), end_at=world.at(7200)),
    }
    offer = await deal.park.post("/v1/park/offers", body)
    await world.move(1801)
    answer = await world.decide(deal.owner, offer)
    assert code(answer) == (409, "soc_stale")
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    assert (await world.decide(deal.owner, offer)).status == 201


async def test_a_person_may_accept_after_naming_the_leave_time_a_rule_may_not(
    world: World,
) -> None:
    """Promise 8: ``departure_unknown`` is a reason with a way to yes."""
    deal = await presented(
        world, preferences={"consent_mode": "rules", "rules": [ALWAYS], "departure_guard": "off"}
    )
    assert deal.offer["state"] == "accepted"
    await stop_all(deal)
    weekly = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
    await deal.owner.patch(f"/v1/vehicles/{deal.vehicle_id}/departures", {"weekly": weekly})
    offer = await world.offer(deal.park, deal.session_id)
    assert offer["state"] == "presented"
    assert code(await world.decide(deal.owner, offer)) == (409, "departure_unknown")
    past = await world.decide(deal.owner, offer, departure_at=world.at(-60))
    assert code(past) == (422, "invalid_body")
    named = await world.decide(deal.owner, offer, departure_at=world.at(4 * 3600))
    assert named.status == 201
    shown = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}/departures")
    assert shown["next"]["source"] == "one_off"


async def stop_all(deal: Deal) -> None:
    await deal.owner.post("/v1/stops", {})


async def test_a_rule_of_the_owner_accepts_on_its_own_and_says_so(world: World) -> None:
    rule = {"name": "Good price", "min_price_per_kwh": "1.0", "min_net_minor": 100}
    deal = await presented(world, preferences={"consent_mode": "rules", "rules": [rule]})
    assert deal.offer["state"] == "accepted"
    shown = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    assert shown["decision"]["method"] == "rule"
    kept = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}/preferences")
    assert shown["decision"]["rule_id"] == kept["rules"][0]["rule_id"]
    names = [event["type"] for event in await deal.park.events()]
    assert "offer.accepted" in names


@pytest.mark.parametrize(
    "rule",
    [
        {"name": "dear", "min_price_per_kwh": "1.3"},
        {"name": "off", "enabled": False},
        {"name": "another purpose", "purposes": ["backup"]},
        {"name": "small", "max_energy_wh": 5999},
        {"name": "evenings", "between": {"start": "18:00", "end": "23:00"}},
        {"name": "another park", "park_ids": ["prk_" + "0" * 32]},
        {"name": "rich", "min_net_minor": 100_000},
    ],
    ids=lambda rule: rule["name"],
)
async def test_promise_1_a_rule_that_does_not_match_leaves_the_offer_to_the_person(
    world: World, rule: dict[str, Any]
) -> None:
    deal = await presented(world, preferences={"consent_mode": "rules", "rules": [rule]})
    assert deal.offer["state"] == "presented"
    assert deal.offer["decision"] is None


async def backup(deal: Deal, lease_s: int = 900) -> Any:
    """Offer the usual energy for an outage, under a lease that long."""
    body = {
        "session_id": deal.session_id,
        "purpose": "backup",
        "respond_by": deal.world.at(1200),
        "terms": deal.world.terms(lease_s=lease_s, requested_energy_wh=3_000, min_energy_wh=500),
    }
    return await deal.park.post("/v1/park/offers", body)


async def test_promise_4_a_long_lease_is_shown_to_a_person_unless_a_rule_names_backup(
    world: World,
) -> None:
    """Promise 4: longer than 120 s only for backup, and shown before consent."""
    deal = await presented(world)
    await preferences(deal.owner, deal.vehicle_id, consent_mode="rules", rules=[ALWAYS])
    offer = await backup(deal)
    assert offer["state"] == "presented"
    await preferences(deal.owner, deal.vehicle_id, allow_automations=True)
    refused = await world.decide(deal.owner, offer, method="automation")
    assert code(refused) == (403, "forbidden")
    assert (await world.decide(deal.owner, offer)).status == 201
    assert (await backup(deal, lease_s=120))["state"] == "accepted"
    rule = ALWAYS | {"purposes": ["backup"]}
    await preferences(deal.owner, deal.vehicle_id, rules=[rule])
    assert (await backup(deal))["state"] == "accepted"


async def test_promise_4_an_automation_may_say_no_to_a_long_lease(world: World) -> None:
    deal = await presented(world, preferences={"allow_automations": True})
    answer = await world.decide(deal.owner, await backup(deal), "decline", method="automation")
    assert answer.status == 201


async def test_promise_4_what_a_person_has_stopped_only_a_person_takes_up_again(
    world: World,
) -> None:
    """A park that offers once more a second later would have the car discharging again."""
    deal = await presented(world, preferences={"consent_mode": "rules", "rules": [ALWAYS]})
    assert deal.offer["state"] == "accepted"
    await stop_all(deal)
    await world.move(1)
    again = await world.offer(deal.park, deal.session_id)
    assert again["state"] == "presented"
    await preferences(deal.owner, deal.vehicle_id, allow_automations=True)
    refused = await world.decide(deal.owner, again, method="automation")
    assert code(refused) == (403, "forbidden")
    assert "stopped" in refused.body["detail"]
    assert (await world.decide(deal.owner, again)).status == 201


@pytest.mark.parametrize("ended", ["by the park", "by itself"])
@pytest.mark.parametrize("said", ["all", "vehicle_id", "commitment_id"])
async def test_promise_4_a_stop_counts_though_the_deal_had_ended_a_second_before(
    world: World, said: str, ended: str
) -> None:
    """The reason of the deal is the park's, or its own, then: what a person said is theirs."""
    deal = await presented(world, preferences={"consent_mode": "rules", "rules": [ALWAYS]})
    deal.commitment_id = deal.offer["commitment_id"]
    if ended == "by the park":
        await deal.park.post(f"/v1/park/commitments/{deal.commitment_id}/cancellation")
    else:
        await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
        await world.move(1_860)
    was = await commitment(deal)
    assert was["state"] in {"cancelled", "lapsed"}
    await world.move(1)
    names = {"vehicle_id": deal.vehicle_id, "commitment_id": deal.commitment_id}
    await deal.owner.post("/v1/stops", {said: names[said]} if said in names else {})
    assert await commitment(deal) == was, "what became of the deal stays"
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    same_hour = {"start_at": was["start_at"], "end_at": was["end_at"], "min_energy_wh": 0}
    again = await world.offer(deal.park, deal.session_id, **same_hour)
    assert again["state"] == "presented"
    await preferences(deal.owner, deal.vehicle_id, allow_automations=True)
    refused = await world.decide(deal.owner, again, method="automation")
    assert code(refused) == (403, "forbidden")
    assert (await world.decide(deal.owner, again)).status == 201
    assert "owner_stopped_at" not in (await park_commitment(deal)), "none of the park's business"


async def test_a_stop_says_nothing_of_another_car_or_of_an_hour_that_is_over(world: World) -> None:
    deal = await presented(world, preferences={"consent_mode": "rules", "rules": [ALWAYS]})
    await deal.owner.post("/v1/stops", {"vehicle_id": await world.add_vehicle(deal.owner)})
    await deal.park.post(f"/v1/park/commitments/{deal.offer['commitment_id']}/cancellation")
    again = await world.offer(deal.park, deal.session_id)
    assert again["state"] == "accepted"
    await deal.park.post(f"/v1/park/commitments/{again['commitment_id']}/cancellation")
    await world.move(5_400)
    await stop_all(deal)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    over = {"start_at": world.at(-60), "end_at": world.at(3_000), "min_energy_wh": 0}
    assert (await world.offer(deal.park, deal.session_id, **over))["state"] == "accepted"


async def test_after_a_stop_rules_go_on_for_other_hours(world: World) -> None:
    deal = await presented(world, preferences={"consent_mode": "rules", "rules": [ALWAYS]})
    await stop_all(deal)
    end = world.terms()["end_at"]
    later = {"start_at": end, "end_at": world.at(9_000)}
    assert (await world.offer(deal.park, deal.session_id, **later))["state"] == "accepted"


async def test_promise_1_a_rule_says_nothing_while_the_owner_wants_to_be_asked(
    world: World,
) -> None:
    deal = await presented(world, preferences={"consent_mode": "ask", "rules": [ALWAYS]})
    assert deal.offer["state"] == "presented"


async def test_a_countering_rule_releases_the_best_terms_for_an_offer_that_is_too_cheap(
    world: World,
) -> None:
    rules = [ALWAYS | {"counter": True}]
    deal = await presented(
        world,
        preferences={"consent_mode": "rules", "rules": rules, "min_price_per_kwh": "1.4"},
    )
    assert deal.offer["state"] == "countered"
    assert deal.offer["decision"]["counter_terms"]["price_per_kwh"] is not None
    path = f"/v1/offers/{deal.offer['offer_id']}"
    assert (await deal.owner.get(path))["decision"]["method"] == "rule"


async def test_promise_1_an_automation_may_answer_only_where_the_owner_allows_it(
    world: World,
) -> None:
    deal = await presented(world)
    refused = await world.decide(deal.owner, deal.offer, method="automation")
    assert code(refused) == (403, "forbidden")
    assert refused.body["errors"][0]["pointer"] == "/method"
    await preferences(deal.owner, deal.vehicle_id, allow_automations=True)
    actor = {"automation": "automation.sell_at_noon"}
    taken = await world.decide(deal.owner, deal.offer, method="automation", actor=actor)
    assert taken.status == 201
    assert taken.body["decision"]["method"] == "automation"
    assert taken.body["decision"]["actor"] == actor


async def test_nobody_can_claim_to_be_a_rule(world: World) -> None:
    deal = await presented(world)
    answer = await world.decide(deal.owner, deal.offer, method="rule")
    assert code(answer) == (422, "invalid_body")
    assert answer.body["errors"][0]["pointer"] == "/method"


async def test_promise_1_consent_mode_never_declines_each_offer_and_keeps_it_in_the_list(
    world: World,
) -> None:
    deal = await presented(world, preferences={"consent_mode": "never", "rules": [ALWAYS]})
    assert (deal.offer["state"], deal.offer["reason"]) == ("auto_declined", "not_available")
    kept = await deal.owner.get("/v1/offers?state=all")
    assert [item["offer_id"] for item in kept["items"]] == [deal.offer["offer_id"]]
    assert kept["items"][0]["state_reason"] == "consent_never"
    assert (await deal.owner.get("/v1/offers"))["items"] == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"consent_mode": "never"}, "consent_never"),
        ({"discharge_allowed": False}, "discharge_not_allowed"),
    ],
)
@pytest.mark.parametrize("state", ["presented", "countered"])
async def test_promise_1_an_open_offer_is_declined_when_its_owner_forbids_all(
    world: World, state: str, change: dict[str, Any], reason: str
) -> None:
    deal = await presented(world)
    if state == "countered":
        more = {"energy_wh": 1000, "price_per_kwh": "1.4000"}
        assert (await world.decide(deal.owner, deal.offer, "counter", **more)).status == 201
    await preferences(deal.owner, deal.vehicle_id, **change)
    path = f"/v1/park/offers/{deal.offer['offer_id']}"
    told = await deal.park.get(path)
    assert (told["state"], told["reason"]) == ("auto_declined", "not_available")
    kept = (await deal.owner.get("/v1/offers?state=all"))["items"][0]
    assert (kept["state"], kept["state_reason"]) == ("auto_declined", reason)
    assert kept["evaluation"]["reason"]["code"] == reason
    assert (await deal.owner.get("/v1/offers"))["items"] == []
    for each in (deal.owner, deal.park):
        assert "offer.auto_declined" in {event["type"] for event in await each.events()}
    # What was refused stays so, whatever is allowed again.
    await preferences(deal.owner, deal.vehicle_id, consent_mode="ask", discharge_allowed=True)
    assert code(await world.decide(deal.owner, deal.offer)) == (409, "offer_closed")
    assert (await deal.park.get(path))["state"] == "auto_declined"


@pytest.mark.parametrize("state", ["presented", "countered"])
async def test_promise_1_what_an_owner_only_tightens_leaves_an_offer_open(
    world: World, state: str
) -> None:
    deal = await presented(world)
    if state == "countered":
        more = {"energy_wh": 1000, "price_per_kwh": "1.4000"}
        assert (await world.decide(deal.owner, deal.offer, "counter", **more)).status == 201
    await preferences(deal.owner, deal.vehicle_id, max_discharge_wh_per_day=1000)
    told = await deal.park.get(f"/v1/park/offers/{deal.offer['offer_id']}")
    assert told["state"] == state


async def test_promise_1_an_offer_whose_time_has_passed_expires_though_its_owner_forbids_all(
    world: World,
) -> None:
    deal = await presented(world)
    await world.move(1200, tick=False)
    await preferences(deal.owner, deal.vehicle_id, consent_mode="never")
    await world.agent.tick()
    told = await deal.park.get(f"/v1/park/offers/{deal.offer['offer_id']}")
    assert told["state"] == "expired"


async def test_an_offer_below_the_owners_price_is_declined_for_its_price(world: World) -> None:
    deal = await presented(world, preferences={"min_price_per_kwh": "1.3"})
    assert (deal.offer["state"], deal.offer["reason"]) == ("auto_declined", "price")
    shown = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    assert shown["evaluation"]["reason"]["code"] == "price"
    assert shown["evaluation"]["nearest"]


async def test_an_offer_for_more_than_there_is_hears_less_energy_and_no_limit(
    world: World,
) -> None:
    deal = await presented(world, soc_pct=60, min_energy_wh=9000, requested_energy_wh=9000)
    assert (deal.offer["state"], deal.offer["reason"]) == ("auto_declined", "less_energy")


async def test_foreign_offers_and_deals_look_missing(world: World) -> None:
    deal = await scheduled(world)
    stranger, other_park = await world.add_owner("Stranger"), await world.add_park("West Park")
    missing = await stranger.call("GET", "/v1/offers/off_" + "0" * 32)
    for path in (
        f"/v1/offers/{deal.offer['offer_id']}",
        f"/v1/commitments/{deal.commitment_id}",
        f"/v1/vehicles/{deal.vehicle_id}",
        f"/v1/vehicles/{deal.vehicle_id}/preferences",
    ):
        answer = await stranger.call("GET", path)
        assert answer.status == 404
        assert answer.body | {"instance": ""} == missing.body | {"instance": ""}
    for path in (
        f"/v1/park/offers/{deal.offer['offer_id']}",
        f"/v1/park/commitments/{deal.commitment_id}",
        f"/v1/park/sessions/{deal.session_id}",
    ):
        assert code(await other_park.call("GET", path)) == (404, "not_found")
    assert code(await world.decide(stranger, deal.offer)) == (404, "not_found")
    taken = await stranger.call("POST", "/v1/stops", {"commitment_id": deal.commitment_id})
    assert code(taken) == (404, "not_found")
    assert (await park_commitment(deal))["state"] == "scheduled"


async def test_an_edit_needs_the_revision_that_was_read(world: World) -> None:
    """428 without If-Match, 412 with the current value when it does not match."""
    deal = await presented(world)
    for path, body in (
        (f"/v1/vehicles/{deal.vehicle_id}", {"display_name": "Red car"}),
        (f"/v1/vehicles/{deal.vehicle_id}/preferences", {"soc_floor_pct": 25}),
        (f"/v1/vehicles/{deal.vehicle_id}/departures", {"one_off": None}),
    ):
        read = await deal.owner.call("GET", path)
        revision = str(read.body["revision"])
        headers = {name.lower(): value for name, value in read.headers.items()}
        assert headers["etag"] == f'"{revision}"'
        assert code(await deal.owner.call("PATCH", path, body)) == (428, "precondition_required")
        stale = await deal.owner.call("PATCH", path, body, etag="999")
        assert code(stale) == (412, "precondition_failed")
        assert stale.body["current"]["revision"] == read.body["revision"]
        edited = await deal.owner.call("PATCH", path, body, etag=revision)
        assert edited.status == 200
        again = await deal.owner.call("PATCH", path, body, etag=revision)
        assert code(again) == (412, "precondition_failed")


async def test_a_vehicle_with_a_live_deal_cannot_be_deleted(world: World) -> None:
    deal = await scheduled(world)
    path = f"/v1/vehicles/{deal.vehicle_id}"
    revision = str((await deal.owner.get(path))["revision"])
    assert code(await deal.owner.call("DELETE", path, etag=revision)) == (409, "conflict")
    await stop(deal)
    assert (await deal.owner.call("DELETE", path, etag=revision)).status == 204
    assert (await deal.owner.call("GET", path)).status == 404
    kept = await commitment(deal)
    assert kept["state"] == "revoked"


async def test_after_a_vehicle_is_deleted_its_park_goes_on_unhindered(world: World) -> None:
    """Promise 10: nothing of the deleted car stands in the park's way."""
    deal = await presented(world)
    path = f"/v1/vehicles/{deal.vehicle_id}"
    revision = str((await deal.owner.get(path))["revision"])
    assert (await deal.owner.call("DELETE", path, etag=revision)).status == 204
    assert (await deal.park.get("/v1/park/members"))["items"] == []
    assert code(await world.decide(deal.owner, deal.offer)) == (409, "offer_closed")
    await world.meter(deal.park, deal.session_id, 0)
    offer = await world.offer(deal.park, deal.session_id)
    assert (offer["state"], offer["reason"]) == ("rejected", "not_available")
    body = {"unplugged_at": world.at(0)}
    ended = await deal.park.post(f"/v1/park/sessions/{deal.session_id}/end", body)
    assert ended["state"] == "ended"
    await world.move(60)


async def test_an_earlier_leave_time_is_shown_before_the_weekday_one(world: World) -> None:
    deal = await presented(world)
    shown = await leave_at(deal.owner, deal.vehicle_id, world.at(7200), summary="Dentist")
    assert shown["next"]["departure_at"] == world.at(7200)
    assert (shown["next"]["source"], shown["next"]["summary"]) == ("one_off", "Dentist")


@pytest.mark.parametrize("by", ["person", "rule", "person who names a leave time"])
async def test_what_is_told_of_a_yes_is_what_whoever_asks_reads(world: World, by: str) -> None:
    """Promise 9: the deal, the car and the offer of the stream, and the question kept beside it."""
    rules = {"consent_mode": "rules", "rules": [ALWAYS]} if by == "rule" else {}
    deal = await presented(world, preferences=rules)
    if by != "rule":
        named = {"departure_at": world.at(5 * 3600)} if "names" in by else {}
        assert (await world.decide(deal.owner, deal.offer, **named)).status == 201
    told = {event["type"]: json.loads(event["data"]) for event in await deal.owner.events()}
    offer = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    assert told["offer.accepted"] == offer
    made = await deal.owner.get(f"/v1/commitments/{offer['commitment_id']}")
    assert told["commitment.pending_award"] == made
    assert told["vehicle.updated"] == await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}")
    assert told["vehicle.updated"]["status"] == "scheduled"
    [kept] = await rows(
        world,
        "SELECT quote_request FROM commitment WHERE commitment_id = ?",
        offer["commitment_id"],
    )
    asked = parse_request(json.loads(kept["quote_request"]))
    assert repr(parse_request(request_to_json(asked))) == repr(asked)
    assert quote(asked).net_minor == offer["evaluation"]["net_minor"]
