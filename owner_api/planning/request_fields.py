"""Read JSON values strictly, refusing what is not one with the field's pointer."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, InvalidOperation
import math
import re
from typing import Any, NoReturn

from .check import QuoteRequestError
from .scale import PRICE_DIGITS

PRICE_PATTERN = re.compile(rf"-?[0-9]{{1,9}}(\.[0-9]{{1,{PRICE_DIGITS}}})?")
# Finer than any meter; it keeps the integers of the exact computation short.
FINEST_NUMBER = Decimal("1e-12")
_NUMBERS = (int, float, str, Decimal)
POLICIES = ("unknown", "allowed", "capped", "prohibited")

type Reader = Callable[[object], Any]
type Fields = Mapping[str, Reader]


def fail(code: str, detail: str, limit: str) -> NoReturn:
    """Refuse a value: what is wrong with it, and which limit would pass."""
    # Whoever called the reader puts the name in front: pointers cost nothing on good input.
    raise QuoteRequestError(code, "", detail, limit)


def read_object(value: object, required: Fields, optional: Fields) -> dict[str, Any]:
    """Return an object's fields, each read by its own reader; refuse what is missing or unknown."""
    if not isinstance(value, Mapping):
        fail("wrong_type", "is not an object", "a JSON object")
    fields = {}
    name = ""
    try:
        for name, reader in required.items():
            if name not in value:
                fail("missing_field", "is missing", "a value")
            fields[name] = reader(value[name])
        if len(fields) == len(value):
            return fields
        for name, item in value.items():
            if name in required:
                continue
            if name not in optional:
                known = ", ".join(sorted({*required, *optional}))
                fail("unknown_field", "is not known here", f"one of {known}")
            if item is not None:
                fields[name] = optional[name](item)
    except QuoteRequestError as error:
        raise error.within(name) from None
    return fields


def list_of(reader: Reader, most: int) -> Reader:
    """Return a reader of a list of at most `most` items."""

    def read(value: object) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            fail("wrong_type", "is not a list", "a JSON array")
        if len(value) > most:
            fail("out_of_range", f"has {len(value)} entries", f"at most {most} entries")
        items = []
        try:
            for item in value:
                items.append(reader(item))  # noqa: PERF401 - the index of a failure is needed
        except QuoteRequestError as error:
            raise error.within(str(len(items))) from None
        return tuple(items)

    return read


def integer(value: object) -> int:
    """Read a whole number; a boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        fail("wrong_type", "is not a whole number", "an integer")
    return value


def number(value: object, rounding: str) -> Decimal:
    """Read a finite number, rounded to the finest digit kept."""
    if type(value) is float and math.isfinite(value):
        number = Decimal(repr(value))
    else:
        number = _other_number(value)
    if number.adjusted() > 9:
        fail("out_of_range", f"is {value}", "a percentage or a ratio")
    kept = number.quantize(FINEST_NUMBER, rounding)
    return number if number == kept else kept


def _other_number(value: object) -> Decimal:
    """Read a number that is no ordinary float."""
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        fail("wrong_type", "is not a number", "a number")
    if isinstance(value, float) and not math.isfinite(value):
        fail("out_of_range", f"is {value}", "a finite number")
    if isinstance(value, int) and abs(value) > 10**9:
        fail("out_of_range", "is too large", "a percentage or a ratio")
    return decimal_of(str(value))


def decimal_of(text: str) -> Decimal:
    """Return a text as a finite decimal."""
    try:
        number = Decimal(text) if len(text) <= 40 else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        fail("wrong_type", f"is {text!r:.50}", "a decimal number")
    return number


def ratio(value: object) -> Decimal:
    """Read a number, rounded to the nearest."""
    return number(value, ROUND_HALF_EVEN)


def rounded_down(value: object) -> Decimal:
    """Read a number that must never be taken for more than it is."""
    return number(value, ROUND_FLOOR)


def rounded_up(value: object) -> Decimal:
    """Read a number that must never be taken for less than it is."""
    return number(value, ROUND_CEILING)


def price(value: object) -> Decimal:
    """Read a price per kWh: a decimal string, never a float."""
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str):
        fail("wrong_type", "is not a string", 'a decimal string such as "0.6600"')
    if not PRICE_PATTERN.fullmatch(value):
        limit = f"digits, a point and at most {PRICE_DIGITS} decimals"
        fail("out_of_range", f"is {value!r:.40}", limit)
    return Decimal(value)


def instant(value: object) -> datetime:
    """Read an RFC 3339 instant with an offset."""
    limit = "RFC 3339 with an offset, such as 2026-12-01T05:30:00Z"
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value) if len(value) >= 20 else None
        except ValueError:
            moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        fail("wrong_type", f"is {value!r:.40}", limit)
    if not 1970 < moment.year < 9000:
        fail("out_of_range", f"is {value!r:.40}", "a year from 1971 to 8999")
    return moment


def currency(value: object) -> str:
    """Read an ISO 4217 code."""
    if not isinstance(value, str) or len(value) != 3 or not (value.isascii() and value.isupper()):
        fail("wrong_type", f"is {value!r:.40}", "three capital letters (ISO 4217)")
    return value


def policy(value: object) -> str:
    """Read what the warranty says about discharging."""
    if not isinstance(value, str) or value not in POLICIES:
        fail("out_of_range", f"is {value!r:.40}", " | ".join(POLICIES))
    return value


def record(kind: Callable[..., Any], required: Fields, optional: Fields) -> Reader:
    """Return a reader of one dataclass."""

    def read(value: object) -> Any:  # noqa: ANN401 - the kind decides
        return kind(**read_object(value, required, optional))

    return read


def schema_of(name: str) -> Reader:
    """Return a reader that takes one schema name only."""

    def read(value: object) -> str:
        if value != name:
            fail("out_of_range", f"is {value!r:.40}", name)
        return name

    return read
