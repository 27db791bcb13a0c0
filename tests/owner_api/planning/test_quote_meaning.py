"""What a quote means: design §5, sentence by sentence."""

from dataclasses import replace
from decimal import Decimal
import json
from typing import Any

import pytest

from owner_api.planning.check import QuoteRequestError
from owner_api.planning.quote import parse_request, quote, quote_accepted
from owner_api.planning.reach import most_energy_wh
from owner_api.planning.request import TaperStep
from owner_api.planning.request_writer import request_to_json

from .instances import random_request
from .requests import EXAMPLE, ask, changed, example

NIGHT = [
    {"start_at": "2026-11-30T22:00:00Z", "price_per_kwh": "0.3200"},
    {"start_at": "2026-12-01T07:00:00Z", "price_per_kwh": "0.6600"},
    {"start_at": "2026-12-01T18:00:00Z", "price_per_kwh": "1.0500"},
    {"start_at": "2026-12-01T22:00:00Z", "price_per_kwh": "0.3200"},
]
AFTERNOON: dict[str, Any] = changed(
    EXAMPLE,
    {
        "/now": "2026-12-01T12:00:00Z",
        "/tariff": NIGHT,
        "/offer/start_at": "2026-12-01T14:00:00Z",
        "/offer/end_at": "2026-12-01T16:00:00Z",
    },
)


@pytest.mark.parametrize(
    ("leaves", "soc_pct", "need_pct", "break_even", "net_minor", "max_wh"),
    [
        ("2026-12-02T08:00:00Z", 60, 50, 0.428, 618, 14_000),
        ("2026-12-01T18:00:00Z", 60, 50, 0.545, 524, 14_000),
        ("2026-12-01T18:00:00Z", 55, 55, 0.818, 305, 14_000),
        ("2026-12-01T17:00:00Z", 52, 60, 0.818, 305, 13_800),
    ],
)
def test_the_worked_examples_of_the_reference_come_out(
    leaves: str, soc_pct: float, need_pct: float, break_even: float, net_minor: int, max_wh: int
) -> None:
    """Promise 9: the published table (break-even to 0.001, net to the fen, energy to 0.1 kWh)."""
    answer = ask(
        AFTERNOON,
        departure_at=leaves,
        vehicle__soc_pct=soc_pct,
        preferences__soc_min_departure_pct=need_pct,
    )
    assert answer["verdict"] == "accept"
    assert float(answer["break_even_price_per_kwh"]) == pytest.approx(break_even, abs=0.0006)
    assert answer["net_minor"] == pytest.approx(net_minor, abs=1)
    assert answer["max_energy_wh"] == pytest.approx(max_wh, abs=100)


def test_the_issue_example_is_accepted_with_its_plan() -> None:
    """Charge earliest, discharge evenly over the window, arrive at the departure minimum."""
    answer = example()
    assert answer["verdict"] == "accept"
    assert answer["reason"] is None
    assert answer["nearest"] == []
    assert [(step["start_at"], step["power_w"]) for step in answer["plan"]] == [
        ("2026-12-01T05:30:00Z", 7_000),
        ("2026-12-01T05:53:40Z", 0),
        ("2026-12-01T06:00:00Z", -4_000),
        ("2026-12-01T08:00:00Z", 0),
    ]
    assert answer["soc_at_departure_pct"] == 50
    assert answer["soc_lowest_pct"] == 50


def test_the_same_request_gives_the_same_bytes() -> None:
    """Promise 9: a quote can be compared byte for byte."""
    for seed in range(40):
        request = random_request(seed)
        assert json.dumps(ask(request)) == json.dumps(ask(request))


def test_a_quote_never_goes_below_the_floor_or_the_departure_minimum() -> None:
    """Promise 2: neither the plan nor the most that could be sold breaks either limit."""
    for seed in range(200):
        request = random_request(seed)
        answer = ask(request)
        if not answer["feasible"]:
            continue
        wishes = request["preferences"]
        start = request["vehicle"]["soc_pct"]
        assert answer["soc_at_departure_pct"] >= wishes["soc_min_departure_pct"] - 1e-4
        assert answer["soc_lowest_pct"] >= min(start, wishes["soc_floor_pct"]) - 1e-4
        assert answer["soc_at_departure_pct"] <= max(start, wishes["soc_ceiling_pct"])


