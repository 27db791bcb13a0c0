"""Several payers on one event: each its own reward, cap, payment and books."""

from decimal import Decimal
import json
from typing import Any

import pytest

from .deal_world import Deal, World, active, presented
from .domain_world import code, running, settled, stop, world

__all__ = ["running", "world"]
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

PARK = {"payer": "East Gate Park", "kind": "cash", "currency": "CNY", "price_per_kwh": "0.9"}
GRID = {"payer": "Grid Company", "kind": "cash", "currency": "CNY", "price_per_kwh": "0.3"}
CASH = {"kind": "cash", "currency": "CNY"}
MALL = {"payer": "East Gate Mall", "kind": "points", "currency": "XPOINT", "price_per_kwh": "10"}
TAKES = {"accepted_reward_kinds": ["cash", "points"]}


def together(*parts: Any, price: str = "1.2", **more: Any) -> Any:
    return {"kind": "cash", "currency": "CNY", "price_per_kwh": price, "parts": list(parts), **more}


async def delivered(world: World, wh: int, reward: Any) -> tuple[Deal, Any]:
    """Deliver ``wh`` for a reward of parts, stop, and return the settlement."""
    deal = await active(world, min_energy_wh=0, preferences=TAKES, reward=reward)
    assert (await world.instruct(deal.park, deal.commitment_id)).status == 201
    await world.move(20)
    world.exported_wh += wh
    await world.meter(deal.park, deal.session_id, -7000)
    await stop(deal)
    return deal, await settled(deal)


def owed(found: Any) -> list[tuple[str, str, int, str]]:
    """Return payer, currency, amount and status of each part."""
    names = ("payer", "currency", "amount_minor", "status")
    return [tuple(part[name] for name in names) for part in found["rewards"]]


async def test_two_payers_with_a_cap_each_are_settled_and_paid_apart(world: World) -> None:
    """2 kWh of 6: 2.4 CNY a kWh, at most 4 CNY; 10 points a kWh and a third of 9, at most 15."""
    park = PARK | {"price_per_kwh": "2.4", "cap_minor": 400}
    mall = MALL | {"fixed_minor": 9, "cap_minor": 15}
    deal, found = await delivered(world, 2000, together(park, mall, price="2.4"))
    assert owed(found) == [
        ("East Gate Park", "CNY", 400, "pending"),
        ("East Gate Mall", "XPOINT", 15, "pending"),
    ]
    # The settlement's own figures, and the owner's economics, are those of the money alone.
    assert (found["currency"], found["gross_minor"], found["net_minor"]) == ("CNY", 480, 400)
    assert found["breakdown"]["gross_minor"] == 400
    assert found["reward"] == found["rewards"][0]
    await world.move(3601)
    path = f"/v1/park/settlements/{found['settlement_id']}/payment"
    nobody = await deal.park.call("POST", path, {"reference": "BANK-1"})
    assert code(nobody) == (422, "invalid_body")
    assert nobody.body["errors"][0]["pointer"] == "/part"
    paid = await deal.park.post(path, {"reference": "BANK-1", "part": 0})
    assert owed(paid) == [
        ("East Gate Park", "CNY", 400, "paid"),
        ("East Gate Mall", "XPOINT", 15, "confirmed"),
    ]
    assert [part["reference"] for part in paid["rewards"]] == ["BANK-1", None]
    shown = await deal.owner.get("/v1/rewards")
    assert (shown["paid_minor"], shown["confirmed_minor"]) == (400, 0)
    assert [(o["currency"], o["confirmed_minor"], o["paid_minor"]) for o in shown["others"]] == [
        ("XPOINT", 15, 0)
    ]
    told = [e for e in await deal.owner.events() if e["type"] == "reward.paid"]
    assert [(json.loads(e["data"])["payer"], json.loads(e["data"])["part"]) for e in told] == [
        ("East Gate Park", 0)
    ]
    other = await deal.park.post(path, {"reference": "CARD-9", "part": 1})
    assert [part["reference"] for part in other["rewards"]] == ["BANK-1", "CARD-9"]
    missing = await deal.park.call("POST", path, {"reference": "X", "part": 2})
    assert code(missing) == (422, "invalid_body")


