"""Which currencies have how many minor digits."""

from collections.abc import Mapping
from typing import Final

# ISO 4217: the exceptions to two digits among currencies a park may pay in; our own units are
# counted whole.
_DIGITS: Final[Mapping[str, int]] = {"JPY": 0, "KRW": 0, "VND": 0, "ISK": 0, "CLP": 0, "KWD": 3}


def minor_digits(currency: str) -> int:
    """Return the number of minor digits of a currency; own units (X…) have none."""
    return 0 if currency.startswith("X") else _DIGITS.get(currency, 2)
