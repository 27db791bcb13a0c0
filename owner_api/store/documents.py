"""JSON in and out: plain values for answers and events, typed documents for columns."""

from datetime import date, datetime, time
from typing import Any, Final, cast

from mashumaro.codecs.orjson import ORJSONDecoder, ORJSONEncoder
import orjson
from orjson import Fragment

from . import times

__all__ = [
    "Fragment",
    "dump",
    "dump_known",
    "embed",
    "from_json",
    "load",
    "remember",
    "to_json",
    "with_member",
]


def _default(value: Any) -> Any:  # noqa: ANN401 - orjson hands over whatever it does not know
    if isinstance(value, datetime):
        return times.render(value)
    if isinstance(value, time):
        return value.isoformat(timespec="minutes")
    if isinstance(value, date):
        return value.isoformat()
    # Decimals, floats in disguise and objects must become explicit text where they are made.
    raise TypeError(f"{type(value).__name__} has no JSON form here")


def to_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return compact JSON; instants become RFC 3339 UTC, clock times HH:MM."""
    return orjson.dumps(value, default=_default, option=orjson.OPT_PASSTHROUGH_DATETIME)


def from_json(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of JSON that ``to_json`` or ``dump`` made."""
    return orjson.loads(text)


_ENCODERS: Final[dict[type[Any], ORJSONEncoder[Any]]] = {}
_DECODERS: Final[dict[type[Any], ORJSONDecoder[Any]]] = {}


def dump(document: object) -> str:
    """Return a dataclass instance as the JSON text of a document column."""
    cls = type(document)
    if (encoder := _ENCODERS.get(cls)) is None:
        encoder = _ENCODERS[cls] = ORJSONEncoder(cls)
    return encoder.encode(document).decode()


def with_member(text: str, name: str, value: str) -> str:
    """Return the JSON text of an object that is not empty with one more member, a text."""
    return f"{text[:-1]},{to_json({name: value})[1:].decode()}"


def embed(text: str | bytes) -> Fragment:
    """Return what stands for JSON text inside a larger value; ``to_json`` writes it as it is."""
    return Fragment(text)


# Documents are frozen, so one object may stand for every row that says the same.
_OPENED: Final[dict[tuple[type[Any], str | bytes], Any]] = {}
_MOST_OPENED: Final = 16_384


def load[T](cls: type[T], text: str | bytes) -> T:
    """Return the ``cls`` that ``dump`` wrote; raises mashumaro's errors on a foreign shape."""
    if (known := _OPENED.get((cls, text))) is not None:
        return cast("T", known)
    if (decoder := _DECODERS.get(cls)) is None:
        decoder = _DECODERS[cls] = ORJSONDecoder(cls)
    document = decoder.decode(text)
    remember(text, document)
    return cast("T", document)


def dump_known(document: object) -> str:
    """Return what ``dump`` does, and let ``load`` give this very object for it.

    Only for a document whose values are of the types that ``load`` would make.
    """
    text = dump(document)
    remember(text, document)
    return text


def remember(text: str | bytes, document: object) -> None:
    """Let ``load`` give this very object for a text that says what ``dump`` would."""
    # Several threads do this: whoever finds too many begins anew, which none of them can miss.
    if len(_OPENED) >= _MOST_OPENED:
        _OPENED.clear()
    _OPENED[type(document), text] = document