async def test_promise_9_of_a_part_each_payer_is_quoted_the_share_of_what_it_pays_once(
    world: World,
) -> None:
    """What is paid for all of 6 kWh is paid by two thirds for the 4 that a budget leaves."""
    parts = PARK | {"fixed_minor": 300}, GRID | {"fixed_minor": 150}
    deal = await presented(
        world,
        preferences={"max_discharge_wh_per_event": 4000},
        reward=together(*parts),
        requested_energy_wh=6000,
        min_energy_wh=1000,
    )
    shown = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    told = shown["evaluation"]
    assert (told["fits"], told["quoted_energy_wh"]) == ("part", 4000)
    assert told["breakdown"]["gross_minor"] == 480 + 200 + 100


async def test_each_payer_has_a_transaction_and_a_line_of_its_own(world: World) -> None:
    deal, found = await delivered(world, 2000, together(PARK, GRID, MALL))
    assert [part[2] for part in owed(found)] == [180, 60, 20]
    assert found["net_minor"] == 240
    month = await deal.owner.get(f"/v1/statements/{world.at(0)[:7]}")
    told = ("payer", "amount_minor", "currency", "price_per_kwh", "delivered_wh")
    assert [tuple(line[name] for name in told) for line in month["lines"]] == [
        ("East Gate Park", 180, "CNY", PARK["price_per_kwh"], 2000),
        ("Grid Company", 60, "CNY", GRID["price_per_kwh"], 2000),
        ("East Gate Mall", 20, "XPOINT", MALL["price_per_kwh"], 2000),
    ]
    assert {t["currency"]: t["amount_minor"] for t in month["totals"]} == {"CNY": 240, "XPOINT": 20}
    named = (await deal.owner.get("/v1/receipts"))["items"]
    assert sum(item["kind"] == "reward.earned" for item in named) == 3


@pytest.mark.parametrize(
    ("reward", "limit_wh", "owed_minor"),
    [
        # 740.598 and 260.598 fen, each rounded for itself: one more than their sum.
        (
            together(
                PARK | {"price_per_kwh": "1.23433"},
                GRID | {"price_per_kwh": "0.43433"},
                price="1.66866",
            ),
            None,
            1002,
        ),
        # 370.5 fen are 370, and 1 of the fixed 2: not the even one of 371.5.
        (CASH | {"price_per_kwh": "1.235", "fixed_minor": 2}, 3_000, 371),
        # Three quarters of 501 are 375.75: 376.
        (CASH | {"price_per_kwh": "1.2", "fixed_minor": 501}, 4_500, 916),
    ],
    ids=["several payers", "a tie beside a fixed reward", "part of a fixed reward"],
)
async def test_promise_9_the_quote_says_what_will_be_paid_to_the_minor_unit(
    world: World, reward: Any, limit_wh: int | None, owed_minor: int
) -> None:
    wishes = TAKES | {"max_discharge_wh_per_event": limit_wh}
    deal = await active(world, min_energy_wh=0, preferences=wishes, reward=reward)
    path = f"/v1/offers/{deal.offer['offer_id']}"
    quoted = (await deal.owner.get(path))["evaluation"]["breakdown"]["gross_minor"]
    assert (await world.instruct(deal.park, deal.commitment_id)).status == 201
    await world.move(20)
    world.exported_wh += limit_wh or 6_000
    await world.meter(deal.park, deal.session_id, -7000)
    await stop(deal)
    paid = (await settled(deal))["net_minor"]
    assert (quoted, paid) == (owed_minor, owed_minor)


@pytest.mark.parametrize("alone", [False, True], ids=["beside cash", "points alone"])
async def test_promise_9_what_was_left_counts_points_at_the_rate_at_which_it_was_quoted(
    world: World, *, alone: bool
) -> None:
    """10 points a kWh and a third of 9, at most 15, at 0.25 each: 3.75 for 2 kWh of 6."""
    rate = {"currency": "XPOINT", "price_per_unit": "0.25"}
    points = MALL | {"fixed_minor": 9, "cap_minor": 15}
    reward = {key: points[key] for key in points if key != "payer"} if alone else None
    deal = await active(
        world,
        min_energy_wh=0,
        preferences=TAKES | {"in_kind_rates": [rate], "max_discharge_wh_per_event": 2_000},
        reward=reward or together(PARK, points, price="0.9"),
    )
    judged = (await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}"))["evaluation"]
    quoted = judged["breakdown"] | {"net_minor": judged["net_minor"]}
    assert quoted["gross_minor"] == (375 if alone else 375 + 180)
    # Another rate later is for later deals.
    await deal.owner.patch(f"/v1/vehicles/{deal.vehicle_id}/preferences", {"in_kind_rates": []})
    assert (await world.instruct(deal.park, deal.commitment_id)).status == 201
    await world.move(20)
    world.exported_wh += 2_000
    await world.meter(deal.park, deal.session_id, -7000)
    await stop(deal)
    assert (await settled(deal))["breakdown"] == quoted


