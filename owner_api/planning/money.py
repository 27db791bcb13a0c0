"""Money as people and ledgers see it: minor units, four-decimal prices, one rounding each."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

# ISO 4217 currencies whose minor unit is not a hundredth.
_OTHER_MINOR_DIGITS = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
# Wide enough that a line's digits before rounding are the exact ones.
PRECISE = Context(prec=60)


def minor_digits(currency: str) -> int:
    """Return how many decimals the currency's minor unit stands for (ISO 4217)."""
    return _OTHER_MINOR_DIGITS.get(currency, 2)


def minor_per_unit(currency: str) -> int:
    """Return how many minor units make one currency unit."""
    return int(10 ** minor_digits(currency))


def to_minor(amount: Fraction, currency: str) -> int:
    """Round an amount in currency units half-even to minor units."""
    return round(amount * minor_per_unit(currency))


def price_up(price: Fraction, digits: int = 4) -> Decimal:
    """Round a price per kWh up to `digits` decimals."""
    scaled = price * 10**digits
    return Decimal(-(-scaled.numerator // scaled.denominator)).scaleb(-digits)


def decimal_of(value: Fraction, digits: int) -> Decimal:
    """Round a ratio half-even to `digits` decimals."""
    return Decimal(round(value * 10**digits)).scaleb(-digits)


def rounded_minor(amount: Decimal) -> int:
    """Round minor units half-even to whole ones."""
    return int(amount.quantize(Decimal(1), ROUND_HALF_EVEN, PRECISE))
