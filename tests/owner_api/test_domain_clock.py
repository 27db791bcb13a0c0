"""Promise 10: a clock that jumps re-opens nothing, starts nothing and pays nothing twice."""

from datetime import datetime, timedelta

import pytest

from .deal_world import World, active, presented, scheduled
from .domain_world import accept, award, code, commitment, running, settled, stop, world

__all__ = ["running", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def back(world: World, seconds: float) -> None:
    """Step the wall clock back and let the timers run."""
    world.clock.at -= timedelta(seconds=seconds)
    await world.agent.tick()


async def test_a_clock_that_steps_back_ten_minutes_does_not_re_open_an_expired_offer(
    world: World,
) -> None:
    deal = await presented(world)
    await world.move(1200)
    await back(world, 600)
    shown = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    assert shown["state"] == "expired"
    assert code(await world.decide(deal.owner, deal.offer)) == (410, "offer_expired")


async def test_a_clock_that_steps_back_does_not_revive_a_lapsed_award(world: World) -> None:
    deal = await presented(world)
    await accept(deal)
    await world.move(1741)
    await back(world, 600)
    assert code(await award(deal)) == (410, "offer_expired")
    assert (await commitment(deal))["state"] == "lapsed"


async def test_a_clock_that_jumps_ahead_ten_minutes_ends_what_runs(world: World) -> None:
    deal = await active(world)
    await deal.deliver(60)
    await world.move(600)
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) in {("failed", "lease"), ("failed", "blind")}
    refused = await world.instruct(deal.park, deal.commitment_id)
    assert code(refused) == (409, "commitment_closed")


async def test_promise_3_a_clock_set_back_ends_a_running_deal_as_blind(world: World) -> None:
    """Nobody knows how old the last reading is: silence would have passed for ten minutes."""
    deal = await active(world)
    await deal.deliver(60)
    before = (await commitment(deal))["lease_until"]
    await back(world, 600)
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("failed", "blind")
    assert shown["lease_until"] == before
    refused = await world.instruct(deal.park, deal.commitment_id)
    assert code(refused) == (409, "commitment_closed")


async def test_a_lease_that_ran_out_long_before_the_tick_is_no_clock_that_was_set_back(
    world: World,
) -> None:
    """Judged as of the lease's end, a reading from a minute after that is only later."""
    deal = await active(world)
    await deal.deliver(60)
    over = datetime.fromisoformat((await commitment(deal))["lease_until"])
    await world.move((over - world.clock.at).total_seconds() + 70, tick=False)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    await world.meter(deal.park, deal.session_id)
    await world.move(0)
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("failed", "lease")


async def test_a_clock_set_back_a_little_gives_a_running_deal_no_longer_lease(
    world: World,
) -> None:
    deal = await active(world)
    await deal.deliver(60)
    before = (await commitment(deal))["lease_until"]
    await back(world, 30)
    granted = await world.instruct(deal.park, deal.commitment_id)
    assert granted.status == 201
    assert granted.body["valid_until"] <= before


async def test_promise_3_a_battery_read_before_the_clock_was_set_back_is_read_again(
    world: World,
) -> None:
    deal = await presented(world)
    await back(world, 600)
    assert code(await world.decide(deal.owner, deal.offer)) == (409, "soc_stale")
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    assert (await world.decide(deal.owner, deal.offer)).status == 201


async def test_no_deal_starts_on_a_meter_read_before_the_clock_was_set_back(world: World) -> None:
    deal = await scheduled(world)
    await world.move(2000)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    await world.meter(deal.park, deal.session_id)
    await back(world, 120)
    refused = await world.instruct(deal.park, deal.commitment_id)
    assert code(refused) == (409, "no_lease")


async def test_a_charger_whose_clock_is_set_right_in_a_deal_is_paid_for_all_it_gave(
    world: World,
) -> None:
    """Four minutes of readings came too late by its former clock: the deal ended as blind."""
    deal = await scheduled(world, min_energy_wh=0)
    await world.move(1800)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    ahead_s, begin = 250, world.exported_wh
    await world.meter(deal.park, deal.session_id, measured_at=world.at(ahead_s))
    for passed in range(0, 240, 15):
        assert (await world.instruct(deal.park, deal.commitment_id)).status == 201
        await world.move(15, tick=False)
        world.exported_wh += 29
        ahead_s = 250 if passed < 90 else 0
        at = world.at(ahead_s)
        await world.meter(deal.park, deal.session_id, -7000, measured_at=at)
        await world.agent.tick()
    await stop(deal)
    found = await settled(deal)
    assert (found["delivered_wh"], found["quality"]) == (world.exported_wh - begin, "ok")
    assert (await commitment(deal))["stop"]["stopped_at"] == world.at(0)


async def test_a_reading_that_was_only_late_on_its_way_moves_nothing_back(world: World) -> None:
    deal = await active(world, min_energy_wh=0)
    await world.instruct(deal.park, deal.commitment_id)
    await world.move(30)
    late = {"measured_at": world.at(-10), "export_register_wh": world.exported_wh + 39}
    world.exported_wh += 58
    await world.meter(deal.park, deal.session_id, -7000)
    await world.meter(deal.park, deal.session_id, -7000, **late)
    assert (await commitment(deal))["delivered_wh"] == 58
    await stop(deal)
    assert (await settled(deal))["delivered_wh"] == 58


async def test_a_meter_is_heard_after_the_clock_was_set_back(world: World) -> None:
    """For as long as the clock had been set back no deal could begin, whatever the meter said."""
    deal = await presented(world)
    await world.meter(deal.park, deal.session_id)
    await back(world, 3_600)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    deal.offer = await world.offer(deal.park, deal.session_id, start_at=world.at(0))
    await accept(deal)
    await award(deal)
    await world.meter(deal.park, deal.session_id)
    assert (await world.instruct(deal.park, deal.commitment_id)).status == 201
    await stop(deal)


async def test_a_home_charger_shows_what_it_tells_after_the_clock_was_set_back(
    world: World,
) -> None:
    owner = await world.add_owner()
    charger = await owner.post("/v1/chargers", {"display_name": "Garage"})
    path = f"/v1/chargers/{charger['charger_id']}"
    for power_w in (3_000, 0):
        reading = {"measured_at": world.at(0), "power_w": power_w}
        shown = await owner.post(f"{path}/telemetry", {"readings": [reading]})
        assert shown["power_w"] == power_w
        await back(world, 3_600)


async def test_a_clock_that_steps_back_starts_nothing_twice(world: World) -> None:
    deal = await scheduled(world)
    await world.move(2200)
    assert (await commitment(deal))["state"] == "missed"
    await back(world, 400)
    refused = await world.instruct(deal.park, deal.commitment_id)
    assert code(refused) == (409, "commitment_closed")


async def test_a_final_reward_stays_final_and_counts_once_when_the_clock_goes_back(
    world: World,
) -> None:
    deal = await active(world, min_energy_wh=0)
    await world.instruct(deal.park, deal.commitment_id)
    await world.move(20)
    world.exported_wh += 1000
    await world.meter(deal.park, deal.session_id, -7000)
    await stop(deal)
    await settled(deal)
    await world.move(3601)
    before = await deal.owner.get("/v1/rewards")
    await back(world, 3000)
    await world.move(3000)
    after = await deal.owner.get("/v1/rewards")
    assert after["confirmed_minor"] == before["confirmed_minor"] == 120
