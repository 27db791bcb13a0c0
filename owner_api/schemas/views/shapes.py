"""What many answers are made of: units with their ranges, objects, pages of a list."""

from typing import Any, Final

from probatio import Required

from owner_api.schemas.fields import (
    ListOf,
    Nullable,
    integer,
    number,
    text,
    timestamp,
)

WH: Final = integer(0, 10**13)
MINOR: Final = integer(-(10**15), 10**15)
PCT: Final = number(0, 100)
ANY_PCT: Final = number(-1_000, 1_000)
CURRENCY: Final = text(3, 8)
AT: Final = timestamp()
CODE: Final = text(1, 40)


def required(fields: dict[str, Any]) -> dict[Any, Any]:
    """Return a closed object schema in which every field is required."""
    return {Required(key): leaf for key, leaf in fields.items()}


def listed(item: Any) -> dict[Any, Any]:  # noqa: ANN401 - a probatio schema of any shape
    """Return the schema of one page of items."""
    return required({"items": ListOf(item, 0, 200), "next_cursor": Nullable(text(1, 200))})
