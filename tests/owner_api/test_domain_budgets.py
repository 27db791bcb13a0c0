"""The owner's budgets: what counts on which day, and what a deal that runs has already used."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from .deal_world import Deal, World, active, presented, rfc, scheduled
from .domain_world import (
    accept,
    award,
    commitment,
    leave_at,
    park_commitment,
    preferences,
    running,
    settled,
    stop,
    world,
)

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

ENERGY_WH = 1_000
# Five past midnight on the owner's clock, and what it is at noon's place in the usual day.
AFTER_MIDNIGHT = {"hour": 16, "minute": 5}


def began_yesterday(world: World, begin: datetime) -> dict[str, Any]:
    """Return the window of an offer that began ten minutes before midnight."""
    return {
        "start_at": rfc(begin - timedelta(minutes=10)),
        "end_at": world.at(7_200),
        "requested_energy_wh": ENERGY_WH,
        "min_energy_wh": 500,
    }


async def most_wh(deal: Deal, offer: Any) -> tuple[int, Any]:
    """Return the most of an offer that its owner may give, and what binds."""
    shown = (await deal.owner.get(f"/v1/offers/{offer['offer_id']}"))["evaluation"]
    return int(shown["max_energy_wh"]), shown["reason"]


async def give(deal: Deal, soc_pct: float) -> None:
    """Award and deliver a deal that was accepted, whole, and read the meter at its end."""
    world = deal.world
    await award(deal)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=soc_pct)
    await world.meter(deal.park, deal.session_id)
    await deal.deliver(600, soc_pct=soc_pct)
    assert (await settled(deal))["delivered_wh"] >= ENERGY_WH - 60


@pytest.mark.parametrize(
    "budget",
    [
        {"max_discharge_wh_per_day": ENERGY_WH},
        {"max_discharge_wh_per_week": ENERGY_WH},
        {"max_discharge_events_per_day": 1},
    ],
)
async def test_a_window_that_began_yesterday_counts_on_the_day_of_the_yes(
    world: World, budget: dict[str, Any]
) -> None:
    # A week begins on Monday, on the owner's clock.
    days = (7 - world.clock.at.weekday()) % 7 - 1
    world.clock.at = world.clock.at.replace(**AFTER_MIDNIGHT) + timedelta(days=days)
    begin = world.clock.at
    deal = await presented(world, soc_pct=90, preferences=budget, **began_yesterday(world, begin))
    await accept(deal)
    again = await world.offer(deal.park, deal.session_id, **began_yesterday(world, begin))
    assert again["state"] == "auto_declined"
    await give(deal, 90)
    again = await world.offer(deal.park, deal.session_id, **began_yesterday(world, begin))
    most, reason = await most_wh(deal, again)
    assert (again["state"], reason["code"]) == ("auto_declined", "budget")
    assert most < 100


async def test_what_was_sold_on_monday_counts_until_the_week_is_over(world: World) -> None:
    days = (7 - world.clock.at.weekday()) % 7
    world.clock.at += timedelta(days=days)
    sold = {"requested_energy_wh": ENERGY_WH, "min_energy_wh": 500}
    week = {"max_discharge_wh_per_week": ENERGY_WH}
    deal = await presented(world, soc_pct=90, preferences=week, start_at=world.at(0), **sold)
    await accept(deal)
    await give(deal, 90)
    for days, state, why in ((2, "auto_declined", "budget"), (5, "presented", None)):
        await world.move(days * 86_400)
        await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=90)
        await world.meter(deal.park, deal.session_id)
        offer = await world.offer(deal.park, deal.session_id, **sold)
        _, reason = await most_wh(deal, offer)
        assert (offer["state"], reason and reason["code"]) == (state, why)


async def test_of_a_deal_that_ended_early_only_what_it_gave_is_used(world: World) -> None:
    deal = await active(world, preferences={"max_discharge_wh_per_day": 6_000}, min_energy_wh=0)
    await deal.deliver(60)
    await stop(deal)
    given_wh = (await settled(deal))["delivered_wh"]
    offer = await world.offer(deal.park, deal.session_id, min_energy_wh=0)
    assert (await most_wh(deal, offer))[0] == 6_000 - given_wh < 6_000


@pytest.mark.parametrize(
    "budget", [{"max_discharge_wh_per_day": ENERGY_WH}, {"max_discharge_events_per_day": 1}]
)
async def test_a_day_whose_first_hour_the_clocks_repeat_is_one_day(
    world: World, budget: dict[str, Any]
) -> None:
    """On the Azores and in Cuba they go back to midnight; the day's budget could be sold twice."""
    year = max(2027, world.clock.at.year + 1)
    autumn = datetime(year, 10, 31, tzinfo=world.clock.at.tzinfo)
    world.clock.at = autumn - timedelta(days=(autumn.weekday() + 1) % 7, minutes=-5)
    deal = await presented(
        world,
        soc_pct=90,
        start_at=world.at(300),
        end_at=world.at(1_200),
        requested_energy_wh=ENERGY_WH,
        min_energy_wh=500,
    )
    await deal.owner.patch("/v1/me", {"time_zone": "Atlantic/Azores"})
    await accept(deal)
    await award(deal)
    await world.move(300)
    await give(deal, 90)
    await preferences(deal.owner, deal.vehicle_id, **budget)
    # An hour later by the sun it is once more five past midnight.
    await world.move(3_600 - 960)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=85)
    again = await world.offer(deal.park, deal.session_id, min_energy_wh=500)
    assert (again["state"], (await most_wh(deal, again))[1]["code"]) == ("auto_declined", "budget")


