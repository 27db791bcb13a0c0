"""Rows that wait for the end of their batch, where many are inserted for the price of a few."""

from dataclasses import dataclass, field
from functools import cache
import re
import sqlite3
from typing import Any, Final

from .errors import StoreError

# A statement that names one of these tables is preceded by the rows that wait for it.
LATER: Final = frozenset(
    {
        "decision",
        "idempotency",
        "ledger_leaf",
        "ledger_entry",
        "ledger_key",
        "receipt",
        "outbox",
        "stream_head",
    }
)
# A table follows one of these words, or a comma in a list of tables; a column may be called the
# same, and one that is set is told by its equals sign.
_TABLES: Final = re.compile(
    r'(?:\b(?:FROM|JOIN|INTO|UPDATE)\b|,)\s*"?+(\w++)"?+(?!\s*=)', re.IGNORECASE
)
_ONE_EVENT: Final = (
    'INSERT INTO "outbox" ("party_id", "seq", "type", "at", "data") VALUES (?, ?, ?, ?, ?)'
)
_HEADS: Final = (
    "SELECT party_id, seq FROM stream_head WHERE party_id IN (SELECT value FROM json_each(?))"
)
_MOVE_HEAD: Final = (
    "INSERT INTO stream_head (party_id, seq) VALUES (?, ?)"
    " ON CONFLICT (party_id) DO UPDATE SET seq = excluded.seq"
)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a party's stream that has no number yet."""

    party_id: str
    type: str
    at: Any
    data: str


@dataclass(slots=True)
class Pending:
    """What waits: rows by the statement that inserts them, in the order they came; and events.

    ``known`` is the batch's memory, for what only the one writer changes; whoever undoes
    something must forget it.
    """

    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)
    known: dict[str, Any] = field(default_factory=dict)

    def add(self, table: str, sql: str, row: tuple[Any, ...]) -> None:
        """Keep a row for the end of the batch; raises StoreError for a table that cannot wait."""
        if table not in LATER:
            raise StoreError(f"{table}: rows of this table cannot wait")
        self.tables.add(table)
        self.rows.setdefault(sql, []).append(row)

    def emit(self, event: Event) -> None:
        """Keep an event for the end of the batch."""
        self.tables.update(("outbox", "stream_head"))
        self.events.append(event)

    def take(self, other: Pending) -> None:
        """Go on with what another command of the batch left waiting."""
        for sql, rows in other.rows.items():
            self.rows.setdefault(sql, []).extend(rows)
        self.tables |= other.tables
        self.events += other.events

    def clear(self) -> None:
        """Forget everything that waits."""
        self.rows.clear()
        self.tables.clear()
        self.events.clear()

    def flush(self, connection: sqlite3.Connection) -> None:
        """Insert everything that waits."""
        for sql, rows in self.rows.items():
            connection.executemany(sql, rows)
        if self.events:
            _append(connection, self.events)
        self.clear()


@cache
def waiting_tables(sql: str) -> frozenset[str]:
    """Return which of the tables whose rows may wait a statement names."""
    return LATER.intersection(_TABLES.findall(sql))


def _append(connection: sqlite3.Connection, events: list[Event]) -> None:
    """Give each event the next number of its party's stream, without a gap."""
    parties = sorted({event.party_id for event in events})
    heads = dict.fromkeys(parties, 0)
    text = "[" + ",".join(f'"{party}"' for party in parties) + "]"
    heads |= dict(connection.execute(_HEADS, (text,)))
    rows = []
    for event in events:
        heads[event.party_id] += 1
        rows.append((event.party_id, heads[event.party_id], event.type, event.at, event.data))
    connection.executemany(_MOVE_HEAD, heads.items())
    connection.executemany(_ONE_EVENT, rows)
