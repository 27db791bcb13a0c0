"""Minor units of a currency as people read them."""

from typing import Final

# ISO 4217's exceptions to two digits, as the API counts them.
_DIGITS: Final = {
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
    """Return whether this is one of the API's own units (points, hours): longer than money's."""
    return len(currency) > _ISO_LETTERS and currency.startswith("X")


def minor_digits(currency: str) -> int:
    """Return how many digits stand behind the decimal point of a currency; own units have none."""
    return 0 if own_unit(currency) else _DIGITS.get(currency, 2)


def major(minor: int, currency: str) -> float:
    """Return an amount in minor units as a number people read."""
    digits = minor_digits(currency)
    return float(round(minor / 10.0**digits, digits))


def amount(minor: int, currency: str) -> str:
    """Return an amount in minor units with all of its currency's digits, without its name."""
    return f"{major(minor, currency):.{minor_digits(currency)}f}"


def in_words(minor: int, currency: str) -> str:
    """Return an amount in minor units as people read it, with its currency."""
    return f"{amount(minor, currency)} {currency}"
