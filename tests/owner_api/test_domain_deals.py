"""A deal's life over HTTP: award, crossings, deadlines, stop, and what the owner tightens."""

import json
from typing import Any

import pytest

from .deal_world import Deal, World, active, presented, scheduled
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
    settled,
    stop,
    world,
)

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def accepted(world: World, **changes: Any) -> Deal:
    deal = await presented(world, **changes)
    await accept(deal)
    return deal


async def running_deal(world: World, **changes: Any) -> Deal:
    """Return a deal that has delivered for a minute."""
    deal = await active(world, **changes)
    assert (await deal.deliver(60)).status == 201
    return deal


async def park_events(deal: Deal) -> list[str]:
    return [event["type"] for event in await deal.park.events()]


async def test_promise_6_an_award_that_differs_by_one_byte_of_terms_is_a_mismatch(
    world: World,
) -> None:
    deal = await accepted(world)
    digest = deal.offer["terms_sha256"]
    other = ("0" if digest[0] != "0" else "1") + digest[1:]
    assert code(await award(deal, terms_sha256=other)) == (409, "award_mismatch")
    assert (await commitment(deal))["state"] == "pending_award"
    assert (await award(deal)).status == 200
    assert code(await award(deal, terms_sha256=other)) == (409, "conflict")


@pytest.mark.parametrize("energy", [2999, 6001])
async def test_promise_1_an_award_stays_within_what_was_consented(
    world: World, energy: int
) -> None:
    deal = await accepted(world)
    refused = await award(deal, committed_energy_wh=energy)
    assert code(refused) == (409, "award_mismatch")
    assert "3000 to 6000" in refused.body["detail"]


async def test_an_award_may_order_less_down_to_the_minimum(world: World) -> None:
    deal = await accepted(world)
    found = await award(deal, committed_energy_wh=3000)
    assert (found.status, found.body["state"]) == (200, "scheduled")
    assert (await commitment(deal))["committed_energy_wh"] == 3000


@pytest.mark.parametrize("ticked", [True, False])
async def test_an_award_after_its_deadline_is_too_late(world: World, *, ticked: bool) -> None:
    """The deadline is a minute before the start: 1740 s after the offer."""
    deal = await accepted(world)
    assert (await commitment(deal))["award_by"] == world.at(1740)
    await world.move(1741, tick=ticked)
    assert code(await award(deal)) == (410, "offer_expired")
    await world.agent.tick()
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("lapsed", "award")
    assert "commitment.lapsed" in await park_events(deal)


async def test_an_award_at_its_deadline_is_in_time(world: World) -> None:
    deal = await accepted(world)
    await world.move(1740)
    assert (await award(deal)).status == 200


async def test_a_repeated_award_is_the_same_award(world: World) -> None:
    deal = await accepted(world)
    first, second = await award(deal), await award(deal)
    assert (first.status, second.status) == (200, 200)
    assert second.body == first.body


async def test_another_award_of_a_running_deal_is_no_word_to_go_to_zero(world: World) -> None:
    deal = await running_deal(world)
    assert code(await award(deal, order_reference="PO-other")) == (409, "conflict")
    assert (await world.instruct(deal.park, deal.commitment_id)).status == 201
    await stop(deal)
    assert code(await award(deal, order_reference="PO-other")) == (409, "commitment_closed")


async def test_the_event_of_a_beginning_tells_the_lease_it_began_with(world: World) -> None:
    deal = await accepted(world)
    await award(deal)
    await world.move(1800)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    await world.meter(deal.park, deal.session_id, context="begin")
    lease = (await world.instruct(deal.park, deal.commitment_id)).body["valid_until"]
    for caller in (deal.park, deal.owner):
        began = [each for each in await caller.events() if each["type"] == "commitment.active"]
        assert [json.loads(each["data"])["lease_until"] for each in began] == [lease]


async def test_an_order_reference_counts_once_per_park(world: World) -> None:
    deal = await accepted(world)
    await award(deal, order_reference="PO-77")
    offer = await world.offer(
        deal.park, deal.session_id, start_at=world.at(6000), end_at=world.at(9000)
    )
    other = Deal(
        world=world,
        owner=deal.owner,
        park=deal.park,
        vehicle_id=deal.vehicle_id,
        session_id=deal.session_id,
        offer=offer,
    )
    await accept(other, energy_wh=3000)
    assert code(await award(other, order_reference="PO-77")) == (409, "conflict")
    assert (await award(other, order_reference="PO-78")).status == 200


