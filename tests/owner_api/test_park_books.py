"""A park finds again what it has agreed to, what it must pay, and what that makes in all."""

from typing import Any

import pytest

from .deal_world import Deal, World, active, scheduled
from .domain_world import code, running, settled, stop, world

__all__ = ["running", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

REWARD = {"kind": "cash", "currency": "CNY", "price_per_kwh": "1.2000"}
POINTS = {"payer": "East Gate Mall", "kind": "points", "currency": "XPOINT", "price_per_kwh": "10"}
CREDIT = {"kind": "charging_credit", "currency": "CNY", "price_per_kwh": "1.0000"}
TAKES = {"accepted_reward_kinds": ["cash", "points", "charging_credit"]}


async def delivered(world: World, wh: int, reward: Any = REWARD, **more: Any) -> tuple[Deal, Any]:
    """Deliver ``wh`` by the register, stop, and return the deal and its settlement."""
    deal = await active(world, min_energy_wh=0, preferences=TAKES, reward=reward, **more)
    assert (await world.instruct(deal.park, deal.commitment_id)).status == 201
    await world.move(20)
    world.exported_wh += wh
    await world.meter(deal.park, deal.session_id, -7000)
    await stop(deal)
    return deal, await settled(deal)


async def balances(deal: Deal) -> dict[tuple[str, bool], tuple[int, ...]]:
    """Return pending, confirmed, paid and overpaid per currency and book, as the park reads."""
    names = ("pending_minor", "confirmed_minor", "paid_minor", "overpaid_minor")
    shown = (await deal.park.get("/v1/park/balances"))["items"]
    return {
        (each["currency"], each["charging_credit"]): tuple(each[name] for name in names)
        for each in shown
    }


async def bills(deal: Deal, query: str = "") -> list[str]:
    """Return the ids of the park's settlements that a query finds."""
    items = (await deal.park.get(f"/v1/park/settlements{query}"))["items"]
    return [each["settlement_id"] for each in items]


async def test_a_park_reads_what_is_pending_then_to_be_paid_then_paid(world: World) -> None:
    deal, found = await delivered(world, 2000)
    assert await balances(deal) == {("CNY", False): (240, 0, 0, 0)}
    assert await bills(deal, "?reward=confirmed") == []
    await world.move(3601)
    assert await balances(deal) == {("CNY", False): (0, 240, 0, 0)}
    waiting = await bills(deal, "?state=final&reward=confirmed")
    assert waiting == [found["settlement_id"]]
    path = f"/v1/park/settlements/{waiting[0]}/payment"
    await deal.park.post(path, {"reference": "BANK-1"})
    assert await balances(deal) == {("CNY", False): (0, 0, 240, 0)}
    assert await bills(deal, "?reward=confirmed") == []
    assert await bills(deal, "?reward=paid") == [found["settlement_id"]]


async def test_what_comes_to_nothing_waits_for_no_payment(world: World) -> None:
    """A dispatcher that pays what it finds there would have to make up a bank's reference."""
    deal, _ = await delivered(world, 0)
    other, found = await delivered(world, 2000)
    await world.move(3601)
    assert await bills(deal, "?reward=confirmed") == []
    path = f"/v1/park/settlements/{found['settlement_id']}"
    await other.park.post(f"{path}/payment", {"reference": "BANK-1"})
    less = {"delivered_wh": 500, "reason": "read again"}
    second = await other.park.post(f"{path}/correction", less)
    await world.move(3601)
    assert await bills(other, "?state=final") == [second["settlement_id"]]
    assert await bills(other, "?reward=confirmed") == []


async def test_what_a_correction_leaves_overpaid_stands_beside_what_is_owed(world: World) -> None:
    """240 paid for 2 kWh; corrected to half a kWh 60 of them stand, and 180 are too much."""
    deal, found = await delivered(world, 2000)
    await world.move(3601)
    path = f"/v1/park/settlements/{found['settlement_id']}"
    await deal.park.post(f"{path}/payment", {"reference": "BANK-1"})
    wrong = {"delivered_wh": 500, "reason": "read again"}
    second = await deal.park.post(f"{path}/correction", wrong)
    assert await balances(deal) == {("CNY", False): (0, 0, 240, 180)}
    assert await bills(deal) == [found["settlement_id"], second["settlement_id"]]
    assert await bills(deal, "?state=corrected") == [found["settlement_id"]]
    owner = await deal.owner.get("/v1/rewards")
    assert (owner["paid_minor"], owner["overpaid_minor"]) == (240, 180)


async def test_each_currency_and_credit_in_money_stand_apart(world: World) -> None:
    parts = [{"payer": "East Gate Park", **REWARD}, POINTS]
    both = {**REWARD, "parts": parts}
    deal, _ = await delivered(world, 2000, both)
    assert await balances(deal) == {
        ("CNY", False): (240, 0, 0, 0),
        ("XPOINT", False): (20, 0, 0, 0),
    }
    other, _ = await delivered(world, 1000, CREDIT)
    assert await balances(other) == {("CNY", True): (100, 0, 0, 0)}


async def test_a_park_reads_nothing_of_another_parks(world: World) -> None:
    deal, found = await delivered(world, 1000)
    other = await scheduled(world)
    assert await balances(other) == {}
    assert await bills(other) == []
    assert found["settlement_id"] in await bills(deal)
    theirs = (await other.park.get("/v1/park/commitments?state=all"))["items"]
    assert [each["commitment_id"] for each in theirs] == [other.commitment_id]


async def test_a_dispatcher_that_forgot_everything_finds_the_deals_that_run(world: World) -> None:
    deal = await active(world)
    shown = await deal.park.get(f"/v1/park/commitments/{deal.commitment_id}")
    assert (await deal.park.get("/v1/park/commitments"))["items"] == [shown]
    await stop(deal)
    assert (await deal.park.get("/v1/park/commitments"))["items"] == []
    ended = (await deal.park.get("/v1/park/commitments?state=all"))["items"]
    assert [each["state"] for each in ended] == ["revoked"]


async def test_a_state_that_is_none_is_refused_with_those_that_are(world: World) -> None:
    deal = await scheduled(world)
    for query in ("settlements?state=lost", "settlements?reward=lost", "commitments?state=lost"):
        answer = await deal.park.call("GET", f"/v1/park/{query}")
        assert code(answer) == (422, "invalid_parameter")
