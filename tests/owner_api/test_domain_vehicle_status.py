"""A car says that it cannot sell, and why, where every offer to it would be declined for that."""

from typing import Any

import pytest

from .deal_world import World
from .domain_world import preferences, running, world

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest.mark.parametrize(
    ("changes", "reading", "why"),
    [
        ({"consent_mode": "never"}, {}, "consent_never"),
        ({}, {"pack_temperature_c": -3.5}, "temperature"),
        ({}, {"pack_temperature_c": 46}, "temperature"),
        ({"discharge_allowed": False}, {"pack_temperature_c": 46}, "discharge_not_allowed"),
    ],
)
async def test_what_declines_every_offer_is_the_reason_of_the_car_too(
    world: World, changes: dict[str, Any], reading: dict[str, Any], why: str
) -> None:
    owner, park = await world.add_owner(), await world.add_park()
    vehicle_id = await world.add_vehicle(owner)
    member = await world.join(owner, park, vehicle_id)
    session_id = await world.plug_in(owner, park, vehicle_id, member)
    await preferences(owner, vehicle_id, **changes)
    await world.telemetry(owner, vehicle_id, soc_pct=80, **reading)
    offer = await world.offer(park, session_id)
    declined = (await owner.get(f"/v1/offers/{offer['offer_id']}"))["evaluation"]
    car = await owner.get(f"/v1/vehicles/{vehicle_id}")
    assert (offer["state"], declined["reason"]["code"]) == ("auto_declined", why)
    assert (car["status"], car["status_reason"]) == ("blocked", why)
    assert car["available_energy_wh"] is None


async def test_an_agreement_for_another_car_is_none_for_this_one(world: World) -> None:
    owner, park = await world.add_owner(), await world.add_park()
    agreed, other = await world.add_vehicle(owner), await world.add_vehicle(owner)
    await world.join(owner, park, agreed)
    found = {}
    for vehicle_id in (agreed, other):
        await world.telemetry(owner, vehicle_id, soc_pct=80)
        found[vehicle_id] = (await owner.get(f"/v1/vehicles/{vehicle_id}"))["status_reason"]
    assert found == {agreed: "unbound_session", other: "no_agreement"}
