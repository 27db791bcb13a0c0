"""What was delivered is paid, once, to the minor unit; corrections reverse, and nothing is lost."""

import csv
from datetime import datetime, timedelta
import hashlib
import io
import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from .deal_world import Deal, World, active, presented, scheduled
from .domain_world import (
    code,
    commitment,
    park_commitment,
    rows,
    running,
    settled,
    stop,
    world,
)

__all__ = ["running", "world"]

OWNERS_ZONE = ZoneInfo("Asia/Shanghai")
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

REWARD = {"kind": "cash", "currency": "CNY", "price_per_kwh": "1.2000"}


async def delivered(world: World, wh: int, **changes: Any) -> tuple[Deal, Any]:
    """Deliver ``wh`` by the register in one minute's lease, stop, and return the settlement."""
    deal = await active(world, min_energy_wh=0, **changes)
    assert (await world.instruct(deal.park, deal.commitment_id, -7000)).status == 201
    await world.move(20)
    world.exported_wh += wh
    await world.meter(deal.park, deal.session_id, -7000)
    await stop(deal)
    return deal, await settled(deal)


async def final(deal: Deal, found: Any) -> Any:
    """Let the dispute window of an hour pass."""
    await deal.world.move(3601)
    return await deal.park.get(f"/v1/park/settlements/{found['settlement_id']}")


def park_path(found: Any, action: str) -> str:
    return f"/v1/park/settlements/{found['settlement_id']}/{action}"


async def balances(deal: Deal) -> dict[str, int]:
    """Return pending, confirmed and paid as the owner reads them."""
    shown = await deal.owner.get("/v1/rewards")
    return {name: shown[f"{name}_minor"] for name in ("pending", "confirmed", "paid")}


async def test_promise_9_the_reward_is_price_times_the_difference_of_the_registers(
    world: World,
) -> None:
    deal, found = await delivered(world, 33)
    assert found["end_register_wh"] - found["begin_register_wh"] == 33
    assert found["delivered_wh"] == found["actual_wh"] == 33
    assert found["deficiency_wh"] == found["ordered_wh"] - 33
    # 33 Wh at 1.2 CNY/kWh are 3.96 fen.
    assert found["net_minor"] == found["gross_minor"] == 4
    assert (found["penalty_minor"], found["fixed_minor"], found["quality"]) == (0, 0, "ok")
    assert await balances(deal) == {"pending": 4, "confirmed": 0, "paid": 0}


async def test_promise_9_a_price_of_three_decimals_is_rounded_half_even_once(
    world: World,
) -> None:
    """72.65 fen are 73; of the ties 6.5 goes to 6 and 7.5 to 8."""
    for wh, price, minor in ((500, "1.453", 73), (50, "1.3", 6), (50, "1.5", 8)):
        _, found = await delivered(world, wh, reward=REWARD | {"price_per_kwh": price})
        assert found["gross_minor"] == minor


async def test_energy_beyond_the_order_is_not_paid(world: World) -> None:
    deal, found = await delivered(world, 6500)
    assert (found["actual_wh"], found["delivered_wh"], found["deficiency_wh"]) == (6500, 6000, 0)
    assert found["net_minor"] == 720
    assert (await park_commitment(deal))["delivered_wh"] == 6000


async def test_promise_4_less_than_the_minimum_is_paid_all_the_same(world: World) -> None:
    deal = await active(world, min_energy_wh=5000)
    await world.instruct(deal.park, deal.commitment_id, -7000)
    await world.move(20)
    world.exported_wh += 39
    await world.meter(deal.park, deal.session_id, -7000)
    await stop(deal)
    found = await settled(deal)
    assert (found["delivered_wh"], found["net_minor"]) == (39, 5)


async def test_a_deal_that_delivered_nothing_is_settled_at_nothing(world: World) -> None:
    deal, found = await delivered(world, 0)
    assert (found["delivered_wh"], found["net_minor"]) == (0, 0)
    assert found["breakdown"]["net_minor"] == 0
    assert (await commitment(deal))["state"] == "revoked"


async def test_a_deal_that_never_began_is_not_settled(world: World) -> None:
    deal = await scheduled(world)
    await stop(deal)
    await world.move(3600)
    assert (await commitment(deal))["settlement"] is None


async def test_a_fixed_reward_counts_pro_rata_and_a_cap_bounds_the_sum(world: World) -> None:
    """Half of the request earns half of the fixed 500; the cap of 400 cuts 360 + 250."""
    reward = REWARD | {"fixed_minor": 500}
    _, found = await delivered(world, 3000, reward=reward)
    assert (found["gross_minor"], found["fixed_minor"], found["net_minor"]) == (360, 250, 610)
    _, capped = await delivered(world, 3000, reward=reward | {"cap_minor": 400})
    assert (capped["gross_minor"], capped["fixed_minor"], capped["net_minor"]) == (360, 250, 400)


