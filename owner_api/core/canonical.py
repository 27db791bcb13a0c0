"""One byte string per meaning: RFC 8785 on ASCII keys, integers, strings, booleans and null."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
import hashlib
from typing import Any, Final, cast

import orjson

from .same import OfTheSame

type Plain = dict[str, Plain] | list[Plain] | str | int | bool | None

_FIELDS: Final[dict[type, tuple[str, ...]]] = {}
_PLAIN: Final = frozenset((str, int, bool, type(None)))


def _iso(utc: datetime) -> str:
    return utc.isoformat().removesuffix("+00:00") + "Z"


@lru_cache(maxsize=512)
def instant_text(at: datetime) -> str:
    """Return an RFC 3339 UTC instant with Z; sub-second digits only when there are any."""
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    # Far quicker than isoformat, which is for subclasses: orjson knows the class itself only.
    return orjson.dumps(utc, _iso, orjson.OPT_UTC_Z)[1:-1].decode()


def plain(value: Any) -> Plain:  # noqa: ANN401, PLR0911 - one return per kind of value
    """Return ``value`` as canonical JSON types; decimals become strings, floats are refused."""
    if type(value) in _PLAIN:
        return cast("Plain", value)
    match value:
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case Decimal():
            return decimal_text(value)
        case datetime():
            return instant_text(value)
        case time():
            return value.strftime("%H:%M")
        case StrEnum() | str():
            return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return plain_fields(value)
    msg = f"{type(value).__name__} has no canonical form"
    raise TypeError(msg)


def plain_fields(document: Any) -> dict[str, Plain]:  # noqa: ANN401 - any dataclass instance
    """Return a dataclass's fields by name, as ``plain`` does."""
    fields: dict[str, Plain] = {}
    for name in field_names(document):
        value = getattr(document, name)
        fields[name] = value if type(value) in _PLAIN else plain(value)
    return fields


@OfTheSame
def plain_document(document: object) -> dict[str, Plain]:
    """Return the fields of a frozen dataclass that is told several times; nobody changes them."""
    return plain_fields(document)


def field_names(document: Any) -> tuple[str, ...]:  # noqa: ANN401 - any dataclass instance
    """Return the names of a dataclass's fields, in order."""
    kind = type(document)
    if (names := _FIELDS.get(kind)) is None:
        names = _FIELDS[kind] = tuple(item.name for item in fields(kind))
    return names


def decimal_text(value: Decimal) -> str:
    """Return the shortest plain decimal string: no exponent, no trailing zeros."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def canonical(value: Any) -> bytes:  # noqa: ANN401 - any value with a canonical form
    """Return the canonical bytes of ``value``."""
    return encoded(plain(value))


@OfTheSame
def canonical_document(document: object) -> bytes:
    """Return the canonical bytes of a frozen dataclass that is logged again and again."""
    return canonical(document)


def encoded(value: Plain | Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of what holds canonical types already."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def sha256(document: object) -> str:
    """Return the SHA-256 of a frozen dataclass's canonical bytes, in lower-case hex."""
    return hashlib.sha256(canonical_document(document)).hexdigest()
