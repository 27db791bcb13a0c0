"""What is lost on the way into the battery and out of it, said in Home Assistant."""

from typing import Any

from homeassistant.data_entry_flow import InvalidData
import pytest

from .conftest import Home
from .owner_world import OwnerWorld
from .test_filling_and_pay import open_step, suggested, vehicle
from .test_subentries import send

# More than --fast has time for.
pytestmark = pytest.mark.slow


async def test_promise_2_a_car_that_loses_more_on_the_way_sells_less(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """What leaves the battery is more than what is sold: counted too low, the floor is undercut."""
    flow = await open_step(home, "refacts")
    shown = suggested(flow)
    assert (shown["charge_efficiency"], shown["discharge_efficiency"]) == (93.3, 93.3)
    times = {"start_at": world.at(60), "end_at": world.at(12 * 3_600)}
    ask = {"session_id": session_id, **times}
    before = await world.park.post("/v1/park/availability", ask)

    lossy = {"charge_efficiency": 85.5, "discharge_efficiency": 70}
    done = await send(home, flow, **shown | lossy)
    assert done["reason"] == "reconfigure_successful"
    kept = await vehicle(world, vehicle_id)
    assert (kept["charge_efficiency"], kept["discharge_efficiency"]) == (0.855, 0.7)
    after = await world.park.post("/v1/park/availability", ask)
    assert 0 < after["available_energy_wh"] < before["available_energy_wh"] * 0.8

    again = suggested(await open_step(home, "refacts"))
    assert {key: again[key] for key in lossy} == lossy


async def test_an_efficiency_left_empty_stays_and_one_that_cannot_be_is_not_taken(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """A name that is changed changes nothing else."""
    path = f"/v1/vehicles/{vehicle_id}"
    await world.phone.patch(path, {"charge_efficiency": 0.9123})
    await home.entry.runtime_data.coordinator.async_refresh()
    flow = await open_step(home, "refacts")
    with pytest.raises(InvalidData):
        await send(home, flow, **suggested(flow) | {"discharge_efficiency": 101})
    shown: dict[str, Any] = suggested(flow)
    assert shown.pop("charge_efficiency") == 91.23
    assert shown.pop("discharge_efficiency") == 93.3
    await send(home, flow, **shown | {"display_name": "Green car"})
    kept = await vehicle(world, vehicle_id)
    assert kept["display_name"] == "Green car"
    assert (kept["charge_efficiency"], kept["discharge_efficiency"]) == (0.9123, 0.933)