def test_promise_2_the_floor_holds_at_the_leave_time_where_the_minimum_is_lower() -> None:
    """5 % of 60 kWh above the floor, though the owner would leave with 20 %."""
    answer = example(
        preferences__soc_floor_pct=55,
        preferences__soc_min_departure_pct=20,
        departure_at="2026-12-01T08:00:00Z",
        charging=[],
    )
    assert answer["max_energy_wh"] == int(3_000 * 0.933)
    assert (answer["soc_lowest_pct"], answer["reason"]["limit"]) == (
        55,
        "/preferences/soc_floor_pct",
    )


def test_nothing_is_charged_inside_the_offers_window() -> None:
    """No wash trading: the plan's power is never positive between the offer's edges."""
    for seed in range(200):
        request = random_request(seed)
        answer = ask(request)
        for step in answer["plan"] or []:
            if request["offer"]["start_at"] <= step["start_at"] < request["offer"]["end_at"]:
                assert step["power_w"] <= 0


def test_charging_counts_only_where_it_is_promised() -> None:
    """Promise 2: an empty list means that the battery must still hold the departure minimum."""
    assert example(charging=[])["max_energy_wh"] == 5_598
    promise = {
        "start_at": "2026-12-01T08:30:00Z",
        "end_at": "2026-12-01T09:00:00Z",
        "max_w": 3_000,
        "price_per_kwh": "0.3000",
    }
    answer = example(charging=[promise])
    assert answer["max_energy_wh"] == 5_598 + 1_305
    assert answer["cost_lines"]["charge"][0]["price_per_kwh"] == "0.3000"


def test_overlapping_charging_promises_are_not_added_up() -> None:
    """Promise 2: two promises for one plug are worth the stronger one."""
    weak = {"start_at": "2026-12-01T08:00:00Z", "end_at": "2026-12-01T09:00:00Z", "max_w": 2_000}
    strong = {**weak, "max_w": 3_000}
    assert example(charging=[weak, strong]) == example(charging=[strong, weak])
    assert (
        example(charging=[weak, strong])["max_energy_wh"]
        == example(charging=[strong])["max_energy_wh"]
    )


def test_a_taper_moves_the_end_of_the_horizon_earlier() -> None:
    """What the taper takes longer up to the departure minimum is not there to be planned with."""
    need = {"preferences__soc_min_departure_pct": 85, "departure_at": "2026-12-01T11:00:00Z"}
    plain = example(**need)
    tapered = example(**need, taper=[{"from_soc_pct": 80, "max_charge_w": 3_500}])
    # 5 % of 60 kWh through 0.933 takes 1653 s at 7 kW, and as long again at half of it.
    shorter = example(**{**need, "departure_at": "2026-12-01T10:32:26Z"})
    assert tapered["max_energy_wh"] == shorter["max_energy_wh"] < plain["max_energy_wh"]
    assert tapered["soc_at_departure_pct"] >= 85


def test_a_taper_is_what_the_battery_takes_however_it_is_told() -> None:
    """A step in two halves is one step, and a stronger promise charges a car no faster."""
    hour = {"start_at": "2026-12-01T08:00:00Z", "end_at": "2026-12-01T09:00:00Z", "max_w": 7_000}
    request = {"preferences__soc_min_departure_pct": 65, "charging": [hour]}
    taper = [{"from_soc_pct": 60, "max_charge_w": 3_500}]
    answer = example(**request, taper=taper)
    assert 0 < answer["max_energy_wh"] < example(**request)["max_energy_wh"]
    assert example(**request, taper=[*taper, {**taper[0], "from_soc_pct": 62}]) == answer
    request["charging"] = [{**hour, "max_w": 22_000}]
    assert example(**request, taper=taper) == answer


