"""Strict leaf validators that also know their own JSON Schema.

Python's ``bool`` is an ``int`` and JSON's ``1.0`` is a ``float``: the leaves here accept only
what the contract says, name the limit that was hit, and render themselves for OpenAPI.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cached_property
import math
import re
from typing import Any
import unicodedata
from zoneinfo import ZoneInfo

from probatio import Invalid, Schema
from probatio.codecs import UNSUPPORTED, to_openapi

type JsonSchema = dict[str, Any]


class LimitError(Invalid):
    """A value outside its limit; ``context`` says which limit and what would pass."""

    def __init__(self, code: str, limit: str) -> None:
        super().__init__(limit, code=code, context={"limit": limit})


@dataclass(frozen=True, slots=True)
class Leaf:
    """A named check of one JSON value together with its JSON Schema."""

    check: Callable[[Any], Any]
    schema: JsonSchema

    def __call__(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value may arrive
        """Return the value when it passes; raise LimitError when it does not."""
        return self.check(value)


def integer(low: int, high: int) -> Leaf:
    """Accept a JSON integer in [low, high]; booleans and 1.0 are refused."""

    def check(value: Any) -> int:  # noqa: ANN401 - any JSON value may arrive
        if type(value) is not int:
            raise LimitError("type", "an integer")
        if not low <= value <= high:
            raise LimitError("range", f"{low} to {high}")
        return value

    return Leaf(check, {"type": "integer", "minimum": low, "maximum": high})


def number(low: float, high: float) -> Leaf:
    """Accept a finite JSON number in [low, high]; booleans are refused."""

    def check(value: Any) -> float:  # noqa: ANN401 - any JSON value may arrive
        if type(value) not in (int, float) or not math.isfinite(value):
            raise LimitError("type", "a finite number")
        if not low <= value <= high:
            raise LimitError("range", f"{low:g} to {high:g}")
        return float(value)

    return Leaf(check, {"type": "number", "minimum": low, "maximum": high})


def boolean() -> Leaf:
    """Accept true or false only."""

    def check(value: Any) -> bool:  # noqa: ANN401 - any JSON value may arrive
        if type(value) is not bool:
            raise LimitError("type", "true or false")
        return value

    return Leaf(check, {"type": "boolean"})


# What Chinese and French keyboards write for a blank: Python calls only the usual one printable.
_BLANKS = str.maketrans("\u3000\u00a0\u202f", "   ")


def printable(value: str) -> bool:
    """Return whether a text is without control characters and what hides like them."""
    return value.translate(_BLANKS).isprintable()


def text(low: int, high: int, pattern: str | None = None) -> Leaf:
    """Accept a string of low to high characters without control characters."""
    compiled = re.compile(pattern) if pattern else None

    def check(value: Any) -> str:  # noqa: ANN401 - any JSON value may arrive
        if type(value) is not str:
            raise LimitError("type", "a string")
        if not low <= len(value) <= high:
            raise LimitError("length", f"{low} to {high} characters")
        if not printable(value):
            raise LimitError("format", "printable characters only")
        if compiled and not compiled.fullmatch(value):
            raise LimitError("format", f"must match {pattern}")
        return value

    schema: JsonSchema = {"type": "string", "minLength": low, "maxLength": high}
    return Leaf(check, schema | ({"pattern": f"^(?:{pattern})$"} if pattern else {}))


# Letters and symbols that leave no mark: Hangul fillers, and the Braille cell without a dot.
_UNSEEN = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def name(high: int) -> Leaf:
    """Accept what people call something: a text of up to ``high`` characters that can be seen."""
    plain = text(1, high)

    def check(value: Any) -> str:  # noqa: ANN401 - any JSON value may arrive
        found: str = plain(value)
        if all(_is_unseen(char) for char in found):
            raise LimitError("format", "at least one character that can be seen")
        return found

    return Leaf(check, plain.schema | {"pattern": r"\S"})


def _is_unseen(char: str) -> bool:
    """Return whether a character alone shows nothing: a blank, or a mark on none."""
    return char.isspace() or char in _UNSEEN or unicodedata.category(char).startswith("M")


def choice(*options: str) -> Leaf:
    """Accept one of the given strings."""

    def check(value: Any) -> str:  # noqa: ANN401 - any JSON value may arrive
        if type(value) is not str or value not in options:
            raise LimitError("choice", " | ".join(options))
        return value

    return Leaf(check, {"type": "string", "enum": list(options)})


def price(low: str = "-100000", high: str = "100000") -> Leaf:
    """Accept a decimal string with at most 6 decimals, money per kWh, in [low, high]."""
    pattern = re.compile(r"-?(?:0|[1-9][0-9]{0,5})(?:\.[0-9]{1,6})?")
    lowest, highest = Decimal(low), Decimal(high)

    def check(value: Any) -> str:  # noqa: ANN401 - any JSON value may arrive
        if type(value) is not str or not pattern.fullmatch(value):
            raise LimitError("format", 'a decimal string such as "1.2000", at most 6 decimals')
        if not lowest <= Decimal(value) <= highest:
            raise LimitError("range", f"{low} to {high}")
        return value

    # A negative lower bound cannot be said in JSON Schema for a string; the pattern says the sign.
    sign = "-?" if lowest < 0 else ""
    shown = rf"^{sign}(?:0|[1-9][0-9]{{0,4}})(?:\.[0-9]{{1,6}})?$"
    return Leaf(check, {"type": "string", "pattern": shown})


_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_TIMESTAMP = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.IGNORECASE
)
_LONGEST_TIMESTAMP = 40


def timestamp() -> Leaf:
    """Accept an RFC 3339 instant between 2000 and 2100; returns an aware UTC datetime.

    What is finer than a microsecond, as many clocks write it, is cut off.
    """

    def check(value: Any) -> datetime:  # noqa: ANN401 - any JSON value may arrive
        if (
            type(value) is not str
            or len(value) > _LONGEST_TIMESTAMP
            or not _TIMESTAMP.fullmatch(value)
        ):
            raise LimitError("format", "an RFC 3339 time with a zone")
        try:
            instant = datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise LimitError("format", "an RFC 3339 time with a zone") from error
        if not _EARLIEST <= instant < _LATEST:
            raise LimitError("range", "2000-01-01 to 2099-12-31")
        return instant

    return Leaf(check, {"type": "string", "format": "date-time", "maxLength": _LONGEST_TIMESTAMP})


def clock_time() -> Leaf:
    """Accept a local clock time HH:MM."""

    def check(value: Any) -> time:  # noqa: ANN401 - any JSON value may arrive
        if type(value) is not str or not re.fullmatch(r"(?:[01]\d|2[0-3]):[0-5]\d", value):
            raise LimitError("format", "HH:MM between 00:00 and 23:59")
        return time.fromisoformat(value)

    schema = {"type": "string", "pattern": r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$"}
    return Leaf(check, schema)


def month() -> Leaf:
    """Accept a calendar month YYYY-MM; returns its first day."""

    def check(value: Any) -> date:  # noqa: ANN401 - any JSON value may arrive
        if type(value) is not str or not re.fullmatch(r"20\d\d-(?:0[1-9]|1[0-2])", value):
            raise LimitError("format", "YYYY-MM from 2000-01")
        return date.fromisoformat(f"{value}-01")

    return Leaf(check, {"type": "string", "pattern": r"^20[0-9]{2}-(?:0[1-9]|1[0-2])$"})


def time_zone() -> Leaf:
    """Accept an IANA time zone that this machine knows."""

    def check(value: Any) -> str:  # noqa: ANN401 - any JSON value may arrive
        known = type(value) is str and re.fullmatch(r"[A-Za-z0-9+_/-]{1,64}", value)
        try:
            if not known:
                raise LimitError("format", "an IANA time zone such as Asia/Shanghai")
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise LimitError("format", "an IANA time zone such as Asia/Shanghai") from error
        return str(value)

    return Leaf(check, {"type": "string", "minLength": 1, "maxLength": 64})


def typed_id(prefix: str) -> Leaf:
    """Accept one of our ids: a typed prefix and 32 lower-case hex digits of a UUIDv7."""
    return text(len(prefix) + 33, len(prefix) + 33, rf"{prefix}_[0-9a-f]{{32}}")


def currency() -> Leaf:
    """Accept an ISO 4217 code or one of our own units: an X and three to seven more."""
    return text(3, 8, r"[A-Z]{3}|X[A-Z0-9]{3,7}")


def sha256_hex() -> Leaf:
    """Accept a SHA-256 in lower-case hex."""
    return text(64, 64, r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ListOf:
    """A list of low to high items that each pass ``item``."""

    item: Any
    low: int
    high: int

    @cached_property
    def _items(self) -> Schema:
        return Schema([self.item])

    def __call__(self, value: Any) -> list[Any]:  # noqa: ANN401 - any JSON value may arrive
        """Return the checked list; the length is checked before any item is."""
        if type(value) is not list:
            raise LimitError("type", "a list")
        if not self.low <= len(value) <= self.high:
            raise LimitError("length", f"{self.low} to {self.high} items")
        return list(self._items(value))


@dataclass(frozen=True)
class Nullable:
    """Either null or a value that passes ``item``."""

    item: Any

    @cached_property
    def _schema(self) -> Schema:
        return Schema(self.item)

    def __call__(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value may arrive
        """Return None or the checked value."""
        return None if value is None else self._schema(value)


@dataclass(frozen=True, slots=True)
class AnyJson:
    """Any JSON value: only for answers whose shape another schema owns."""

    def __call__(self, value: Any) -> Any:  # noqa: ANN401 - by definition
        """Return the value unchanged."""
        return value


def _serialize(node: Any) -> Any:  # noqa: ANN401 - the codec hands over any node
    """Render our leaves for probatio's OpenAPI codec."""
    if isinstance(node, Leaf):
        return dict(node.schema)
    if isinstance(node, ListOf):
        items = openapi(node.item)
        return {"type": "array", "items": items, "minItems": node.low, "maxItems": node.high}
    if isinstance(node, Nullable):
        return {"anyOf": [openapi(node.item), {"type": "null"}]}
    if isinstance(node, AnyJson):
        return {}
    return UNSUPPORTED


def openapi(schema: Any) -> JsonSchema:  # noqa: ANN401 - a probatio schema of any shape
    """Return the OpenAPI 3.1 schema of a probatio schema built from these leaves."""
    return to_openapi(schema, custom_serializer=_serialize, openapi_version="3.1.0", strict=True)
