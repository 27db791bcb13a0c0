"""A price sensor for tests, and what the API keeps of its prices."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.core import HomeAssistant

from .conftest import PATIENCE_S
from .owner_world import OwnerWorld

PRICE = "sensor.electricity_price"


def tell(hass: HomeAssistant, *prices: float, unit: str = "CNY/kWh") -> None:
    """Show prices from half a minute ago on, one for each hour."""
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=30)
    listed = [
        {"start": begin + timedelta(hours=ahead), "value": price}
        for ahead, price in enumerate(prices)
    ]
    attributes = {"raw_today": listed, "unit_of_measurement": unit}
    hass.states.async_set(PRICE, str(prices[0]), attributes)


async def told_prices(world: OwnerWorld, vehicle_id: str) -> list[tuple[str, str]]:
    """Return what the API keeps of a vehicle's prices."""

    def read(tx: Any) -> list[tuple[str, str]]:
        rows = tx.all(
            "SELECT start_at, price_per_kwh FROM vehicle_price WHERE vehicle_id = ?"
            " ORDER BY start_at",
            vehicle_id,
        )
        return [(row["start_at"][:19], row["price_per_kwh"]) for row in rows]

    return list(await world.agent.store.read(read))


async def until_told(world: OwnerWorld, vehicle_id: str, *prices: str) -> None:
    """Wait until the API keeps these prices and none later; what went before them may stay."""
    told: list[tuple[str, str]] = []
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not told or [price for _, price in told][-len(prices) :] != list(prices):
                await asyncio.sleep(0.01)
                told = await told_prices(world, vehicle_id)
    except TimeoutError:
        raise AssertionError(told) from None