async def test_promise_9_the_owners_net_is_the_reward_less_refill_losses_and_wear(
    world: World,
) -> None:
    _, found = await delivered(world, 2000)
    lines = found["breakdown"]
    assert lines["gross_minor"] == found["net_minor"] == 240
    costs = [lines[name] for name in ("refill_minor", "losses_minor", "wear_minor")]
    assert lines["net_minor"] == 240 - sum(abs(cost) for cost in costs)
    assert all(costs)


async def test_both_sides_read_the_same_figures(world: World) -> None:
    deal, found = await delivered(world, 1000)
    told = await deal.park.get(f"/v1/park/settlements/{found['settlement_id']}")
    assert {name: found[name] for name in told} == told
    assert "breakdown" not in told


async def test_silence_for_the_dispute_window_makes_it_final(world: World) -> None:
    deal, _ = await delivered(world, 1000)
    await world.move(3599)
    assert (await commitment(deal))["settlement"]["state"] == "provisional"
    await world.move(1)
    assert (await commitment(deal))["settlement"]["state"] == "final"
    assert await balances(deal) == {"pending": 0, "confirmed": 120, "paid": 0}


@pytest.mark.parametrize("first", ["owner", "park"])
async def test_a_yes_from_both_sides_makes_it_final_at_once(world: World, first: str) -> None:
    deal, found = await delivered(world, 1000)
    owner_path = f"/v1/settlements/{found['settlement_id']}/confirmation"
    steps = [(deal.owner, owner_path), (deal.park, park_path(found, "confirmation"))]
    if first == "park":
        steps.reverse()
    (one, one_path), (two, two_path) = steps
    assert (await one.post(one_path))["state"] == "provisional"
    assert (await two.post(two_path))["state"] == "final"
    assert (await balances(deal))["confirmed"] == 120


async def test_a_dispute_waits_for_both_sides_whatever_time_passes(world: World) -> None:
    deal, found = await delivered(world, 1000)
    path = f"/v1/settlements/{found['settlement_id']}"
    evidence = [{"measured_at": world.at(0), "export_register_wh": world.exported_wh + 40}]
    body = {"reason": "my own meter says more", "evidence": evidence}
    assert (await deal.owner.post(f"{path}/dispute", body))["state"] == "disputed"
    await world.move(7200)
    assert (await deal.owner.get(path))["state"] == "disputed"
    again = await deal.owner.call("POST", f"{path}/dispute", body)
    assert code(again) == (409, "conflict")
    assert (await deal.park.post(park_path(found, "confirmation")))["state"] == "disputed"
    assert (await deal.owner.post(f"{path}/confirmation"))["state"] == "final"


@pytest.mark.parametrize("delivered_wh", [900, 1000])
async def test_a_dispute_stands_against_a_correction_that_says_no_more(
    world: World, delivered_wh: int
) -> None:
    """A park had only to say the same again, and wait for an hour of silence."""
    deal, found = await delivered(world, 1000)
    words = {"reason": "my own meter says more"}
    await deal.owner.post(f"/v1/settlements/{found['settlement_id']}/dispute", words)
    body = {"delivered_wh": delivered_wh, "reason": "it is right"}
    second = await deal.park.post(park_path(found, "correction"), body)
    assert (second["version"], second["state"]) == (2, "disputed")
    told = [each["type"] for each in await deal.park.events()]
    assert told.count("settlement.disputed") == 2
    assert (await final(deal, second))["state"] == "disputed"
    # More answers it, as does its owner's yes.
    body = {"delivered_wh": 1001, "reason": "read again"}
    third = await deal.park.post(park_path(second, "correction"), body)
    assert third["state"] == "provisional"
    assert (await final(deal, third))["state"] == "final"


async def test_a_dispute_stands_against_its_own_figure_that_comes_back_by_way_of_less(
    world: World,
) -> None:
    """A park had only to correct to nothing, and then to what its owner had said no to."""
    deal, found = await delivered(world, 1000)
    words = {"reason": "my own meter says more"}
    await deal.owner.post(f"/v1/settlements/{found['settlement_id']}/dispute", words)
    for wh in (0, 1000):
        body = {"delivered_wh": wh, "reason": "it is right"}
        found = await deal.park.post(park_path(found, "correction"), body)
        assert (await final(deal, found))["state"] == "disputed"
    shown = await deal.owner.get(f"/v1/settlements/{found['settlement_id']}")
    assert (shown["version"], shown["delivered_wh"]) == (3, 1000)


async def test_a_dispute_that_was_taken_back_stands_against_no_correction(world: World) -> None:
    deal, found = await delivered(world, 1000)
    path = f"/v1/settlements/{found['settlement_id']}"
    await deal.owner.post(f"{path}/dispute", {"reason": "my own meter says more"})
    await deal.owner.post(f"{path}/confirmation")
    body = {"delivered_wh": 900, "reason": "read again"}
    second = await deal.park.post(park_path(found, "correction"), body)
    assert second["state"] == "provisional"


