"""One byte string per meaning: RFC 8785 on ASCII keys, integers, strings, booleans and null."""

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from enum import StrEnum
import hashlib
import json
from typing import Any

type Plain = dict[str, Plain] | list[Plain] | str | int | bool | None


def instant_text(at: datetime) -> str:
    """Return an RFC 3339 UTC instant with Z; sub-second digits only when there are any."""
    text = at.astimezone(UTC).isoformat().removesuffix("+00:00")
    return text + "Z"


def plain(value: Any) -> Plain:  # noqa: ANN401, PLR0911 - one return per kind of value
    """Return ``value`` as canonical JSON types; decimals become strings, floats are refused."""
    if value is None or isinstance(value, (bool, StrEnum)):
        return value if not isinstance(value, StrEnum) else str(value)
    if isinstance(value, int | str):
        return value
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, time):
        return value.strftime("%H:%M")
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    msg = f"{type(value).__name__} has no canonical form"
    raise TypeError(msg)


def decimal_text(value: Decimal) -> str:
    """Return the shortest plain decimal string: no exponent, no trailing zeros."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def canonical(value: Any) -> bytes:  # noqa: ANN401 - any value with a canonical form
    """Return the canonical bytes of ``value``."""
    text = json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def sha256(value: Any) -> str:  # noqa: ANN401 - any value with a canonical form
    """Return the SHA-256 of the canonical bytes, in lower-case hex."""
    return hashlib.sha256(canonical(value)).hexdigest()
