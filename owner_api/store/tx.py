"""One transaction as commands and queries see it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
import sqlite3
from typing import Any

from . import documents, times
from .kept import BESIDE, GROUPS, KEYS, NUMBERED, REMEMBERED, Kept, Place, Row
from .numbers import Numbers
from .pending import HEADS, Event, Heads, Left, Maker, Pending
from .statements import LATER, Traits, by_key_sql, insert_sql, traits, update_sql

# SQLite asks for the adapter of a type it does not know: instants are stored as sortable text.
sqlite3.register_adapter(datetime, times.encode)


class Tx:
    """Statements inside one transaction: a savepoint of the writer, or a reader's snapshot.

    Instants given as parameters are stored as sortable text. Table and column names must come
    from code, never from a caller; values always travel as parameters.

    In a writer's batch, rows given to ``later``, changes of one row of a table that may wait, and
    events wait for the batch's end or for the first statement that names their table, whichever
    comes first: whoever asks always finds them. The savepoint is made by the first statement that
    writes, so a command that leaves everything to the end costs none. ``kept`` outlives the batch.
    """

    __slots__ = (
        "_alone",
        "_batch",
        "_changed",
        "_columns",
        "_connection",
        "_kept",
        "_left",
        "_mark",
        "_saved",
        "_settled",
        "doors",
    )

    def __init__(
        self,
        connection: sqlite3.Connection,
        batch: Pending | None = None,
        kept: Kept | None = None,
    ) -> None:
        self._connection = connection
        self._kept = kept
        # A plain connection, as a migration's, remembers no names.
        self._columns: dict[str, tuple[str, ...]] = getattr(connection, "columns", {})
        # Without a batch nothing waits.
        self._alone = batch is None
        self._batch = Pending() if batch is None else batch
        # What this command has left waiting, so that it can be taken back.
        self._left: list[Left] = []
        # What others had left waiting until this command had to have it written.
        self._settled: Pending | None = None
        self._mark = len(self._batch.numbered)
        # Rows whose memory must go with this command when it is undone.
        self._changed: list[Place] = []
        self._saved = False
        # Whether somebody's access may have ended here.
        self.doors = False

    @property
    def known(self) -> dict[str, Any]:
        """The batch's memory; forgotten whenever something of the batch is undone."""
        return self._batch.known

    @property
    def lasting(self) -> dict[str, Any]:
        """The writer's memory of what only it changes; forgotten when anything is undone."""
        return self._batch.known if self._kept is None else self._kept.lasting

    def numbers(self, table: str, columns: tuple[str, ...]) -> Numbers:
        """Return the numbers of a table's rows by what these columns hold.

        Whoever inserts a row asks it for its number.
        """
        known = {} if self._kept is None else self._kept.numbers
        if (numbers := known.get(table)) is None:
            sql = f"SELECT number, {', '.join(columns)} FROM {table} ORDER BY number"  # noqa: S608 - names are ours
            self._prepare(sql)
            rows = self._connection.execute(sql)
            numbers = known[table] = Numbers((row[0], row[1:]) for row in rows)
            self._doubt_numbers()
        return numbers

    def forget_numbers(self, table: str) -> None:
        """Let the writer remember no keys of rows that are older than the oldest one."""
        known = None if self._kept is None else self._kept.numbers.get(table)
        if known is not None:
            row = self.one(f"SELECT min(number) AS number FROM {table}")  # noqa: S608 - names are ours
            oldest = None if row is None else row["number"]
            known.forget_before(known.last + 1 if oldest is None else int(oldest))

    def one(self, sql: str, *params: object) -> Row | None:
        """Return the first row, or None when there is none."""
        self._prepare(sql)
        return self.earlier(sql, *params)

    def earlier(self, sql: str, *params: object) -> Row | None:
        """Return the first row of a query without regard to rows that still wait in this batch."""
        cursor = self._connection.execute(sql, params)
        row = cursor.fetchone()
        if row is None:
            return None
        names = self._names(sql, cursor)
        # A statement that is not at its end would keep the transaction from committing.
        cursor.close()
        return dict(zip(names, row, strict=True))

    def all(self, sql: str, *params: object) -> list[Row]:
        """Return every row."""
        self._prepare(sql)
        cursor = self._connection.execute(sql, params)
        names = self._names(sql, cursor)
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def each(self, sql: str, *params: object) -> Iterator[Row]:
        """Yield every row as it is read, for a reader's snapshot: a writer's could not commit."""
        self._prepare(sql)
        cursor = self._connection.execute(sql, params)
        try:
            names = self._names(sql, cursor)
            for row in cursor:
                yield dict(zip(names, row, strict=True))
        finally:
            # A statement that is not at its end keeps the snapshot.
            cursor.close()

    def by_key(self, table: str, key: str) -> Mapping[str, Any] | None:
        """Return the one row of a table in ``kept.KEYS`` with this key, None when there is none.

        The writer remembers it, so it costs no statement where it was seen before.
        """
        row = None if self._kept is None else self._kept.get(table, key)
        if row is None and (row := self.one(by_key_sql(table), key)) is not None:
            self._keep(table, key, row)
        return row

    def recall(self, table: str, key: str) -> Any | None:  # noqa: ANN401 - whatever was made
        """Return what was made of a group of ``kept.GROUPS``, None when it may have changed."""
        return None if self._kept is None else self._kept.get(table, key)

    def remember(self, table: str, key: str, made: object) -> None:
        """Let the writer remember what was made of a group's rows and of nothing else."""
        self._keep(table, key, made)

    def run(self, sql: str, *params: object) -> int:
        """Run a statement and return how many rows it changed."""
        self._prepare(sql)
        return self._connection.execute(sql, params).rowcount

    def insert(self, table: str, **values: object) -> None:
        """Insert one row; raises sqlite3.IntegrityError when a constraint says no."""
        sql = insert_sql(table, tuple(values))
        self._settle_for(traits(sql))
        self._save()
        self._forget_group(table, values)
        self._connection.execute(sql, tuple(values.values()))

    def later(self, table: str, **values: object) -> None:
        """Insert one row at the end of the batch, for which it must break no constraint."""
        if self._alone:
            self.insert(table, **values)
        else:
            self._forget_group(table, values)
            self._left.append(self._batch.add(table, tuple(values), tuple(values.values())))

    def later_made(self, maker: Maker, thing: object) -> None:
        """Have rows of something made at the end of the batch, under the same condition."""
        self._left.append(self._batch.add_unmade(maker, thing))
        if self._alone:
            self._settle()

    def make(self) -> None:
        """Have what ``later_made`` was given made now; its rows still wait."""
        self._batch.make()

    def update(self, table: str, where: Mapping[str, object], **values: object) -> int:
        """Set values on every row where each named column equals; return how many changed."""
        sql = update_sql(table, tuple(where), tuple(values))
        about = traits(sql)
        self._settle_for(about)
        self._save()
        self.doors |= about.doors
        if self._kept is not None and (table in REMEMBERED or table in BESIDE):
            # Rows that are given to somebody else change two groups.
            self._kept.forget_changed(table, {} if GROUPS.get(table) in values else where)
        return self._connection.execute(sql, (*values.values(), *where.values())).rowcount

    def change(self, table: str, key: str, **values: object) -> Mapping[str, Any]:
        """Set values on the one row of a table in ``kept.KEYS``; return it as it is from then on.

        Where the table's changes may wait they break no constraint. Raises LookupError when there
        is no such row.
        """
        if (row := self.by_key(table, key)) is None:
            raise LookupError(f"{table}: there is no such row to change")
        stored = {name: _stored(value) for name, value in values.items()}
        if self._alone or table not in LATER:
            self.update(table, {KEYS[table]: key}, **stored)
            return {**row, **stored}
        changed = {**row, **stored}
        self._left.append(self._batch.change((table, key), stored))
        self._keep(table, key, changed)
        return changed

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Undo only what the block wrote when it raises; the exception goes on to the caller."""
        self._settle()
        self._save()
        mark = len(self._batch.numbered)
        self._connection.execute("SAVEPOINT nested")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO nested")
                self._connection.execute("RELEASE nested")
            self._batch.take_back(self._left)
            del self._batch.numbered[mark:]
            self.known.clear()
            self._forget()
            raise
        self._connection.execute("RELEASE nested")

    def emit(self, party_id: str, type: str, at: datetime, data: Mapping[str, Any]) -> str:  # noqa: A002 - the contract's word
        """Append an event to a party's stream, under the next number without a gap.

        Returns its data as JSON.
        """
        shown = documents.to_json(data).decode()
        self._left.append(self._batch.emit(Event(party_id, 0, type, times.encode(at), shown)))
        if self._alone:
            self._settle()
        return shown

    def done(self) -> None:
        """Leave what still waits to the batch: the command was kept."""
        if self._saved:
            self._connection.execute("RELEASE command")

    def undone(self) -> None:
        """Undo the command, and give the batch back what was written for it on the way."""
        if self._saved:
            self._connection.execute("ROLLBACK TO command")
            self._connection.execute("RELEASE command")
        self._batch.take_back(self._left)
        del self._batch.numbered[self._mark :]
        self._batch.known.clear()
        self._forget()
        # What others left is written now: nobody remembers any more that it waits.
        others = self._settled or Pending()
        others.take(self._batch)
        self._batch.clear()
        others.flush(self._connection, self._heads)
        self._batch.numbered += others.numbered

    def _prepare(self, sql: str) -> None:
        """See to what a statement asks for or changes."""
        about = traits(sql)
        self._settle_for(about)
        if about.writes:
            self._save()
            self.doors |= about.doors
            if not about.waiting.isdisjoint(NUMBERED):
                self._doubt_numbers()
            if self._kept is not None:
                # Which rows it changes is not told by its text.
                self._kept.forget_tables(about.kept)

    def _doubt_numbers(self) -> None:
        if self._kept is not None:
            self._kept.numbers_doubtful = True

    def _settle_for(self, about: Traits) -> None:
        """Write what waits, if the statement asks for it."""
        if not about.waiting.isdisjoint(self._batch.tables):
            self._settle()

    def _settle(self) -> None:
        """Write what waits: what others left first, to be written again if this is undone."""
        if not self._batch.tables:
            return
        self._save()
        mine = self._batch.take_back(self._left)
        if not self._alone:
            self._settled = self._settled or Pending()
            self._settled.take(self._batch)
        self._batch.flush(self._connection, self._heads)
        if mine.tables:
            mine.flush(self._connection, self._heads)
            self._batch.numbered += mine.numbered

    @property
    def _heads(self) -> Heads:
        heads: Heads = self.lasting.setdefault(HEADS, {})
        return heads

    def _save(self) -> None:
        if not (self._saved or self._alone):
            self._saved = True
            self._connection.execute("SAVEPOINT command")

    def _keep(self, table: str, key: str, row: object) -> None:
        if self._kept is not None:
            self._kept.keep(table, key, row)
            self._changed.append((table, key))

    def _forget(self) -> None:
        if self._kept is not None:
            self._kept.forget(self._changed)
            self._kept.undone()

    def _forget_group(self, table: str, values: Mapping[str, object]) -> None:
        if self._kept is not None and (table in GROUPS or table in BESIDE):
            self._kept.forget_changed(table, values)

    def _names(self, sql: str, cursor: sqlite3.Cursor) -> tuple[str, ...]:
        names = self._columns.get(sql)
        if names is None:
            names = tuple(column[0] for column in cursor.description or ())
            self._columns[sql] = names
        return names


def _stored(value: object) -> object:
    return times.encode(value) if isinstance(value, datetime) else value