async def test_a_dispute_takes_back_the_yes_that_its_owner_gave_before(world: World) -> None:
    """Neither the park's yes nor the time that passes makes final what the owner has doubted."""
    deal, found = await delivered(world, 2000)
    path = f"/v1/settlements/{found['settlement_id']}"
    assert (await deal.owner.post(f"{path}/confirmation"))["state"] == "provisional"
    body = {"reason": "my own meter says more"}
    assert (await deal.owner.post(f"{path}/dispute", body))["state"] == "disputed"
    assert (await deal.park.post(park_path(found, "confirmation")))["state"] == "disputed"
    await final(deal, found)
    assert (await deal.owner.get(path))["state"] == "disputed"
    assert (await balances(deal))["confirmed"] == 0
    assert (await deal.owner.post(f"{path}/confirmation"))["state"] == "final"


async def test_an_owner_takes_a_dispute_back_that_the_park_ignores_and_can_be_forgotten(
    world: World,
) -> None:
    deal, found = await delivered(world, 1000)
    path = f"/v1/settlements/{found['settlement_id']}"
    await deal.owner.post(f"{path}/dispute", {"reason": "my own meter says more"})
    assert (await deal.owner.post(f"{path}/confirmation"))["state"] == "disputed"
    await world.move(1)
    assert (await deal.owner.get(path))["state"] == "disputed"
    await world.move(7200)
    assert (await deal.owner.get(path))["state"] == "final"
    assert (await balances(deal))["confirmed"] == 120
    assert (await deal.owner.post("/v1/erasure", {"confirm": "erase"}))["erased"]


@pytest.mark.parametrize("window_s", [0, 3_599])
async def test_an_offer_that_leaves_the_owner_no_time_to_dispute_is_refused(
    world: World, window_s: int
) -> None:
    deal = await presented(world)
    body = {
        "session_id": deal.session_id,
        "purpose": "peak_price",
        "respond_by": world.at(1200),
        "terms": world.terms(dispute_window_s=window_s),
    }
    refused = await deal.park.call("POST", "/v1/park/offers", body)
    assert code(refused) == (422, "invalid_body")
    assert refused.body["errors"] == [
        {"pointer": "/terms/dispute_window_s", "code": "range", "limit": "at least 3600"}
    ]
    path = f"/v1/park/offers/{deal.offer['offer_id']}/revisions"
    revised = {name: body[name] for name in ("respond_by", "terms")} | {"revision": 2}
    assert code(await deal.park.call("POST", path, revised)) == (422, "invalid_body")


async def test_an_offer_that_names_no_time_to_dispute_leaves_as_long_as_the_setting_says(
    world: World,
) -> None:
    terms = world.terms()
    del terms["dispute_window_s"]
    deal = await presented(world)
    body = {
        "session_id": deal.session_id,
        "purpose": "peak_price",
        "respond_by": world.at(1200),
        "terms": terms,
    }
    offer = await deal.park.post("/v1/park/offers", body)
    assert offer["terms"]["dispute_window_s"] == world.agent.config.dispute_window_s


@pytest.mark.parametrize("timer_first", [True, False])
async def test_a_settlement_cannot_be_disputed_any_more_once_the_time_for_it_has_passed(
    world: World, *, timer_first: bool
) -> None:
    deal, found = await delivered(world, 1000)
    await world.move(3600, tick=timer_first)
    path = f"/v1/settlements/{found['settlement_id']}/dispute"
    assert code(await deal.owner.call("POST", path, {"reason": "late"})) == (409, "conflict")


async def test_a_payment_is_marked_once_and_its_reference_may_be_repeated(world: World) -> None:
    deal, found = await delivered(world, 1000)
    path = park_path(found, "payment")
    early = await deal.park.call("POST", path, {"reference": "PAY-1"})
    assert code(early) == (409, "conflict")
    await final(deal, found)
    for _ in range(2):
        paid = await deal.park.post(path, {"reference": "PAY-1"})
        assert (paid["reward"]["status"], paid["reward"]["reference"]) == ("paid", "PAY-1")
    other = await deal.park.call("POST", path, {"reference": "PAY-2"})
    assert code(other) == (409, "conflict")
    assert await balances(deal) == {"pending": 0, "confirmed": 0, "paid": 120}
    booked = await rows(
        world,
        "SELECT COUNT(*) AS lines FROM posting WHERE settlement_id = ? AND kind = 'paid'",
        found["settlement_id"],
    )
    # Two for what the owner has, two for the park's money that settles its debt.
    assert booked == [{"lines": 4}]