async def test_a_deal_that_crosses_midnight_is_held_against_the_day_it_counts_on(
    world: World,
) -> None:
    world.clock.at = world.clock.at.replace(hour=15, minute=30)
    deal = await presented(
        world,
        preferences={"max_discharge_wh_per_day": ENERGY_WH},
        start_at=world.at(0),
        end_at=world.at(7_200),
        requested_energy_wh=ENERGY_WH,
        min_energy_wh=500,
    )
    await accept(deal)
    tomorrow = await world.offer(
        deal.park,
        deal.session_id,
        start_at=world.at(7_200),
        end_at=world.at(10_800),
        requested_energy_wh=ENERGY_WH,
        min_energy_wh=500,
    )
    later = Deal(
        world=world,
        owner=deal.owner,
        park=deal.park,
        vehicle_id=deal.vehicle_id,
        session_id=deal.session_id,
        offer=tomorrow,
    )
    await accept(later)
    await award(deal)
    await world.meter(deal.park, deal.session_id)
    assert (await world.instruct(deal.park, deal.commitment_id, -500)).status == 201
    for _ in range(40):
        await world.move(50, tick=False)
        world.exported_wh += 6
        await world.meter(deal.park, deal.session_id, -500)
        await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=79)
        await world.agent.tick()
        assert (await world.instruct(deal.park, deal.commitment_id, -500)).status == 201
    assert (await commitment(deal))["state"] == "active"
    assert (await commitment(later))["state"] == "pending_award"


@pytest.mark.parametrize("budget", ["event", "day", "week"])
async def test_a_tightened_budget_counts_what_the_running_deal_has_given(
    world: World, budget: str
) -> None:
    deal = await active(world)
    await deal.deliver(1_800)
    given = (await commitment(deal))["delivered_wh"]
    assert 3_000 < given < 4_000
    await preferences(
        deal.owner, deal.vehicle_id, **{f"max_discharge_wh_per_{budget}": given + 100}
    )
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("revoked", "preferences")


@pytest.mark.parametrize("budget", ["event", "day", "week"])
async def test_a_budget_that_the_running_deal_keeps_to_leaves_it_running(
    world: World, budget: str
) -> None:
    deal = await active(world)
    await deal.deliver(1_800)
    await preferences(deal.owner, deal.vehicle_id, **{f"max_discharge_wh_per_{budget}": 5_000})
    assert (await commitment(deal))["state"] == "active"
    await deal.deliver(1_200, soc_pct=73.7)
    shown = await commitment(deal)
    assert shown["state"] == "curtailed"
    # The charger of these tests hears of the end at its next reading, half a minute later.
    assert 4_800 < shown["delivered_wh"] <= 5_000 + 58


