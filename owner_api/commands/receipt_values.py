"""How a recorded value is written for a person: units, money, times, words instead of codes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final

from owner_api.core.money import minor_digits

from .receipt_words import Words

_THOUSANDS: Final = {"_wh": "kWh", "_w": "kW"}
_SPANS: Final = ((86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds"))
_CENTS: Final = Decimal("0.01")
_ENDS: Final = ("_wh", "_w", "_pct", "_s", "_minor", "_per_kwh", "_efficiency", "_temperature_c")
_TIMES: Final = ("_at", "_by", "_until")
# What nobody reads but everybody may compare: names and digests.
_NAMES: Final = ("_id", "_ids", "_refs", "_sha256")


def is_a_name(field: str) -> bool:
    """Tell whether a field holds a name for machines, letter by letter."""
    return field.endswith(_NAMES) or field in ("x", "schema", "supersedes")


def is_a_time(field: str) -> bool:
    """Tell whether a field holds an instant."""
    return field.endswith(_TIMES) or field in ("at", "by", "now")


@dataclass(frozen=True, slots=True)
class Values:
    """How values are written in one language and one time zone."""

    words: Words
    zone: tzinfo

    def shown(self, field: str, within: str, value: Any, currency: str | None) -> str | None:  # noqa: ANN401 - any JSON value
        """Return a value in words; None for a text that is somebody else's, or no value of ours."""
        if isinstance(value, bool):
            return self.words.page("yes" if value else "no")
        if isinstance(value, str):
            told = self.words.value(field, within, value) or self.words.sentence(value)
            if told is not None:
                return told
            if is_a_time(field):
                return self.time(datetime.fromisoformat(value))
        end = next((end for end in _ENDS if field.endswith(end)), None)
        if end is not None and isinstance(value, int | str):
            return self._measured(end, Decimal(value), currency)
        return _grouped(Decimal(value)) if isinstance(value, int) else None

    def time(self, at: datetime) -> str:
        """Return an instant by the reader's clock, which is named beside it."""
        here = at.astimezone(self.zone)
        date = {"year": here.year, "month": self.words.month(here.month), "day": here.day}
        return self.words.page("time", **date, clock=f"{here:%H:%M:%S}", zone=_offset(here))

    def _measured(self, end: str, number: Decimal, currency: str | None) -> str:
        match end:
            case "_wh" | "_w":
                return f"{_grouped(number / 1000)} {_THOUSANDS[end]}"
            case "_pct" | "_efficiency":
                share = number * 100 if end == "_efficiency" else number
                return self.words.page("percent", number=_grouped(share))
            case "_s":
                return self._span(int(number))
            case "_minor":
                return self._money(number, currency)
            case "_per_kwh":
                return self._price(_grouped(number, least=2), currency)
            case _:
                return f"{_grouped(number)} °C"

    def _span(self, seconds: int) -> str:
        size, unit = next(
            ((size, unit) for size, unit in _SPANS if seconds >= size and seconds % size == 0),
            _SPANS[-1],
        )
        return self.words.page(unit, number=seconds // size)

    def _price(self, price: str, currency: str | None) -> str:
        if currency is None:
            return self.words.page("price_alone", price=price)
        return self.words.page("price", price=price, currency=currency)

    def _money(self, number: Decimal, currency: str | None) -> str:
        if currency is None:
            return self.words.page("smallest", amount=_grouped(number))
        digits = minor_digits(currency)
        return f"{number.scaleb(-digits):,.{digits}f} {currency}"


def owners_money(content: Mapping[str, Any]) -> str | None:
    """Return the owner's money as far as an entry tells it.

    What a deal leaves is in the owner's money, also where the park pays in points: a settlement's
    entry says which in the request that it was computed from, an answer's beside its figures. One
    from before that does not, but a yes to cash is one to cash in the owner's money.
    """
    request = content.get("quote_request")
    if isinstance(request, Mapping):
        return request.get("currency")
    if "currency" in content:
        return str(content["currency"])
    reward = _reward(content)
    paid = [reward, *(reward.get("parts") or [])]
    in_cash = bool(reward) and all(each.get("kind") == "cash" for each in paid)
    return reward.get("currency") if in_cash and content.get("decision") == "accept" else None


def parks_money(content: Mapping[str, Any]) -> str | None:
    """Return what a park pays in by an entry's terms, in which an answer asks for more of it."""
    return _reward(content).get("currency")


def _reward(content: Mapping[str, Any]) -> Mapping[str, Any]:
    return (content.get("terms") or {}).get("reward") or {}


def _offset(at: datetime) -> str:
    """Return how far a clock is from UTC, such as UTC+8 or UTC-3:30."""
    minutes = int((at.utcoffset() or timedelta()).total_seconds()) // 60
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '-'}{hours}" + (f":{rest:02}" if rest else "")


def _grouped(number: Decimal, least: int = 0) -> str:
    """Return a number with its thousands set apart, without idle zeros behind the point."""
    exponent = number.normalize().as_tuple().exponent
    digits = max(least, -exponent) if isinstance(exponent, int) else least
    return f"{number:,.{max(digits, 0)}f}"