@pytest.mark.parametrize("stage", ["provisional", "final", "disputed", "paid"])
async def test_promise_6_a_correction_reverses_the_old_and_starts_version_2(
    world: World, stage: str
) -> None:
    deal, found = await delivered(world, 1000)
    path = f"/v1/settlements/{found['settlement_id']}"
    if stage == "disputed":
        await deal.owner.post(f"{path}/dispute", {"reason": "more"})
    if stage in {"final", "paid"}:
        await final(deal, found)
    if stage == "paid":
        await deal.park.post(park_path(found, "payment"), {"reference": "PAY-1"})
    before = await rows(world, "SELECT * FROM posting ORDER BY posting_id")
    body = {"delivered_wh": 1500, "reason": "read again"}
    second = await deal.park.post(park_path(found, "correction"), body)
    assert (second["version"], second["state"]) == (2, "provisional")
    assert (second["supersedes"], second["net_minor"]) == (found["settlement_id"], 180)
    first = await deal.owner.get(path)
    assert (first["state"], first["reward"]["status"]) == ("corrected", "reversed")
    assert first["net_minor"] == 120
    # What was paid stays paid and counts for the next version.
    paid = 120 if stage == "paid" else 0
    assert await balances(deal) == {"pending": 180 - paid, "confirmed": 0, "paid": paid}
    after = await rows(world, "SELECT * FROM posting ORDER BY posting_id")
    assert [row for row in after if row in before] == before
    assert (await commitment(deal))["settlement"]["settlement_id"] == second["settlement_id"]
    # The battery was worn once, by what the version in force says.
    vehicle = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}")
    worn = (await deal.owner.get(f"/v1/settlements/{second['settlement_id']}"))["breakdown"]
    assert vehicle["v2g_wear_minor"] == worn["wear_minor"] > first["breakdown"]["wear_minor"]
    again = await deal.park.call("POST", park_path(found, "correction"), body)
    assert code(again) == (409, "conflict")


async def paid_then_corrected(world: World, delivered_wh: int) -> tuple[Deal, Any, Any]:
    """Pay 60 for 500 Wh, then correct what was delivered; return both versions."""
    deal, found = await delivered(world, 500)
    await final(deal, found)
    await deal.park.post(park_path(found, "payment"), {"reference": "PAY-1"})
    body = {"delivered_wh": delivered_wh, "reason": "read again"}
    return deal, found, await deal.park.post(park_path(found, "correction"), body)


async def park_accounts(deal: Deal) -> dict[str, int]:
    """Return what a park owes (negative) and what it has paid (negative), from the postings."""
    found = await rows(
        deal.world,
        "SELECT account, SUM(amount_minor) AS total FROM posting WHERE account LIKE ?"
        " GROUP BY account",
        f"{deal.park.party_id}:%",
    )
    return {row["account"].split(":")[1]: row["total"] for row in found}


async def test_a_payment_settles_what_the_park_owes(world: World) -> None:
    deal, found = await delivered(world, 500)
    assert await park_accounts(deal) == {"payable": -60}
    await final(deal, found)
    await deal.park.post(park_path(found, "payment"), {"reference": "PAY-1"})
    assert await park_accounts(deal) == {"payable": 0, "money": -60}


async def test_promise_6_a_payment_counts_for_the_corrected_version_and_only_the_rest_is_paid(
    world: World,
) -> None:
    """60 were paid; corrected to 72, the next payment moves 12."""
    deal, first, second = await paid_then_corrected(world, 600)
    reward = second["reward"]
    assert (reward["amount_minor"], reward["already_paid_minor"]) == (72, 60)
    assert (reward["payment_minor"], reward["overpaid_minor"]) == (12, 0)
    assert await balances(deal) == {"pending": 12, "confirmed": 0, "paid": 60}
    assert await park_accounts(deal) == {"payable": -12, "money": -60}
    await final(deal, second)
    paid = await deal.park.post(park_path(second, "payment"), {"reference": "PAY-2"})
    assert paid["reward"]["payment_minor"] == 12
    assert await balances(deal) == {"pending": 0, "confirmed": 0, "paid": 72}
    assert await park_accounts(deal) == {"payable": 0, "money": -72}
    kept = await deal.owner.get(f"/v1/settlements/{first['settlement_id']}")
    assert (kept["reward"]["reference"], kept["reward"]["status"]) == ("PAY-1", "reversed")
    told = [event for event in await deal.park.events() if event["type"] == "reward.paid"]
    assert [json.loads(event["data"])["payment_minor"] for event in told] == [60, 12]
    named = (await deal.owner.get("/v1/receipts"))["items"]
    paid_ids = [item["receipt_id"] for item in named if item["kind"] == "reward.paid"]
    bodies = [(await deal.owner.get(f"/v1/receipts/{name}"))["content"] for name in paid_ids]
    assert sorted(body["payment_minor"] for body in bodies) == [12, 60]


async def test_promise_6_a_correction_downwards_leaves_a_visible_overpayment(
    world: World,
) -> None:
    """60 were paid, 48 are owed: 12 too much, which nobody takes back; a later 66 uses them up."""
    deal, _, second = await paid_then_corrected(world, 400)
    assert (second["reward"]["payment_minor"], second["reward"]["overpaid_minor"]) == (0, 12)
    assert await balances(deal) == {"pending": 0, "confirmed": 0, "paid": 60}
    assert (await deal.owner.get("/v1/rewards"))["overpaid_minor"] == 12
    assert await park_accounts(deal) == {"payable": 12, "money": -60}
    await final(deal, second)
    await deal.park.post(park_path(second, "payment"), {"reference": "NOTHING"})
    assert await balances(deal) == {"pending": 0, "confirmed": 0, "paid": 60}
    body = {"delivered_wh": 550, "reason": "and again"}
    third = await deal.park.post(park_path(second, "correction"), body)
    assert (third["reward"]["payment_minor"], third["reward"]["overpaid_minor"]) == (6, 0)
    assert (await deal.owner.get("/v1/rewards"))["overpaid_minor"] == 0
    assert await park_accounts(deal) == {"payable": -6, "money": -60}