def test_what_is_charged_before_an_offer_comes_as_fast_as_the_filling_battery_takes_it() -> None:
    """Half an hour before the window, from 80 % on 1 kW: 0.5 kWh to sell on, not 3.5."""
    short = {
        "vehicle__soc_pct": 80,
        "preferences__soc_min_departure_pct": 70,
        "departure_at": "2026-12-01T08:15:00Z",
        "offer__requested_energy_wh": 10_000,
    }
    plain = example(**short)
    tapered = example(**short, taper=[{"from_soc_pct": 80, "max_charge_w": 1_000}])
    stored = 48_000 + 500 * 0.933 - (42_000 - 7_000 / 4 * 0.933)
    assert tapered["max_energy_wh"] == int(stored * 0.933) < plain["max_energy_wh"]
    # Charged through a step on the way: 600 Wh at full power, and the rest of the time at 1 kW.
    early = example(**short, taper=[{"from_soc_pct": 81, "max_charge_w": 1_000}])
    fast_s = 600 / 0.933 / 7_000 * 3_600
    more = 600 + (1_800 - fast_s) * 1_000 / 3_600 * 0.933
    assert early["max_energy_wh"] == int((stored - 500 * 0.933 + more) * 0.933)


def test_promise_2_a_filling_battery_is_not_charged_in_a_later_deals_window() -> None:
    """What charging takes longer was planned for the last hour, which another deal has."""
    request = {
        "preferences__soc_min_departure_pct": 60,
        "offer__requested_energy_wh": 10_000,
        "taper": [{"from_soc_pct": 50, "max_charge_w": 3_000}],
        "commitments": [
            {
                "start_at": "2026-12-01T08:30:00Z",
                "end_at": "2026-12-01T09:40:00Z",
                "energy_wh": 1_000,
                "max_discharge_w": 7_000,
            }
        ],
    }
    # Backwards from 60 %: 20 minutes at 3 kW, the other deal, and half an hour at 3 kW.
    needed = 36_000 - 1_000 * 0.933 + 1_000 / 0.933 - 1_500 * 0.933
    stored = 36_000 + 1_500 * 0.933
    assert example(**request)["max_energy_wh"] == int((stored - needed) * 0.933)
    # Where no plan holds, not even the owner's own, there is nothing to sell.
    full = request | {"preferences__soc_ceiling_pct": 60, "vehicle__soc_pct": 60}
    late = example(**full, departure_at="2026-12-01T09:41:00Z")
    assert (late["max_energy_wh"], late["verdict"]) == (0, "decline")


@pytest.mark.parametrize("ends", ["2026-12-01T09:40:00Z", "2026-12-01T10:00:00Z"])
def test_promise_2_a_filling_battery_is_above_its_floor_after_a_later_deal(ends: str) -> None:
    """Between two deals it charges 1 kWh, not 7, whether or not the car leaves after the other."""
    later = {
        "start_at": "2026-12-01T09:00:00Z",
        "end_at": ends,
        "energy_wh": 2_000,
        "max_discharge_w": 7_000,
    }
    answer = example(
        preferences__soc_floor_pct=55,
        preferences__soc_min_departure_pct=20,
        taper=[{"from_soc_pct": 50, "max_charge_w": 1_000}],
        commitments=[later],
    )
    needed = 33_000 + 2_000 / 0.933 - 1_000 * 0.933
    assert answer["max_energy_wh"] == int((36_000 + 500 * 0.933 - needed) * 0.933)


def test_promise_2_up_to_a_step_of_the_taper_the_car_is_charged_at_its_full_power() -> None:
    """Promised up to 60 %, where the taper begins: an hour at 7 kW is all there to be sold."""
    hour = {"start_at": "2026-12-01T08:00:00Z", "end_at": "2026-12-01T09:00:00Z", "max_w": 7_000}
    request = {"preferences__soc_min_departure_pct": 60, "charging": [hour]}
    taper = [{"from_soc_pct": 60, "max_charge_w": 1_000}]
    assert example(**request, taper=taper)["max_energy_wh"] == int(7_000 * 0.933 * 0.933)


