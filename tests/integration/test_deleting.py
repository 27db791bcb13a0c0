"""Deleting a car or charger: apart from unlinking, confirmed, and never while a deal lives."""

from typing import Any

import pytest

from .conftest import Home, until
from .owner_world import OwnerWorld
from .test_subentries import change, send

# More than --fast has time for.
pytestmark = pytest.mark.slow


async def open_delete(home: Home, kind: str = "vehicle") -> Any:
    """Open the form that deletes the only car or charger."""
    return await send(home, await change(home, kind), next_step_id="delete")


async def test_a_car_is_deleted_at_the_agent_once_it_is_confirmed(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """It is gone here and there, without a repair that tells of it; its history stays."""
    flow = await send(home, await open_delete(home), confirm=False)
    assert flow["errors"] == {"confirm": "not_confirmed"}
    assert (await world.phone.get("/v1/vehicles"))["items"]
    done = await send(home, flow, confirm=True)
    assert done["reason"] == "deleted"
    await home.hass.async_block_till_done()
    assert (await world.phone.get("/v1/vehicles"))["items"] == []
    assert not home.entry.get_subentries_of_type("vehicle")
    await until(lambda: vehicle_id not in home.entry.runtime_data.coordinator.data.vehicles)


async def test_a_car_with_a_live_deal_is_not_deleted(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """It has to be stopped first, and the form says so."""
    offer = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    body = {key: offer[key] for key in ("offer_id", "revision", "terms_sha256")}
    await world.phone.post("/v1/decisions", body | {"decision": "accept", "method": "tap"})
    flow = await send(home, await open_delete(home), confirm=True)
    assert flow["errors"] == {"base": "refused"}
    assert home.entry.get_subentries_of_type("vehicle")
    assert (await world.phone.get(f"/v1/vehicles/{vehicle_id}"))["vehicle_id"] == vehicle_id


@pytest.mark.usefixtures("charger_home")
async def test_a_charger_is_deleted_too(home: Home, world: OwnerWorld) -> None:
    """The car beside it stays."""
    done = await send(home, await open_delete(home, "charger"), confirm=True)
    assert done["reason"] == "deleted"
    await home.hass.async_block_till_done()
    assert (await world.phone.get("/v1/chargers"))["items"] == []
    assert not home.entry.get_subentries_of_type("charger")
    assert home.entry.get_subentries_of_type("vehicle")
