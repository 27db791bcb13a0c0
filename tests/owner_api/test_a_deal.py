"""From an offer to a reward over real HTTP: the whole deal, and each way it can end."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .deal_world import World, active, open_world, presented, scheduled


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def test_an_offer_becomes_delivered_energy_and_a_reward_both_sides_agree_on(
    world: World,
) -> None:
    deal = await active(world)
    begin = world.exported_wh
    await deal.deliver(1800)
    await world.move(120)
    await world.meter(deal.park, deal.session_id, 0, context="end")

    shown = await deal.owner.get(f"/v1/commitments/{deal.commitment_id}")
    delivered = world.exported_wh - begin
    assert shown["state"] == "failed"
    assert shown["state_reason"] == "lease"
    settlement = shown["settlement"]
    assert settlement["delivered_wh"] == delivered == shown["delivered_wh"]
    assert settlement["net_minor"] == round(delivered * 1.2 / 10)
    assert settlement["state"] == "provisional"
    park_side = await deal.park.get(f"/v1/park/settlements/{settlement['settlement_id']}")
    assert park_side["net_minor"] == settlement["net_minor"]

    await world.move(3601)
    totals = await deal.owner.get("/v1/rewards")
    assert totals["confirmed_minor"] == settlement["net_minor"]
    assert totals["pending_minor"] == 0
    await deal.park.post(
        f"/v1/park/settlements/{settlement['settlement_id']}/payment", {"reference": "PAY-7"}
    )
    totals = await deal.owner.get("/v1/rewards")
    assert totals["paid_minor"] == settlement["net_minor"]
    assert totals["items"][0]["reward"]["reference"] == "PAY-7"


async def test_a_deal_completes_when_all_of_its_energy_has_left(world: World) -> None:
    deal = await active(world, requested_energy_wh=3000)
    last = await deal.deliver(3000, step_s=10)
    assert (last.status, last.body["code"]) == (409, "commitment_closed")
    shown = await deal.owner.get(f"/v1/commitments/{deal.commitment_id}")
    assert shown["state"] == "completed"
    assert shown["delivered_wh"] <= 3000
    assert shown["delivered_wh"] >= 2950


async def test_promise_4_stop_revokes_at_once_and_what_was_delivered_is_paid(world: World) -> None:
    deal = await active(world)
    await deal.deliver(600)
    stopped = await deal.owner.post("/v1/stops", {"commitment_id": deal.commitment_id})
    assert stopped["commitments"][0]["state"] == "revoked"
    refused = await world.instruct(deal.park, deal.commitment_id)
    assert (refused.status, refused.body["code"]) == (409, "stop_in_force")
    names = [event["type"] for event in await deal.park.events()]
    assert "stop.requested" in names

    await deal.park.post(
        f"/v1/park/commitments/{deal.commitment_id}/stop-confirmation",
        {"confirmed_at": world.at(0)},
    )
    await world.move(3)
    await world.meter(deal.park, deal.session_id, 0, context="end")
    shown = await deal.owner.get(f"/v1/commitments/{deal.commitment_id}")
    assert shown["stop"]["confirmed_at"]
    assert shown["stop"]["stopped_at"]
    assert shown["settlement"]["delivered_wh"] == 20 * 58 == shown["delivered_wh"]
    assert shown["settlement"]["net_minor"] > 0


async def test_promise_1_silence_is_no(world: World) -> None:
    deal = await presented(world)
    await world.move(1201)
    shown = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    assert shown["state"] == "expired"
    late = await world.decide(deal.owner, deal.offer)
    assert late.status == 410
    assert (await deal.owner.get("/v1/commitments"))["items"] == []


async def test_promise_2_a_discharge_ends_before_the_floor(world: World) -> None:
    recharge = {
        "guaranteed": True,
        "energy_wh": 20_000,
        "start_at": world.at(5400),
        "by": world.at(14_000),
        "max_w": 11_000,
        "price_per_kwh": "0.3",
    }
    deal = await active(
        world,
        soc_pct=26,
        preferences={"soc_min_departure_pct": 20},
        min_energy_wh=0,
        recharge=recharge,
    )
    begin = world.exported_wh
    last = await deal.deliver(3600, soc_pct=26)
    assert last.status == 409
    shown = await deal.owner.get(f"/v1/commitments/{deal.commitment_id}")
    drawn = (world.exported_wh - begin) / 0.933
    assert 26 - drawn / 600 >= 20
    assert shown["delivered_wh"] > 1000
    assert shown["state"] in {"curtailed", "completed"}
    names = [event["type"] for event in await deal.park.events()]
    assert "stop.requested" in names
    park_side = await deal.park.get(f"/v1/park/commitments/{deal.commitment_id}")
    assert park_side["stop_reason"] in {None, "vehicle"}


async def test_promise_3_a_state_of_charge_too_old_cannot_start_a_discharge(world: World) -> None:
    deal = await scheduled(world)
    await world.move(1800)
    await world.meter(deal.park, deal.session_id, context="begin")
    refused = await world.instruct(deal.park, deal.commitment_id)
    assert refused.status == 409


async def test_promise_8_an_offer_past_the_leave_time_is_declined_with_the_reason_for_the_owner(
    world: World,
) -> None:
    deal = await presented(world, start_at=world.at(6 * 3600), end_at=world.at(7 * 3600))
    assert deal.offer["state"] == "auto_declined"
    assert deal.offer["reason"] == "not_available"
    shown = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    assert shown["evaluation"]["reason"]["code"]


async def test_one_deal_whose_deadline_fails_keeps_no_other_from_its_time(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    deal = await presented(world)
    other = await world.offer(deal.park, deal.session_id)
    await world.agent.store.write(
        lambda tx: tx.run(
            "UPDATE offer SET decision = '{}' WHERE offer_id = ?", deal.offer["offer_id"]
        )
    )
    await world.move(1201)
    shown = await deal.owner.get(f"/v1/offers/{other['offer_id']}")
    assert shown["state"] == "expired"
    assert "failed and was undone" in caplog.text