@pytest.mark.parametrize("first", ["award", "stop"])
async def test_promise_4_a_revocation_beats_a_crossing_award_in_both_orders(
    world: World, first: str
) -> None:
    deal = await accepted(world)
    if first == "award":
        assert (await award(deal)).status == 200
        await stop(deal)
    else:
        await stop(deal)
        assert code(await award(deal)) == (409, "commitment_closed")
    shown = await park_commitment(deal)
    assert (shown["state"], shown["stop_reason"]) == ("revoked", "owner")
    await world.move(1800)
    assert code(await world.instruct(deal.park, deal.commitment_id)) == (409, "stop_in_force")


async def test_a_scheduled_deal_that_does_not_start_in_its_grace_is_missed(world: World) -> None:
    deal = await scheduled(world)
    await world.move(1800 + 300)
    assert (await commitment(deal))["state"] == "scheduled"
    await world.move(1)
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("missed", "not_started")
    late = await world.instruct(deal.park, deal.commitment_id)
    assert code(late) == (409, "commitment_closed")


async def test_a_yes_after_the_start_joins_late_and_never_runs_past_the_end(world: World) -> None:
    deal = await presented(world, start_at=world.at(60), end_at=world.at(1500), min_energy_wh=0)
    await world.move(900)
    await accept(deal)
    assert (await commitment(deal))["award_by"] == world.at(60)
    await award(deal)
    await world.move(45)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    await world.meter(deal.park, deal.session_id, context="begin")
    started = await world.instruct(deal.park, deal.commitment_id)
    assert started.status == 201
    assert (await commitment(deal))["state"] == "active"
    await deal.deliver(600)
    await world.move(30)
    shown = await commitment(deal)
    assert shown["lease_until"] <= shown["end_at"]
    assert shown["state"] == "completed"


async def test_nothing_runs_before_its_window_or_without_an_award(world: World) -> None:
    deal = await accepted(world)
    assert code(await world.instruct(deal.park, deal.commitment_id)) == (409, "no_lease")
    await award(deal)
    await world.meter(deal.park, deal.session_id)
    assert code(await world.instruct(deal.park, deal.commitment_id)) == (409, "no_lease")
    assert (await commitment(deal))["state"] == "scheduled"


async def test_promise_3_a_lease_that_ends_unrenewed_fails_the_deal(world: World) -> None:
    deal = await running_deal(world)
    await world.move(61)
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("failed", "lease")
    assert (await park_commitment(deal))["stop_reason"] == "link"
    late = await world.instruct(deal.park, deal.commitment_id)
    assert code(late) == (409, "commitment_closed")


async def test_a_lapsed_lease_is_not_renewed_even_before_the_timer_has_seen_it(
    world: World,
) -> None:
    deal = await running_deal(world)
    await world.move(61, tick=False)
    late = await world.instruct(deal.park, deal.commitment_id)
    assert code(late) == (409, "commitment_closed")
    assert (await commitment(deal))["state_reason"] == "lease"


async def test_an_older_instruction_is_refused_and_changes_nothing(world: World) -> None:
    deal = await running_deal(world)
    before = await commitment(deal)
    body = {"seq": 1, "power_setpoint_w": -7000}
    path = f"/v1/park/commitments/{deal.commitment_id}/instructions"
    assert code(await deal.park.call("POST", path, body)) == (409, "stale_sequence")
    assert await commitment(deal) == before


async def test_a_lower_setpoint_zero_included_stays_active(world: World) -> None:
    deal = await running_deal(world)
    for power in (-3000, 0, -7000):
        assert (await world.instruct(deal.park, deal.commitment_id, power)).status == 201
        assert (await commitment(deal))["state"] == "active"


