"""Connections of ours, and the turn that a batch has on the one that writes."""

from collections.abc import Callable, Iterable, Sequence
import sqlite3
from typing import Any, Protocol


class Connection(sqlite3.Connection):
    """A connection that remembers each query's column names; its schema does not change."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - sqlite3's
        super().__init__(*args, **kwargs)
        self.columns: dict[str, tuple[str, ...]] = {}


class Executes(Protocol):
    """What runs statements: a connection, or a turn on one."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""

    @property
    def execute(self) -> Callable[..., sqlite3.Cursor]:
        """Run a statement with parameters."""

    @property
    def executemany(self) -> Callable[..., sqlite3.Cursor]:
        """Run a statement for each row of parameters."""


class OverturnedError(BaseException):
    """The COMMIT before failed: what was done meanwhile rests on what is not there.

    No Exception, so that no command takes it for a failure of its own.
    """


class Turn:
    """One transaction on a connection; it begins with its first statement.

    Until then the COMMIT before may still be under way: ``ended`` waits for it and tells whether it
    worked.
    """

    __slots__ = (
        "_connection",
        "_ended",
        "begun",
        "columns",
        "execute",
        "executemany",
        "overturned",
    )

    def __init__(self, connection: sqlite3.Connection, ended: Callable[[], bool]) -> None:
        self._connection = connection
        self._ended = ended
        self.columns = connection.columns if isinstance(connection, Connection) else {}
        self.execute: Callable[..., sqlite3.Cursor] = self._first
        self.executemany: Callable[..., sqlite3.Cursor] = self._first_of_many
        self.begun = False
        self.overturned = False

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.begun and self._connection.in_transaction

    @property
    def lost(self) -> bool:
        """Whether SQLite has ended the transaction by itself, as on a full or broken disk."""
        return self.begun and not self._connection.in_transaction

    def begin(self) -> None:
        """Begin, if no statement has; raises OverturnedError when the COMMIT before failed."""
        if self.begun:
            return
        # Asked again, the COMMIT before would seem to have worked.
        if self.overturned or not self._ended():
            self.overturned = True
            raise OverturnedError
        self._connection.execute("BEGIN IMMEDIATE")
        self.begun = True
        self.execute = self._connection.execute
        self.executemany = self._connection.executemany

    def _first(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        self.begin()
        return self._connection.execute(sql, parameters)

    def _first_of_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> sqlite3.Cursor:
        self.begin()
        return self._connection.executemany(sql, rows)