def test_a_window_that_opens_before_the_floor_is_reached_has_no_solution() -> None:
    """Promise 2: below the floor, recovery goes first; a later window may be sold in."""
    below = {"vehicle__soc_pct": 10, "preferences__soc_min_departure_pct": 20}
    early = example(**below)
    assert early["fits"] == "none"
    assert early["reason"]["code"] == "below_floor"
    later = example(
        **below,
        offer__start_at="2026-12-01T08:00:00Z",
        offer__end_at="2026-12-01T09:00:00Z",
        offer__requested_energy_wh=2_000,
    )
    assert later["fits"] == "all"
    assert later["soc_lowest_pct"] == 10


def test_a_car_above_its_ceiling_may_sell() -> None:
    """Above the ceiling is not an error: what it holds is the bound, and it is not charged."""
    answer = example(vehicle__soc_pct=97, preferences__soc_ceiling_pct=80)
    assert answer["verdict"] == "accept"
    assert all(step["power_w"] <= 0 for step in answer["plan"])


def test_other_commitments_are_kept_and_share_the_power() -> None:
    """Promise 2: what was already sold is not sold again."""
    other = {
        "start_at": "2026-12-01T07:00:00Z",
        "end_at": "2026-12-01T09:00:00Z",
        "energy_wh": 8_000,
        "max_discharge_w": 5_000,
    }
    answer = example(
        commitments=[other],
        offer__requested_energy_wh=20_000,
        vehicle__soc_pct=90,
        preferences__soc_min_departure_pct=20,
    )
    # One hour at 7 kW, and one at the 3 kW that the commitment's 4 kW leave.
    assert answer["max_energy_wh"] == 10_000
    powers = {step["start_at"]: step["power_w"] for step in answer["plan"]}
    assert powers["2026-12-01T06:00:00Z"] == -7_000
    assert powers["2026-12-01T08:00:00Z"] == -4_000


def test_discharge_is_even_as_far_as_the_power_allows() -> None:
    """A commitment in part of the window leaves less there; the rest takes it up."""
    other = {
        "start_at": "2026-12-01T07:00:00Z",
        "end_at": "2026-12-01T08:00:00Z",
        "energy_wh": 5_000,
        "max_discharge_w": 5_000,
    }
    answer = example(commitments=[other], offer__requested_energy_wh=8_000)
    powers = [step["power_w"] for step in answer["plan"] if step["power_w"] < 0]
    assert powers == [-6_000, -7_000]


def test_an_energy_budget_is_a_limit() -> None:
    """What the owner still allows today is the most that can be sold, to the last Wh."""
    assert example(budget_left_wh=8_000)["counter"] == example()["counter"]
    answer = example(budget_left_wh=5_000)
    assert answer["max_energy_wh"] == 5_000
    assert answer["fits"] == "part"
    assert answer["reason"] == {
        "code": "budget",
        "limit": "/budget_left_wh",
        "needed": 8_000,
        "available": 5_000,
        "unit": "Wh",
    }


def test_a_sale_that_costs_what_it_brings_is_taken_and_one_that_costs_more_is_not() -> None:
    """A lossless car that replaces 0.32 a kWh at a wear of 0.06: 0.38 is no loss."""
    lossless = {
        "vehicle__charge_efficiency": 1,
        "vehicle__discharge_efficiency": 1,
        "preferences__soc_min_departure_pct": 20,
    }
    even = lossless | {"offer__price_per_kwh": "0.3800"}
    answer = example(**even)
    assert (answer["verdict"], answer["net_minor"]) == ("accept", 0)
    assert example(**lossless, offer__price_per_kwh="0.37999999")["verdict"] == "counter"
    dearer = example(**even, preferences__min_price_per_kwh="0.5000")["nearest"]
    assert {"change": "/preferences/min_price_per_kwh", "to": "0.3800"} in dearer
    # Part of it is no loss either, at the least that the park takes too; nor would all of it be.
    for least in (0, 5_000):
        answer = example(**even, budget_left_wh=5_000, offer__min_energy_wh=least)
        assert answer["counter"]["energy_wh"] == 5_000
        assert answer["nearest"] == [
            {"change": "/offer/requested_energy_wh", "to": 5_000},
            {"change": "/budget_left_wh", "to": 8_000},
        ]