async def test_a_setpoint_above_the_agreed_power_is_refused_naming_the_limit(
    world: World,
) -> None:
    deal = await running_deal(world)
    refused = await world.instruct(deal.park, deal.commitment_id, -7001)
    assert code(refused) == (422, "invalid_body")
    assert refused.body["errors"] == [
        {"pointer": "/power_setpoint_w", "code": "range", "limit": "-7000 to 0"}
    ]


@pytest.mark.parametrize("car_w", [7_000, 7_001, 7_360, 7_499])
async def test_promise_7_a_car_weaker_than_the_terms_is_leased_in_steps_and_never_refused(
    world: World, car_w: int
) -> None:
    """Setpoints are not budgeted: what refused them, or was exact, could be searched for."""
    deal = await presented(world)
    path = f"/v1/vehicles/{deal.vehicle_id}"
    await deal.owner.patch(path, {"max_discharge_w": car_w})
    most = {"requested_energy_wh": 30_000, "max_energy_wh": 30_000, "max_discharge_w": 22_000}
    deal.offer = await world.offer(deal.park, deal.session_id, **most)
    consented = (await accept(deal))["decision"]["consented_energy_wh"]
    # What was agreed can be given at the power that is leased: one hour.
    assert consented == 7_000
    await award(deal)
    await world.move(1800)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    await world.meter(deal.park, deal.session_id, context="begin")
    leased = []
    for asked in (-22_000, -7_499, -7_360, -7_001, -7_000, -6_999, 0):
        answer = await world.instruct(deal.park, deal.commitment_id, asked)
        assert answer.status == 201, answer.body
        leased.append(answer.body["power_setpoint_w"])
    assert leased == [*(-7_000,) * 5, -6_999, 0]
    assert (await commitment(deal))["power_setpoint_w"] == 0
    refused = await world.instruct(deal.park, deal.commitment_id, -22_001)
    assert code(refused) == (422, "invalid_body")
    assert refused.body["errors"][0]["limit"] == "-22000 to 0"


async def test_promise_7_power_that_the_terms_name_is_leased_to_the_watt(world: World) -> None:
    deal = await presented(world)
    await deal.owner.patch(f"/v1/vehicles/{deal.vehicle_id}", {"max_discharge_w": 7_360})
    deal.offer = await world.offer(deal.park, deal.session_id, max_discharge_w=7_360)
    await accept(deal)
    await award(deal)
    await world.move(1800)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    await world.meter(deal.park, deal.session_id, context="begin")
    answer = await world.instruct(deal.park, deal.commitment_id, -7_360)
    assert (answer.status, answer.body["power_setpoint_w"]) == (201, -7_360)


async def test_promise_4_no_lease_exceeds_its_terms(world: World) -> None:
    deal = await active(world, lease_s=120)
    granted = await world.instruct(deal.park, deal.commitment_id)
    assert granted.body["valid_until"] == world.at(120)


@pytest.mark.parametrize("scope", ["commitment", "vehicle", "everything"])
async def test_promise_4_stop_works_for_one_deal_one_car_or_everything(
    world: World, scope: str
) -> None:
    deal = await running_deal(world)
    body = {
        "commitment": {"commitment_id": deal.commitment_id},
        "vehicle": {"vehicle_id": deal.vehicle_id},
        "everything": {},
    }[scope]
    shown = await deal.owner.post("/v1/stops", body)
    assert [each["state"] for each in shown["commitments"]] == ["revoked"]
    assert "stop.requested" in await park_events(deal)


async def test_promise_4_the_owner_sees_asked_confirmed_stopped(world: World) -> None:
    deal = await running_deal(world)
    asked = (await stop(deal))["commitments"][0]["stop"]
    assert (asked["confirmed_at"], asked["stopped_at"]) == (None, None)
    await world.move(2)
    path = f"/v1/park/commitments/{deal.commitment_id}/stop-confirmation"
    await deal.park.post(path, {"confirmed_at": world.at(-1)})
    confirmed = (await commitment(deal))["stop"]
    assert confirmed["confirmed_at"] == world.at(-1)
    assert confirmed["stopped_at"] is None
    await world.move(2)
    await world.meter(deal.park, deal.session_id, -40)
    shown = await commitment(deal)
    assert shown["stop"]["stopped_at"] == world.at(0)
    # The stop ended the deal; the power went on for two seconds.
    assert shown["ended_at"] == world.at(-4)
    names = await park_events(deal)
    order = [name for name in names if name.startswith("stop.")]
    assert order == ["stop.requested", "stop.confirmed", "stop.stopped"]