async def test_another_deal_of_the_day_counts_beside_what_the_running_one_has_given(
    world: World,
) -> None:
    deal = await active(world, requested_energy_wh=2_000, min_energy_wh=500)
    later = await world.offer(
        deal.park,
        deal.session_id,
        start_at=world.at(4_000),
        end_at=world.at(7_200),
        requested_energy_wh=2_000,
        min_energy_wh=500,
    )
    answer = await world.decide(deal.owner, later)
    await deal.deliver(600)
    await preferences(deal.owner, deal.vehicle_id, max_discharge_wh_per_day=4_000)
    other = await deal.owner.get(f"/v1/commitments/{answer.body['commitment_id']}")
    assert [(await commitment(deal))["state"], other["state"]] == ["active", "pending_award"]


@pytest.mark.parametrize("why", ["floor", "leave time"])
async def test_promise_2_a_small_deal_that_no_longer_holds_is_revoked_not_emptied(
    world: World, why: str
) -> None:
    deal = await scheduled(
        world,
        start_at=world.at(7_200),
        end_at=world.at(10_800),
        requested_energy_wh=ENERGY_WH,
        min_energy_wh=500,
    )
    if why == "floor":
        await preferences(
            deal.owner,
            deal.vehicle_id,
            soc_floor_pct=85,
            soc_min_departure_pct=85,
            soc_target_departure_pct=90,
        )
    else:
        await leave_at(deal.owner, deal.vehicle_id, world.at(3_600))
    shown = await commitment(deal)
    reason = "preferences" if why == "floor" else "departure"
    assert (shown["state"], shown["state_reason"]) == ("revoked", reason)
    assert (await park_commitment(deal))["stop_reason"] == "owner"


async def test_the_rest_between_two_deals_is_counted_from_now_where_a_window_has_begun(
    world: World,
) -> None:
    deal = await active(
        world, preferences={"cooldown_s": 600}, requested_energy_wh=ENERGY_WH, min_energy_wh=500
    )
    await deal.deliver(600)
    await settled(deal)
    window = {"start_at": world.at(-300), "end_at": world.at(3_600)}
    tired = await world.offer(deal.park, deal.session_id, min_energy_wh=500, **window)
    assert (await most_wh(deal, tired))[1]["code"] == "cooldown"
    await world.move(620)
    window = {"start_at": world.at(-800), "end_at": world.at(3_600)}
    rested = await world.offer(deal.park, deal.session_id, min_energy_wh=500, **window)
    assert rested["state"] == "presented"


async def test_the_battery_rests_before_a_deal_that_was_agreed_on_earlier_too(
    world: World,
) -> None:
    deal = await scheduled(
        world,
        preferences={"cooldown_s": 1_800},
        start_at=world.at(7_200),
        end_at=world.at(10_800),
        requested_energy_wh=ENERGY_WH,
        min_energy_wh=500,
    )
    sold = {"requested_energy_wh": ENERGY_WH, "min_energy_wh": 500}
    near = await world.offer(deal.park, deal.session_id, end_at=world.at(5_401), **sold)
    assert (await most_wh(deal, near))[1]["code"] == "cooldown"
    apart = await world.offer(deal.park, deal.session_id, end_at=world.at(5_400), **sold)
    assert apart["state"] == "presented"


async def test_the_rest_begins_with_the_end_of_the_window_and_not_when_that_is_noticed(
    world: World,
) -> None:
    """Deals agreed exactly one rest apart: the next one ended for a timer's half a second."""
    rest_s = 1_800
    first = await active(
        world, preferences={"cooldown_s": rest_s}, requested_energy_wh=ENERGY_WH, min_energy_wh=500
    )
    window = {"start_at": world.at(3_600 + rest_s), "end_at": world.at(7_200 + rest_s)}
    offer = await world.offer(first.park, first.session_id, min_energy_wh=500, **window)
    second = replace(first, offer=offer)
    await accept(second)
    assert (await award(second)).status == 200
    await first.deliver(3_570, power_w=-900)
    await world.move(30.4)
    assert (await settled(first))["delivered_wh"] >= ENERGY_WH - 150
    await preferences(first.owner, first.vehicle_id, soc_margin_pct=1)
    assert (await commitment(second))["state"] == "scheduled"