async def test_this_month_and_all_time_tell_the_same_of_a_corrected_payment(
    world: World,
) -> None:
    deal, _, second = await paid_then_corrected(world, 600)
    for wanted in ((12, 0, 60), (0, 12, 60)):
        shown = await deal.owner.get("/v1/rewards")
        month = tuple(shown["this_month"][f"{n}_minor"] for n in ("pending", "confirmed", "paid"))
        assert month == wanted == tuple((await balances(deal)).values())
        began = datetime.fromisoformat(shown["this_month"]["start_at"]).astimezone(OWNERS_ZONE)
        assert (began.day, began.hour, began.minute) == (1, 0, 0)
        await final(deal, second)


async def test_a_correction_says_it_is_claimed_and_keeps_what_the_meter_said(
    world: World,
) -> None:
    deal, found = await delivered(world, 1000)
    body = {"delivered_wh": 1500, "reason": "read again"}
    second = await deal.park.post(park_path(found, "correction"), body)
    assert (found["basis"], second["basis"]) == ("measured", "claimed")
    assert (second["delivered_wh"], second["deficiency_wh"]) == (1500, second["ordered_wh"] - 1500)
    for name in ("actual_wh", "begin_register_wh", "end_register_wh", "source", "readings"):
        assert second[name] == found[name], name
    third = await deal.park.post(
        park_path(second, "correction"), {"delivered_wh": 900, "reason": "no, less"}
    )
    assert (third["basis"], third["actual_wh"], third["delivered_wh"]) == ("claimed", 1000, 900)


SIGNED = {"format": "OCMF", "data": 'OCMF|{"FV":"1.0","RV":5.000}|{"SD":"304402"}'}


@pytest.mark.parametrize(
    ("first", "last", "source", "quality"),
    [
        ({}, {}, "meter", "ok"),
        ({"source": "signed_meter", "signed": SIGNED}, {}, "meter", "ok"),
        ({}, {"source": "sensor"}, "sensor", "ok"),
        ({"source": "sensor"}, {"source": "signed_meter", "signed": SIGNED}, "sensor", "ok"),
        ({"source": "estimate"}, {}, "estimate", "estimated"),
        ({"quality": "estimated"}, {"quality": "estimated"}, "meter", "estimated"),
        ({}, {"quality": "estimated", "source": "sensor"}, "sensor", "estimated"),
    ],
)
async def test_a_settlement_is_as_good_as_the_worse_of_the_readings_it_came_from(
    world: World, first: Any, last: Any, source: str, quality: str
) -> None:
    deal = await scheduled(world, min_energy_wh=0)
    await world.move(1800)
    await world.meter(deal.park, deal.session_id, 0, **first)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    assert (await world.instruct(deal.park, deal.commitment_id)).status == 201
    await world.move(20)
    world.exported_wh += 38
    # What was read in between is no register of the settlement.
    await world.meter(deal.park, deal.session_id, -7000, source="estimate")
    await stop(deal)
    await world.move(5)
    await world.meter(deal.park, deal.session_id, 0, context="end", **last)
    found = (await commitment(deal))["settlement"]
    assert (found["source"], found["quality"]) == (source, quality)
    told = await deal.park.get(f"/v1/park/settlements/{found['settlement_id']}")
    assert (told["source"], told["quality"], told["readings"]) == (
        *(source, quality),
        found["readings"],
    )


async def test_a_signed_readings_evidence_is_kept_as_given_and_its_digest_is_in_the_log(
    world: World,
) -> None:
    deal = await active(world, min_energy_wh=0)
    await world.instruct(deal.park, deal.commitment_id)
    await world.move(20)
    world.exported_wh += 38
    await world.meter(deal.park, deal.session_id, -7000)
    await stop(deal)
    await world.move(5)
    await world.meter(deal.park, deal.session_id, 0, source="signed_meter", signed=SIGNED)
    digest = hashlib.sha256(SIGNED["data"].encode()).hexdigest()
    end = (await commitment(deal))["settlement"]["readings"]["end"]
    assert (end["source"], end["evidence_sha256"]) == ("signed_meter", digest)
    for side in (deal.owner, deal.park):
        named = (await side.get("/v1/receipts"))["items"]
        (about,) = [item for item in named if item["kind"] == "settlement.provisional"]
        logged = (await side.get(f"/v1/receipts/{about['receipt_id']}"))["content"]
        assert logged["readings"]["end"]["evidence_sha256"] == digest
        headers = {"Authorization": f"Bearer {side.token}", "Accept": "text/html"}
        path = f"{world.url}/v1/receipts/{about['receipt_id']}"
        async with world.http.get(path, headers=headers) as page:
            shown = (await page.text()).replace("<wbr>", "")
        assert "<dt>Who measured</dt><dd>A meter that signs</dd>" in shown
        assert digest in shown
        # Nobody takes 415 fen for 415 yuan, or watts for anything else.
        assert "<dt>For the energy</dt><dd>0.05 CNY</dd>" in shown
        assert "minor" not in shown
        assert "<dt>Meter register out of the car</dt>" in shown
    exported = await deal.owner.get("/v1/export")
    kept = [row["signed"] for row in exported["tables"]["reading"] if row["signed"]]
    assert kept == [SIGNED]


