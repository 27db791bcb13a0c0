"""Impossible or absurd requests are refused with the field and the limit, before any work."""

from dataclasses import replace
from typing import Any

import pytest

from owner_api.planning import evaluation
from owner_api.planning.quote import QuoteRequestError, parse_request, quote, quote_accepted

from .requests import EXAMPLE, changed

LATE_TARIFF = [{"start_at": "2026-12-01T06:00:00Z", "price_per_kwh": "0.6600"}]
FIRST = {"start_at": "2026-12-01T00:00:00Z", "price_per_kwh": "0.6600"}
HOUR = {"start_at": "2026-12-01T08:00:00Z", "end_at": "2026-12-01T09:00:00Z"}
PART = {"price_per_kwh": "1.2000", "fixed_minor": 0}
WINDOW = {"start_at": "2026-12-01T07:00:00Z", "end_at": "2026-12-01T06:00:00Z"}


@pytest.mark.parametrize(
    ("pointer", "value", "at"),
    [
        ("/vehicle/usable_capacity_wh", 0, None),
        ("/vehicle/usable_capacity_wh", 10**9, None),
        ("/vehicle/usable_capacity_wh", 60_000.5, None),
        ("/vehicle/usable_capacity_wh", True, None),
        ("/vehicle/soc_pct", 101, None),
        ("/vehicle/soc_pct", -0.1, None),
        ("/vehicle/soc_pct", float("nan"), None),
        ("/vehicle/soc_pct", float("inf"), None),
        ("/vehicle/soc_pct", None, None),
        ("/vehicle/soc_pct", "1e999999999", None),
        ("/vehicle/charge_efficiency", 0, None),
        ("/vehicle/discharge_efficiency", 1.01, None),
        ("/vehicle/max_charge_w", -1, None),
        ("/vehicle/max_discharge_w", 10**9, None),
        ("/vehicle/warranty_discharge_policy", "maybe", None),
        ("/vehicle", [], None),
        ("/preferences/soc_floor_pct", 95, None),
        ("/preferences/soc_min_departure_pct", 100.5, None),
        ("/preferences/degradation_cost_per_kwh", "-0.0100", None),
        ("/preferences/min_price_per_kwh", 0.5, None),
        ("/departure_at", "2026-12-01T05:30:00Z", None),
        ("/departure_at", "2026-11-30T05:30:00Z", None),
        ("/departure_at", "2028-12-01T05:30:00Z", None),
        ("/departure_at", "2026-12-01T10:00:00", None),
        ("/departure_at", "tomorrow", None),
        ("/departure_at", 1_764_583_200, None),
        ("/departure_buffer_s", 10**6, None),
        ("/tariff", [], None),
        ("/tariff", LATE_TARIFF, "/tariff/0/start_at"),
        ("/tariff", [FIRST, FIRST], "/tariff/1/start_at"),
        ("/tariff", [{**FIRST, "price_per_kwh": "NaN"}], "/tariff/0/price_per_kwh"),
        ("/tariff", [{**FIRST, "price_per_kwh": "1e3"}], "/tariff/0/price_per_kwh"),
        ("/tariff", [{**FIRST, "price_per_kwh": "0.123456789"}], "/tariff/0/price_per_kwh"),
        ("/tariff", [{**FIRST, "price_per_kwh": "99999999"}], "/tariff/0/price_per_kwh"),
        ("/tariff", [{**FIRST, "price": "1"}], "/tariff/0/price"),
        ("/tariff", [FIRST] * 40_001, None),
        ("/offer/requested_energy_wh", 10**9, None),
        ("/offer/requested_energy_wh", 0, None),
        ("/offer/requested_energy_wh", 10**30, None),
        ("/offer/min_energy_wh", 8_001, None),
        ("/offer/price_per_kwh", "-0.0001", None),
        ("/offer/currency", "yuan", None),
        ("/offer/end_at", "2026-12-01T06:00:00Z", None),
        ("/offer/fixed_minor", -1, None),
        ("/charging", [{**WINDOW, "max_w": 7_000}], "/charging/0/end_at"),
        ("/charging", [{**WINDOW, "max_w": "7000"}], "/charging/0/max_w"),
        (
            "/charging",
            [{**HOUR, "max_w": 7_000, "price_per_kwh": "99999999"}],
            "/charging/0/price_per_kwh",
        ),
        ("/charging", [{**HOUR, "max_w": 10**9}], "/charging/0/max_w"),
        ("/taper", [{"from_soc_pct": 80, "max_charge_w": 0}], "/taper/0/max_charge_w"),
        ("/taper", [{"from_soc_pct": 101, "max_charge_w": 1}], "/taper/0/from_soc_pct"),
        ("/offer/parts", [PART | {"price_per_kwh": "-1"}], "/offer/parts/0/price_per_kwh"),
        ("/offer/parts", [PART | {"fixed_minor": 10**15}], "/offer/parts/0/fixed_minor"),
        ("/offer/parts", [PART | {"cap_minor": 10**15}], "/offer/parts/0/cap_minor"),
        (
            "/commitments",
            [{**HOUR, "energy_wh": 10**9, "max_discharge_w": 1}],
            "/commitments/0/energy_wh",
        ),
        (
            "/commitments",
            [{**HOUR, "energy_wh": 1, "max_discharge_w": 10**9}],
            "/commitments/0/max_discharge_w",
        ),
        (
            "/commitments",
            [{**WINDOW, "energy_wh": 1, "max_discharge_w": 1}],
            "/commitments/0/end_at",
        ),
        ("/budget_left_wh", -1, None),
        ("/schema", "v2g.quote-request/2", None),
        ("/surprise", 1, None),
    ],
)
def test_an_absurd_value_is_refused_with_its_pointer_before_any_piece_is_cut(
    pointer: str, value: Any, at: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Criterion 8: the error names the field and what would pass."""
    monkeypatch.setattr(evaluation, "cut", lambda _: pytest.fail("pieces were cut"))
    with pytest.raises(QuoteRequestError) as caught:
        parse_request(changed(EXAMPLE, {pointer: value}))
    assert caught.value.pointer == (at or pointer)
    assert caught.value.limit
    assert str(caught.value).startswith(at or pointer)


@pytest.mark.parametrize(
    "name", [name for name in EXAMPLE if not name.startswith(("later", "dep"))]
)
def test_a_missing_field_is_named(name: str) -> None:
    """Every required field of the request."""
    message = {key: value for key, value in EXAMPLE.items() if key != name}
    with pytest.raises(QuoteRequestError) as caught:
        parse_request(message)
    assert (caught.value.code, caught.value.pointer) == ("missing_field", f"/{name}")


@pytest.mark.parametrize("message", [None, 5, "text", [], [EXAMPLE]])
def test_what_is_no_object_is_refused(message: Any) -> None:
    """JSON that is no object has no field to name: the pointer is the whole document."""
    with pytest.raises(QuoteRequestError) as caught:
        parse_request(message)
    assert caught.value.pointer == ""


def test_a_taper_that_rises_is_refused() -> None:
    """A taper falls."""
    taper = [
        {"from_soc_pct": 80, "max_charge_w": 3_000},
        {"from_soc_pct": 90, "max_charge_w": 4_000},
    ]
    with pytest.raises(QuoteRequestError) as caught:
        parse_request(changed(EXAMPLE, {"/taper": taper}))
    assert caught.value.pointer == "/taper/1"


@pytest.mark.parametrize("judge", [quote, quote_accepted])
def test_a_request_that_nobody_has_parsed_is_checked_as_well(judge: Any) -> None:
    """The service builds its requests itself; a leave time that has passed is still no request."""
    request = parse_request(EXAMPLE)
    with pytest.raises(QuoteRequestError) as caught:
        judge(replace(request, departure_at=request.now))
    assert caught.value.pointer == "/departure_at"
