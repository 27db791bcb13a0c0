"""Several deals of one car: each leaves to the others what it may still give."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
import json
from typing import Any

import pytest

from owner_api.commands import evaluations
from owner_api.store.tx import Tx

from .deal_world import Deal, World, active, presented
from .domain_world import accept, award, commitment, leave_at, preferences, running, world

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

HOUR = 3600


async def offered(
    deal: Deal, begins_h: float, ends_h: float, energy_wh: int, least_wh: int = 0
) -> Deal:
    """Return one more offer to the deal's car, for a window in hours from now."""
    told: Any = {
        "start_at": deal.world.at(begins_h * HOUR),
        "end_at": deal.world.at(ends_h * HOUR),
        "requested_energy_wh": energy_wh,
        "max_energy_wh": energy_wh,
        "min_energy_wh": least_wh,
        "reward": {"kind": "cash", "currency": "CNY", "price_per_kwh": "3.0"},
    }
    return replace(deal, offer=await deal.world.offer(deal.park, deal.session_id, **told))


async def at_home(world: World, soc_pct: float) -> Deal:
    """Return an offer to a car at its owner's own charger of 7 kW."""
    owner, park = await world.add_owner(), await world.add_park()
    vehicle_id = await world.add_vehicle(owner)
    member = await world.join(owner, park, vehicle_id)
    await owner.post(
        "/v1/chargers", {"display_name": "Garage", "evse_id": "H", "max_charge_w": 7_000}
    )
    await world.telemetry(owner, vehicle_id, soc_pct=soc_pct)
    body = {"evse_id": "H", "plugged_in_at": world.at(0), "member_ref": member, "meter": "owner"}
    session_id = (await park.post("/v1/park/sessions", body))["session_id"]
    return Deal(
        world=world, owner=owner, park=park, vehicle_id=vehicle_id, session_id=session_id, offer={}
    )


async def quoted_wh(deal: Deal) -> int:
    """Return for how much energy the owner is asked."""
    shown = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    return int(shown["evaluation"]["quoted_energy_wh"] or 0)


async def test_of_a_deal_that_runs_no_more_is_kept_from_the_next_than_it_may_still_give(
    world: World,
) -> None:
    """What it has given is gone from the battery already: counted again it would not be sold."""
    deal = await active(world, soc_pct=65, requested_energy_wh=3_000, max_energy_wh=3_000)
    begin = world.exported_wh
    await deal.deliver(1_230, soc_pct=65)
    given = world.exported_wh - begin
    assert 2_300 < given < 2_400
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=round(65 - given / 0.933 / 600, 2))
    battery_wh = (65 - 2.5 - 0.11 - 50) * 600 * 0.933
    next_wh = int(battery_wh - 3_000) // 500 * 500
    assert await quoted_wh(await offered(deal, 1.5, 2.5, 6_000)) == next_wh


async def test_promise_2_a_deal_whose_window_goes_on_after_the_leave_time_is_counted_in_full(
    world: World,
) -> None:
    """The park may take all of it before: of 8 kWh over six hours some 5 were kept free."""
    first = await offered(await presented(world), 0.5, 6.5, 8_000)
    told = await accept(first)
    assert told["decision"]["consented_energy_wh"] == 8_000
    assert told["evaluation"]["departure_at"] == world.at(4.5 * HOUR)
    second = await offered(first, 0.35, 3.5, 12_000)
    released = await quoted_wh(second)
    # From 80 % less the owner's margin to 50 % of 60 kWh, at the meter.
    room = (80 - 2.5 - 50) / 100 * 60_000 * 0.933
    assert room - 8_000 - 500 < released <= room - 8_000
    vehicle = await first.owner.get(f"/v1/vehicles/{first.vehicle_id}")
    assert vehicle["available_energy_wh"] <= room - 8_000


async def test_promise_2_the_car_is_charged_for_all_that_such_a_deal_may_take(
    world: World,
) -> None:
    deal = await presented(world, soc_pct=60)
    path = f"/v1/vehicles/{deal.vehicle_id}"
    before = await deal.owner.get(f"{path}/schedule")
    long = await offered(deal, 3.5, 8, 4_000)
    await accept(long)
    after = await deal.owner.get(f"{path}/schedule")
    added = after["charge_energy_wh"] - before["charge_energy_wh"]
    assert added == pytest.approx(4_000 / 0.933 / 0.933, abs=2)


async def test_promise_2_where_charging_slows_down_the_car_is_charged_for_all_of_a_deal_too(
    world: World,
) -> None:
    """The quote ends earlier then, and so must the plan: it charged for 2 of 5.5 kWh."""
    deal = await at_home(world, 82)
    path = f"/v1/vehicles/{deal.vehicle_id}"
    await deal.owner.patch(path, {"taper": [{"from_soc_pct": 60, "max_charge_w": 2_000}]})
    ready = {"soc_min_departure_pct": 80, "soc_target_departure_pct": 80, "soc_margin_pct": 0}
    await preferences(deal.owner, deal.vehicle_id, **ready)
    await leave_at(deal.owner, deal.vehicle_id, world.at(8 * HOUR))
    long = await offered(deal, 1, 7, 6_000)
    sold_wh = (await accept(long))["decision"]["consented_energy_wh"]
    schedule = await deal.owner.get(f"{path}/schedule")
    stored_wh = 0.82 * 60_000 + schedule["charge_energy_wh"] * 0.933 - sold_wh / 0.933
    assert stored_wh >= 0.80 * 60_000
    assert schedule["short_of_minimum_wh"] == 0