async def test_evidence_as_long_as_a_chargers_protocol_carries_is_taken(world: World) -> None:
    """OCPP's signedMeterValue: 50 characters of encodingMethod, 32,768 of signedMeterData."""
    deal = await active(world)
    longest = {"format": "E" * 50, "data": "A" * 32_768}
    taken = await world.meter(
        deal.park, deal.session_id, measured_at=world.at(1), **claimed(longest)
    )
    assert taken == {"accepted": 1}
    reading = {
        "measured_at": world.at(2),
        "import_register_wh": world.imported_wh,
        "export_register_wh": world.exported_wh,
        "power_w": 0,
        **claimed(longest | {"data": "A" * 32_769}),
    }
    path = f"/v1/park/sessions/{deal.session_id}/readings"
    answer = await deal.park.call("POST", path, {"readings": [reading]})
    assert code(answer) == (422, "invalid_body")
    (error,) = answer.body["errors"]
    assert (error["pointer"], error["limit"]) == (
        "/readings/0/signed/data",
        "1 to 32768 characters",
    )


def claimed(signed: Any) -> dict[str, Any]:
    """Return the fields that say that a reading was signed."""
    return {"source": "signed_meter", "signed": signed}


@pytest.mark.parametrize("wrong", [{"source": "signed_meter"}, {"signed": SIGNED}])
async def test_a_signature_is_claimed_exactly_where_there_is_one(world: World, wrong: Any) -> None:
    deal = await active(world, min_energy_wh=0)
    reading = {
        "measured_at": world.at(0),
        "import_register_wh": world.imported_wh,
        "export_register_wh": world.exported_wh,
        "power_w": 0,
    }
    path = f"/v1/park/sessions/{deal.session_id}/readings"
    answer = await deal.park.call("POST", path, {"readings": [reading | wrong]})
    assert code(answer) == (422, "invalid_body")
    assert answer.body["errors"][0]["pointer"] == "/readings/0/signed"


async def test_a_correction_cannot_pay_more_than_was_ordered(world: World) -> None:
    deal, found = await delivered(world, 1000)
    body = {"delivered_wh": 6001, "reason": "generous"}
    answer = await deal.park.call("POST", park_path(found, "correction"), body)
    assert code(answer) == (422, "invalid_body")
    assert answer.body["errors"][0]["pointer"] == "/delivered_wh"
    assert "6000" in answer.body["errors"][0]["limit"]
    all_of_it = body | {"delivered_wh": 6000}
    assert (await deal.park.post(park_path(found, "correction"), all_of_it))["net_minor"] == 720


@pytest.mark.parametrize(("delivers_s", "then_s"), [(270, 30), (270, 30.3), (30, 20.3)])
async def test_an_end_reading_that_comes_before_the_end_is_noticed_settles_the_deal(
    world: World, delivers_s: int, then_s: float
) -> None:
    """It was waited for again, for 15 minutes, and then said to be missing: no next deal began."""
    terms = {"requested_energy_wh": 500, "lease_s": 20 if delivers_s == 30 else 60}
    deal = await active(world, end_at=world.at(2_100), min_energy_wh=0, **terms)
    await deal.deliver(delivers_s, power_w=-3_600, step_s=10)
    await world.move(then_s, tick=False)
    await world.meter(deal.park, deal.session_id, 0, context="end")
    await world.move(0.2)
    found = (await commitment(deal))["settlement"]
    assert (found["delivered_wh"], found["quality"]) == (delivers_s, "ok")


async def test_without_an_end_reading_it_is_settled_after_15_minutes_and_says_so(
    world: World,
) -> None:
    deal = await active(world)
    await world.instruct(deal.park, deal.commitment_id, -7000)
    await world.move(20)
    world.exported_wh += 38
    await world.meter(deal.park, deal.session_id, -7000)
    await stop(deal)
    await world.move(899)
    assert (await commitment(deal))["settlement"] is None
    await world.move(1)
    found = (await commitment(deal))["settlement"]
    assert (found["delivered_wh"], found["quality"]) == (38, "missing")


