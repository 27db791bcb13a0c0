"""Which currencies are money, which are units of our own, and how many minor digits each has."""

from collections.abc import Mapping
from typing import Final

# ISO 4217's own exceptions to two digits.
_DIGITS: Final[Mapping[str, int]] = {
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
_ISO_LETTERS: Final = 3


def own_unit(currency: str) -> bool:
    """Return whether this is a unit of our own: an X and more than ISO 4217's three letters."""
    return len(currency) > _ISO_LETTERS and currency.startswith("X")


def money(currency: str) -> bool:
    """Return whether this is money: a code of ISO 4217's three letters."""
    return len(currency) == _ISO_LETTERS and currency.isalpha()


def minor_digits(currency: str) -> int:
    """Return the number of minor digits of a currency; own units are counted whole."""
    return 0 if own_unit(currency) else _DIGITS.get(currency, 2)
