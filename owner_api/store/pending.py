"""Rows that wait for the end of their batch, where many are inserted for the price of a few."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
import re
import sqlite3
from typing import Any, Final, NamedTuple

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
_DOORS: Final = re.compile(r'\bUPDATE\s+"?(?:device|park)\b', re.IGNORECASE)
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


class Event(NamedTuple):
    """One event of a party's stream; ``seq`` is 0 until it has its number, ``data`` is JSON."""

    party_id: str
    seq: int
    type: str
    at: datetime
    data: str


@dataclass(slots=True)
class Pending:
    """What waits: rows by the statement that inserts them, in the order they came; and events.

    ``numbered`` are the events that were inserted since the batch began, as streams tell them.
    ``known`` is the batch's memory, for what only the one writer changes; whoever undoes
    something must forget it.
    """

    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)
    numbered: list[Event] = field(default_factory=list)
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
        """Go on with what a command of the batch left waiting, and with what it has numbered."""
        self.numbered += other.numbered
        self.take_waiting(other)

    def take_waiting(self, other: Pending) -> None:
        """Go on with what waits elsewhere."""
        for sql, rows in other.rows.items():
            self.rows.setdefault(sql, []).extend(rows)
        self.tables |= other.tables
        self.events += other.events

    def clear(self) -> None:
        """Forget what waits."""
        self.rows.clear()
        self.tables.clear()
        self.events.clear()

    def flush(self, connection: sqlite3.Connection) -> None:
        """Insert everything that waits."""
        for sql, rows in self.rows.items():
            connection.executemany(sql, rows)
        if self.events:
            self.numbered += _append(connection, self.events)
        self.clear()


@cache
def moves_doors(sql: str) -> bool:
    """Tell whether a statement may end somebody's access."""
    return _DOORS.search(sql) is not None


@cache
def waiting_tables(sql: str) -> frozenset[str]:
    """Return which of the tables whose rows may wait a statement names."""
    return LATER.intersection(_TABLES.findall(sql))


def _append(connection: sqlite3.Connection, events: list[Event]) -> list[Event]:
    """Give each event the next number of its party's stream, without a gap; return them so."""
    parties = sorted({event.party_id for event in events})
    heads = dict.fromkeys(parties, 0)
    text = "[" + ",".join(f'"{party}"' for party in parties) + "]"
    heads |= dict(connection.execute(_HEADS, (text,)))
    numbered = []
    for party_id, _, kind, at, data in events:
        heads[party_id] += 1
        numbered.append(Event(party_id, heads[party_id], kind, at, data))
    connection.executemany(_MOVE_HEAD, heads.items())
    connection.executemany(_ONE_EVENT, numbered)
    return numbered
