"""Turn the owner API's JSON into frozen dataclasses, refusing what does not fit.

Home Assistant installs nothing for a custom integration, so this small decoder stands where a
serialisation library would. Keys we do not know are skipped: a newer API may say more.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

type Reader = Callable[[Any, str], Any]


class BadAnswerError(Exception):
    """The API said something this version cannot read; the text names where."""


def decode[T](cls: type[T], value: object) -> T:
    """Return ``value`` (parsed JSON) as an instance of the dataclass ``cls``.

    Raises BadAnswerError naming the path of the first value that does not fit.
    """
    kind: Any = cls
    return cast("T", _reader(kind)(value, cls.__name__))


@cache
def _reader(kind: Any) -> Reader:  # noqa: ANN401, PLR0911 - annotations come in many shapes
    """Build the reader of one annotation."""
    if is_dataclass(kind):
        return _dataclass_reader(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if isinstance(kind, UnionType):
        (inner,) = (_reader(option) for option in arguments if option is not NoneType)
        return lambda value, path: None if value is None else inner(value, path)
    if origin is tuple:
        item = _reader(arguments[0])
        return lambda value, path: tuple(
            item(element, f"{path}[{index}]")
            for index, element in enumerate(_expect(list, value, path))
        )
    if origin is dict:
        item = _reader(arguments[1])
        return lambda value, path: {
            key: item(element, f"{path}.{key}")
            for key, element in _expect(dict, value, path).items()
        }
    if kind is datetime:
        return _read_instant
    if kind is float:
        return _read_number
    if kind in (str, int, bool):
        return lambda value, path: _expect(kind, value, path)
    return lambda value, _path: value


def _expect(kind: type, value: Any, path: str) -> Any:  # noqa: ANN401 - JSON
    """Return ``value`` when its type is exactly ``kind`` (a bool is no int)."""
    if type(value) is not kind:
        raise BadAnswerError(f"{path} is not {kind.__name__}")
    return value


def _read_number(value: Any, path: str) -> float:  # noqa: ANN401 - JSON
    """Return a JSON number as float."""
    if type(value) not in (int, float):
        raise BadAnswerError(f"{path} is not a number")
    return float(value)


def _read_instant(value: Any, path: str) -> datetime:  # noqa: ANN401 - JSON
    """Return an RFC 3339 instant as an aware datetime in UTC."""
    try:
        instant = datetime.fromisoformat(_expect(str, value, path))
        if instant.tzinfo is None:
            raise BadAnswerError(f"{path} has no time zone")
        return instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadAnswerError(f"{path} is not a time") from error


def _dataclass_reader(cls: Any) -> Reader:  # noqa: ANN401 - any dataclass
    """Build the reader of one dataclass."""
    hints = get_type_hints(cls)
    required = {
        field.name
        for field in fields(cls)
        if field.default is MISSING and field.default_factory is MISSING
    }
    readers = {field.name: _reader(hints[field.name]) for field in fields(cls)}

    def read(value: Any, path: str) -> Any:  # noqa: ANN401 - JSON in, an instance of cls out
        if not isinstance(value, Mapping):
            raise BadAnswerError(f"{path} is not an object")
        if missing := required - value.keys():
            raise BadAnswerError(f"{path}.{min(missing)} is missing")
        return cls(
            **{
                name: reader(value[name], f"{path}.{name}")
                for name, reader in readers.items()
                if name in value
            }
        )

    return read