async def test_more_than_was_ordered_is_paid_by_no_payer(world: World) -> None:
    _, found = await delivered(world, 6500, together(PARK, GRID, MALL))
    assert [part[2] for part in owed(found)] == [540, 180, 60]


async def test_promise_6_a_correction_counts_each_payers_payment_for_itself(world: World) -> None:
    """500 Wh paid by the park only; corrected to 600 it owes 9 more, the grid its whole 18."""
    deal, found = await delivered(world, 500, together(PARK, GRID))
    await world.move(3601)
    path = f"/v1/park/settlements/{found['settlement_id']}"
    await deal.park.post(f"{path}/payment", {"reference": "PAY-1", "part": 0})
    body = {"delivered_wh": 600, "reason": "read again"}
    second = await deal.park.post(f"{path}/correction", body)
    sums = [(part["amount_minor"], part["payment_minor"]) for part in second["rewards"]]
    assert sums == [(54, 9), (18, 18)]
    shown = await deal.owner.get("/v1/rewards")
    assert (shown["pending_minor"], shown["confirmed_minor"], shown["paid_minor"]) == (27, 0, 45)


async def test_the_quote_counts_the_money_parts_in_sum_and_caps_each(world: World) -> None:
    capped = PARK | {"cap_minor": 100}
    for parts, gross in (((PARK, GRID, MALL), 720), ((capped, GRID, MALL), 280)):
        deal = await presented(world, preferences=TAKES, reward=together(*parts))
        assert deal.offer["state"] in {"presented", "auto_declined"}
        shown = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
        assert shown["evaluation"]["breakdown"]["gross_minor"] == gross
        assert shown["terms"]["reward"]["price_per_kwh"] == "1.2"


async def test_in_kind_counts_only_at_the_rate_the_owner_set(world: World) -> None:
    """10 points a kWh at 0.05 CNY are half a CNY more; without a rate they stand beside."""
    rate = {"in_kind_rates": [{"currency": "XPOINT", "price_per_unit": "0.05"}]}
    for preferences, gross in ((TAKES, 720), (TAKES | rate, 1020)):
        deal = await presented(world, preferences=preferences, reward=together(PARK, GRID, MALL))
        shown = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
        assert shown["evaluation"]["breakdown"]["gross_minor"] == gross
    alone = MALL | {"price_per_kwh": "40"}
    del alone["payer"]
    for preferences, gross in ((TAKES, 0), (TAKES | rate, 1200)):
        deal = await presented(world, preferences=preferences, reward=alone)
        assert deal.offer["state"] == "presented"
        shown = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
        assert shown["evaluation"]["breakdown"]["gross_minor"] == gross


async def test_a_price_in_points_is_no_price_in_money_for_a_rule(world: World) -> None:
    """A rule that asks for 1.5 CNY a kWh says no yes to 3.5 points."""
    rule = {"name": "good price", "min_price_per_kwh": "1.5"}
    by_rule = TAKES | {"consent_mode": "rules", "rules": [rule]}
    points = {"kind": "points", "currency": "XPOINT", "price_per_kwh": "3.5"}
    deal = await presented(world, preferences=by_rule, reward=points)
    assert deal.offer["state"] == "presented"
    cash = await presented(world, preferences=by_rule, reward=together(PARK, GRID, price="1.2"))
    assert cash.offer["state"] == "presented"
    dear = GRID | {"price_per_kwh": "0.6"}
    taken = await presented(world, preferences=by_rule, reward=together(PARK, dear, price="1.5"))
    assert taken.offer["state"] == "accepted"


@pytest.mark.parametrize(
    ("reward", "pointer"),
    [
        (together(PARK, GRID, price="1.3"), "/terms/reward/price_per_kwh"),
        (together(PARK, GRID, fixed_minor=5), "/terms/reward/parts"),
        (together(PARK, GRID, cap_minor=5), "/terms/reward/parts"),
        (together(PARK, GRID, payer="me"), "/terms/reward/parts"),
        (together(MALL, price="10"), "/terms/reward/kind"),
        (together(), "/terms/reward/parts"),
        (together(PARK, PARK, PARK, PARK, PARK, price="4.5"), "/terms/reward/parts"),
    ],
)
async def test_parts_that_do_not_make_up_the_reward_are_refused(
    world: World, reward: Any, pointer: str
) -> None:
    deal = await presented(world)
    body = {
        "session_id": deal.session_id,
        "purpose": "peak_price",
        "respond_by": world.at(1200),
        "terms": world.terms(reward=reward),
    }
    answer = await deal.park.call("POST", "/v1/park/offers", body)
    assert code(answer) == (422, "invalid_body")
    assert answer.body["errors"][0]["pointer"] == pointer


