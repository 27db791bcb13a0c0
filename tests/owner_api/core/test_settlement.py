"""What was delivered and what it is worth: clamped, rounded once per line, never negative."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import assume, given, strategies as st
import pytest

from owner_api.core.money import minor_digits, money, own_unit
from owner_api.core.settlement import Delivery, measure, price, round_half_even
from owner_api.planning.money import minor_digits as quoted_digits

from .patience import patient

energies = st.integers(0, 1_000_000)
registers = st.integers(0, 10**13)
prices = st.decimals(0, 100_000, places=6)


def deliver(wh: int, ordered: int = 1_000_000) -> Delivery:
    return measure(ordered_wh=ordered, begin_register_wh=5_000, end_register_wh=5_000 + wh)


@patient
@given(ordered=energies, begin=registers, end=registers)
def test_delivered_is_what_the_register_counted_at_most_what_was_ordered(
    ordered: int, begin: int, end: int
) -> None:
    """UFTP's clamp: delivered + deficiency = ordered, both never negative."""
    found = measure(ordered_wh=ordered, begin_register_wh=begin, end_register_wh=end)
    assert found.delivered_wh == min(ordered, max(0, end - begin))
    assert found.delivered_wh + found.deficiency_wh == ordered
    assert min(found.delivered_wh, found.deficiency_wh, found.actual_wh) >= 0
    assert found.baseline_wh == 0


@patient
@given(begin=registers, back=st.integers(1, 10_000), ordered=energies)
def test_a_register_that_ran_backwards_delivered_nothing(
    begin: int, back: int, ordered: int
) -> None:
    assume(back <= begin)
    found = measure(ordered_wh=ordered, begin_register_wh=begin, end_register_wh=begin - back)
    assert (found.actual_wh, found.delivered_wh) == (0, 0)


@patient
@given(
    wh=energies,
    per_kwh=prices,
    requested=st.integers(1, 1_000_000),
    fixed=st.integers(0, 10**10),
    cap=st.none() | st.integers(0, 10**10),
    digits=st.sampled_from([0, 2, 3]),
)
def test_promise_9_each_line_is_the_exact_amount_rounded_half_even_once(
    wh: int, per_kwh: Decimal, requested: int, fixed: int, cap: int | None, digits: int
) -> None:
    found = price(
        deliver(wh),
        price_per_kwh=per_kwh,
        requested_wh=requested,
        fixed_minor=fixed,
        cap_minor=cap,
        minor_digits=digits,
    )
    # Python's round of a Fraction is half-even and exact: an independent statement of the rule.
    gross = round(Fraction(wh) * Fraction(per_kwh) / 1000 * 10**digits)
    share = min(Fraction(1), Fraction(wh, requested))
    assert found.gross_minor == gross
    assert found.fixed_minor == round(fixed * share)
    assert found.penalty_minor == 0
    total = gross + found.fixed_minor
    assert found.net_minor == (total if cap is None else min(cap, total))
    assert found.net_minor >= 0


@patient
@given(wh=st.integers(0, 100_000), more=st.integers(0, 10_000), per_kwh=prices)
def test_more_delivered_never_pays_less(wh: int, more: int, per_kwh: Decimal) -> None:
    first, second = (
        price(
            deliver(energy),
            price_per_kwh=per_kwh,
            requested_wh=6_000,
            fixed_minor=500,
            cap_minor=None,
            minor_digits=2,
        )
        for energy in (wh, wh + more)
    )
    assert second.net_minor >= first.net_minor


@pytest.mark.parametrize(
    ("wh", "per_kwh", "minor"),
    [(6400, "1.2", 768), (5000, "0.453", 226), (15_000, "0.453", 680), (1, "1.2", 0), (0, "9", 0)],
)
def test_prices_of_three_decimals_round_as_written_down(wh: int, per_kwh: str, minor: int) -> None:
    """226.5 rounds to the even 226 and 679.5 to the even 680."""
    found = price(
        deliver(wh),
        price_per_kwh=Decimal(per_kwh),
        requested_wh=6_000,
        fixed_minor=0,
        cap_minor=None,
        minor_digits=2,
    )
    assert found.gross_minor == minor


@patient
@given(doubled=st.integers(-(10**12), 10**12))
def test_a_tie_goes_to_the_even_neighbour(doubled: int) -> None:
    rounded = round_half_even(Decimal(doubled) / 2)
    assert abs(Fraction(doubled, 2) - rounded) <= Fraction(1, 2)
    if doubled % 2:
        assert rounded % 2 == 0


@pytest.mark.parametrize(
    "currency", ["CNY", "EUR", "JPY", "KWD", "BHD", "UGX", "XAF", "TWD", "XCD", "RWF", "CLF", "XXX"]
)
def test_promise_9_quote_and_settlement_count_the_same_minor_units(currency: str) -> None:
    assert minor_digits(currency) == quoted_digits(currency)


NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
THREE = "BHD IQD JOD KWD LYD OMR TND"


@pytest.mark.parametrize(
    ("currencies", "digits"),
    [
        ("CNY EUR TWD USD XCD XCG", 2),
        (NONE, 0),
        (THREE, 3),
        ("CLF UYW", 4),
        ("XPOINT XHOUR XKWH XAFX", 0),
    ],
)
def test_minor_digits_follow_iso_4217_and_own_units_are_whole(currencies: str, digits: int) -> None:
    """An X begins a unit of our own only when more than ISO 4217's three letters follow."""
    for currency in currencies.split():
        assert minor_digits(currency) == digits, currency
        assert own_unit(currency) is (len(currency) > 3)
        assert money(currency) is (len(currency) == 3)