def test_a_fixed_reward_counts_pro_rata_below_the_request_and_is_capped() -> None:
    """Half of the energy earns half of the fixed reward; the cap holds for the sum."""
    assert example(offer__fixed_minor=100)["breakdown"]["gross_minor"] == 1_060
    half = example(offer__fixed_minor=100, budget_left_wh=4_000)
    assert half["breakdown"]["gross_minor"] == 480 + 50
    assert example(offer__cap_minor=700)["breakdown"]["gross_minor"] == 700


def parts(*shares: tuple[str, int, int | None]) -> list[dict[str, Any]]:
    return [
        {"price_per_kwh": price, "fixed_minor": fixed} | ({} if cap is None else {"cap_minor": cap})
        for price, fixed, cap in shares
    ]


def test_several_payers_without_a_cap_are_as_good_as_one() -> None:
    """0.9 with a fixed 0.60 beside 0.3 with 0.40 is 1.2 with 1.00, whatever else is asked."""
    two = parts(("0.9000", 60, None), ("0.3000", 40, None))
    for more in ({}, {"budget_left_wh": 4_000}, {"offer__min_energy_wh": 8_000, "charging": []}):
        one, split = example(offer__fixed_minor=100, **more), example(offer__parts=two, **more)
        if split["cost_lines"] is not None:
            assert len(split["cost_lines"].pop("parts")) == 2
        assert split == one


def test_each_payers_cap_holds_for_that_payer() -> None:
    """7.2 of 0.9 a kWh are cut to 5, 2.4 of 0.3 are paid in full."""
    two = parts(("0.9000", 0, 500), ("0.3000", 0, None))
    answer = example(offer__parts=two)
    assert answer["breakdown"]["gross_minor"] == 500 + 240
    lines = answer["cost_lines"]
    exact = lines["before_rounding"]
    assert (float(exact["uncapped_minor"]), float(exact["gross_minor"])) == (960, 740)
    assert [share["cap_minor"] for share in lines["parts"]] == [500, None]


def test_a_payers_cap_makes_less_energy_the_better_sale() -> None:
    """Beyond 4 kWh only 0.05 a kWh more is paid, which costs more than it brings."""
    two = parts(("1.2000", 0, 480), ("0.0500", 0, None))
    answer = example(offer__price_per_kwh="1.2500", offer__parts=two)
    assert answer["counter"]["energy_wh"] == 4_000


def test_what_is_missing_is_asked_of_a_payer_without_a_cap() -> None:
    """Where every payer has a cap no price would do."""
    free = parts(("0.1500", 0, 50), ("0.0500", 0, None))
    capped = parts(("0.1500", 0, 50), ("0.0500", 0, 10))
    asked = example(offer__price_per_kwh="0.2000", offer__parts=free)
    wanted = asked["counter"]["price_per_kwh"]
    assert wanted is not None
    raised = f"{float(wanted) - 0.15:.4f}"
    enough = parts(("0.1500", 0, 50), (raised, 0, None))
    assert example(offer__price_per_kwh=wanted, offer__parts=enough)["verdict"] == "accept"
    assert (
        example(offer__price_per_kwh="0.2000", offer__parts=capped)["counter"]["price_per_kwh"]
        is None
    )


@pytest.mark.parametrize("change", [{"offer__price_per_kwh": "1.3"}, {"offer__cap_minor": 5}])
def test_parts_that_are_not_the_offers_sum_are_refused(change: dict[str, Any]) -> None:
    two = parts(("0.9000", 0, None), ("0.3000", 0, None))
    with pytest.raises(QuoteRequestError, match="parts"):
        example(offer__parts=two, **change)


