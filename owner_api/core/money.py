"""Which currencies have how many minor digits."""

from collections.abc import Mapping
from typing import Final

# ISO 4217: the exceptions to two digits; our own units are counted whole.
_DIGITS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


def minor_digits(currency: str) -> int:
    """Return the number of minor digits of a currency; own units (X…) have none."""
    return 0 if currency.startswith("X") else _DIGITS.get(currency, 2)
