"""A deal at the owner's charger: the park's word reaches the owner, the owner's meter counts."""

from collections.abc import AsyncIterator
import json
from pathlib import Path
from typing import Any

import pytest

from .deal_world import Caller, Deal, World, active, open_world

# More than --fast has time for.
pytestmark = pytest.mark.slow


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def at_home(world: World) -> tuple[Deal, str]:
    """Bring a deal at the charger in the owner's garage to the first minute of its window."""
    owner, park = await world.add_owner(), await world.add_park()
    vehicle_id = await world.add_vehicle(owner)
    member = await world.join(owner, park, vehicle_id)
    garage = {"display_name": "Garage", "evse_id": "HOME1", "max_charge_w": 3_600}
    charger_id = (await owner.post("/v1/chargers", garage))["charger_id"]
    await world.telemetry(owner, vehicle_id, soc_pct=80)
    opened = {
        "evse_id": "HOME1",
        "plugged_in_at": world.at(0),
        "member_ref": member,
        "meter": "owner",
    }
    session = await park.post("/v1/park/sessions", opened)
    assert (session["state"], session["meter"]) == ("bound", "owner")
    offer = await world.offer(park, session["session_id"])
    answer = await world.decide(owner, offer)
    assert answer.status == 201, answer.body
    deal = Deal(
        world=world,
        owner=owner,
        park=park,
        vehicle_id=vehicle_id,
        session_id=session["session_id"],
        offer=offer,
    )
    deal.commitment_id = answer.body["commitment_id"]
    award = {
        "order_reference": "PO-1",
        "terms_sha256": offer["terms_sha256"],
        "committed_energy_wh": answer.body["decision"]["consented_energy_wh"],
    }
    await park.post(f"/v1/park/commitments/{deal.commitment_id}/award", award)
    await world.move(1800)
    await world.telemetry(owner, vehicle_id, soc_pct=80)
    return deal, charger_id


async def meter(
    world: World, owner: Caller, charger_id: str, exported_wh: int, power_w: int = 0
) -> Any:
    """Report the garage's meter."""
    reading = {
        "measured_at": world.at(0),
        "import_register_wh": 40_000,
        "export_register_wh": exported_wh,
        "power_w": power_w,
    }
    return await owner.post(f"/v1/chargers/{charger_id}/telemetry", {"readings": [reading]})


async def test_the_parks_setpoint_and_lease_reach_the_owner_and_the_owners_meter_settles(
    world: World,
) -> None:
    deal, charger_id = await at_home(world)
    await meter(world, deal.owner, charger_id, 700)
    granted = await world.instruct(deal.park, deal.commitment_id, -3_000)
    assert granted.status == 201, granted.body
    told = [
        event for event in await deal.owner.events() if event["type"] == "commitment.instructed"
    ]
    view = json.loads(told[-1]["data"])
    assert view["power_setpoint_w"] == -3_000
    assert view["lease_until"] == granted.body["valid_until"]
    assert view["evse_id"] == "HOME1"
    parks = [event["type"] for event in await deal.park.events()]
    assert "commitment.instructed" not in parks
    await world.move(30)
    await meter(world, deal.owner, charger_id, 725, -3_000)
    shown = await deal.owner.get(f"/v1/commitments/{deal.commitment_id}")
    assert (shown["delivered_wh"], shown["power_w"]) == (25, -3_000)
    await deal.owner.post("/v1/stops", {"commitment_id": deal.commitment_id})
    await world.move(2)
    await meter(world, deal.owner, charger_id, 726, 0)
    shown = await deal.owner.get(f"/v1/commitments/{deal.commitment_id}")
    assert shown["stop"]["stopped_at"] is not None
    assert shown["unplug_hint"] is False
    assert shown["power_setpoint_w"] is None
    assert shown["settlement"]["delivered_wh"] == 26
    assert shown["settlement"]["quality"] == "ok"
    # What Home Assistant reads is a sensor's word unless it says better.
    assert shown["settlement"]["source"] == "sensor"


