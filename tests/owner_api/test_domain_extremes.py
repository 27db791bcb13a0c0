"""Extremes that the schemas allow, in any mix: they may be declined, never break anything."""

from datetime import timedelta
import random

import pytest

from .deal_world import Deal, World, presented
from .domain_world import running, world

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(40), id="few"),
        pytest.param(range(40, 240), id="many"),
    ],
)
async def test_promise_10_no_car_owner_or_offer_that_the_schemas_allow_breaks_the_quote(
    world: World, seeds: range
) -> None:
    """Extremes of every field in any mix: an answer each time, never a failure on our side."""
    for seed in seeds:
        if seed % 20 == 0:
            deal = await presented(world)
        chance = random.Random(seed)  # noqa: S311 - the same mix every time
        world.clock.at += timedelta(seconds=chance.choice([700, 1801, 3600, 20_000]))
        await extremes(world, deal, chance, seed)


async def extremes(world: World, deal: Deal, chance: random.Random, seed: int) -> None:
    pick = chance.choice
    percent = [0, 0.0001, 10, 33.333333, 50, 99.99, 100]
    power = [0, 1, 999, 7000, 1_000_000]
    price = ["0", "0.000001", "0.453", "1.2", "1000"]
    wh = [1, 499, 500, 5000, 1_000_000]
    vehicle = f"/v1/vehicles/{deal.vehicle_id}"
    taper = [
        {"from_soc_pct": pick(percent), "max_charge_w": pick(power)}
        for _ in range(chance.randrange(3))
    ]
    edits = [
        (
            vehicle,
            {
                "usable_capacity_wh": pick([1000, 1001, 60_000, 2_000_000]),
                "max_charge_w": pick(power),
                "max_discharge_w": pick(power),
                "charge_efficiency": pick([0.5, 0.933, 1]),
                "discharge_efficiency": pick([0.5, 0.77777777, 1]),
                "pack_price_per_kwh": pick(price),
                "warranty_discharge_policy": pick(["unknown", "capped"]),
                "lifetime_discharge_cap_wh": pick([None, 0, 1, 10**12]),
                "taper": taper,
            },
        ),
        (
            f"{vehicle}/preferences",
            {
                "soc_floor_pct": pick([0, 0.1, 20, 60]),
                "soc_ceiling_pct": pick([61, 90, 100]),
                "soc_min_departure_pct": pick([60, 80, 100]),
                "soc_target_departure_pct": 100,
                "min_price_per_kwh": pick(price),
                "max_discharge_wh_per_day": pick([None, 0, 1, 10_000_000]),
                "later_refill_price_per_kwh": pick([None, "-1000", "0", "1000"]),
                "degradation_cost_per_kwh": pick([None, "0", "1000"]),
                "departure_buffer_s": pick([0, 900, 7200]),
                "cooldown_s": pick([0, 3600]),
                "soc_margin_pct": pick([0, 2.5, 10]),
                "tariff": {
                    "bands": [
                        {"start": start, "price_per_kwh": pick([*price, "-1000"])}
                        for start in chance.sample(["00:00", "02:30", "12:00", "23:59"], k=2)
                    ]
                },
            },
        ),
        (
            f"{vehicle}/departures",
            {
                "one_off": {
                    "departure_at": world.at(pick([-5, 1, 901, 3600, 40_000, 5_000_000])),
                    "soc_min_departure_pct": pick([None, *percent]),
                }
            },
        ),
    ]
    for path, body in edits:
        current = await deal.owner.call("GET", path)
        assert current.status == 200, (seed, current.body)
        etag = str(current.body["revision"])
        answer = await deal.owner.call("PATCH", path, body, etag=etag)
        assert answer.status in {200, 422}, (seed, answer.body)
    told = {"measured_at": world.at(0), "soc_pct": pick(percent), "plugged_in": True}
    answer = await deal.owner.call("POST", f"{vehicle}/telemetry", {"readings": [told]})
    assert answer.status == 201, (seed, answer.body)
    start = pick([-3600, 0, 1, 1800, 80_000])
    requested = pick(wh)
    promised = {
        "guaranteed": pick([True, False]),
        "energy_wh": pick(wh),
        "start_at": world.at(pick([-7200, 0, 5400])),
        "by": world.at(pick([-1, 1, 5401, 90_000])),
        "max_w": pick(power[1:]),
        "price_per_kwh": pick(price),
    }
    terms = {
        "start_at": world.at(start),
        "end_at": world.at(start + pick([1, 900, 86_400])),
        "requested_energy_wh": requested,
        "min_energy_wh": pick([0, 1, requested]),
        "max_energy_wh": 1_000_000,
        "max_discharge_w": pick(power[1:]),
        "reward": {
            "kind": pick(["cash", "points"]),
            "currency": pick(["CNY", "XPOINT", "JPY"]),
            "price_per_kwh": pick(price),
            "fixed_minor": pick([0, 10**10]),
            "cap_minor": pick([None, 0, 10**10]),
        },
        "recharge": pick([None, promised]),
    }
    body = {
        "session_id": deal.session_id,
        "purpose": "test",
        "respond_by": world.at(1),
        "terms": terms,
    }
    answer = await deal.park.call("POST", "/v1/park/offers", body)
    assert answer.status in {201, 422, 429}, (seed, answer.body)
    if answer.status == 201 and answer.body["state"] == "presented":
        taken = await world.decide(deal.owner, answer.body)
        assert taken.status in {201, 409, 410}, (seed, taken.body)
    for path in ("/v1/snapshot", "/v1/offers?state=all&limit=5", "/v1/commitments"):
        assert (await deal.owner.call("GET", path)).status == 200, (seed, path)
    await world.agent.tick()
    await stop_everything(deal)


async def stop_everything(deal: Deal) -> None:
    answer = await deal.owner.call("POST", "/v1/stops", {})
    assert answer.status == 201, answer.body
