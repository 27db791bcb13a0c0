"""What waits for the end of its batch, where many rows are written for the price of a few."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
import sqlite3
from typing import Any, Final, NamedTuple

from .errors import StoreError
from .kept import KEYS, Place
from .statements import LATER, insert_sql, update_sql

_EVENT_COLUMNS: Final = ("stream", "party_id", "seq", "type", "at", "data")
_HEADS: Final = (
    "SELECT party_id, stream, seq FROM stream_head"
    " WHERE party_id IN (SELECT value FROM json_each(?))"
)
_OPEN: Final = "INSERT INTO stream_head (party_id, seq) VALUES (?, 0)"
_MOVE_HEADS: Final = (
    "UPDATE stream_head SET seq = value ->> 1 FROM json_each(?) WHERE stream = value ->> 0"
)
# Of each party that is known: the number of its stream, and of the newest event in it.
type Heads = dict[str, tuple[int, int]]
_MOST_HEADS: Final = 8_192
# Where the writer's lasting memory holds them.
HEADS: Final = "heads"


type Statement = tuple[str, tuple[str, ...]]
type Rows = list[tuple[Any, ...]]


class Maker(NamedTuple):
    """Makes the rows of many things at once, at the end of the batch, which is far quicker.

    ``tables`` are all that ``make`` returns rows of. It must not fail: it would take the whole
    batch with it. It may be asked twice, when a command that had the rows made is undone.
    """

    tables: tuple[str, ...]
    make: Callable[[list[Any]], Iterable[tuple[Statement, Rows]]]


# What was left waiting: something for a maker, a row of a statement, a change with the one before
# it, or (None) an event.
type Left = tuple[Maker] | Statement | tuple[Place, dict[str, Any] | None, dict[str, Any]] | None
_OF_EVENTS: Final = ("outbox", "stream_head")


class Event(NamedTuple):
    """One event of a party's stream; ``seq`` is 0 until it has its number.

    ``at`` is the instant as it is stored, ``data`` is JSON.
    """

    party_id: str
    seq: int
    type: str
    at: str
    data: str


@dataclass(slots=True)
class Pending:
    """What waits: rows by table and columns in the order they came, changes by row, and events.

    ``unmade`` is of what rows are to be made; those are written before all others.
    ``numbered`` are the events that were inserted since the batch began, as streams tell them.
    ``known`` is the batch's memory, for what only the one writer changes; whoever undoes
    something must forget it.
    """

    rows: dict[Statement, Rows] = field(default_factory=dict)
    unmade: dict[Maker, list[Any]] = field(default_factory=dict)
    changes: dict[Place, dict[str, Any]] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)
    numbered: list[Event] = field(default_factory=list)
    known: dict[str, Any] = field(default_factory=dict)

    def add(self, table: str, columns: tuple[str, ...], row: tuple[Any, ...]) -> Left:
        """Keep a row for the end of the batch; raises StoreError for a table that cannot wait."""
        statement = table, columns
        if (rows := self.rows.get(statement)) is None:
            if table not in LATER:
                raise StoreError(f"{table}: rows of this table cannot wait")
            rows = self.rows[statement] = []
        self.tables.add(table)
        rows.append(row)
        return statement

    def add_unmade(self, maker: Maker, thing: object) -> Left:
        """Keep something for its maker; raises StoreError when a table of its cannot wait."""
        if (things := self.unmade.get(maker)) is None:
            for table in maker.tables:
                if table not in LATER:
                    raise StoreError(f"{table}: rows of this table cannot wait")
            self.tables.update(maker.tables)
            things = self.unmade[maker] = []
        things.append(thing)
        return (maker,)

    def change(self, place: Place, values: dict[str, Any]) -> Left:
        """Keep a change of one row for the end of the batch; the last word on a column stays."""
        self.tables.add(place[0])
        before = self.changes.get(place)
        self.changes[place] = values if before is None else before | values
        return place, before, values

    def emit(self, event: Event) -> Left:
        """Keep an event for the end of the batch."""
        if not self.events:
            self.tables.update(_OF_EVENTS)
        self.events.append(event)
        return None

    def take_back(self, left: list[Left]) -> Pending:
        """Take out, and return, what one command has left; ``left`` is emptied.

        It must be the newest here. ``tables`` may then name more than have something waiting.
        """
        taken = Pending()
        # Tables in the order in which they were first written to, for what refers to another.
        taken.rows = {each: [] for each in left if each is not None and len(each) == 2}
        for each in reversed(left):
            if each is None:
                taken.events.append(self.events.pop())
            elif len(each) == 1:
                (maker,) = each
                taken.unmade.setdefault(maker, []).append(self.unmade[maker].pop())
            elif len(each) == 2:
                taken.rows[each].append(self.rows[each].pop())
            else:
                place, before, values = each
                taken.changes[place] = values | taken.changes.get(place, {})
                if before is None:
                    del self.changes[place]
                else:
                    self.changes[place] = before
        taken.events.reverse()
        for things in (*taken.rows.values(), *taken.unmade.values()):
            things.reverse()
        taken.tables.update(table for table, _ in (*taken.rows, *taken.changes))
        taken.tables.update(table for maker in taken.unmade for table in maker.tables)
        if taken.events:
            taken.tables.update(_OF_EVENTS)
        left.clear()
        return taken

    def take(self, other: Pending) -> None:
        """Let wait here too what waits elsewhere."""
        for statement, rows in other.rows.items():
            self.rows.setdefault(statement, []).extend(rows)
        for maker, things in other.unmade.items():
            self.unmade.setdefault(maker, []).extend(things)
        for place, values in other.changes.items():
            self.change(place, values)
        self.tables |= other.tables
        self.events += other.events

    def clear(self) -> None:
        """Forget what waits."""
        self.rows.clear()
        self.unmade.clear()
        self.changes.clear()
        self.tables.clear()
        self.events.clear()

    def make(self) -> None:
        """Make the rows that are still to be made."""
        if not self.unmade:
            return
        rows: dict[Statement, Rows] = {}
        for maker, things in self.unmade.items():
            for statement, made in maker.make(things):
                rows.setdefault(statement, []).extend(made)
        self.unmade.clear()
        for statement, others in self.rows.items():
            rows.setdefault(statement, []).extend(others)
        self.rows = rows

    def flush(self, connection: sqlite3.Connection, heads: Heads) -> None:
        """Write everything that waits; ``heads`` are those that are remembered."""
        self.make()
        for (table, columns), rows in self.rows.items():
            connection.executemany(insert_sql(table, columns), rows)
        alike: dict[Statement, list[tuple[Any, ...]]] = {}
        for (table, key), values in self.changes.items():
            alike.setdefault((table, tuple(values)), []).append((*values.values(), key))
        for (table, columns), rows in alike.items():
            connection.executemany(update_sql(table, (KEYS[table],), columns), rows)
        if self.events:
            self.numbered += _append(connection, self.events, heads)
        self.clear()


def _append(connection: sqlite3.Connection, events: list[Event], heads: Heads) -> list[Event]:
    """Give each event the next number of its party's stream, without a gap; return them so."""
    parties = {event.party_id for event in events}
    if unknown := parties.difference(heads):
        if len(heads) + len(unknown) > _MOST_HEADS:
            heads.clear()
            unknown = parties
        text = "[" + ",".join(f'"{party}"' for party in sorted(unknown)) + "]"
        for party, stream, seq in connection.execute(_HEADS, (text,)):
            heads[party] = stream, seq
    numbered, rows = [], []
    for party_id, _, kind, at, data in events:
        if (head := heads.get(party_id)) is None:
            stream = connection.execute(_OPEN, (party_id,)).lastrowid
            assert stream is not None
            head = stream, 0
        stream, seq = head[0], head[1] + 1
        heads[party_id] = stream, seq
        numbered.append(Event(party_id, seq, kind, at, data))
        rows.append((stream, party_id, seq, kind, at, data))
    moved = ",".join(f"[{stream},{seq}]" for stream, seq in map(heads.__getitem__, parties))
    connection.execute(_MOVE_HEADS, (f"[{moved}]",))
    connection.executemany(insert_sql("outbox", _EVENT_COLUMNS), rows)
    return numbered