async def one_runs_and_one_waits(world: World, **wishes: Any) -> tuple[Deal, Deal]:
    """Run a deal of 4 kWh, a little of it given; another of 6 kWh is to begin an hour later."""
    first = await offered(await presented(world, preferences=wishes), 0.5, 1.5, 4_000)
    await accept(first)
    second = await offered(first, 2.5, 3.5, 6_000)
    await accept(second)
    for deal in (first, second):
        assert (await award(deal)).status == 200
    await world.move(1800)
    await world.telemetry(first.owner, first.vehicle_id, soc_pct=80)
    await world.meter(first.park, first.session_id, context="begin")
    assert (await first.deliver(60)).status == 201
    return first, second


@pytest.mark.parametrize(
    "tightened",
    [
        {"max_discharge_events_per_day": 1},
        {"cooldown_s": 2 * HOUR},
        {"max_discharge_wh_per_day": 4_000},
        {"max_discharge_wh_per_week": 4_000},
        {"soc_min_departure_pct": 69},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_of_two_deals_that_hold_only_apart_the_one_that_runs_stays(
    world: World, tightened: dict[str, Any]
) -> None:
    """Both ended: the first for the sake of the second, the second for what the first had given."""
    first, second = await one_runs_and_one_waits(world)
    await preferences(first.owner, first.vehicle_id, **tightened)
    assert (await commitment(first))["state"] == "active"
    shown = await commitment(second)
    assert (shown["state"], shown["state_reason"]) == ("revoked", "preferences")


async def test_of_two_deals_that_wait_the_later_one_ends_where_only_one_may_be(
    world: World,
) -> None:
    later = await offered(await presented(world), 2.5, 3.5, 3_000)
    await accept(later)
    sooner = await offered(later, 0.5, 1.5, 3_000)
    await accept(sooner)
    await preferences(later.owner, later.vehicle_id, max_discharge_events_per_day=1)
    states = [(await commitment(deal))["state"] for deal in (sooner, later)]
    assert states == ["pending_award", "revoked"]


async def test_two_deals_never_count_on_the_same_rest_of_a_warranty_cap(world: World) -> None:
    deal = await presented(world)
    capped = {"warranty_discharge_policy": "capped", "lifetime_discharge_cap_wh": 7_000}
    await deal.owner.patch(f"/v1/vehicles/{deal.vehicle_id}", capped)
    first = await offered(deal, 0.5, 1.5, 5_000)
    await accept(first)
    second = await offered(first, 2.5, 3.5, 5_000)
    assert await quoted_wh(second) == 2_000
    vehicle = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}")
    assert vehicle["available_energy_wh"] == 2_000
    assert (await accept(second))["decision"]["consented_energy_wh"] == 2_000
    lower = {"lifetime_discharge_cap_wh": 5_000}
    await deal.owner.patch(f"/v1/vehicles/{deal.vehicle_id}", lower)
    assert [(await commitment(each))["state"] for each in (first, second)] == [
        "pending_award",
        "revoked",
    ]


async def test_an_award_takes_back_nothing_that_the_owner_has_lowered_since_the_yes(
    world: World,
) -> None:
    """What was freed for other deals was taken again, and not given at the begin either."""
    deal = await presented(world)
    await accept(deal)
    for most_wh in (5_500, None):
        await preferences(deal.owner, deal.vehicle_id, max_discharge_wh_per_event=most_wh)
    path = f"/v1/vehicles/{deal.vehicle_id}"
    before = (await deal.owner.get(path))["available_energy_wh"]
    assert (await award(deal)).status == 200
    assert (await deal.owner.get(path))["available_energy_wh"] == before


async def test_promise_8_a_later_leave_time_that_is_called_enough_is_enough_beside_a_long_deal(
    world: World,
) -> None:
    """Nobody charges in the long deal's window, also where that goes on after the leave time."""
    deal = await at_home(world, soc_pct=55)
    await accept(await offered(deal, 3.5, 8, 4_000))
    more = await offered(deal, 0.5, 3.4, 9_000, 9_000)
    shown = (await deal.owner.get(f"/v1/offers/{more.offer['offer_id']}"))["evaluation"]
    later = [each["to"] for each in shown["nearest"] if each["change"] == "/departure_at"]
    assert later
    await leave_at(deal.owner, deal.vehicle_id, later[0])
    assert await quoted_wh(await offered(deal, 0.5, 3.4, 9_000, 9_000)) == 9_000


@pytest.mark.parametrize("forgotten", [False, True], ids=["remembered", "forgotten"])
async def test_promise_9_another_open_offer_is_judged_again_when_one_is_accepted(
    world: World, *, forgotten: bool
) -> None:
    """It went on showing energy that was sold by then, and what that would have earned."""
    first = await offered(await presented(world, soc_pct=70), 0.5, 1.5, 6_000)
    second = await offered(first, 1.75, 3.75, 8_000)
    assert await quoted_wh(second) == 8_000
    room = int((70 - 2.5 - 50) / 100 * 60_000 * 0.933)
    if forgotten:
        # What the writer remembers goes with whatever is undone.
        assert (await world.decide(first.owner, first.offer, revision=2)).status == 409
    await accept(first)
    left = await quoted_wh(second)
    assert 0 < left <= room - 6_000
    told = [row for row in await first.owner.events() if row["type"] == "offer.presented"]
    shown = json.loads(told[-1]["data"])
    assert shown["offer_id"] == second.offer["offer_id"]
    assert shown["evaluation"]["quoted_energy_wh"] == left
    # Promise 7: no park notices that its owner has said yes to another offer.
    told = [json.loads(row["data"]) for row in await first.park.events()]
    about = [each for each in told if each.get("offer_id") == second.offer["offer_id"]]
    assert len(about) == 1


async def test_an_offer_that_was_declined_is_no_reason_to_judge_anything_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A yes is answered from memory: it has no time to look for others where there are none."""
    first = await offered(await presented(world), 0.5, 1.5, 6_000)
    for each in (await first.owner.get("/v1/offers"))["items"]:
        if each["offer_id"] != first.offer["offer_id"]:
            assert (await world.decide(first.owner, each, "decline")).status == 201
    looked = list[str]()
    query = Tx.all

    def noted(tx: Tx, sql: str, *params: object) -> Any:
        looked.append(sql)
        return query(tx, sql, *params)

    monkeypatch.setattr(Tx, "all", noted)
    await accept(first)
    assert not [sql for sql in looked if "FROM offer" in sql]


async def by_its_owner(deal: Deal) -> None:
    """Press stop."""
    await deal.owner.post("/v1/stops", {})


async def by_an_award_of_less(deal: Deal) -> None:
    """Order the least that the terms allow: the rest of the consent is free."""
    assert (await award(deal, committed_energy_wh=1)).status == 200


async def by_its_park(deal: Deal) -> None:
    """Cancel, or cut short."""
    await deal.park.post(f"/v1/park/commitments/{deal.commitment_id}/cancellation")


async def by_its_lease(deal: Deal) -> None:
    """Let the park fall silent."""
    await deal.world.move(61)


@pytest.mark.parametrize(
    ("runs", "how"),
    [
        (False, by_its_owner),
        (False, by_its_park),
        (False, by_an_award_of_less),
        (True, by_its_owner),
        (True, by_its_park),
        (True, by_its_lease),
    ],
    ids=lambda value: getattr(value, "__name__", {True: "runs", False: "waits"}.get(value)),
)
async def test_promise_9_another_open_offer_is_judged_again_when_a_deal_leaves_it_more(
    world: World, how: Callable[[Deal], Awaitable[None]], *, runs: bool
) -> None:
    """It went on showing what had been left beside the deal, and a person said no for that."""
    first = await offered(await presented(world, soc_pct=70), 0.5, 1.5, 6_000)
    await accept(first)
    if runs:
        assert (await award(first)).status == 200
        await world.move(1_800)
        await world.telemetry(first.owner, first.vehicle_id, soc_pct=70)
        await world.meter(first.park, first.session_id, context="begin")
        assert (await world.instruct(first.park, first.commitment_id)).status == 201
    second = await offered(first, 1.75, 3.0, 8_000)
    room = int((70 - 2.5 - 50) / 100 * 60_000 * 0.933)
    left = await quoted_wh(second)
    assert 0 < left <= room - 6_000
    before = len(await first.owner.events())
    await how(first)
    assert await quoted_wh(second) == 8_000
    about = second.offer["offer_id"]
    told = [json.loads(row["data"]) for row in (await first.owner.events())[before:]]
    again = [
        each["evaluation"] for each in told if each.get("evaluation") and each["offer_id"] == about
    ]
    assert [each["quoted_energy_wh"] for each in again] == [8_000]
    heard = [json.loads(row["data"]) for row in await first.park.events()]
    assert len([each for each in heard if each.get("offer_id") == about]) == 1


async def test_promise_4_a_stop_stands_where_an_open_offer_cannot_be_judged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await offered(await presented(world), 0.5, 1.5, 6_000)
    await accept(first)

    def fails(*_args: object) -> None:
        raise ArithmeticError("nobody has thought of this")

    monkeypatch.setattr(evaluations, "judge", fails)
    await by_its_owner(first)
    assert (await commitment(first))["state"] == "revoked"
    (usual,) = (await first.owner.get("/v1/offers"))["items"]
    assert usual["state"] == "presented"
