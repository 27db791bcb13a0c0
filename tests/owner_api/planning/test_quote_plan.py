"""The plan in a quote: powers that lead where it says, early, even, and never for nothing."""

from datetime import timedelta
from typing import Any

import pytest

from .instances import moment, random_request
from .requests import ask, example

# A charging step ends on a whole second and discharge power is a whole watt.
ROUNDING_PCT = 0.15


def _seconds(request: dict[str, Any], answer: dict[str, Any]) -> list[tuple[dict[str, Any], float]]:
    """Return each step with how long it lasts, up to the horizon."""
    end = moment(request["departure_at"]) - timedelta(seconds=request["departure_buffer_s"])
    starts = [moment(step["start_at"]) for step in answer["plan"]]
    ends = [*starts[1:], end]
    lasts = [(until - since).total_seconds() for since, until in zip(starts, ends, strict=True)]
    return list(zip(answer["plan"], lasts, strict=True))


def test_the_plan_followed_by_its_powers_leads_where_it_says() -> None:
    """Promise 2: power in, power out and the efficiencies give every stated state of charge."""
    followed = 0
    for seed in range(200):
        request = random_request(seed)
        answer = ask(request)
        if not answer["feasible"]:
            continue
        vehicle = request["vehicle"]
        soc = vehicle["soc_pct"]
        for step, seconds in _seconds(request, answer):
            assert step["soc_pct"] == pytest.approx(soc, abs=ROUNDING_PCT), seed
            moved_wh = step["power_w"] * seconds / 3_600
            stored = (
                moved_wh * vehicle["charge_efficiency"]
                if moved_wh > 0
                else moved_wh / vehicle["discharge_efficiency"]
            )
            soc += 100 * stored / vehicle["usable_capacity_wh"]
        assert answer["soc_at_departure_pct"] == pytest.approx(soc, abs=ROUNDING_PCT), seed
        followed += 1
    assert followed > 60


def test_the_plan_sells_what_was_quoted() -> None:
    """Without other commitments the discharge adds up to the quoted energy."""
    for seed in range(200):
        request = random_request(seed)
        request.pop("commitments", None)
        answer = ask(request)
        if not answer["feasible"]:
            continue
        steps = _seconds(request, answer)
        sold = -sum(step["power_w"] * lasts for step, lasts in steps if step["power_w"] < 0)
        selling_s = sum(lasts for step, lasts in steps if step["power_w"] < 0)
        assert 0 <= answer["quoted_energy_wh"] * 3_600 - sold < max(1, selling_s), seed


def test_charging_never_exceeds_the_car_or_the_promise() -> None:
    """Promise 2: only charging that somebody has promised, at most at its power."""
    for seed in range(200):
        request = random_request(seed)
        for step in ask(request)["plan"] or []:
            if step["power_w"] <= 0:
                continue
            limit = request["vehicle"]["max_charge_w"]
            if "charging" in request:
                at = moment(step["start_at"])
                limit = min(
                    limit,
                    max(
                        promise["max_w"]
                        for promise in request["charging"]
                        if moment(promise["start_at"]) <= at < moment(promise["end_at"])
                    ),
                )
            assert step["power_w"] <= limit, seed


def test_a_tie_never_charges_for_nothing() -> None:
    """With one flat price and no other refill price, only what is needed is charged."""
    answer = example(later_refill_price_per_kwh=None, offer__requested_energy_wh=3_000)
    assert answer["cost_lines"]["charge"] == []
    assert answer["break_even_price_per_kwh"] == "0.8182"


def test_a_tie_charges_earliest() -> None:
    """At one flat price all charging is done before the offer's window, from now on."""
    answer = example(preferences__soc_min_departure_pct=60)
    powers = [step["power_w"] for step in answer["plan"]]
    assert powers[0] == 7_000
    before = [step for step in answer["plan"] if step["start_at"] < "2026-12-01T06:00:00Z"]
    assert [step["power_w"] for step in before] == [7_000]


def test_cheaper_charging_comes_before_earlier_charging() -> None:
    """Earliest is only for ties: a cheaper hour after the window is waited for."""
    tariff = [
        {"start_at": "2026-12-01T00:00:00Z", "price_per_kwh": "0.6600"},
        {"start_at": "2026-12-01T08:00:00Z", "price_per_kwh": "0.6500"},
    ]
    answer = example(tariff=tariff)
    assert answer["plan"][0]["power_w"] == 0
    assert answer["plan"][-1] == {
        "start_at": "2026-12-01T08:23:40Z",
        "power_w": 0,
        "soc_pct": 50.0,
    }


def test_a_tie_charges_earliest_after_the_window_too() -> None:
    """Two hours at one price after the window: the first of them."""
    tariff = [
        {"start_at": "2026-12-01T00:00:00Z", "price_per_kwh": "0.6600"},
        {"start_at": "2026-12-01T08:00:00Z", "price_per_kwh": "0.5000"},
        {"start_at": "2026-12-01T09:00:00Z", "price_per_kwh": "0.5000"},
    ]
    answer = example(tariff=tariff)
    charging = [step["start_at"] for step in answer["plan"] if step["power_w"] > 0]
    assert charging == ["2026-12-01T08:00:00Z"]


def test_a_price_that_changes_in_the_window_leaves_the_discharge_even() -> None:
    """What is sold is spread by time alone: half an hour is no more than a half of an hour."""
    prices = [
        {"start_at": f"2026-12-01T{clock}:00Z", "price_per_kwh": price}
        for clock, price in (("00:00", "0.66"), ("06:10", "0.5"), ("06:30", "0.9"), ("07:30", "1"))
    ]
    answer = example(tariff=prices)
    steps = [(step["start_at"], step["power_w"]) for step in answer["plan"] if step["power_w"] < 0]
    assert steps == [("2026-12-01T06:00:00Z", -4_000)]
