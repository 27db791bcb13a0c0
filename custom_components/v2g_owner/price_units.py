"""What a price sensor's unit means: money of which currency, for how much energy."""

from decimal import Decimal
from typing import Final

_PER_KWH: Final = {
    "": Decimal(1),
    "kwh": Decimal(1),
    "mwh": Decimal("0.001"),
    "wh": Decimal(1000),
}
# Hundredths of a currency, as price sensors write them; the currency itself goes without saying.
_HUNDREDTHS: Final = frozenset(
    {
        "c",
        "¢",
        "ct",
        "cent",
        "cents",
        "fen",
        "分",
        "p",
        "pence",
        "øre",
        "öre",
        "ore",
        "gr",
        "hal",
        "haléř",
    }
)
_SIGNS: Final = {
    "€": {"EUR"},
    "£": {"GBP"},
    "$": {"USD", "AUD", "CAD", "NZD", "SGD", "HKD", "TWD", "MXN"},
    "¥": {"CNY", "JPY"},
    "\uffe5": {"CNY", "JPY"},
    "元": {"CNY", "TWD"},
    "kr": {"SEK", "NOK", "DKK", "ISK"},
    "zł": {"PLN"},
    "kč": {"CZK"},
    "ft": {"HUF"},
    "lei": {"RON"},
    "fr": {"CHF"},
    "₹": {"INR"},
    "₩": {"KRW"},
    "₴": {"UAH"},
    "₺": {"TRY"},
}


class UnreadablePricesError(Exception):
    """An entity tells no prices we may count with; ``problem`` names the words for it."""

    def __init__(self, problem: str, told: str = "") -> None:
        """Keep the problem (prices_unit, prices_currency or prices_none) and what was told."""
        super().__init__(f"{problem}: {told}")
        self.problem = problem
        self.told = told


def per_kwh(unit: str | None, currency: str) -> Decimal:
    """Return what a number in ``unit`` is multiplied by to be ``currency`` per kWh.

    Without a unit the number is taken to be that already. Raises UnreadablePricesError for
    another currency, which we do not exchange, and for a unit that is no price of energy.
    """
    told = (unit or "").strip()
    money, _, energy = told.partition("/")
    money, factor = money.strip(), _PER_KWH.get(energy.strip().casefold())
    if factor is None:
        raise UnreadablePricesError("prices_unit", told)
    name = money.casefold().rstrip(".")
    if not name or name == currency.casefold():
        return factor
    if name in _HUNDREDTHS:
        return factor / 100
    if currency.upper() in _SIGNS.get(name, set()):
        return factor
    is_code = len(name) == 3 and name.isalpha() and name not in _PER_KWH
    is_money = is_code or name in _SIGNS
    raise UnreadablePricesError("prices_currency" if is_money else "prices_unit", told)