async def test_promise_4_a_reading_from_before_the_end_settles_nothing_though_it_is_at_rest(
    world: World,
) -> None:
    """It came late, and what left until the stop is not in its register."""
    deal = await active(world)
    await world.instruct(deal.park, deal.commitment_id, -7000)
    await world.move(20)
    world.exported_wh += 38
    await world.meter(deal.park, deal.session_id, -7000)
    await world.move(20)
    await stop(deal)
    await world.move(3)
    for at_s, power_w, more_wh in ((-4, 0, 30), (-3, -7000, 8), (-1, -7000, 2)):
        world.exported_wh += more_wh
        await world.meter(deal.park, deal.session_id, power_w, measured_at=world.at(at_s))
        assert (await commitment(deal))["settlement"] is None, at_s
    world.exported_wh += 2
    await world.meter(deal.park, deal.session_id, 0)
    found = (await commitment(deal))["settlement"]
    assert (found["delivered_wh"], found["quality"]) == (80, "ok")


async def test_a_month_is_read_as_json_and_csv_with_the_same_lines(world: World) -> None:
    deal, found = await delivered(world, 1000)
    month = world.at(0)[:7]
    shown = await deal.owner.get(f"/v1/statements/{month}")
    assert [line["settlement_id"] for line in shown["lines"]] == [found["settlement_id"]]
    assert shown["totals"] == [{"currency": "CNY", "charging_credit": False, "amount_minor": 120}]
    answer = await deal.owner.call("GET", f"/v1/statements/{month}?format=csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(answer.raw.decode())))
    assert [line["settlement_id"] for line in lines] == [found["settlement_id"]]
    assert lines[0]["amount_minor"] == "120"


async def test_promise_6_a_correction_stands_in_the_statement_as_a_line_of_its_own(
    world: World,
) -> None:
    deal, found = await delivered(world, 1000)
    await deal.park.post(
        park_path(found, "correction"), {"delivered_wh": 1500, "reason": "read again"}
    )
    shown = await deal.owner.get(f"/v1/statements/{world.at(0)[:7]}")
    told = [(line["delivered_wh"], line["amount_minor"]) for line in shown["lines"]]
    assert told == [(1000, 120), (-1000, -120), (1500, 180)]
    assert {line["price_per_kwh"] for line in shown["lines"]} == {REWARD["price_per_kwh"]}
    assert shown["totals"] == [{"currency": "CNY", "charging_credit": False, "amount_minor": 180}]


async def test_promise_6_a_past_statement_does_not_change_when_a_later_month_corrects_it(
    world: World,
) -> None:
    deal, found = await delivered(world, 1000)
    month = world.at(0)[:7]
    before = await deal.owner.get(f"/v1/statements/{month}")
    await world.move(40 * 86_400)
    await deal.park.post(
        park_path(found, "correction"), {"delivered_wh": 500, "reason": "read again"}
    )
    assert (await deal.owner.get(f"/v1/statements/{month}"))["totals"] == before["totals"]
    later = await deal.owner.get(f"/v1/statements/{world.at(0)[:7]}")
    assert later["totals"] == [{"currency": "CNY", "charging_credit": False, "amount_minor": -60}]


async def test_promise_6_a_statement_stays_what_it_was_when_its_owner_moves(
    world: World,
) -> None:
    """At the border of a month another zone has another month: what is booked stands in one."""
    # Half an hour after the midnight of a new month in Shanghai, where it is the month before
    # in London.
    here = world.clock.at.astimezone(OWNERS_ZONE)
    next_month = (here.replace(day=28) + timedelta(days=4)).replace(day=1, hour=0, minute=30)
    await world.move((next_month - world.clock.at).total_seconds() - 1_800)
    deal, found = await delivered(world, 1000)
    month = f"{next_month:%Y-%m}"
    before = await deal.owner.get(f"/v1/statements/{month}")
    assert [line["settlement_id"] for line in before["lines"]] == [found["settlement_id"]]
    await world.move(60)
    await deal.owner.patch("/v1/me", {"time_zone": "Europe/London"})
    assert await deal.owner.get(f"/v1/statements/{month}") == before | {
        "time_zone": "Europe/London"
    }
    last_month = f"{next_month - timedelta(days=1):%Y-%m}"
    assert (await deal.owner.get(f"/v1/statements/{last_month}"))["lines"] == []
    # It is the month before in London: nothing was earned in that.
    assert (await deal.owner.get("/v1/rewards"))["this_month"]["pending_minor"] == 0
    await world.move(40 * 86_400)
    await deal.owner.patch("/v1/me", {"time_zone": "Pacific/Auckland"})
    after = await deal.owner.get(f"/v1/statements/{month}")
    assert (after["lines"], after["totals"]) == (
        [line | {"status": "confirmed"} for line in before["lines"]],
        before["totals"],
    )


async def test_promise_6_what_is_booked_after_a_move_stands_once_in_its_month(world: World) -> None:
    deal, found = await delivered(world, 1000)
    await world.move(60)
    await deal.owner.patch("/v1/me", {"time_zone": "Europe/London"})
    body = {"delivered_wh": 1500, "reason": "read again"}
    await deal.park.post(park_path(found, "correction"), body)
    shown = await deal.owner.get(f"/v1/statements/{world.at(0)[:7]}")
    assert [line["amount_minor"] for line in shown["lines"]] == [120, -120, 180]
    assert (await deal.owner.get("/v1/rewards"))["this_month"]["pending_minor"] == 180


@pytest.mark.parametrize("becomes", ["provisional", "final"])
async def test_promise_6_a_correction_counts_in_its_own_month_by_what_it_changes(
    world: World, becomes: str
) -> None:
    """An earlier month has counted the 120 of 1000 Wh: this one counts 60 less, not 60 more."""
    deal, found = await delivered(world, 1000)
    await world.move(40 * 86_400)
    assert (await deal.owner.get("/v1/rewards"))["confirmed_minor"] == 120
    body = {"delivered_wh": 500, "reason": "read again"}
    second = await deal.park.post(park_path(found, "correction"), body)
    if becomes == "final":
        await final(deal, second)
    shown = await deal.owner.get("/v1/rewards")
    assert shown["pending_minor"] + shown["confirmed_minor"] == 60
    (total,) = (await deal.owner.get(f"/v1/statements/{world.at(0)[:7]}"))["totals"]
    month = {name: of for name, of in shown["this_month"].items() if name.endswith("_minor")}
    assert sum(month.values()) == total["amount_minor"] == -60


async def test_a_name_that_a_spreadsheet_would_run_is_quoted_in_the_csv(world: World) -> None:
    park = await world.add_park("=cmd()")
    owner = await world.add_owner()
    vehicle_id = await world.add_vehicle(owner)
    member = await world.join(owner, park, vehicle_id)
    session_id = await world.plug_in(owner, park, vehicle_id, member)
    offer = await world.offer(park, session_id, min_energy_wh=0)
    deal = Deal(
        world=world,
        owner=owner,
        park=park,
        vehicle_id=vehicle_id,
        session_id=session_id,
        offer=offer,
    )
    accepted = await world.decide(owner, offer)
    deal.commitment_id = accepted.body["commitment_id"]
    await park.post(
        f"/v1/park/commitments/{deal.commitment_id}/award",
        {
            "order_reference": "PO-1",
            "terms_sha256": offer["terms_sha256"],
            "committed_energy_wh": 6000,
        },
    )
    await world.move(1800)
    await world.meter(park, session_id)
    await world.telemetry(owner, vehicle_id, soc_pct=80)
    await world.instruct(park, deal.commitment_id, -7000)
    await stop(deal)
    await settled(deal)
    answer = await owner.call("GET", f"/v1/statements/{world.at(0)[:7]}?format=csv")
    lines = list(csv.DictReader(io.StringIO(answer.raw.decode())))
    assert lines[0]["park"] == "'=cmd()"


async def test_a_month_that_is_none_is_refused(world: World) -> None:
    owner = await world.add_owner()
    for month in ("2026-13", "2026", "yesterday", "2026-1"):
        answer = await owner.call("GET", f"/v1/statements/{month}")
        assert answer.status in {404, 422}, month
    assert (await owner.get("/v1/statements/2026-12"))["lines"] == []


async def test_foreign_settlements_look_missing(world: World) -> None:
    deal, found = await delivered(world, 100)
    stranger, other_park = await world.add_owner("Stranger"), await world.add_park("West Park")
    path = f"/v1/settlements/{found['settlement_id']}"
    assert code(await stranger.call("GET", path)) == (404, "not_found")
    taken = await stranger.call("POST", f"{path}/confirmation")
    assert code(taken) == (404, "not_found")
    body = {"delivered_wh": 0, "reason": "mine"}
    for action, sent in (("correction", body), ("payment", {"reference": "P"})):
        answer = await other_park.call("POST", park_path(found, action), sent)
        assert code(answer) == (404, "not_found")
    assert (await deal.owner.get(path))["state"] == "provisional"


async def test_points_are_a_reward_beside_money(world: World) -> None:
    """In-kind rewards have a currency of their own, counted whole, and their own balance."""
    deal = await active(
        world,
        min_energy_wh=0,
        preferences={"accepted_reward_kinds": ["cash", "points"]},
        reward={"kind": "points", "currency": "XPOINT", "price_per_kwh": "10"},
    )
    await world.instruct(deal.park, deal.commitment_id, -7000)
    await world.move(20)
    world.exported_wh += 2000
    await world.meter(deal.park, deal.session_id, -7000)
    await stop(deal)
    found = await settled(deal)
    assert (found["currency"], found["net_minor"]) == ("XPOINT", 20)
    shown = await deal.owner.get("/v1/rewards")
    assert shown["pending_minor"] == 0
    assert shown["others"] == [
        {
            "currency": "XPOINT",
            "charging_credit": False,
            "pending_minor": 20,
            "confirmed_minor": 0,
            "paid_minor": 0,
            "overpaid_minor": 0,
        }
    ]
