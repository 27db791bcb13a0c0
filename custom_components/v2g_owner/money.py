"""Minor units of a currency as people read them."""

from typing import Final

# ISO 4217's exceptions to two digits, as the API counts them; its own units (X…) are whole.
_DIGITS: Final = {"JPY": 0, "KRW": 0, "VND": 0, "ISK": 0, "CLP": 0, "KWD": 3}


def minor_digits(currency: str) -> int:
    """Return how many digits stand behind the decimal point of a currency."""
    return 0 if currency.startswith("X") else _DIGITS.get(currency, 2)


def major(minor: int, currency: str) -> float:
    """Return an amount in minor units as a number people read."""
    digits = minor_digits(currency)
    return float(round(minor / 10.0**digits, digits))
