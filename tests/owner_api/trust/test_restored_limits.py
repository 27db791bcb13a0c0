"""The whole story of limits that a restore turned back, with a real backup and a lost disk."""

from pathlib import Path

import pytest

from tests.owner_api.deal_world import open_world, presented
from tests.owner_api.domain_world import preferences

from .test_epochs import cli, lose_disk
from .test_replay import backed_up, restore

# More than --fast has time for.
pytestmark = pytest.mark.slow

_RULE = {"name": "Good price", "min_price_per_kwh": "1.0000"}


async def test_promise_1_a_rule_that_was_withdrawn_after_the_backup_takes_nothing_until_confirmed(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        deal = await presented(world, preferences={"consent_mode": "rules", "rules": [_RULE]})
        assert deal.offer["state"] == "accepted"
        deal = await presented(world, preferences={"soc_floor_pct": 20})
        await preferences(deal.owner, deal.vehicle_id, consent_mode="rules", rules=[_RULE])
        access = await backed_up(deal, tmp_path)
        await preferences(deal.owner, deal.vehicle_id, consent_mode="ask", soc_floor_pct=50)
    lose_disk(tmp_path)
    restore(tmp_path)
    path = f"/v1/vehicles/{deal.vehicle_id}/preferences"
    async with open_world(tmp_path) as world:
        world.clock.at = deal.world.clock.at
        deal.world = deal.owner.world = deal.park.world = world
        deal.owner.grant = access
        await deal.owner.renew()
        await deal.park.renew()
        back = await deal.owner.get(path)
        assert (back["consent_mode"], back["soc_floor_pct"]) == ("rules", 20)
        made = await world.offer(deal.park, deal.session_id)
        waits = await deal.owner.get(f"/v1/offers/{made['offer_id']}")
        assert (waits["state"], waits["state_reason"]) == ("presented", "limits_unconfirmed")
        # The park is told no more than that its offer waits.
        assert "limits" not in str(made)
    # It waits for as long as it takes, whatever is started anew.
    async with open_world(tmp_path) as world:
        world.clock.at = deal.world.clock.at
        deal.world = deal.owner.world = deal.park.world = world
        again = await world.offer(deal.park, deal.session_id)
        assert again["state"] == "presented"
        tightened = await preferences(deal.owner, deal.vehicle_id, soc_floor_pct=40)
        seen = {"revision": tightened["revision"]}
        confirmed = await deal.owner.post(f"{path}/confirmation", seen)
        assert (confirmed["unconfirmed_since"], confirmed["soc_floor_pct"]) == (None, 40)
        taken = await world.offer(deal.park, deal.session_id)
        assert taken["state"] == "accepted"
    assert cli("ledger", "verify", "--database", tmp_path / "owner.db") == 0
