"""Single rows that the one writer remembers by their key and need not ask for again."""

from collections.abc import Iterable
from typing import Any, Final

from .seen import Seen

type Row = dict[str, Any]
# A row's table and the value of its key.
type Place = tuple[str, str]

# The tables whose rows are remembered, each with its key.
KEYS: Final = {
    "device": "device_id",
    "offer": "offer_id",
    "owner": "owner_id",
    "park": "park_id",
    "session": "session_id",
    "vehicle": "vehicle_id",
}
MOST_ROWS: Final = 8_192  # of a table


class Kept:
    """The writer's memory of rows as they are in its transaction; nobody else changes them."""

    __slots__ = ("_tables", "lasting", "seen")

    def __init__(self) -> None:
        # What outlasts a batch besides rows, until something is undone.
        self.lasting: dict[str, Any] = {}
        # By table: which keys it may hold. An undone one stays, which costs whoever asks a look.
        self.seen: dict[str, Seen] = {}
        self._tables: dict[str, dict[str, Row]] = {table: {} for table in KEYS}

    def get(self, table: str, key: str) -> Row | None:
        """Return the row, None when it is not remembered; it must not be changed."""
        return self._tables[table].get(key)

    def keep(self, table: str, key: str, row: Row) -> None:
        """Remember a row; the one of its table remembered longest makes room."""
        rows = self._tables[table]
        if key not in rows and len(rows) >= MOST_ROWS:
            del rows[next(iter(rows))]
        rows[key] = row

    def forget(self, places: Iterable[Place]) -> None:
        """Forget these rows."""
        for table, key in places:
            self._tables[table].pop(key, None)

    def forget_tables(self, tables: Iterable[str]) -> None:
        """Forget every row of these tables."""
        for table in tables:
            self._tables[table].clear()

    def clear(self) -> None:
        """Forget every row and what else holds only while nothing is undone."""
        self.forget_tables(self._tables)
        self.lasting.clear()
