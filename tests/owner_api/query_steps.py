"""How much SQLite does for a query: counted, not timed."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
import sqlite3
from typing import Any

import pytest

from owner_api.store import Tx

type Query = tuple[str, tuple[object, ...]]


@contextmanager
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Query]]:
    """Collect the queries that the server asks meanwhile."""
    seen: list[Query] = []

    def noting(read: Callable[..., Any]) -> Callable[..., Any]:
        def noted(self: Tx, sql: str, *params: object) -> Any:
            seen.append((sql, params))
            return read(self, sql, *params)

        return noted

    with monkeypatch.context() as patch:
        patch.setattr(Tx, "all", noting(Tx.all))
        patch.setattr(Tx, "one", noting(Tx.one))
        yield seen


def steps(database: Path, query: Query) -> int:
    """Return how many steps of its program SQLite takes for a query."""
    taken = 0

    def step() -> int:
        nonlocal taken
        taken += 1
        return 0

    sql, params = query
    with closing(sqlite3.connect(database)) as connection:
        # The first statement reads the schema.
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        connection.set_progress_handler(step, 1)
        connection.execute(sql, params).fetchall()
    return taken


def copy_more(tx: Tx, *, copies: int, named: tuple[str, str, str]) -> None:
    """Copy one row of a table, named with its id and that one's prefix, behind all others."""
    table, key, prefix = named
    (row,) = tx.all(f"SELECT * FROM {table} LIMIT 1")  # noqa: S608 - one of our own tables
    own = {"order_reference": None} if "order_reference" in row else {}
    for number in range(copies):
        tx.insert(table, **dict(row) | own | {key: f"{prefix}_f{number:031x}"})
