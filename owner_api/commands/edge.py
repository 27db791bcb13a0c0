"""Between documents and the edge: bodies become dataclasses, dataclasses become JSON views."""

from dataclasses import is_dataclass
from datetime import datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, cast

from mashumaro.codecs.basic import BasicDecoder

from owner_api.core.canonical import decimal_text, field_names, instant_text
from owner_api.core.same import OfTheSame
from owner_api.store.documents import Fragment, embed, to_json
from owner_api.store.times import decode

type Json = dict[str, Any]

# Percentages, efficiencies and temperatures are JSON numbers at the edge, prices stay strings.
_NUMBERS = ("_pct", "_efficiency", "_c")
_AS_THEY_ARE: Final = frozenset((str, int, bool, float, type(None)))


_DECODERS: Final[dict[type, BasicDecoder[Any]]] = {}


def _decoder(cls: type) -> BasicDecoder[Any]:
    """Return the class's decoder, compiled once."""
    if cls not in _DECODERS:
        _DECODERS[cls] = BasicDecoder(cls)
    return _DECODERS[cls]


def build[T](cls: type[T], body: dict[str, Any]) -> T:
    """Return the dataclass that a validated body describes; defaults fill what is missing."""
    return cast("T", _decoder(cls).decode(_plain(body)))


def _plain(value: Any) -> Any:  # noqa: ANN401 - any validated JSON value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return decimal_text(Decimal(repr(value)))
    if isinstance(value, datetime | time):
        return value.isoformat()
    return value


def view(document: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass of core.model
    """Return a dataclass as the JSON object a caller sees."""
    shown = {}
    for name in field_names(document):
        value = getattr(document, name)
        shown[name] = value if type(value) in _AS_THEY_ARE else _edge(name, value)
    return shown


@OfTheSame
def view_json(document: object) -> Fragment:
    """Return the view of a frozen dataclass that is shown again and again, ready for JSON."""
    return embed(to_json(view(document)))


def _edge(name: str, value: Any) -> Any:  # noqa: ANN401, PLR0911 - one return per kind of value
    match value:
        case Decimal():
            return float(value) if name.endswith(_NUMBERS) else decimal_text(value)
        case StrEnum():
            return value.value
        case datetime():
            return instant_text(value)
        case time():
            return value.strftime("%H:%M")
        case dict():
            return {key: _edge(key, item) for key, item in value.items()}
        case tuple() | list():
            return [_edge(name, item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return view(value)
    return value


def instant(text: str | None) -> str | None:
    """Return a stored instant as the edge shows it."""
    return None if text is None else instant_text(decode(text))


def number(text: str | None) -> float | None:
    """Return a stored decimal as a JSON number."""
    return None if text is None else float(text)
