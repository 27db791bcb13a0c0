"""A deal that several pay for: what is told of all of them, and of each."""

from typing import Any

import pytest

from owner_api.ids import new_id

from .conftest import Home, until
from .owner_world import OwnerWorld
from .test_settled_statistics import both_confirm, deliver

# More than --fast has time for.
pytestmark = pytest.mark.slow

PARK = {"payer": "East Gate Park", "kind": "cash", "currency": "CNY", "price_per_kwh": "0.9"}
GRID = {"payer": "Grid Company", "kind": "cash", "currency": "CNY", "price_per_kwh": "0.3"}
MALL = {"payer": "East Gate Mall", "kind": "points", "currency": "XPOINT", "price_per_kwh": "10"}
THREE = {
    "kind": "cash",
    "currency": "CNY",
    "price_per_kwh": "1.2",
    "parts": [PARK, GRID, MALL],
}


@pytest.fixture
async def vehicle_id(world: OwnerWorld) -> str:
    """Return a vehicle whose owner takes points, each at a tenth of a yuan."""
    return await world.add_vehicle(
        accepted_reward_kinds=["cash", "points"],
        in_kind_rates=[{"currency": "XPOINT", "price_per_unit": "0.1000"}],
    )


async def test_what_a_deal_of_several_payers_earned_is_told_in_sum_and_of_each_payer(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """45 fen by the park and 15 by the grid for 500 Wh; the mall's points stand beside."""
    deal = await deliver(home, world, session_id, reward=THREE)
    settlement = deal["settlement"]
    assert settlement["net_minor"] == 60

    def told() -> tuple[Any, ...]:
        names = ("event_type", "amount_minor", "currency", "owed_minor", "owed_currency")
        attributes = home.state("event", world.owner_id, "rewards").attributes
        return tuple(attributes.get(name) for name in names)

    await until(lambda: told() == ("settlement_provisional", 60, "CNY", 60, "CNY"))
    (last,) = home.state("sensor", world.owner_id, "deal_state").attributes["last_deals"]
    assert (last["amount_minor"], last["currency"]) == (60, "CNY")
    await both_confirm(world, settlement["settlement_id"])
    path = f"/v1/park/settlements/{settlement['settlement_id']}/payment"
    for part, amount, currency in ((1, 15, "CNY"), (2, 5, "XPOINT")):
        await world.park.post(path, {"reference": f"PAY-{part}", "part": part})
        paid = ("reward_paid", amount, currency, 60, "CNY")
        await until(lambda paid=paid: told() == paid)  # type: ignore[misc]


async def test_what_a_restore_lost_and_the_park_has_paid_counts_in_the_rewards(
    home: Home, world: OwnerWorld
) -> None:
    """Its deal is in no list any more; the payment is news all the same."""
    now, reward_id = world.clock.now(), new_id("rwd")
    lost = {
        "reward_id": reward_id,
        "receipt_id": f"rcp_{7:032x}",
        "settlement_id": new_id("stl"),
        "version": 1,
        "commitment_id": new_id("com"),
        "owner_id": world.owner_id,
        "park_id": world.park.party_id,
        "part": 0,
        "kind": "cash",
        "currency": "CNY",
        "price_per_kwh": "1.2000",
        "delivered_wh": 500,
        "amount_minor": 60,
        "already_paid_minor": 0,
        "settled_at": now,
        "claimed_at": now,
    }
    await world.agent.store.write(lambda tx: tx.insert("claim", **lost))
    await world.park.post(f"/v1/park/claims/{reward_id}/payment", {"reference": "BANK-7"})
    await home.reaches("sensor", world.owner_id, "rewards_paid", "0.6")
    await home.reaches("sensor", world.owner_id, "rewards_total", "0.6")
    event = home.state("event", world.owner_id, "rewards").attributes
    assert (event["event_type"], event["reference"]) == ("reward_paid", "BANK-7")
    assert (event["amount_minor"], event["owed_minor"], event["currency"]) == (60, 60, "CNY")
