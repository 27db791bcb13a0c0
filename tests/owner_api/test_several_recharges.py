"""Each recharge that a park guarantees is owed for itself: a second one replaces no first one."""

from typing import Any

import pytest

from .deal_world import Deal, World, presented
from .domain_world import accept, award, running, settled, world
from .test_domain_promised_charging import Car, battery_only_wh, recharge
from .test_domain_recharge_anew import newest, open_anew

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

HOUR = 3_600


async def here_is(world: World, soc_pct: float = 80) -> Deal:
    """Plug a car in whose battery is read exactly."""
    return await presented(world, soc_pct=soc_pct, preferences={"soc_margin_pct": 0})


async def sell(deal: Deal, promise: Any, soc_pct: float = 80) -> None:
    """Sell a few Wh at once under a guarantee, and settle."""
    world = deal.world
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=soc_pct)
    window = {"start_at": world.at(0), "end_at": world.at(HOUR)}
    deal.offer = await world.offer(
        deal.park, deal.session_id, recharge=promise, min_energy_wh=0, **window
    )
    await accept(deal)
    assert (await award(deal)).status == 200
    await world.meter(deal.park, deal.session_id, context="begin")
    assert (await world.instruct(deal.park, deal.commitment_id)).status == 201
    await deal.park.post(f"/v1/park/commitments/{deal.commitment_id}/cancellation")
    await settled(deal)


async def give(deal: Deal, energy_wh: int, until_s: float) -> None:
    """Charge, read the meter when that time has come, and let a tick look at it."""
    await deal.world.move(until_s - 60)
    deal.world.imported_wh += energy_wh
    await deal.world.move(60)
    await deal.world.meter(deal.park, deal.session_id)
    await deal.world.move(1)


async def broke_it(deal: Deal) -> Any:
    """Return whether the owner is told that the park broke its promise."""
    (agreement,) = (await deal.owner.get("/v1/agreements"))["items"]
    return agreement["recharge_broken"]


@pytest.mark.parametrize(
    ("first_wh", "then_wh", "broken"),
    [(0, 0, [True, True]), (5_000, 2_999, [False, True]), (5_000, 3_000, [False, False])],
)
@pytest.mark.parametrize("due_first", [1, 2])
async def test_promise_2_a_second_deals_recharge_leaves_the_first_ones_owed(
    world: World, due_first: int, first_wh: int, then_wh: int, broken: list[bool]
) -> None:
    """Whichever was promised first: what is put back counts for the one that is due first."""
    deal = await here_is(world)
    sooner, later = recharge(world, 5_000, 2 * HOUR), recharge(world, 3_000, 4 * HOUR)
    for promise in (sooner, later) if due_first == 1 else (later, sooner):
        await sell(deal, promise)
    await give(deal, first_wh, 2 * HOUR)
    found = [await broke_it(deal)]
    await give(deal, then_wh, 2 * HOUR)
    assert [*found, await broke_it(deal)] == broken


async def test_promise_2_what_was_put_back_before_the_second_deal_counts_for_the_first_one_only(
    world: World,
) -> None:
    deal = await here_is(world)
    await sell(deal, recharge(world, 5_000, 3 * HOUR))
    await give(deal, 5_000, HOUR)
    await sell(deal, recharge(world, 3_000, HOUR))
    await give(deal, 2_999, HOUR)
    assert await broke_it(deal) is True


async def test_promise_2_a_deals_recharge_leaves_the_sessions_own_owed(world: World) -> None:
    deal = await here_is(world)
    here = Car(world, deal.owner, deal.park, deal.vehicle_id)
    own = recharge(world, 4_000, 2 * HOUR)
    deal.session_id = await open_anew(here, deal.session_id, recharge=own)
    await world.meter(deal.park, deal.session_id)
    await sell(deal, recharge(world, 3_000, 3 * HOUR))
    await give(deal, 3_999, 2 * HOUR)
    assert await broke_it(deal) is True


async def test_promise_2_all_that_is_still_owed_is_counted_on_and_nothing_twice(
    world: World,
) -> None:
    """What a car could sell now stands against what both deals will have put back by 18:00."""
    deal = await here_is(world, soc_pct=60)
    here = Car(world, deal.owner, deal.park, deal.vehicle_id)
    for energy_wh in (5_000, 3_000):
        await sell(deal, recharge(world, energy_wh, 4 * HOUR), soc_pct=60)
    left = 8_000
    for given in (0, 2_000, 4_000):
        world.imported_wh += given
        await world.move(60)
        await world.meter(deal.park, deal.session_id)
        await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=50)
        left -= given
        most = battery_only_wh(50) + int(left * 0.933 * 0.933)
        assert most - 200 <= await here.could_sell(deal.session_id) <= most


