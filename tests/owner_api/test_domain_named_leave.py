"""A leave time named with a yes: it asks no less of the battery, and every other deal is asked."""

from typing import Any

import pytest

from .deal_world import Deal, World, presented, scheduled
from .domain_world import accept, code, commitment, leave_at, running, world

__all__ = ["running", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR = 3600
DAY = 86_400
NO_WEEKDAYS = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))


async def departures(deal: Deal, **changes: Any) -> Any:
    path = f"/v1/vehicles/{deal.vehicle_id}/departures"
    if changes:
        await deal.owner.patch(path, changes)
    return await deal.owner.get(path)


async def yes(deal: Deal, seconds: float) -> Any:
    """Say yes and name a leave time so many seconds from now."""
    return await deal.world.decide(deal.owner, deal.offer, departure_at=deal.world.at(seconds))


@pytest.mark.parametrize("seconds", [4 * HOUR, 3 * HOUR, 20 * HOUR])
async def test_promise_2_naming_a_leave_time_keeps_the_minimum_of_the_one_it_replaces(
    world: World, seconds: int
) -> None:
    deal = await presented(world)
    await leave_at(
        deal.owner, deal.vehicle_id, world.at(4 * HOUR), soc_min_departure_pct=78, summary="Airport"
    )
    assert code(await world.decide(deal.owner, deal.offer)) == (409, "not_feasible")
    refused = await yes(deal, seconds)
    assert code(refused) == (409, "not_feasible")
    current = refused.body["current"]
    assert current["reason"]["code"] == "departure_unreachable"
    assert current["soc_min_departure_pct"] == 78
    assert (await departures(deal))["one_off"]["soc_min_departure_pct"] == 78


async def test_promise_2_a_yes_that_holds_keeps_the_minimum_for_the_deals_to_come(
    world: World,
) -> None:
    deal = await presented(world)
    await leave_at(deal.owner, deal.vehicle_id, world.at(4 * HOUR), soc_min_departure_pct=60)
    assert (await yes(deal, 3 * HOUR)).status == 201
    shown = (await departures(deal))["one_off"]
    assert (shown["departure_at"], shown["soc_min_departure_pct"]) == (world.at(3 * HOUR), 60)


async def test_promise_2_naming_a_leave_time_keeps_the_minimum_of_that_days_calendar(
    world: World,
) -> None:
    deal = await presented(world)
    event = {"departure_at": world.at(4 * HOUR), "soc_min_departure_pct": 78}
    await departures(deal, calendar={"read_at": world.at(0), "events": [event]})
    assert code(await yes(deal, 3 * HOUR)) == (409, "not_feasible")


@pytest.mark.parametrize(("asked_pct", "kept_pct"), [(20, 50), (60, 60), (None, 50)])
async def test_promise_1_a_calendar_lets_no_more_be_sold_than_the_owner_does(
    world: World, asked_pct: int | None, kept_pct: int
) -> None:
    """Whoever may write an event there says when the car leaves, and not that less will do."""
    deal = await presented(world, requested_energy_wh=25_000, max_energy_wh=25_000)
    before = (await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}"))["evaluation"]
    event = {"departure_at": world.at(4 * HOUR), "soc_min_departure_pct": asked_pct}
    await departures(deal, calendar={"read_at": world.at(0), "events": [event]})
    shown = (await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}"))["evaluation"]
    assert shown["soc_min_departure_pct"] == kept_pct
    assert shown["max_energy_wh"] <= before["max_energy_wh"]


async def test_promise_2_another_deal_beyond_a_leave_time_named_with_a_yes_is_revoked(
    world: World,
) -> None:
    window: dict[str, Any] = {"start_at": world.at(3 * HOUR), "end_at": world.at(4 * HOUR - 600)}
    deal = await scheduled(world, **window)
    later = Deal(
        world=world,
        owner=deal.owner,
        park=deal.park,
        vehicle_id=deal.vehicle_id,
        session_id=deal.session_id,
        offer=await world.offer(deal.park, deal.session_id, requested_energy_wh=3000),
    )
    await accept(later, departure_at=world.at(2 * HOUR))
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("revoked", "departure")
    assert (await commitment(later))["state"] == "pending_award"


