"""What charging is taken to cost where a price sensor knows one hour at a time."""

from typing import Any

import pytest

from .deal_world import Deal, World
from .domain_world import at_home, running, world

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

HOUR = 3600


async def told(deal: Deal, *steps: tuple[float, str]) -> None:
    """Report prices, each so many hours from now."""
    entries = [
        {"start_at": deal.world.at(hours * HOUR), "price_per_kwh": price} for hours, price in steps
    ]
    await deal.owner.post(f"/v1/vehicles/{deal.vehicle_id}/prices", {"entries": entries})


async def judged(deal: Deal) -> dict[str, Any]:
    """Ask for 6 kWh, of which most is charged again before the car leaves, and return figures."""
    world = deal.world
    window = {"start_at": world.at(0), "end_at": world.at(HOUR)}
    offer = await world.offer(deal.park, deal.session_id, **window)
    found: dict[str, Any] = (await deal.owner.get(f"/v1/offers/{offer['offer_id']}"))["evaluation"]
    return found


async def test_promise_9_the_dear_hour_before_is_known_when_only_the_cheap_one_is_told(
    world: World,
) -> None:
    """Told hour by hour, the next ones were taken to be as cheap as the one that holds."""
    deal = await at_home(world)
    await told(deal, (-0.5, "0.30"))
    alone = await judged(deal)
    await told(deal, (-1.5, "1.10"))
    await told(deal, (-0.5, "0.30"))
    found = await judged(deal)
    assert found["prices_assumed_from"] == alone["prices_assumed_from"] == world.at(0.5 * HOUR)
    assert found["net_minor"] < alone["net_minor"]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        # What ended an hour before does not hold until then, and is no price of that day.
        ([(-4, "1.10")], [(-0.5, "0.30")]),
        # A day that is known as a whole needs no other.
        ([(-2, "1.10")], [(-0.5, "0.30"), (24, "0.30")]),
        # What is told anew is what counts.
        ([(-1, "1.10"), (1, "1.10")], [(-1, "0.30")]),
    ],
    ids=["a gap", "a whole day", "told anew"],
)
async def test_what_is_told_replaces_what_was(
    world: World, before: list[tuple[float, str]], now: list[tuple[float, str]]
) -> None:
    deal = await at_home(world)
    await told(deal, *now)
    alone = await judged(deal)
    await told(deal)
    await told(deal, *before)
    await told(deal, *now)
    assert (await judged(deal))["net_minor"] == alone["net_minor"]
