"""What the records share: instants, and rows that are opened once."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from owner_api.store.times import decode

type Row = dict[str, Any]
type Given = Mapping[str, Any]
# Vehicles and offers that the writer may meet again before their rows change.
_MOST: Final = 8_192


def instant(text: str | None) -> datetime | None:
    """Return a stored instant, None for none."""
    return None if text is None else decode(text)


class Opened[R]:
    """Records that are opened once per row: a row that the writer remembers is never changed."""

    def __init__(self, opener: Callable[[Given, Given | None], R]) -> None:
        self._open = opener
        self._known: dict[str, tuple[Given, Given | None, R]] = {}

    def opened(self, key: str, row: Given, beside: Given | None = None) -> R:
        """Return the record of a row and, where it takes one, of the row beside it."""
        known = self._known.get(key)
        if known is not None and known[0] is row and known[1] is beside:
            return known[2]
        if len(self._known) >= _MOST:
            self._known.clear()
        record = self._open(row, beside)
        self._known[key] = row, beside, record
        return record