async def test_promise_4_without_a_confirmation_in_5_s_the_hint_is_to_unplug(
    world: World,
) -> None:
    deal = await running_deal(world)
    await stop(deal)
    assert (await commitment(deal))["unplug_hint"] is False
    await world.move(5)
    assert (await commitment(deal))["unplug_hint"] is True
    path = f"/v1/park/commitments/{deal.commitment_id}/stop-confirmation"
    await deal.park.post(path, {"confirmed_at": world.at(0)})
    assert (await commitment(deal))["unplug_hint"] is False


async def test_promise_4_an_unconfirmed_stop_counts_as_stopped_when_the_lease_is_over(
    world: World,
) -> None:
    deal = await running_deal(world)
    until = (await commitment(deal))["lease_until"]
    await stop(deal)
    await world.move(60)
    assert (await commitment(deal))["stop"]["stopped_at"] == until


async def test_stopping_twice_is_harmless(world: World) -> None:
    deal = await running_deal(world)
    first = (await stop(deal))["commitments"][0]["stop"]
    await world.move(3)
    assert (await stop(deal))["commitments"][0]["stop"] == first


async def test_a_stop_confirmation_without_a_stop_is_a_conflict(world: World) -> None:
    deal = await running_deal(world)
    path = f"/v1/park/commitments/{deal.commitment_id}/stop-confirmation"
    answer = await deal.park.call("POST", path, {"confirmed_at": world.at(0)})
    assert code(answer) == (409, "conflict")


async def test_a_park_may_cancel_before_the_start(world: World) -> None:
    deal = await scheduled(world)
    path = f"/v1/park/commitments/{deal.commitment_id}/cancellation"
    assert (await deal.park.post(path))["state"] == "cancelled"
    assert code(await deal.park.call("POST", path)) == (409, "commitment_closed")
    assert (await commitment(deal))["settlement"] is None


async def test_a_park_may_cut_a_running_deal_short(world: World) -> None:
    deal = await running_deal(world)
    path = f"/v1/park/commitments/{deal.commitment_id}/cancellation"
    shown = await deal.park.post(path)
    assert (shown["state"], shown["stop_reason"]) == ("curtailed", "site")


@pytest.mark.parametrize("state", ["pending_award", "scheduled", "active"])
async def test_promise_1_discharge_allowed_off_ends_what_waits_and_what_runs(
    world: World, state: str
) -> None:
    make = {"pending_award": accepted, "scheduled": scheduled, "active": running_deal}[state]
    deal = await make(world)
    assert (await commitment(deal))["state"] == state
    await preferences(deal.owner, deal.vehicle_id, discharge_allowed=False)
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("revoked", "preferences")
    assert (await park_commitment(deal))["stop_reason"] == "owner"
    if state == "active":
        assert code(await world.instruct(deal.park, deal.commitment_id)) == (409, "stop_in_force")


@pytest.mark.parametrize("state", ["scheduled", "active"])
async def test_promise_2_a_tightened_floor_revokes_what_it_no_longer_allows(
    world: World, state: str
) -> None:
    deal = await (scheduled if state == "scheduled" else running_deal)(world)
    changes = {"soc_ceiling_pct": 95, "soc_target_departure_pct": 90}
    await preferences(deal.owner, deal.vehicle_id, **changes)
    assert (await commitment(deal))["state"] == state
    await preferences(deal.owner, deal.vehicle_id, soc_floor_pct=79, soc_min_departure_pct=79)
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("revoked", "preferences")


async def test_a_deal_whose_window_is_over_is_ended_by_the_tick_and_by_nothing_before_it(
    world: World,
) -> None:
    """Its energy and its reason are not changed by a word that came after it."""
    deal = await scheduled(world)
    await world.move(5400, tick=False)
    await preferences(deal.owner, deal.vehicle_id, discharge_allowed=False)
    (kept,) = await rows(
        world,
        "SELECT state, energy_limit_wh, consented_energy_wh FROM commitment"
        " WHERE commitment_id = ?",
        deal.commitment_id,
    )
    assert kept["state"] == "scheduled"
    assert kept["energy_limit_wh"] == kept["consented_energy_wh"]
    assert (await world.instruct(deal.park, deal.commitment_id)).status == 409
    await world.agent.tick()
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("missed", "not_started")