async def test_promise_4_the_owners_meter_settles_also_where_the_park_was_left_meanwhile(
    world: World,
) -> None:
    deal, charger_id = await at_home(world)
    await meter(world, deal.owner, charger_id, 700)
    assert (await world.instruct(deal.park, deal.commitment_id, -3_000)).status == 201
    await world.move(30)
    await meter(world, deal.owner, charger_id, 725, -3_000)
    agreement = (await deal.owner.get("/v1/agreements"))["items"][0]["agreement_id"]
    await deal.owner.post(f"/v1/agreements/{agreement}/withdrawal")
    await world.move(2)
    await meter(world, deal.owner, charger_id, 726, 0)
    shown = await deal.owner.get(f"/v1/commitments/{deal.commitment_id}")
    assert shown["state"] == "revoked"
    assert shown["stop"]["stopped_at"] is not None
    assert shown["settlement"]["delivered_wh"] == 26


async def test_promise_3_no_lease_without_a_fresh_word_of_the_owners_meter(world: World) -> None:
    deal, charger_id = await at_home(world)
    silent = await world.instruct(deal.park, deal.commitment_id)
    assert (silent.status, silent.body["code"]) == (409, "no_lease")
    # Not "send a reading": a park's is refused here.
    assert "The owner's charger" in silent.body["detail"]
    await meter(world, deal.owner, charger_id, 700)
    await world.move(61)
    old = await world.instruct(deal.park, deal.commitment_id)
    assert old.status == 409


async def test_two_meters_never_count_in_one_session(world: World) -> None:
    """The park that agreed to the owner's meter cannot report another beside it."""
    deal, _ = await at_home(world)
    reading = {
        "measured_at": world.at(0),
        "import_register_wh": 1,
        "export_register_wh": 1,
        "power_w": 0,
    }
    path = f"/v1/park/sessions/{deal.session_id}/readings"
    refused = await deal.park.call("POST", path, {"readings": [reading]})
    assert (refused.status, refused.body["code"]) == (409, "conflict")


async def test_an_owners_word_never_counts_as_a_parks_own_meter(world: World) -> None:
    """Naming a park's EVSE as one's own charger moves no register of the park's session."""
    deal = await active(world)
    mine = {"display_name": "Not mine", "evse_id": "E07"}
    charger_id = (await deal.owner.post("/v1/chargers", mine))["charger_id"]
    before = await deal.owner.get(f"/v1/commitments/{deal.commitment_id}")
    await meter(world, deal.owner, charger_id, 10**6, -7_000)
    after = await deal.owner.get(f"/v1/commitments/{deal.commitment_id}")
    assert after["delivered_wh"] == before["delivered_wh"]
    assert "commitment.instructed" not in [event["type"] for event in await deal.owner.events()]


async def test_at_home_the_agent_promises_the_charging_itself(world: World) -> None:
    """Design §5: the whole time until leaving counts, where this side drives the charger."""
    deal, _ = await at_home(world)
    low = {"soc_min_departure_pct": 78}
    await deal.owner.patch(f"/v1/vehicles/{deal.vehicle_id}/preferences", low)
    shown = await deal.owner.get(f"/v1/commitments/{deal.commitment_id}")
    assert shown["state"] == "scheduled", "what is sold can be charged again before leaving"


async def test_of_a_chargers_readings_each_value_is_shown_as_it_was_told_last(
    world: World,
) -> None:
    """Sensors speak at times of their own: a register goes with an earlier one than the power."""
    owner = await world.add_owner()
    charger_id = (await owner.post("/v1/chargers", {"display_name": "Garage"}))["charger_id"]
    readings = [
        {"measured_at": world.at(-1), "power_w": 40},
        {"measured_at": world.at(-60), "export_register_wh": 700, "power_w": -3_000},
        {"measured_at": world.at(-30), "online": True},
    ]
    path = f"/v1/chargers/{charger_id}/telemetry"
    shown = await owner.post(path, {"readings": readings})
    assert (shown["power_w"], shown["export_register_wh"], shown["online"]) == (40, 700, True)
    late = {"measured_at": world.at(-2), "power_w": -3_000, "online": False}
    shown = await owner.post(path, {"readings": [late]})
    assert (shown["power_w"], shown["online"]) == (40, True)