async def test_promise_2_another_open_offer_is_judged_by_the_leave_time_named_with_a_yes(
    world: World,
) -> None:
    window: dict[str, Any] = {"start_at": world.at(3 * HOUR), "end_at": world.at(4 * HOUR - 600)}
    deal = await presented(world, **window)
    beyond = deal.offer
    deal.offer = await world.offer(deal.park, deal.session_id, requested_energy_wh=3000)
    await accept(deal, departure_at=world.at(2 * HOUR))
    shown = await deal.owner.get(f"/v1/offers/{beyond['offer_id']}")
    assert shown["evaluation"]["verdict"] == "decline"
    assert shown["evaluation"]["departure_at"] == world.at(2 * HOUR)


@pytest.mark.parametrize("weekdays", [True, False])
@pytest.mark.parametrize(
    ("seconds", "limit"),
    [
        (-600, "after now"),
        (0, "after now"),
        (60 * DAY + 1, "at most 60 days"),
        (3 * 365 * DAY, "at most 60 days"),
    ],
)
async def test_promise_8_a_leave_time_that_nobody_plans_for_is_refused_with_its_limit(
    world: World, seconds: int, limit: str, *, weekdays: bool
) -> None:
    deal = await presented(world)
    if not weekdays:
        await departures(deal, weekly=NO_WEEKDAYS)
    before = await departures(deal)
    refused = await yes(deal, seconds)
    assert code(refused) == (422, "invalid_body")
    error = refused.body["errors"][0]
    assert (error["pointer"], error["limit"]) == ("/departure_at", limit)
    assert await departures(deal) == before


async def test_the_furthest_leave_time_that_is_planned_for_may_be_named(world: World) -> None:
    deal = await presented(world)
    await departures(deal, weekly=NO_WEEKDAYS)
    assert (await yes(deal, 60 * DAY)).status == 201


async def test_promise_1_a_yes_that_is_refused_names_no_leave_time(world: World) -> None:
    deal = await scheduled(world)
    deal.offer = await world.offer(
        deal.park, deal.session_id, requested_energy_wh=500, min_energy_wh=0
    )
    assert (await yes(deal, 1900)).status == 409
    assert (await departures(deal))["one_off"] is None
    assert (await commitment(deal))["state"] == "scheduled"


@pytest.mark.parametrize("other", [{"departure_at": 2.5 * HOUR}, {"energy_wh": 4_000}], ids=str)
async def test_promise_2_a_second_yes_that_names_something_else_hears_that_the_first_has_won(
    world: World, other: dict[str, Any]
) -> None:
    """It was answered as if it had been recorded, and the leave time that it named was not kept."""
    deal = await presented(world)
    first = await accept(deal)
    named = dict(other)
    if "departure_at" in named:
        named["departure_at"] = world.at(named["departure_at"])
    second = await world.decide(deal.owner, deal.offer, **named)
    assert code(second) == (409, "offer_closed")
    assert second.body["current"]["decision"] == first["decision"]
    assert (await departures(deal))["one_off"] is None


async def test_promise_10_a_yes_that_repeats_what_it_named_is_the_same_yes(world: World) -> None:
    deal = await presented(world)
    named = {"departure_at": world.at(3 * HOUR), "energy_wh": 4_000}
    first = await world.decide(deal.owner, deal.offer, **named)
    assert first.status == 201
    for repeated in (named, {}):
        again = await world.decide(deal.owner, deal.offer, **repeated)
        assert (again.status, again.body) == (201, first.body)


