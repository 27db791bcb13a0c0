"""What a new battery costs: asked for in the account's currency, because wear is priced by it."""

from decimal import Decimal
from typing import Any

import pytest

from .conftest import Home
from .owner_world import OwnerWorld
from .test_subentries import ENTITIES, FACTS, begin, change, empty_home, send

# More than --fast has time for.
pytestmark = pytest.mark.slow

__all__ = ["empty_home"]


async def vehicle(world: OwnerWorld) -> Any:
    """Return the only car as the agent knows it."""
    (found,) = (await world.phone.get("/v1/vehicles"))["items"]
    return found


async def test_a_new_car_wears_by_the_price_its_owner_names(
    empty_home: Home, world: OwnerWorld
) -> None:
    """Twice the price of the reference pack is twice the wear of each kWh sold."""
    flow = await send(empty_home, await begin(empty_home), **FACTS, pack_price=1_200.5)
    await send(empty_home, flow, **ENTITIES)
    found = await vehicle(world)
    assert Decimal(found["pack_price_per_kwh"]) == Decimal("1200.5")
    wear = {name: Decimal(price) for name, price in found["wear_price_per_kwh"].items()}
    assert wear["default"] > Decimal("0.26")


async def test_a_car_whose_battery_price_is_not_named_keeps_the_one_it_has(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """The form shows the price that counts; an empty field changes nothing."""
    await world.phone.patch(f"/v1/vehicles/{vehicle_id}", {"pack_price_per_kwh": "95.25"})
    await home.entry.runtime_data.coordinator.async_refresh()
    flow = await send(home, await change(home), next_step_id="refacts")
    shown = {str(key): key.description for key in flow["data_schema"].schema}
    assert shown["pack_price"] == {"suggested_value": 95.25}
    await send(home, flow, **FACTS)
    assert (await vehicle(world))["pack_price_per_kwh"] == "95.25"
    flow = await send(home, await change(home), next_step_id="refacts")
    await send(home, flow, **FACTS, pack_price=110)
    assert Decimal((await vehicle(world))["pack_price_per_kwh"]) == 110