async def shown_as_anew(deal: Deal, offer: Any, window: dict[str, str]) -> int:
    """Return what a yes to an open offer would sell, which must be what it would sell anew."""
    anew = await deal.world.offer(deal.park, deal.session_id, min_energy_wh=0, **window)
    told = []
    for each in (offer, anew):
        seen = (await deal.owner.get(f"/v1/offers/{each['offer_id']}"))["evaluation"]
        told.append([seen[key] for key in ("quoted_energy_wh", "max_energy_wh", "net_minor")])
    await deal.park.post(f"/v1/park/offers/{anew['offer_id']}/withdrawal", {})
    assert told[0] == told[1]
    return int(told[0][0])


async def test_promise_8_an_open_offer_is_judged_with_what_is_owed_from_the_settlement_on(
    world: World,
) -> None:
    """And without it once its time has passed, whether or not it came."""
    deal = await here_is(world, soc_pct=54)
    later = {"start_at": world.at(2 * HOUR), "end_at": world.at(3 * HOUR)}
    terms = world.terms(min_energy_wh=0, **later)
    body = {"session_id": deal.session_id, "purpose": "peak_price", "terms": terms}
    offer = await deal.park.post("/v1/park/offers", body | {"respond_by": later["start_at"]})
    await sell(deal, recharge(world, 3_000, HOUR), soc_pct=54)
    assert await shown_as_anew(deal, offer, later) == 4_500
    await world.move(HOUR)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=54)
    await give(deal, 0, 60)
    assert await broke_it(deal) is True
    assert await shown_as_anew(deal, offer, later) == 2_000


async def test_promise_2_two_deals_with_the_same_guarantee_are_both_to_be_recharged(
    world: World,
) -> None:
    """As of a park that puts one guarantee under all its offers."""
    deal = await here_is(world)
    promise = recharge(world, 3_000, 2 * HOUR)
    await sell(deal, promise)
    await sell(deal, promise)
    await give(deal, 5_999, 2 * HOUR)
    assert await broke_it(deal) is True


async def test_a_deal_that_repeats_the_guarantee_of_its_session_is_promised_no_more_by_that(
    world: World,
) -> None:
    deal = await here_is(world)
    here = Car(world, deal.owner, deal.park, deal.vehicle_id)
    promise = recharge(world, 3_000, 2 * HOUR)
    deal.session_id = await open_anew(here, deal.session_id, recharge=promise)
    await world.meter(deal.park, deal.session_id)
    await sell(deal, promise)
    await give(deal, 3_000, 2 * HOUR)
    assert await broke_it(deal) is False


async def test_both_recharges_stay_owed_where_the_session_is_opened_anew(world: World) -> None:
    deal = await here_is(world)
    here = Car(world, deal.owner, deal.park, deal.vehicle_id)
    first, second = recharge(world, 5_000, 2 * HOUR), recharge(world, 3_000, 3 * HOUR)
    for promise in (first, second):
        await sell(deal, promise)
    # Said once more it is no second promise, another one is a third.
    for said in (first, recharge(world, 1_000, 4 * HOUR)):
        deal.session_id = await open_anew(here, deal.session_id, recharge=said)
        await world.meter(deal.park, deal.session_id)
    for energy_wh, until_s in ((5_000, 2 * HOUR), (3_000, HOUR)):
        await give(deal, energy_wh, until_s)
        assert await broke_it(deal) is False
    await give(deal, 999, HOUR)
    assert await broke_it(deal) is True
    assert (await newest(here))["recharge_broken"] is True


async def test_a_recharge_stays_owed_where_its_owner_agrees_anew_before_it_is_due(
    world: World,
) -> None:
    """As for one more car or new terms, the plug staying in: the promise was forgotten."""
    deal = await here_is(world)
    await sell(deal, recharge(world, 5_000, 2 * HOUR))
    (agreement,) = (await deal.owner.get("/v1/agreements"))["items"]
    await deal.owner.post(f"/v1/agreements/{agreement['agreement_id']}/withdrawal")
    await world.move(60)
    await world.join(deal.owner, deal.park, deal.vehicle_id)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    assert (await newest(Car(world, deal.owner, deal.park, deal.vehicle_id)))["state"] == "bound"
    await give(deal, 0, 2 * HOUR)
    agreements = (await deal.owner.get("/v1/agreements"))["items"]
    assert [each["recharge_broken"] for each in agreements if each["state"] == "active"] == [True]