async def test_a_counter_of_other_terms_hears_that_the_first_has_won(world: World) -> None:
    deal = await presented(world)
    first = await world.decide(deal.owner, deal.offer, "counter", price_per_kwh="1.5")
    assert first.status == 201
    for named, status in (({"price_per_kwh": "1.5"}, 201), ({}, 201), ({"energy_wh": 4_000}, 409)):
        again = await world.decide(deal.owner, deal.offer, "counter", **named)
        assert again.status == status


@pytest.mark.parametrize("seconds", [4 * HOUR, 3 * HOUR])
async def test_promise_2_a_leave_time_set_alone_keeps_the_minimum_of_the_one_it_replaces(
    world: World, seconds: int
) -> None:
    """An owner who says "I leave at three" has not said that they need less."""
    deal = await presented(world)
    at = world.at(4 * HOUR)
    await leave_at(deal.owner, deal.vehicle_id, at, soc_min_departure_pct=78)
    shown = await departures(deal, one_off={"departure_at": world.at(seconds)})
    assert shown["one_off"]["soc_min_departure_pct"] == 78
    assert code(await world.decide(deal.owner, deal.offer)) == (409, "not_feasible")
    usual = {"departure_at": world.at(seconds), "soc_min_departure_pct": None}
    shown = await departures(deal, one_off=usual)
    assert shown["one_off"]["soc_min_departure_pct"] is None
    assert (await world.decide(deal.owner, deal.offer)).status == 201


async def test_promise_2_a_leave_time_set_alone_keeps_the_minimum_of_that_days_calendar(
    world: World,
) -> None:
    deal = await presented(world)
    event = {"departure_at": world.at(4 * HOUR), "soc_min_departure_pct": 78}
    await departures(deal, calendar={"read_at": world.at(0), "events": [event]})
    shown = await departures(deal, one_off={"departure_at": world.at(3 * HOUR)})
    assert shown["one_off"]["soc_min_departure_pct"] == 78
    assert (await departures(deal, one_off=None))["one_off"] is None


async def test_promise_2_a_leave_time_named_with_a_counter_holds_for_what_the_park_sends_next(
    world: World,
) -> None:
    """It was taken and kept nowhere: the better offer was judged by the time it replaced."""
    deal = await presented(world)
    at = world.at(2 * HOUR)
    answer = await world.decide(
        deal.owner, deal.offer, "counter", price_per_kwh="1.5", departure_at=at
    )
    assert (answer.status, answer.body["state"]) == (201, "countered")
    assert (await departures(deal))["one_off"]["departure_at"] == at
    reward = deal.offer["terms"]["reward"] | {"price_per_kwh": "1.5"}
    better = {"revision": 2, "respond_by": world.at(1200), "terms": world.terms(reward=reward)}
    await deal.park.post(f"/v1/park/offers/{deal.offer['offer_id']}/revisions", better)
    shown = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    assert shown["evaluation"]["departure_at"] == at


async def test_naming_a_leave_time_a_plain_counter_asks_for_what_would_do_by_it(
    world: World,
) -> None:
    deal = await presented(world)
    await departures(deal, weekly=NO_WEEKDAYS)
    path = f"/v1/offers/{deal.offer['offer_id']}"
    assert (await deal.owner.get(path))["evaluation"]["reason"]["code"] == "departure_unknown"
    assert code(await world.decide(deal.owner, deal.offer, "counter")) == (409, "not_feasible")
    answer = await world.decide(deal.owner, deal.offer, "counter", departure_at=world.at(4 * HOUR))
    assert (answer.status, answer.body["state"]) == (201, "countered")
    assert answer.body["decision"]["counter_terms"]["energy_wh"] == 6000


async def test_a_leave_time_that_nobody_could_plan_for_is_refused_with_a_counter_too(
    world: World,
) -> None:
    deal = await presented(world)
    for seconds in (-60, 400 * DAY):
        answer = await world.decide(
            deal.owner, deal.offer, "counter", departure_at=world.at(seconds)
        )
        assert code(answer) == (422, "invalid_body")
        assert answer.body["errors"][0]["pointer"] == "/departure_at"
    assert (await departures(deal))["one_off"] is None
