"""A park's broken recharge counts under the agreement in force, whenever its session was opened."""

from dataclasses import replace
from typing import Any

import pytest

from .deal_world import Deal, World, presented
from .domain_world import award, preferences, running, settled, stop, world
from .test_domain_sessions import SELLS_ALL, next_offer, recharge

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

# From the settlement to when the recharge has to be there, and a reading of that.
DUE_S = 7_200


async def broke_it(deal: Deal) -> Any:
    """Return whether the owner is told that the park broke its promise."""
    agreements = (await deal.owner.get("/v1/agreements"))["items"]
    (active,) = [each for each in agreements if each["state"] == "active"]
    return active["recharge_broken"]


async def agree_anew(deal: Deal) -> None:
    """Withdraw and join again, as for new terms or one more car; the plug stays in."""
    agreements = (await deal.owner.get("/v1/agreements"))["items"]
    agreement = next(each for each in agreements if each["state"] == "active")
    await deal.owner.post(f"/v1/agreements/{agreement['agreement_id']}/withdrawal")
    await deal.world.move(60)
    await deal.world.join(deal.owner, deal.park, deal.vehicle_id)
    await deal.world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)


async def sell_with_recharge(deal: Deal, given_wh: int = 0) -> None:
    """Let a rule sell a little under a guaranteed recharge, settle, and wait until that is due."""
    world = deal.world
    await preferences(deal.owner, deal.vehicle_id, **SELLS_ALL)
    terms: Any = {"recharge": recharge(world), "min_energy_wh": 0}
    offer = await world.offer(deal.park, deal.session_id, **terms)
    deal = replace(deal, offer=offer, commitment_id=offer["commitment_id"])
    await award(deal)
    await world.move(1_800)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    await world.meter(deal.park, deal.session_id, context="begin")
    await world.instruct(deal.park, deal.commitment_id, -7_000)
    await stop(deal)
    await settled(deal)
    assert await broke_it(deal) is False, "there is time yet"
    world.imported_wh += given_wh
    await world.move(DUE_S)
    await world.meter(deal.park, deal.session_id)
    await world.move(10)


async def test_a_promise_that_is_broken_in_a_session_older_than_the_agreement_counts(
    world: World,
) -> None:
    """The rules went on to say yes to that park, and nobody was told."""
    deal = await presented(world)
    await agree_anew(deal)
    await sell_with_recharge(deal)
    assert await broke_it(deal) is True
    assert (await next_offer(deal))["state"] == "presented"


async def test_what_was_broken_before_an_agreement_does_not_count_though_the_session_goes_on(
    world: World,
) -> None:
    deal = await presented(world)
    await sell_with_recharge(deal)
    assert await broke_it(deal) is True
    await agree_anew(deal)
    assert await broke_it(deal) is False
    await sell_with_recharge(deal, given_wh=5_000)
    assert await broke_it(deal) is False
    assert (await next_offer(deal))["state"] == "accepted"
