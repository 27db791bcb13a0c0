"""Money as people and ledgers see it: minor units, four-decimal prices, one rounding each."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

# ISO 4217's own exceptions to two digits; XXX, no currency, stands for a unit counted whole.
_OTHER_MINOR_DIGITS = {
    **dict.fromkeys(
        (
            *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"),
            *("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF", "XXX"),
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
# Wide enough that a line's digits before rounding are the exact ones.
PRECISE = Context(prec=60)
_UNIT = [Decimal((0, (1,), -digits)) for digits in range(13)]


def minor_digits(currency: str) -> int:
    """Return how many decimals the currency's minor unit stands for (ISO 4217)."""
    return _OTHER_MINOR_DIGITS.get(currency, 2)


def minor_per_unit(currency: str) -> int:
    """Return how many minor units make one currency unit."""
    return int(10 ** minor_digits(currency))


def half_even(numerator: int, denominator: int) -> int:
    """Divide and round half-even; the denominator is positive."""
    whole, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and whole % 2):
        return whole + 1
    return whole


def ratio_up(numerator: int, denominator: int, digits: int) -> Decimal:
    """Divide and round up to `digits` decimals; the denominator is positive."""
    return Decimal(-(-numerator * 10**digits // denominator)) * _UNIT[digits]


def ratio_down(numerator: int, denominator: int, digits: int) -> Decimal:
    """Divide and round down to `digits` decimals; the denominator is positive."""
    return Decimal(numerator * 10**digits // denominator) * _UNIT[digits]


def ratio_near(numerator: int, denominator: int, digits: int) -> Decimal:
    """Divide and round half-even to `digits` decimals; the denominator is positive."""
    return Decimal(half_even(numerator * 10**digits, denominator)) * _UNIT[digits]


def rounded_minor(amount: Decimal) -> int:
    """Round minor units half-even to whole ones."""
    return int(amount.quantize(Decimal(1), ROUND_HALF_EVEN, PRECISE))
