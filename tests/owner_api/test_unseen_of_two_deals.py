"""Deals whose meter fell silent: what may have left unseen counts until it speaks of that time."""

from dataclasses import replace
from pathlib import Path

from owner_api.config import Config

from .deal_world import active, open_world
from .domain_world import accept, award, commitment, stop

CAP_WH = 5_000


async def test_what_two_deals_left_unseen_counts_until_the_meter_speaks_and_then_no_more(
    tmp_path: Path,
) -> None:
    """The second one's took the first one's place: that counted against the warranty for good."""
    config = Config(rate_per_s=1e6, rate_burst=10**7, public_rate_burst=10**6, reading_grace_s=10)
    async with open_world(tmp_path, config) as world:
        first = await active(world, lease_s=120)
        cap = {"warranty_discharge_policy": "capped", "lifetime_discharge_cap_wh": 2 * CAP_WH}
        await first.owner.patch(f"/v1/vehicles/{first.vehicle_id}", cap)
        for deal in (first, replace(first)):
            if deal is not first:
                await world.meter(first.park, first.session_id)
                window = {"start_at": world.at(0), "end_at": world.at(3_600), "lease_s": 120}
                deal.offer = await world.offer(first.park, first.session_id, **window)
                await accept(deal)
                assert (await award(deal)).status == 200
            assert (await world.instruct(deal.park, deal.commitment_id)).status == 201
            await world.move(10)
            await stop(deal)
            await world.move(11)
            assert (await commitment(deal))["settlement"]["quality"] == "missing"
        await world.move(300)
        await world.meter(first.park, first.session_id)
        await world.telemetry(first.owner, first.vehicle_id, soc_pct=80)
        await first.owner.patch(
            f"/v1/vehicles/{first.vehicle_id}", {"lifetime_discharge_cap_wh": CAP_WH}
        )
        window = {"start_at": world.at(600), "end_at": world.at(4_200)}
        offer = await world.offer(first.park, first.session_id, **window)
        shown = await first.owner.get(f"/v1/offers/{offer['offer_id']}")
        assert shown["evaluation"]["max_energy_wh"] == CAP_WH


async def test_promise_2_a_late_word_of_the_meter_does_not_hide_what_was_allowed_after_it(
    tmp_path: Path,
) -> None:
    """The park had gone to zero by the time it sent what its meter said while it discharged."""
    config = Config(rate_per_s=1e6, rate_burst=10**7, public_rate_burst=10**6, reading_grace_s=10)
    async with open_world(tmp_path, config) as world:
        deal = await active(world)
        cap = {"warranty_discharge_policy": "capped", "lifetime_discharge_cap_wh": CAP_WH}
        await deal.owner.patch(f"/v1/vehicles/{deal.vehicle_id}", cap)
        assert (await world.instruct(deal.park, deal.commitment_id)).status == 201
        await world.move(10)
        told_at = world.at(0)
        await world.move(20)
        assert (await world.instruct(deal.park, deal.commitment_id, 0)).status == 201
        await world.meter(deal.park, deal.session_id, -7000, measured_at=told_at)
        await stop(deal)
        await world.move(11)
        assert (await commitment(deal))["settlement"]["quality"] == "missing"
        await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
        window = {"start_at": world.at(600), "end_at": world.at(4_200)}
        offer = await world.offer(deal.park, deal.session_id, **window)
        shown = await deal.owner.get(f"/v1/offers/{offer['offer_id']}")
        # Twenty seconds at 7 kW at the least.
        assert shown["evaluation"]["max_energy_wh"] <= CAP_WH - 38