async def test_every_part_must_be_one_that_the_owner_takes(world: World) -> None:
    for parts, reason in (((PARK, MALL), "price"), ((PARK, GRID | {"currency": "EUR"}), "price")):
        total = sum(Decimal(p["price_per_kwh"]) for p in parts if p["currency"] == "CNY")
        deal = await presented(world, reward=together(*parts, price=str(total)))
        assert (deal.offer["state"], deal.offer["reason"]) == ("auto_declined", reason)


KINDS = ("cash", "points", "parking", "voucher", "charging_credit", "other")


@pytest.mark.parametrize("kind", KINDS)
async def test_only_cash_and_charging_credit_are_counted_in_money(world: World, kind: str) -> None:
    """Points in CNY would be shown as CNY; in kind is counted in units of our own."""
    deal = await presented(world, preferences={"accepted_reward_kinds": list(KINDS)})
    in_money, in_units = kind in {"cash", "charging_credit"}, kind != "cash"
    for currency, holds in (("CNY", in_money), ("XAF", in_money), ("XUNIT", in_units)):
        reward = {"kind": kind, "currency": currency, "price_per_kwh": "1"}
        whole = {"kind": "cash", "currency": "CNY", "price_per_kwh": "0.9"}
        if (kind, currency) != ("cash", "CNY"):
            whole |= {"parts": [PARK, {"payer": "Other", **reward}]}
        for terms, pointer in ((reward, ""), (whole, "/parts/1")):
            body = {
                "session_id": deal.session_id,
                "purpose": "peak_price",
                "respond_by": world.at(1200),
                "terms": world.terms(reward=terms),
            }
            answer = await deal.park.call("POST", "/v1/park/offers", body)
            if holds:
                assert answer.status in {201, 429}, (currency, answer.body)
            else:
                assert code(answer) == (422, "invalid_body")
                assert answer.body["errors"][0]["pointer"] == f"/terms/reward{pointer}/currency"


async def test_charging_credit_in_money_is_never_added_to_cash(world: World) -> None:
    credit = {"payer": "Charge Net", "kind": "charging_credit", "currency": "CNY"}
    takes = {"accepted_reward_kinds": ["cash", "charging_credit"]}
    reward = together(PARK, credit | {"price_per_kwh": "0.5"}, price="0.9")
    deal = await active(world, min_energy_wh=0, preferences=takes, reward=reward)
    await world.instruct(deal.park, deal.commitment_id)
    await world.move(20)
    world.exported_wh += 2000
    await world.meter(deal.park, deal.session_id, -7000)
    await stop(deal)
    found = await settled(deal)
    assert owed(found) == [
        ("East Gate Park", "CNY", 180, "pending"),
        ("Charge Net", "CNY", 100, "pending"),
    ]
    assert (found["net_minor"], found["breakdown"]["gross_minor"]) == (180, 180)
    await world.move(3601)
    path = f"/v1/park/settlements/{found['settlement_id']}"
    await deal.park.post(f"{path}/payment", {"reference": "TOP-UP-1", "part": 1})
    shown = await deal.owner.get("/v1/rewards")
    assert (shown["confirmed_minor"], shown["paid_minor"]) == (180, 0)
    month = {key: value for key, value in shown["this_month"].items() if key != "start_at"}
    assert month == {"pending_minor": 0, "confirmed_minor": 180, "paid_minor": 0}
    (other,) = shown["others"]
    assert (other["currency"], other["charging_credit"], other["paid_minor"]) == ("CNY", True, 100)
    month = await deal.owner.get(f"/v1/statements/{world.at(0)[:7]}")
    sums = {(t["currency"], t["charging_credit"]): t["amount_minor"] for t in month["totals"]}
    assert sums == {("CNY", False): 180, ("CNY", True): 100}
    second = await deal.park.post(f"{path}/correction", {"delivered_wh": 1000, "reason": "less"})
    assert [part["overpaid_minor"] for part in second["rewards"]] == [0, 50]
    (other,) = (await deal.owner.get("/v1/rewards"))["others"]
    assert (other["paid_minor"], other["overpaid_minor"]) == (100, 50)