@pytest.mark.parametrize("state", ["scheduled", "active"])
async def test_promise_2_a_leave_time_that_needs_more_revokes_with_that_reason(
    world: World, state: str
) -> None:
    deal = await (scheduled if state == "scheduled" else running_deal)(world)
    at = world.at(6 * 3600) if state == "scheduled" else world.at(4 * 3600)
    await leave_at(deal.owner, deal.vehicle_id, at)
    assert (await commitment(deal))["state"] == state
    await leave_at(deal.owner, deal.vehicle_id, at, soc_min_departure_pct=78)
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("revoked", "departure")


@pytest.mark.parametrize("state", ["scheduled", "active"])
async def test_promise_2_a_leave_time_before_the_window_ends_it_with_that_reason(
    world: World, state: str
) -> None:
    deal = await (scheduled if state == "scheduled" else running_deal)(world)
    await leave_at(deal.owner, deal.vehicle_id, world.at(600))
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("revoked", "departure")


@pytest.mark.parametrize("state", ["pending_award", "scheduled", "active"])
async def test_promise_1_a_withdrawn_agreement_ends_everything_with_that_park(
    world: World, state: str
) -> None:
    make = {"pending_award": accepted, "scheduled": scheduled, "active": running_deal}[state]
    deal = await make(world)
    agreement = (await deal.owner.get("/v1/agreements"))["items"][0]["agreement_id"]
    gone = await deal.owner.post(f"/v1/agreements/{agreement}/withdrawal")
    assert gone["state"] == "withdrawn"
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("revoked", "agreement")
    assert (await deal.park.get("/v1/park/members"))["items"] == []
    offer = await world.offer(deal.park, deal.session_id)
    assert (offer["state"], offer["reason"]) == ("rejected", "not_available")


async def test_promise_4_what_was_delivered_until_the_agreement_was_withdrawn_is_settled(
    world: World,
) -> None:
    deal = await running_deal(world)
    agreement = (await deal.owner.get("/v1/agreements"))["items"][0]["agreement_id"]
    await deal.owner.post(f"/v1/agreements/{agreement}/withdrawal")
    await world.move(5)
    world.exported_wh += 8
    await world.meter(deal.park, deal.session_id, -7000)
    path = f"/v1/park/commitments/{deal.commitment_id}/stop-confirmation"
    await deal.park.post(path, {"confirmed_at": world.at(0)})
    found = await settled(deal)
    assert 120 < found["delivered_wh"] < 130
    assert found["quality"] == "ok"
    ended = await deal.park.post(
        f"/v1/park/sessions/{deal.session_id}/end", {"unplugged_at": world.at(0)}
    )
    assert ended["state"] == "ended"
    sessions = (await deal.owner.get("/v1/sessions"))["items"]
    assert [each["state"] for each in sessions] == ["ended"]


@pytest.mark.parametrize("hours", [0, 3])
async def test_a_withdrawn_agreement_takes_its_open_offers_along(world: World, hours: int) -> None:
    """Also one whose time is over, and which no tick has ended yet."""
    deal = await presented(world)
    await world.move(hours * 3600, tick=False)
    agreement = (await deal.owner.get("/v1/agreements"))["items"][0]["agreement_id"]
    await deal.owner.post(f"/v1/agreements/{agreement}/withdrawal")
    shown = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    assert shown["state"] == "withdrawn"
    assert code(await world.decide(deal.owner, deal.offer)) == (409, "offer_closed")


