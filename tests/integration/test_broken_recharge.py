"""A park that did not put back what it guaranteed: its owner is told, and may forgive it."""

from datetime import timedelta
from typing import Any

import pytest

from .conftest import Home, until
from .owner_world import OwnerWorld
from .test_repairs import raised, submit

pytestmark = pytest.mark.slow


@pytest.fixture
async def broken(home: Home, world: OwnerWorld, vehicle_id: str) -> OwnerWorld:
    """Let the park guarantee 100 Wh within the minute and charge nothing."""
    member_ref = await world.join(vehicle_id)
    reading = {"measured_at": world.at(0), "plugged_in": True, "soc_pct": 66}
    await world.phone.post(f"/v1/vehicles/{vehicle_id}/telemetry", {"readings": [reading]})
    recharge = {"guaranteed": True, "energy_wh": 100, "max_w": 7_000, "price_per_kwh": "0.3"}
    times = {"start_at": world.at(0), "by": world.at(60)}
    body = {"evse_id": "E07", "plugged_in_at": world.at(0), "member_ref": member_ref}
    session = await world.park.post("/v1/park/sessions", body | {"recharge": recharge | times})
    assert session["state"] == "bound"
    assert raised(home.hass, "recharge_broken") is None
    await world.meter(session["session_id"])
    world.clock.ahead += timedelta(seconds=61)
    await world.meter(session["session_id"])
    await world.tick()
    return world


async def test_a_broken_recharge_promise_is_told_and_ends_with_a_new_agreement(
    home: Home, broken: OwnerWorld, vehicle_id: str, hass_client: Any
) -> None:
    """From then on no rule says yes to the park: whoever wrote one has to know why."""
    issue = await until(lambda: raised(home.hass, "recharge_broken"))
    assert issue.translation_placeholders == {"park": "East Gate Park"}
    form, answer = await submit(home.hass, hass_client, issue)
    assert form["description_placeholders"]["terms"]
    assert answer["type"] == "create_entry", answer
    await until(lambda: raised(home.hass, "recharge_broken") is None)
    agreements = (await broken.phone.get("/v1/agreements"))["items"]
    (active,) = [each for each in agreements if each["state"] == "active"]
    assert (active["vehicle_ids"], active["recharge_broken"]) == ([vehicle_id], False)


async def test_a_broken_recharge_promise_is_still_told_after_a_restart(
    home: Home, broken: OwnerWorld
) -> None:
    """A full read says it as well: whoever was away when it happened has to know it too."""
    await until(lambda: raised(home.hass, "recharge_broken"))
    await home.hass.config_entries.async_unload(home.entry.entry_id)
    await broken.park.post("/v1/park/sessions", {"evse_id": "E07", "plugged_in_at": broken.at(0)})
    assert await home.hass.config_entries.async_setup(home.entry.entry_id)
    await until(lambda: raised(home.hass, "recharge_broken"))
