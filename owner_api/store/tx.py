"""One transaction as commands and queries see it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
import sqlite3
from typing import Any

from . import documents, times
from .pending import Event, Pending, moves_doors, waiting_tables

# SQLite asks for the adapter of a type it does not know: instants are stored as sortable text.
sqlite3.register_adapter(datetime, times.encode)


class Connection(sqlite3.Connection):
    """A connection that remembers each query's column names; its schema does not change."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - sqlite3's
        super().__init__(*args, **kwargs)
        self.columns: dict[str, tuple[str, ...]] = {}


class Tx:
    """Statements inside one transaction: a savepoint of the writer, or a reader's snapshot.

    Instants given as parameters are stored as sortable text. Table and column names must come
    from code, never from a caller; values always travel as parameters.

    In a writer's batch, rows given to ``later`` and events wait for its end or for the first
    statement that names their table, whichever comes first: whoever asks always finds them.
    """

    __slots__ = (
        "_batch",
        "_columns",
        "_connection",
        "_mark",
        "_mine",
        "_settled",
        "doors",
        "touched",
    )

    def __init__(self, connection: sqlite3.Connection, batch: Pending | None = None) -> None:
        self._connection = connection
        self._columns = connection.columns if isinstance(connection, Connection) else {}
        self._batch = batch
        self._mine = Pending()
        self._settled = Pending()
        self._mark = 0 if batch is None else len(batch.numbered)
        self.touched: set[str] = set()
        # Whether somebody's access may have ended here.
        self.doors = False

    @property
    def known(self) -> dict[str, Any]:
        """The batch's memory; forgotten whenever something of the batch is undone."""
        return self._mine.known if self._batch is None else self._batch.known

    def one(self, sql: str, *params: object) -> dict[str, Any] | None:
        """Return the first row, or None when there is none."""
        self._await(sql)
        return self.earlier(sql, *params)

    def earlier(self, sql: str, *params: object) -> dict[str, Any] | None:
        """Return the first row without regard to rows that still wait in this batch."""
        cursor = self._connection.execute(sql, params)
        row = cursor.fetchone()
        if row is None:
            return None
        names = self._names(sql, cursor)
        # A statement that is not at its end would keep the transaction from committing.
        cursor.close()
        return dict(zip(names, row, strict=True))

    def all(self, sql: str, *params: object) -> list[dict[str, Any]]:
        """Return every row."""
        self._await(sql)
        cursor = self._connection.execute(sql, params)
        names = self._names(sql, cursor)
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def run(self, sql: str, *params: object) -> int:
        """Run a statement and return how many rows it changed."""
        self._await(sql)
        self.doors |= moves_doors(sql)
        return self._connection.execute(sql, params).rowcount

    def insert(self, table: str, **values: object) -> None:
        """Insert one row; raises sqlite3.IntegrityError when a constraint says no."""
        sql = _insert_sql(table, tuple(values))
        self._await(sql)
        self._connection.execute(sql, tuple(values.values()))

    def later(self, table: str, **values: object) -> None:
        """Insert one row at the end of the batch, for which it must break no constraint."""
        if self._batch is None:
            self.insert(table, **values)
        else:
            self._mine.add(table, _insert_sql(table, tuple(values)), tuple(values.values()))

    def update(self, table: str, where: Mapping[str, object], **values: object) -> int:
        """Set values on every row where each named column equals; return how many changed."""
        sql = _update_sql(table, tuple(where), tuple(values))
        return self.run(sql, *values.values(), *where.values())

    def change(self, table: str, where: Mapping[str, object], **values: object) -> dict[str, Any]:
        """Set values on the one row where each named column equals; return it as it is now.

        Raises LookupError when there is no such row.
        """
        sql = f"{_update_sql(table, tuple(where), tuple(values))} RETURNING *"
        self.doors |= moves_doors(sql)
        if (row := self.one(sql, *values.values(), *where.values())) is None:
            raise LookupError(f"{table}: there is no such row to change")
        return row

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Undo only what the block wrote when it raises; the exception goes on to the caller."""
        told = set(self.touched)
        self._settle()
        mark = len(self._mine.numbered)
        self._connection.execute("SAVEPOINT nested")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO nested")
                self._connection.execute("RELEASE nested")
            self._mine.clear()
            del self._mine.numbered[mark:]
            self.known.clear()
            self.touched = told
            raise
        self._connection.execute("RELEASE nested")

    def emit(self, party_id: str, type: str, at: datetime, data: Mapping[str, Any]) -> None:  # noqa: A002 - the contract's word
        """Append an event to a party's stream, under the next number without a gap."""
        self._mine.emit(Event(party_id, 0, type, at, documents.to_json(data).decode()))
        self.touched.add(party_id)
        if self._batch is None:
            self._settle()

    def done(self) -> None:
        """Leave what still waits to the batch: the command was kept."""
        if self._batch is not None:
            self._batch.take(self._mine)

    def undone(self) -> None:
        """Give the batch back what was inserted for it on the way: the command was undone."""
        if self._batch is not None:
            del self._batch.numbered[self._mark :]
            self._settled.take_waiting(self._batch)
            self._batch.clear()
            self._batch.take_waiting(self._settled)
            self._batch.flush(self._connection)
            self._batch.known.clear()

    def _await(self, sql: str) -> None:
        """Insert what waits, if the statement asks for it."""
        if (names := waiting_tables(sql)) and not (
            names.isdisjoint(self._mine.tables)
            and (self._batch is None or names.isdisjoint(self._batch.tables))
        ):
            self._settle()

    def _settle(self) -> None:
        if self._batch is not None and self._batch.tables:
            self._settled.take_waiting(self._batch)
            self._batch.flush(self._connection)
        if self._mine.tables:
            self._mine.flush(self._connection)

    def _names(self, sql: str, cursor: sqlite3.Cursor) -> tuple[str, ...]:
        names = self._columns.get(sql)
        if names is None:
            names = tuple(column[0] for column in cursor.description or ())
            self._columns[sql] = names
        return names


@cache
def _insert_sql(table: str, columns: tuple[str, ...]) -> str:
    _check_names(table, *columns)
    marks = ", ".join("?" * len(columns))
    names = ", ".join(f'"{name}"' for name in columns)
    return f'INSERT INTO "{table}" ({names}) VALUES ({marks})'  # noqa: S608 - names are checked


@cache
def _update_sql(table: str, where: tuple[str, ...], columns: tuple[str, ...]) -> str:
    _check_names(table, *where, *columns)
    if not where or not columns:
        raise ValueError("an update needs at least one condition and one value")
    values = ", ".join(f'"{name}" = ?' for name in columns)
    wanted = " AND ".join(f'"{name}" IS ?' for name in where)
    return f'UPDATE "{table}" SET {values} WHERE {wanted}'  # noqa: S608 - names are checked


def _check_names(*names: str) -> None:
    for name in names:
        if not name.isidentifier():
            raise ValueError(f"{name!r} is no table or column name")
