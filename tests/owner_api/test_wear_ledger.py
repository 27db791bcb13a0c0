"""The battery-health ledger: the cost of V2G apart from age and from what parking lower saved."""

from decimal import Decimal

import pytest

from owner_api.planning.wear import life
from owner_api.planning.wear_day import WearInputError
from owner_api.planning.wear_ledger import HealthState, LedgerDay, health_ledger, live_days
from owner_api.planning.wear_models import WEAR_MODELS, wear_model
from tests.owner_api.wear_days import day_of

PACK_WH = 60_000


def _year(with_v2g: str, without_v2g: str, temperature_c: float = 25) -> list[LedgerDay]:
    day = LedgerDay(
        with_v2g=day_of(with_v2g, temperature_c=temperature_c),
        without_v2g=day_of(without_v2g, temperature_c=temperature_c),
    )
    return [day] * 365


@pytest.mark.parametrize("name", WEAR_MODELS)
def test_a_year_with_v2g_costs_by_cycling_and_saves_by_standing_lower(name: str) -> None:
    """Both figures are shown, neither is netted against the other."""
    model = wear_model(name)
    state = live_days(model, _year("v2g80_1x10", "base80_imm"))
    ledger = health_ledger(
        model, state, new_capacity_wh=PACK_WH, pack_price_per_kwh="600", currency="CNY"
    )
    assert ledger.days == 365
    assert Decimal(ledger.v2g_cycling_pct) > 0
    assert ledger.v2g_cost_minor > 0
    assert Decimal(ledger.calendar_saved_pct) > 0
    # 10 kWh a day from a 60 kWh pack, there and back.
    assert Decimal(ledger.v2g_efc) == pytest.approx(Decimal(365) * 10 / 60, abs=Decimal("0.001"))


@pytest.mark.parametrize("name", ["lfp_250ah", "nmc111_kokam", "nmc111_sanyo"])
def test_the_ledger_agrees_with_ten_years_of_the_same_day(name: str) -> None:
    """Day by day and all at once are the same law: shown loss adds up to capacity left."""
    model = wear_model(name)
    state = live_days(model, _year("v2g80_2x10", "base80_imm") * 2)
    ledger = health_ledger(
        model, state, new_capacity_wh=PACK_WH, pack_price_per_kwh="600", currency="CNY"
    )
    left = life(model, day_of("v2g80_2x10"), [2]).capacity_left[0]
    assert float(ledger.capacity_left_pct) == pytest.approx(100 * left, abs=1e-4)
    lost = sum(
        Decimal(part)
        for part in (ledger.calendar_pct, ledger.driving_cycling_pct, ledger.v2g_cycling_pct)
    )
    assert 100 - lost == pytest.approx(Decimal(ledger.capacity_left_pct), abs=Decimal("0.0002"))


def test_without_v2g_nothing_is_charged_to_it() -> None:
    """Two equal lives cost nothing, to the last digit."""
    model = wear_model("lfp_naumann")
    state = live_days(model, _year("base80_imm", "base80_imm"))
    ledger = health_ledger(
        model, state, new_capacity_wh=PACK_WH, pack_price_per_kwh="600", currency="CNY"
    )
    assert (ledger.v2g_cycling_pct, ledger.v2g_cost_minor) == ("0.0000", 0)
    assert (ledger.calendar_saved_pct, ledger.calendar_saved_minor) == ("0.0000", 0)
    assert Decimal(ledger.calendar_pct) > 0


def test_money_is_lost_capacity_at_the_pack_price_over_what_may_be_lost() -> None:
    """A lost percent of 60 kWh at 600 CNY is 360 CNY of pack, over 0.30: 1,200 CNY."""
    model = wear_model("lfp_250ah")
    state = live_days(model, _year("v2g80_1x10", "v1g80_late"))
    ledger = health_ledger(
        model, state, new_capacity_wh=PACK_WH, pack_price_per_kwh="600", currency="CNY"
    )
    expected = Decimal(ledger.v2g_cycling_pct) * 1200 * 100
    assert ledger.v2g_cost_minor == pytest.approx(expected, abs=Decimal(7))


def test_a_ledger_goes_on_from_where_it_stood() -> None:
    """Adding days later is adding them at once."""
    model = wear_model("nmc111_kokam")
    days = _year("v2g80_1x10", "base80_imm")
    assert live_days(model, days[100:], live_days(model, days[:100])).with_v2g.efc == (
        pytest.approx(live_days(model, days).with_v2g.efc)
    )


def test_days_the_law_was_never_tested_at_are_counted() -> None:
    """At 5 degrees C the LFP law extrapolates, and the owner is told on how many days."""
    state = live_days(wear_model("lfp_250ah"), _year("base80_imm", "base80_imm", 5)[:10])
    assert (state.days, state.days_outside_tests) == (10, 10)


@pytest.mark.parametrize(("capacity_wh", "price"), [(0, "600"), (60_000, "-1"), (60_000, "NaN")])
def test_an_absurd_pack_is_refused(capacity_wh: int, price: str) -> None:
    """The error says what would pass."""
    with pytest.raises(WearInputError, match="needed"):
        health_ledger(
            wear_model("lfp_250ah"),
            HealthState(),
            new_capacity_wh=capacity_wh,
            pack_price_per_kwh=price,
            currency="CNY",
        )
