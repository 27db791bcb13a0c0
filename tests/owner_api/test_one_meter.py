"""What one meter counts is one deal's, a charge after a stop is rest, and money follows both."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given, strategies as st
import pytest

from owner_api.core.settlement import measure, price

from .deal_world import Deal, World, active, presented
from .domain_world import accept, award, code, commitment, rows, running, settled, stop, world

__all__ = ["running", "world"]

REWARD = {"kind": "cash", "currency": "CNY", "price_per_kwh": "1.2000"}
POINTS = {"payer": "East Gate Mall", "kind": "points", "currency": "XPOINT", "price_per_kwh": "10"}
TAKES = {"accepted_reward_kinds": ["cash", "points"]}
module = pytest.mark.asyncio(loop_scope="module")


async def two_deals(world: World) -> tuple[Deal, Deal]:
    """Make two deals for the same hour at one charger, a dear one and a cheap one; neither runs."""
    usual: Any = {"min_energy_wh": 0, "requested_energy_wh": 1500, "max_energy_wh": 1500}
    dear = await presented(world, **usual, reward=REWARD | {"price_per_kwh": "3.0"})
    await accept(dear)
    cheap = replace(dear, offer=await world.offer(dear.park, dear.session_id, **usual))
    await accept(cheap)
    for deal in (dear, cheap):
        assert (await award(deal)).status == 200
    await world.move(1800)
    await world.telemetry(dear.owner, dear.vehicle_id, soc_pct=80)
    await world.meter(dear.park, dear.session_id, context="begin")
    return dear, cheap


@module
async def test_promise_9_each_wh_of_the_meter_is_paid_once_and_to_its_own_deal(
    world: World,
) -> None:
    dear, cheap = await two_deals(world)
    begin = world.exported_wh
    assert (await world.instruct(dear.park, dear.commitment_id, -3500)).status == 201
    refused = await world.instruct(cheap.park, cheap.commitment_id, -3500)
    assert code(refused) == (409, "no_lease")
    assert "a reading at rest first" in refused.body["detail"]
    ended = await dear.deliver(1800)
    assert ended.status == 409
    waits = await world.instruct(cheap.park, cheap.commitment_id, -3500)
    assert code(waits) == (409, "no_lease")
    first = await settled(dear)
    assert (await world.instruct(cheap.park, cheap.commitment_id, -3500)).status == 201
    await cheap.deliver(1800)
    second = await settled(cheap)
    assert first["end_register_wh"] == second["begin_register_wh"]
    metered = first["actual_wh"] + second["actual_wh"]
    assert metered == world.exported_wh - begin
    paid = [(each["delivered_wh"], each["net_minor"]) for each in (first, second)]
    assert [minor for _, minor in paid] == [round(paid[0][0] * 0.3), round(paid[1][0] * 0.12)]


@module
async def test_a_deal_that_waited_for_another_has_its_time_to_begin(world: World) -> None:
    """Five minutes from when the charger is free, not from a start that nobody could keep."""
    dear, cheap = await two_deals(world)
    await world.instruct(dear.park, dear.commitment_id, -3500)
    await dear.deliver(1800)
    await settled(dear)
    await world.move(299)
    assert (await commitment(cheap))["state"] == "scheduled"
    await world.move(2)
    shown = await commitment(cheap)
    assert (shown["state"], shown["state_reason"]) == ("missed", "not_started")


@module
async def test_promise_4_charging_after_a_stop_is_a_stop_and_settles_at_once(world: World) -> None:
    deal = await active(world, min_energy_wh=0)
    await world.instruct(deal.park, deal.commitment_id)
    await world.move(20)
    world.exported_wh += 39
    await world.meter(deal.park, deal.session_id, -7000)
    await stop(deal)
    await world.move(15)
    asked = world.at(-15)
    await world.meter(deal.park, deal.session_id, 7000)
    shown = await commitment(deal)
    assert shown["stop"]["requested_at"] == asked
    assert shown["stop"]["stopped_at"] == world.at(0)
    assert shown["unplug_hint"] is False
    assert (shown["settlement"]["delivered_wh"], shown["settlement"]["quality"]) == (39, "ok")


@module
async def test_a_park_that_recharges_from_the_deals_end_on_has_kept_its_promise(
    world: World,
) -> None:
    promise = {
        "guaranteed": True,
        "energy_wh": 3000,
        "start_at": world.at(1800),
        "by": world.at(5400),
        "max_w": 7000,
        "price_per_kwh": "0.3",
    }
    deal = await active(world, min_energy_wh=0, recharge=promise)
    await world.instruct(deal.park, deal.commitment_id)
    await world.move(20)
    world.exported_wh += 39
    await world.meter(deal.park, deal.session_id, -7000)
    await stop(deal)
    # It charges before it sends its next reading, which settles the deal.
    await world.move(300)
    world.imported_wh += 1000
    await world.meter(deal.park, deal.session_id, 7000)
    await world.move(1200)
    world.imported_wh += 2000
    await world.meter(deal.park, deal.session_id, 0)
    await world.move(3600)
    assert (await deal.owner.get("/v1/sessions"))["items"][0]["recharge_broken"] is False


@module
async def test_a_charger_whose_clock_is_ahead_does_not_settle_with_a_reading_from_before(
    world: World,
) -> None:
    """Its clock is 4 minutes ahead: what it read before the stop does not show what came after."""
    deal = await active(world, min_energy_wh=0)
    await world.instruct(deal.park, deal.commitment_id)
    await world.move(20)
    world.exported_wh += 39
    ahead = world.at(240)
    await world.meter(deal.park, deal.session_id, 0, measured_at=ahead)
    await world.move(1)
    await stop(deal)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    assert (await commitment(deal))["settlement"] is None
    await world.move(10)
    world.exported_wh += 11
    await world.meter(deal.park, deal.session_id, 0, measured_at=world.at(240))
    shown = await commitment(deal)
    assert (shown["settlement"]["delivered_wh"], shown["settlement"]["quality"]) == (50, "ok")


@module
async def test_promise_9_a_register_that_leaps_is_no_evidence(world: World) -> None:
    """A terawatt-hour in ten seconds is kept as bad, and counted nowhere."""
    deal = await active(world, min_energy_wh=0)
    await world.instruct(deal.park, deal.commitment_id)
    await world.move(10)
    true_wh = world.exported_wh + 19
    for register, leap in (("export", 10**12), ("import", 10**12)):
        leapt = {f"{register}_register_wh": leap}
        await world.meter(deal.park, deal.session_id, -7000, **leapt)
        await world.move(10)
    world.exported_wh = true_wh + 20
    await world.meter(deal.park, deal.session_id, -7000)
    car = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}")
    assert (car["charged_wh"], car["discharged_wh"]) == (0, 39)
    await stop(deal)
    assert (await settled(deal))["delivered_wh"] == 39


@module
@pytest.mark.parametrize(
    ("import_wh", "export_wh"), [(0, 0), (10**9, 10**9)], ids=["not loaded yet", "a wild one"]
)
async def test_a_wrong_first_reading_blinds_no_meter(
    world: World, import_wh: int, export_wh: int
) -> None:
    """Two readings that agree with each other are right; the leap to them is counted nowhere."""
    deal = await presented(world, min_energy_wh=0)
    await accept(deal)
    await award(deal)
    wrong = {"import_register_wh": import_wh, "export_register_wh": export_wh}
    world.imported_wh, true_wh = 8_000_000, world.exported_wh + 900_000
    world.exported_wh = true_wh
    await world.move(1790)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    await world.meter(deal.park, deal.session_id, **wrong)
    for _ in range(2):
        await world.move(10)
        await world.meter(deal.park, deal.session_id)
    started = await world.instruct(deal.park, deal.commitment_id)
    assert started.status == 201, started.body
    await world.move(20)
    world.exported_wh += 39
    await world.meter(deal.park, deal.session_id, -7000)
    car = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}")
    assert (car["charged_wh"], car["discharged_wh"]) == (0, 39)
    assert car["soc"]["soc_pct"] == pytest.approx(79.9, abs=0.05)
    await stop(deal)
    found = await settled(deal)
    assert (found["delivered_wh"], found["begin_register_wh"]) == (39, true_wh)


@module
async def test_promise_9_what_is_shown_as_earned_is_what_a_settlement_would_say(
    world: World,
) -> None:
    """5 kWh at 1.20 and a fixed 500 of 6 kWh, at most 400 in all; corrected to nothing."""
    reward = REWARD | {"fixed_minor": 500, "cap_minor": 400}
    deal = await active(world, min_energy_wh=0, reward=reward)
    await world.instruct(deal.park, deal.commitment_id)
    await world.move(20)
    for wh, minor in ((100, 20), (5000, 400)):
        world.exported_wh += wh - (await commitment(deal))["delivered_wh"]
        await world.meter(deal.park, deal.session_id, -7000)
        assert (await commitment(deal))["earned_minor"] == minor
        await world.move(20)
    await stop(deal)
    found = await settled(deal)
    assert found["net_minor"] == (await commitment(deal))["earned_minor"] == 400
    path = f"/v1/park/settlements/{found['settlement_id']}/correction"
    await deal.park.post(path, {"delivered_wh": 0, "reason": "wrong car"})
    assert (await commitment(deal))["earned_minor"] == 0


@module
async def test_promise_9_each_line_of_a_statement_can_be_reckoned_again(world: World) -> None:
    parts = [
        {"payer": "East Gate Park", **REWARD, "price_per_kwh": "1.0"},
        {"payer": "Grid Company", **REWARD, "price_per_kwh": "0.2"},
        POINTS,
    ]
    reward = REWARD | {"parts": parts}
    deal = await active(world, min_energy_wh=0, preferences=TAKES, reward=reward)
    await world.instruct(deal.park, deal.commitment_id)
    await world.move(20)
    world.exported_wh += 2000
    await world.meter(deal.park, deal.session_id, -7000)
    await stop(deal)
    await settled(deal)
    month = await deal.owner.get(f"/v1/statements/{world.at(0)[:7]}")
    for line, (price_per_kwh, digits) in zip(
        month["lines"], (("1.0", 2), ("0.2", 2), ("10", 0)), strict=True
    ):
        assert Decimal(line["price_per_kwh"]) == Decimal(price_per_kwh)
        worth = Decimal(price_per_kwh) * line["delivered_wh"] / 1000
        assert worth.scaleb(digits) == line["amount_minor"]


@module
async def test_after_an_erasure_the_charger_is_free_and_nobodys_stream_grows(world: World) -> None:
    deal = await active(world, min_energy_wh=0)
    await world.instruct(deal.park, deal.commitment_id)
    await world.move(20)
    world.exported_wh += 500
    await world.meter(deal.park, deal.session_id, -7000)
    await stop(deal)
    found = await settled(deal)
    await world.move(3601)
    assert (await deal.owner.post("/v1/erasure", {"confirm": "erase"}))["erased"]
    path = f"/v1/park/settlements/{found['settlement_id']}"
    await deal.park.post(f"{path}/payment", {"reference": "BANK-1"})
    await deal.park.post(f"{path}/correction", {"delivered_wh": 100, "reason": "read again"})
    await world.move(3601)
    streams = "SELECT count(*) AS n FROM outbox WHERE party_id = ?"
    assert await rows(world, streams, deal.owner.party_id) == [{"n": 0}]
    # The car still stands there: its readings are taken, and it can leave.
    await world.meter(deal.park, deal.session_id, 0)
    session = f"/v1/park/sessions/{deal.session_id}"
    assert (await deal.park.get(session))["state"] == "claimed"
    digests = "SELECT identifier_digest FROM session WHERE session_id = ?"
    assert await rows(world, digests, deal.session_id) == [{"identifier_digest": None}]
    following, vehicle_id = await world.add_owner("Next"), ""
    vehicle_id = await world.add_vehicle(following)
    member = await world.join(following, deal.park, vehicle_id)
    assert await world.plug_in(following, deal.park, vehicle_id, member) != deal.session_id
    assert (await deal.park.get(session))["state"] == "ended"


@given(
    fixed=st.integers(0, 10_000), requested=st.integers(1, 50_000), delivered=st.integers(0, 60_000)
)
def test_promise_9_a_fixed_reward_is_rounded_half_even_once(
    fixed: int, requested: int, delivered: int
) -> None:
    found = price(
        measure(ordered_wh=60_000, begin_register_wh=0, end_register_wh=delivered),
        price_per_kwh=Decimal(0),
        requested_wh=requested,
        fixed_minor=fixed,
        cap_minor=None,
        minor_digits=2,
    )
    assert found.fixed_minor == round(Fraction(fixed * min(delivered, requested), requested))


def test_promise_9_a_third_of_a_share_does_not_turn_a_tie() -> None:
    """3 of 1000/6000 is half a unit, and goes to 0; 30 of 1300/6000 is 6.5, and goes to 6."""
    for fixed, delivered, minor in ((3, 1000, 0), (30, 1300, 6)):
        found = price(
            measure(ordered_wh=6000, begin_register_wh=0, end_register_wh=delivered),
            price_per_kwh=Decimal(0),
            requested_wh=6000,
            fixed_minor=fixed,
            cap_minor=None,
            minor_digits=2,
        )
        assert found.fixed_minor == minor
