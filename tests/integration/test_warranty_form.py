"""A warranty that allows so much in all: its total is asked for, kept, shown and taken away."""

from typing import Any

from homeassistant.data_entry_flow import FlowResultType
import pytest

from .conftest import Home
from .owner_world import OwnerWorld
from .test_subentries import ENTITIES, FACTS, begin, change, empty_home, send

# More than --fast has time for.
pytestmark = pytest.mark.slow

__all__ = ["empty_home"]
CAPPED = FACTS | {"warranty_discharge_policy": "capped"}


async def told(world: OwnerWorld) -> tuple[Any, Any]:
    """Return what the agent knows of the only car's warranty."""
    (vehicle,) = (await world.phone.get("/v1/vehicles"))["items"]
    return vehicle["warranty_discharge_policy"], vehicle["lifetime_discharge_cap_wh"]


async def test_a_new_car_with_a_capped_warranty_is_asked_for_its_total(
    empty_home: Home, world: OwnerWorld
) -> None:
    """Without one the cap would be a word; what was filled in beside it stays."""
    asked = await send(empty_home, await begin(empty_home), **CAPPED)
    assert asked["step_id"] == "facts"
    assert asked["errors"] == {"warranty_total_kwh": "total_needed"}
    shown = {str(key): key.description for key in asked["data_schema"].schema}
    assert shown["capacity_kwh"] == {"suggested_value": 77.4}
    flow = await send(empty_home, asked, **CAPPED, warranty_total_kwh=10_000)
    done = await send(empty_home, flow, **ENTITIES)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert await told(world) == ("capped", 10_000_000)


async def test_the_total_of_a_known_car_is_shown_changed_and_taken_away(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """What a phone has said is there to see, and an empty field is no total."""
    facts = {"warranty_discharge_policy": "capped", "lifetime_discharge_cap_wh": 12_500}
    await world.phone.patch(f"/v1/vehicles/{vehicle_id}", facts)
    await home.entry.runtime_data.coordinator.async_refresh()
    flow = await send(home, await change(home), next_step_id="refacts")
    shown = {str(key): key.description for key in flow["data_schema"].schema}
    assert shown["warranty_total_kwh"] == {"suggested_value": 12.5}
    flow = await send(home, flow, **CAPPED)
    assert flow["errors"] == {"warranty_total_kwh": "total_needed"}
    done = await send(home, flow, **CAPPED, warranty_total_kwh=20.5)
    assert done["reason"] == "reconfigure_successful"
    assert await told(world) == ("capped", 20_500)
    flow = await send(home, await change(home), next_step_id="refacts")
    await send(home, flow, **FACTS)
    assert await told(world) == ("allowed", None)