@pytest.mark.parametrize("how", ["withdrawal", "erasure"])
async def test_promise_1_an_agreement_is_withdrawn_though_one_of_its_cars_was_deleted(
    world: World, how: str
) -> None:
    owner, park = await world.add_owner(), await world.add_park()
    gone, kept = await world.add_vehicle(owner), await world.add_vehicle(owner)
    body = {"park_id": park.party_id, "terms_version": 1, "vehicle_ids": [gone, kept]}
    made = await owner.post("/v1/agreements", body)
    path = f"/v1/vehicles/{gone}"
    revision = (await owner.get(path))["revision"]
    assert (await owner.call("DELETE", path, etag=str(revision))).status == 204
    member = (await park.get("/v1/park/members"))["items"][0]["member_ref"]
    session_id = await world.plug_in(owner, park, kept, member)
    offer = await world.offer(park, session_id)
    deal = Deal(
        world=world, owner=owner, park=park, vehicle_id=kept, session_id=session_id, offer=offer
    )
    await accept(deal)
    if how == "erasure":
        erased = await world.operate("owner erase", owner_id=owner.party_id)
        assert erased["erased"] is True
        # The owner's devices are gone with the owner.
        assert (await park_commitment(deal))["state"] == "revoked"
        return
    path = f"/v1/agreements/{made['agreement_id']}/withdrawal"
    assert (await owner.post(path))["state"] == "withdrawn"
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("revoked", "agreement")
    assert (await park.get("/v1/park/members"))["items"] == []


async def test_the_way_of_asking_changes_no_word_once_given(world: World) -> None:
    """consent_mode never declines new offers; the yes already given stands until it is stopped."""
    deal = await scheduled(world)
    await preferences(deal.owner, deal.vehicle_id, consent_mode="never")
    assert (await commitment(deal))["state"] == "scheduled"
    offer = await world.offer(deal.park, deal.session_id)
    assert offer["state"] == "auto_declined"


async def test_two_deals_of_one_car_share_its_energy(world: World) -> None:
    """Promise 2: energy is reserved at the yes, so no two buyers get the same."""
    deal = await presented(world, soc_pct=70, requested_energy_wh=6000)
    # 70 % less the reading's margin and the departure minimum, of 60 kWh, at the AC meter.
    in_all = int((70 - 2.5 - 50) / 100 * 60_000 * 0.933)
    await accept(deal)
    offer = await world.offer(
        deal.park, deal.session_id, start_at=world.at(6000), end_at=world.at(9000)
    )
    shown = await deal.owner.get(f"/v1/offers/{offer['offer_id']}")
    assert 0 < shown["evaluation"]["max_energy_wh"] <= in_all - 6000


async def test_events_per_day_are_counted_on_the_local_day_of_the_event(world: World) -> None:
    """The owner's day is Asia/Shanghai's: an offer for tomorrow is not today's event."""
    deal = await presented(world, preferences={"max_discharge_events_per_day": 1})
    await accept(deal)
    again = await world.offer(
        deal.park, deal.session_id, start_at=world.at(6000), end_at=world.at(9000)
    )
    assert (again["state"], again["reason"]) == ("auto_declined", "not_available")
    shown = await deal.owner.get(f"/v1/offers/{again['offer_id']}")
    reason = {"code": "budget", "limit": 1, "needed": 1, "available": 0, "unit": "events"}
    assert shown["evaluation"]["reason"] == reason
    weekly = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
    await deal.owner.patch(f"/v1/vehicles/{deal.vehicle_id}/departures", {"weekly": weekly})
    await leave_at(deal.owner, deal.vehicle_id, world.at(30 * 3600))
    tomorrow = await world.offer(
        deal.park,
        deal.session_id,
        start_at=world.at(20 * 3600),
        end_at=world.at(22 * 3600),
    )
    assert tomorrow["state"] == "presented"


@pytest.mark.parametrize("budget", ["day", "week", "event"])
async def test_the_owners_energy_budget_bounds_what_is_released(world: World, budget: str) -> None:
    deal = await presented(
        world, preferences={f"max_discharge_wh_per_{budget}": 7000}, min_energy_wh=1000
    )
    await accept(deal)
    again = await world.offer(
        deal.park,
        deal.session_id,
        start_at=world.at(6000),
        end_at=world.at(9000),
        min_energy_wh=500,
    )
    shown = await deal.owner.get(f"/v1/offers/{again['offer_id']}")
    most = shown["evaluation"]["max_energy_wh"]
    assert most <= (7000 if budget == "event" else 1000)
    assert most > 0
