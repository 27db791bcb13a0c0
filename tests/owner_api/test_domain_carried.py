"""What left the battery is gone, whatever becomes of the session whose meter saw it leave."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
import json
from typing import Any

import pytest

from owner_api.core.model import VehicleLive
from owner_api.store.documents import dump, load

from .deal_world import Deal, World, active, rfc, scheduled
from .domain_world import accept, award, code, commitment, rows, running, world

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

POWER_W = 60_000
FLOOR: dict[str, Any] = {
    "soc_floor_pct": 50,
    "soc_min_departure_pct": 50,
    "soc_margin_pct": 0,
}


async def selling(world: World, soc_pct: float, **preferences: Any) -> Deal:
    """Bring a deal of 4 kWh at 60 kW to its first minute."""
    deal = await active(
        world,
        soc_pct=soc_pct,
        preferences=FLOOR | preferences,
        max_discharge_w=POWER_W,
        requested_energy_wh=4_000,
        min_energy_wh=500,
    )
    path = f"/v1/vehicles/{deal.vehicle_id}"
    await deal.owner.patch(path, {"max_discharge_w": POWER_W})
    return deal


async def drain(deal: Deal, seconds: int) -> None:
    """Discharge at full power until the agent ends it; the car says nothing meanwhile."""
    world = deal.world
    for _ in range(0, seconds, 10):
        answer = await world.instruct(deal.park, deal.commitment_id, -POWER_W)
        if answer.status != 201:
            return
        until = datetime.fromisoformat(answer.body["valid_until"])
        runs_s = min(10.0, (until - world.clock.at).total_seconds())
        await world.move(10, tick=False)
        world.exported_wh += int(POWER_W * runs_s / 3600)
        await world.meter(deal.park, deal.session_id, -POWER_W)
        await world.agent.tick()


async def plug_in_again(deal: Deal, evse_id: str = "E07") -> None:
    """Let the park open the session anew, as it may after any restart of its charger."""
    path = f"/v1/park/sessions/{deal.session_id}"
    plugged_in_at = (await deal.park.get(path))["plugged_in_at"]
    member = (await deal.park.get("/v1/park/members"))["items"][-1]["member_ref"]
    body = {"evse_id": evse_id, "plugged_in_at": plugged_in_at, "member_ref": member}
    session = await deal.park.post("/v1/park/sessions", body)
    assert session["state"] == "bound"
    deal.session_id = session["session_id"]


async def shown_soc(deal: Deal) -> float:
    """Return the state of charge that the owner is shown."""
    shown = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}")
    return float(shown["soc"]["soc_pct"])


async def sell_again(deal: Deal) -> bool:
    """Offer 4 kWh from now on and sell what is accepted; return whether anything was."""
    world = deal.world
    deal.offer = await world.offer(
        deal.park,
        deal.session_id,
        start_at=world.at(0),
        end_at=world.at(3_600),
        max_discharge_w=POWER_W,
        requested_energy_wh=4_000,
        min_energy_wh=500,
    )
    if deal.offer["state"] != "presented":
        return False
    await accept(deal)
    await award(deal)
    await world.meter(deal.park, deal.session_id)
    await drain(deal, 300)
    return True


async def test_promise_2_a_session_opened_anew_does_not_forget_what_has_left(world: World) -> None:
    begin, deal = world.exported_wh, await selling(world, 60)
    await drain(deal, 300)
    before = await shown_soc(deal)
    assert before < 54
    await plug_in_again(deal)
    assert await shown_soc(deal) == before
    for _ in range(3):
        if not await sell_again(deal):
            break
        await plug_in_again(deal)
    given = world.exported_wh - begin
    assert 60 - given / 0.933 / 600 >= 50
    assert await shown_soc(deal) >= 50


async def test_promise_2_a_park_that_is_left_takes_what_it_has_drawn_from_the_car(
    world: World,
) -> None:
    deal = await selling(world, 60)
    await drain(deal, 300)
    before = await shown_soc(deal)
    assert before < 54
    agreement = (await deal.owner.get("/v1/agreements"))["items"][0]["agreement_id"]
    await deal.owner.post(f"/v1/agreements/{agreement}/withdrawal")
    assert await shown_soc(deal) <= before


async def test_promise_3_the_ten_points_of_the_meter_are_not_given_again_by_a_new_session(
    world: World,
) -> None:
    begin, deal = world.exported_wh, await selling(world, 90)
    await drain(deal, 300)
    for _ in range(3):
        await plug_in_again(deal)
        await sell_again(deal)
    given = world.exported_wh - begin
    assert given / 0.933 / 600 <= 10
    assert await shown_soc(deal) >= 80


async def test_promise_3_a_new_reading_of_the_car_replaces_what_was_carried(world: World) -> None:
    deal = await selling(world, 90)
    await drain(deal, 300)
    await plug_in_again(deal)
    await world.move(60)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=83)
    assert await shown_soc(deal) == 83
    live = (await rows(world, "SELECT live FROM vehicle WHERE vehicle_id = ?", deal.vehicle_id))[0]
    assert load(VehicleLive, live["live"]).carried_wh == 0


async def test_promise_3_a_reading_from_before_the_replug_does_not_hide_what_left_until_it(
    world: World,
) -> None:
    deal = await selling(world, 90)
    early = world.clock.at + timedelta(seconds=1)
    await drain(deal, 300)
    await plug_in_again(deal)
    before = await shown_soc(deal)
    await world.move(5)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=90, measured_at=rfc(early))
    assert await shown_soc(deal) == before


async def test_promise_2_a_charger_that_did_not_hear_of_the_end_may_go_on_until_its_lease_is_over(
    world: World,
) -> None:
    deal = await selling(world, 90)
    await drain(deal, 60)
    last = await world.instruct(deal.park, deal.commitment_id, -POWER_W)
    assert last.status == 201
    seen, before = world.exported_wh, await shown_soc(deal)
    await plug_in_again(deal)
    lease_s = (datetime.fromisoformat(last.body["valid_until"]) - world.clock.at).total_seconds()
    unseen = lease_s * POWER_W / 3600 / 0.933 / 600
    assert before - await shown_soc(deal) >= unseen - 0.1
    assert world.exported_wh == seen


async def test_promise_10_an_ordinary_replug_of_a_car_that_gave_nothing_changes_nothing(
    world: World,
) -> None:
    deal = await selling(world, 80)
    await plug_in_again(deal)
    assert await shown_soc(deal) == 80
    assert (await commitment(deal))["state"] == "missed"
    refused = await world.instruct(deal.park, deal.commitment_id, -POWER_W)
    assert code(refused) == (409, "commitment_closed")


async def test_promise_10_a_vehicle_that_was_stored_before_anything_was_carried_opens() -> None:
    document = json.loads(dump(VehicleLive(soc_pct=Decimal(60), anchor_export_wh=5_000)))
    del document["carried_wh"], document["carried_until"]
    opened = load(VehicleLive, json.dumps(document))
    assert (opened.carried_wh, opened.carried_until) == (0, None)
    told = VehicleLive(carried_wh=1, carried_until=datetime(2026, 12, 1, 5, 30, tzinfo=UTC))
    assert load(VehicleLive, dump(told) + " ") == told


async def test_an_old_deal_shows_the_car_as_it_is_not_by_the_meter_of_another_charger(
    world: World,
) -> None:
    deal = await selling(world, 80)
    await drain(deal, 60)
    await plug_in_again(deal, "E09")
    await world.meter(deal.park, deal.session_id, export_register_wh=100)
    await world.move(180)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=78)
    assert (await commitment(deal))["soc_pct"] == await shown_soc(deal) == 78


@pytest.mark.parametrize("lease_s", [60, 120])
async def test_promise_2_a_late_reading_does_not_forget_what_left_until_a_long_leases_end(
    world: World, lease_s: int
) -> None:
    """The end of a lease is to come: it is no sign of a clock that was set back."""
    deal = await active(world, soc_pct=58, preferences=FLOOR, lease_s=lease_s, min_energy_wh=0)
    began = world.clock.at
    await world.instruct(deal.park, deal.commitment_id, -6_600)
    for _ in range(10):
        await world.move(30, tick=False)
        world.exported_wh += 55
        await world.meter(deal.park, deal.session_id, -6_600)
        await world.instruct(deal.park, deal.commitment_id, -6_600)
    session = f"/v1/park/sessions/{deal.session_id}"
    await deal.park.post(f"{session}/end", {"unplugged_at": world.at(0)})
    left = await shown_soc(deal)
    assert left < 58 - 550 / 0.933 / 600 + 0.1
    await world.move(20)
    late = {"soc_pct": 58, "measured_at": rfc(began + timedelta(seconds=1))}
    await world.telemetry(deal.owner, deal.vehicle_id, **late)
    assert await shown_soc(deal) <= left
    await world.move(lease_s)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=57)
    assert await shown_soc(deal) == 57


async def test_promise_2_a_late_reading_hides_nothing_that_an_estimating_meter_saw_leave(
    world: World,
) -> None:
    """Read ten minutes ago and told now, 80 % is not what is left now."""
    deal = await scheduled(world)
    await world.move(1_800)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    told = {"quality": "estimated"}
    await world.meter(deal.park, deal.session_id, **told)
    for _ in range(20):
        assert (await world.instruct(deal.park, deal.commitment_id)).status == 201
        await world.move(30)
        world.exported_wh += 58
        await world.meter(deal.park, deal.session_id, -7000, **told)
    before = await shown_soc(deal)
    assert before == pytest.approx(80 - 20 * 58 / 0.933 / 600, abs=0.1)
    read_at = world.at(-590)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80, measured_at=read_at)
    assert await shown_soc(deal) == before
