"""Only charging that somebody still promises counts: not what was given, nor what cannot flow."""

from typing import Any

import pytest

from .deal_world import Caller, Deal, World, active
from .domain_world import rows, running, settled, world

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

PROMISED_WH = 10_000


class Car:
    """A car with its owner and a park, plugged in where a test wants it."""

    def __init__(self, world: World, owner: Caller, park: Caller, vehicle_id: str) -> None:
        self.world, self.owner, self.park, self.vehicle_id = world, owner, park, vehicle_id

    async def plug_in(self, soc_pct: float, **session: Any) -> str:
        """Open a session and return its id."""
        world, member = self.world, await self.world.join(self.owner, self.park, self.vehicle_id)
        await world.telemetry(self.owner, self.vehicle_id, soc_pct=soc_pct)
        body = {"evse_id": "E07", "plugged_in_at": world.at(0), "member_ref": member} | session
        opened = await self.park.post("/v1/park/sessions", body)
        assert opened["state"] == "bound"
        return str(opened["session_id"])

    async def could_sell(self, session_id: str, seconds: int = 3_600) -> int:
        """Return the most energy of an offer that begins now, as its owner sees it."""
        world = self.world
        window = {"start_at": world.at(0), "end_at": world.at(seconds)}
        offer = await world.offer(self.park, session_id, requested_energy_wh=10_000, **window)
        shown = await self.owner.get(f"/v1/offers/{offer['offer_id']}")
        return int(shown["evaluation"]["max_energy_wh"])


async def car(world: World) -> Car:
    """Add a car that reads its battery exactly."""
    owner, park = await world.add_owner(), await world.add_park()
    return Car(world, owner, park, await world.add_vehicle(owner, soc_margin_pct=0))


def battery_only_wh(soc_pct: float) -> int:
    """Return what the car could give and still leave with 50 %, nobody charging it."""
    return int((soc_pct - 50) / 100 * 60_000 * 0.933)


def recharge(world: World, energy_wh: int, by_s: int) -> dict[str, Any]:
    """Return a park's guarantee that begins now."""
    return {
        "guaranteed": True,
        "energy_wh": energy_wh,
        "start_at": world.at(0),
        "by": world.at(by_s),
        "max_w": 7_000,
        "price_per_kwh": "0.3",
    }


@pytest.mark.parametrize(
    ("given_wh", "soc_pct", "left_wh"), [(10_000, 57, 0), (13_000, 57, 0), (4_000, 52, 6_000)]
)
async def test_promise_2_a_recharge_that_was_already_given_is_not_counted_again(
    world: World, given_wh: int, soc_pct: float, left_wh: int
) -> None:
    here = await car(world)
    session_id = await here.plug_in(42, recharge=recharge(world, PROMISED_WH, 4 * 3_600))
    await world.meter(here.park, session_id)
    await world.move(5_400)
    world.imported_wh += given_wh
    await world.meter(here.park, session_id)
    await world.telemetry(here.owner, here.vehicle_id, soc_pct=soc_pct)
    most = battery_only_wh(soc_pct) + int(left_wh * 0.933 * 0.933)
    assert most - 200 <= await here.could_sell(session_id) <= most


async def test_promise_2_the_recharge_of_an_earlier_deal_counts_from_where_it_began(
    world: World,
) -> None:
    deal = await active(
        world,
        soc_pct=60,
        preferences={"soc_margin_pct": 0},
        recharge=recharge(world, 5_000, 12_000),
        requested_energy_wh=1_000,
        min_energy_wh=500,
    )
    await deal.deliver(480, soc_pct=60)
    await deal.park.post(f"/v1/park/commitments/{deal.commitment_id}/cancellation")
    await settled(deal)
    promised = await _could_sell(deal, soc_pct=58)
    await world.move(3_000)
    world.imported_wh += 5_000
    await world.meter(deal.park, deal.session_id)
    given = await _could_sell(deal, soc_pct=58)
    assert given <= battery_only_wh(58) < promised
    await world.move(9_000)
    sql = "SELECT recharge_broken FROM session WHERE session_id = ?"
    assert (await rows(world, sql, deal.session_id))[0]["recharge_broken"] == 0


async def _could_sell(deal: Deal, soc_pct: float) -> int:
    here = Car(deal.world, deal.owner, deal.park, deal.vehicle_id)
    await deal.world.telemetry(deal.owner, deal.vehicle_id, soc_pct=soc_pct)
    return await here.could_sell(deal.session_id)
