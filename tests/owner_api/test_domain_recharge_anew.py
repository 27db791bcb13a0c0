"""A recharge stays promised, and is promised once, where the park opens the session anew."""

from typing import Any

import pytest

from .deal_world import World, active
from .domain_world import running, settled, world
from .test_domain_promised_charging import Car, battery_only_wh, car, recharge

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

HOUR = 3600


async def open_anew(here: Car, session_id: str, **session: Any) -> str:
    """Open the session once more, as a charger does that was started again."""
    shown = await here.park.get(f"/v1/park/sessions/{session_id}")
    member = (await here.park.get("/v1/park/members"))["items"][-1]["member_ref"]
    body = {
        "evse_id": shown["evse_id"],
        "plugged_in_at": shown["plugged_in_at"],
        "member_ref": member,
    }
    opened = await here.park.post("/v1/park/sessions", body | session)
    assert opened["state"] == "bound"
    return str(opened["session_id"])


async def newest(here: Car) -> Any:
    """Return the car's newest session as its owner sees it."""
    return (await here.owner.get("/v1/sessions"))["items"][-1]


@pytest.mark.parametrize("said_again", [True, False])
async def test_promise_2_what_was_put_back_before_is_not_promised_again(
    world: World, *, said_again: bool
) -> None:
    here = await car(world)
    promise = recharge(world, 10_000, 4 * HOUR)
    session_id = await here.plug_in(45, recharge=promise)
    await world.meter(here.park, session_id)
    await world.move(5_400)
    world.imported_wh += 8_000
    await world.meter(here.park, session_id)
    await world.telemetry(here.owner, here.vehicle_id, soc_pct=57)
    again = {"recharge": promise} if said_again else {}
    session_id = await open_anew(here, session_id, **again)
    for _ in range(2):
        most = battery_only_wh(57) + int(2_000 * 0.933 * 0.933)
        assert await here.could_sell(session_id) <= most
        await world.meter(here.park, session_id)
    assert most - 200 <= await here.could_sell(session_id) <= most
    assert (await newest(here))["recharge"]["energy_wh"] == 10_000
    world.imported_wh += 2_000
    await world.move(4 * HOUR - 5_400)
    await world.meter(here.park, session_id)
    await world.move(901)
    assert (await newest(here))["recharge_broken"] is False


@pytest.mark.parametrize(("given_wh", "broken"), [(0, True), (3_000, False)])
@pytest.mark.parametrize("when", ["settled", "running"])
async def test_a_recharge_for_a_deal_is_held_against_the_park_in_the_session_opened_anew(
    world: World, when: str, given_wh: int, *, broken: bool
) -> None:
    """A park that opened each session anew never had to put anything back."""
    promise = recharge(world, 3_000, 2 * HOUR)
    deal = await active(world, min_energy_wh=0, recharge=promise)
    await deal.deliver(300)
    if when == "settled":
        await deal.park.post(f"/v1/park/commitments/{deal.commitment_id}/cancellation")
        await settled(deal)
    here = Car(world, deal.owner, deal.park, deal.vehicle_id)
    session_id = await open_anew(here, deal.session_id)
    await world.meter(here.park, session_id)
    # Without a reading in its own session a deal that ran is settled after a quarter of an hour.
    await world.move(901)
    world.imported_wh += given_wh
    await world.meter(here.park, session_id)
    await world.move(2 * HOUR)
    await world.meter(here.park, session_id)
    await world.move(1)
    shown = await newest(here)
    assert (shown["session_id"], shown["recharge_broken"]) == (session_id, broken)


async def test_a_car_that_has_left_and_comes_again_was_promised_nothing(world: World) -> None:
    here = await car(world)
    session_id = await here.plug_in(60, recharge=recharge(world, 5_000, HOUR))
    await world.move(600)
    for plugged_in in (False, True):
        await world.telemetry(here.owner, here.vehicle_id, plugged_in=plugged_in)
        await world.move(1)
    await open_anew(here, session_id, plugged_in_at=world.at(-1))
    assert (await newest(here))["recharge"] is None
