"""What the one writer remembers and need not ask for again: rows, and what was made of some."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from .numbers import Numbers

type Row = dict[str, Any]
# A table and the value of its column in ``KEYS`` or ``GROUPS``.
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
# The tables of whose rows something may be remembered, each with the column that says whose they
# are: all rows of one value stand behind one thing.
GROUPS: Final = {
    "commitment": "vehicle_id",
    "member": "vehicle_id",
    "posting": "account",
    "vehicle_price": "vehicle_id",
}
# Tables that are read together with a group's: when one changes, what was made is forgotten.
BESIDE: Final = {"agreement": "member"}
REMEMBERED: Final = {**KEYS, **GROUPS}
# Tables whose rows are found by their numbers.
NUMBERED: Final = frozenset({"idempotency"})
MOST_ROWS: Final = 8_192  # of a table
MOST_GROUPS: Final = 1_024  # of a table
# Sums are small, and an owner has eight of them.
_MOST: Final = dict.fromkeys(KEYS, MOST_ROWS) | {
    table: MOST_ROWS if table == "posting" else MOST_GROUPS for table in GROUPS
}


class Kept:
    """The writer's memory of tables as they are in its transaction; nobody else changes them."""

    __slots__ = ("_tables", "lasting", "numbers", "numbers_doubtful")

    def __init__(self) -> None:
        # What outlasts a batch besides rows, until something is undone.
        self.lasting: dict[str, Any] = {}
        # By table: where its keys may be. An undone one stays, which costs whoever asks a look.
        self.numbers: dict[str, Numbers] = {}
        # Whether rows have gone in this transaction: undone, they would be there and not known.
        self.numbers_doubtful = False
        self._tables: dict[str, dict[str, Any]] = {table: {} for table in REMEMBERED}

    def get(self, table: str, key: str) -> Any | None:  # noqa: ANN401 - a row, or what was made
        """Return the row, or what was made of a group; None when it is not remembered.

        It must not be changed.
        """
        return self._tables[table].get(key)

    def keep(self, table: str, key: str, row: object) -> None:
        """Remember a row or what was made; the one of its table remembered longest makes room."""
        rows = self._tables[table]
        if key not in rows and len(rows) >= _MOST[table]:
            del rows[next(iter(rows))]
        rows[key] = row

    def forget(self, places: Iterable[Place]) -> None:
        """Forget what is remembered of these."""
        for table, key in places:
            self._tables[table].pop(key, None)

    def forget_changed(self, table: str, named: Mapping[str, object]) -> None:
        """Forget what is remembered of rows that change; ``named`` is what is known of them."""
        column = REMEMBERED.get(table)
        if column is not None and column in named:
            self.forget([(table, str(named[column]))])
        else:
            self.forget_tables([table])

    def forget_tables(self, tables: Iterable[str]) -> None:
        """Forget everything of these tables."""
        for table in tables:
            self._tables[BESIDE.get(table, table)].clear()

    def undone(self) -> None:
        """Forget what holds only while nothing is undone."""
        self.lasting.clear()
        if self.numbers_doubtful:
            self.numbers.clear()

    def clear(self) -> None:
        """Forget every row too: the whole transaction is undone."""
        self.forget_tables(self._tables)
        self.undone()