def test_a_fixed_reward_makes_less_energy_worth_selling_only_pro_rata() -> None:
    """0.30 a kWh and a fixed 1.00 are 0.425 a kWh: under the first step of the supply curve."""
    cheap = {"offer__price_per_kwh": "0.3000"}
    assert example(**cheap, offer__fixed_minor=100)["counter"]["energy_wh"] is None
    assert example(**cheap, offer__fixed_minor=110)["counter"]["energy_wh"] == 5_598


def test_a_capped_reward_makes_less_energy_the_better_sale() -> None:
    """Beyond the cap each further Wh only costs."""
    answer = example(offer__cap_minor=600)
    assert answer["counter"]["energy_wh"] == 5_000


CAPPED = {"vehicle__warranty_discharge_policy": "capped"}
EMPTY = {"energy_wh": None, "price_per_kwh": None, "start_at": None}


@pytest.mark.parametrize(
    ("change", "code", "limit", "needed", "available", "unit"),
    [
        *(
            (
                {"vehicle__pack_temperature_c": told},
                "temperature",
                "/vehicle/pack_temperature_c",
                passes,
                told,
                "°C",
            )
            for told, passes in ((-0.1, 0), (45.1, 45))
        ),
        (
            {"vehicle__warranty_discharge_policy": "prohibited"},
            "warranty",
            "/vehicle/warranty_discharge_policy",
            8_000,
            0,
            "Wh",
        ),
        (CAPPED, "warranty", "/vehicle/warranty_left_wh", 8_000, 0, "Wh"),
        (
            CAPPED | {"vehicle__warranty_left_wh": 3_000, "budget_left_wh": 4_000},
            "warranty",
            "/vehicle/warranty_left_wh",
            8_000,
            3_000,
            "Wh",
        ),
        ({"currency": "EUR"}, "currency", "/offer/currency", 0, 0, "EUR"),
        (
            {"preferences__soc_min_departure_pct": 95},
            "departure_unreachable",
            "/preferences/soc_min_departure_pct",
            95,
            90,
            "%",
        ),
        (
            {
                "preferences__soc_min_departure_pct": 85,
                "departure_at": "2026-12-01T07:00:00Z",
            },
            "departure_unreachable",
            "/preferences/soc_min_departure_pct",
            85,
            76.3275,
            "%",
        ),
        (
            {"departure_at": "2026-12-01T08:10:00Z", "vehicle__soc_pct": 40},
            "window_blocks_recharge",
            "/preferences/soc_min_departure_pct",
            50,
            47.2566,
            "%",
        ),
        (
            {"vehicle__soc_pct": 10, "preferences__soc_min_departure_pct": 20},
            "below_floor",
            "/preferences/soc_floor_pct",
            20,
            15.4425,
            "%",
        ),
        (
            {"offer__requested_energy_wh": 30_000},
            "power",
            "/offer/max_discharge_w",
            30_000,
            14_000,
            "Wh",
        ),
        (
            {"offer__requested_energy_wh": 30_000, "vehicle__max_discharge_w": 5_000},
            "power",
            "/vehicle/max_discharge_w",
            30_000,
            10_000,
            "Wh",
        ),
        *(
            (
                {"offer__start_at": f"{hour[0]}:00:00Z", "offer__end_at": f"{hour[1]}:00:00Z"},
                "power",
                limit,
                8_000,
                0,
                "Wh",
            )
            for hour, limit in (
                (("2026-12-01T12", "2026-12-01T14"), "/departure_at"),
                (("2026-12-01T02", "2026-12-01T04"), "/offer/end_at"),
            )
        ),
        (
            {"offer__min_energy_wh": 8_000, "charging": []},
            "min_energy",
            "/offer/min_energy_wh",
            8_000,
            5_598,
            "Wh",
        ),
        ({"charging": []}, "energy", "/preferences/soc_min_departure_pct", 8_000, 5_598, "Wh"),
        (
            {"charging": [], "preferences__soc_floor_pct": 55},
            "energy",
            "/preferences/soc_floor_pct",
            8_000,
            2_799,
            "Wh",
        ),
        (
            {"offer__price_per_kwh": "0.5000", "offer__fixed_minor": 7},
            "price",
            "/offer/price_per_kwh",
            "0.5449",
            "0.5087",
            "CNY/kWh",
        ),
        (
            {"preferences__min_price_per_kwh": "1.5000"},
            "price",
            "/preferences/min_price_per_kwh",
            "1.5000",
            "1.2000",
            "CNY/kWh",
        ),
    ],
)
def test_every_no_names_the_limit_that_binds(
    change: dict[str, Any], code: str, limit: str, needed: Any, available: Any, unit: str
) -> None:
    """Promise 8: the code, the limit, what it needs and what there is."""
    answer = example(**change)
    assert answer["verdict"] != "accept"
    assert answer["reason"] == {
        "code": code,
        "limit": limit,
        "needed": needed,
        "available": available,
        "unit": unit,
    }


@pytest.mark.parametrize("told", [0, 45])
def test_a_pack_at_the_edge_of_its_temperatures_may_discharge(told: int) -> None:
    assert example(vehicle__pack_temperature_c=told)["verdict"] == "accept"


@pytest.mark.parametrize(
    "change",
    [
        {"vehicle__pack_temperature_c": 46},
        {"vehicle__warranty_discharge_policy": "prohibited"},
        {"currency": "EUR"},
    ],
)
def test_no_other_terms_are_named_for_what_no_terms_would_change(change: dict[str, Any]) -> None:
    """Promise 8: at another hour the pack would be as hot, and the pay in as strange a coin."""
    answer = example(**change, offer__start_at="2026-12-01T07:00:00Z")
    assert (answer["verdict"], answer["counter"], answer["nearest"]) == ("decline", EMPTY, [])


def test_figures_are_null_when_nothing_fits() -> None:
    """A quote without energy has no figures."""
    answer = example(preferences__soc_min_departure_pct=95)
    assert answer["fits"] == "none"
    assert answer["feasible"] is False
    for name in (
        "quoted_energy_wh",
        "break_even_price_per_kwh",
        "net_minor",
        "breakdown",
        "cost_lines",
        "window_cost_minor",
        "supply_curve",
        "soc_at_departure_pct",
        "soc_lowest_pct",
        "plan",
    ):
        assert answer[name] is None, name


def test_feasible_never_depends_on_the_price() -> None:
    """Physics and promises only: an offer of nothing still fits."""
    answer = example(offer__price_per_kwh="0.0000")
    assert answer["feasible"] is True
    assert answer["fits"] == "all"
    assert answer["verdict"] == "counter"


@pytest.mark.parametrize(
    ("dearer", "minor"),
    [("0.00125", 0), ("0.00375", 2), ("0.00625", 2), ("0.006", 2), ("0.0065", 3), ("0", 0)],
)
def test_promise_9_what_the_window_itself_costs_is_rounded_half_even(
    dearer: str, minor: int
) -> None:
    """4 kWh that would have been charged in the window come at a price that much higher."""
    tariff = [
        {"start_at": f"2026-12-01T{clock}:00Z", "price_per_kwh": price}
        for clock, price in (
            ("00:00", str(Decimal("0.5") + Decimal(dearer))),
            ("06:00", "0.5"),
            ("08:00", str(Decimal("0.5") + Decimal(dearer))),
        )
    ]
    answer = example(
        tariff=tariff,
        vehicle__usable_capacity_wh=40_000,
        vehicle__charge_efficiency=1,
        vehicle__soc_pct=40,
    )
    assert answer["window_cost_minor"] == minor


def test_a_currency_without_cents_is_rounded_to_whole_units() -> None:
    """960 yen are 960 minor units; 9.60 yuan are 960 fen."""
    yen = example(
        offer__currency="JPY",
        offer__price_per_kwh="120.0000",
        tariff=[{"start_at": "2026-12-01T00:00:00Z", "price_per_kwh": "66.00"}],
        later_refill_price_per_kwh="32.00",
        preferences__degradation_cost_per_kwh="6.00",
    )
    assert yen["breakdown"]["gross_minor"] == 960
    assert yen["net_minor"] == example()["net_minor"]


def test_stored_energy_is_worth_the_cheapest_price_to_come_by_default() -> None:
    """The default refill price looks from now on, not back."""
    tariff = [
        {"start_at": "2026-11-30T22:00:00Z", "price_per_kwh": "0.1000"},
        {"start_at": "2026-12-01T05:30:00Z", "price_per_kwh": "0.6600"},
        {"start_at": "2026-12-01T09:00:00Z", "price_per_kwh": "0.4000"},
    ]
    answer = example(tariff=tariff, later_refill_price_per_kwh=None)
    assert answer["cost_lines"]["refill_price_per_kwh"] == "0.4000"


def test_seconds_are_cut_on_the_cautious_side() -> None:
    """A fraction of a second never makes a window longer or a departure later."""
    assert (
        example(
            now="2026-12-01T05:29:59.400000Z",
            departure_at="2026-12-01T10:00:00.900000Z",
            offer__start_at="2026-12-01T05:59:59.200000Z",
            offer__end_at="2026-12-01T08:00:00.700000Z",
        )
        == example()
    )


def test_a_quote_is_a_value() -> None:
    """Equal requests compare equal, and so do their answers."""
    assert parse_request(EXAMPLE) == parse_request(EXAMPLE)
    assert quote(parse_request(EXAMPLE)) == quote(parse_request(EXAMPLE))


def test_what_could_be_sold_is_the_same_when_it_is_asked_without_a_price() -> None:
    """The figure a vehicle shows is the quote's own, for requests of every kind."""
    for seed in range(600):
        request = parse_request(random_request(seed))
        assert most_energy_wh(request) == quote(request).max_energy_wh, seed
        taper = (TaperStep(from_soc_pct=Decimal(10 + seed % 90), max_charge_w=1_500),)
        tapered = replace(request, taper=taper)
        assert most_energy_wh(tapered) == quote(tapered).max_energy_wh, seed
        driven = replace(tapered, charging=None)
        assert most_energy_wh(driven) == quote(driven).max_energy_wh, seed


def test_a_request_that_is_written_reads_back_as_the_same_one() -> None:
    """Promise 9: what is kept beside a deal is the question that was answered."""
    for seed in range(600):
        request = parse_request(random_request(seed))
        again = parse_request(json.loads(json.dumps(request_to_json(request))))
        assert again == request, seed
        assert quote(again) == quote(request), seed
        assert repr(parse_request(request_to_json(again))) == repr(again), seed
    rich = changed(
        EXAMPLE,
        {
            "/vehicle/pack_temperature_c": 21.5,
            "/vehicle/warranty_discharge_policy": "capped",
            "/vehicle/warranty_left_wh": 9_000,
            "/taper": [{"from_soc_pct": 80.5, "max_charge_w": 3_000}],
            "/offer/fixed_minor": 12,
            "/offer/cap_minor": 500,
            "/budget_left_wh": 7_000,
            "/currency": "CNY",
        },
    )
    asked = parse_request(rich)
    assert parse_request(request_to_json(asked)) == asked


def test_the_short_quote_of_an_accepted_offer_is_the_full_one_without_other_terms() -> None:
    """Promise 9: what is kept of a yes are the very figures that the full quote gives."""
    accepted = 0
    for seed in range(300):
        request = parse_request(random_request(seed))
        full, short = quote(request), quote_accepted(request)
        if full.verdict == "accept":
            accepted += 1
            assert short == replace(full, counter=None, supply_curve=None), seed
        else:
            assert short is None, seed
    assert accepted > 50
