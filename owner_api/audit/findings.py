"""What an audit says, and how it reads a database."""

from collections.abc import Iterator
from dataclasses import dataclass
import sqlite3
from typing import Any, Final

type Row = dict[str, Any]

# Every column of these tables is covered by the log's signatures.
COVERED: Final = (
    "ledger_leaf",
    "ledger_entry",
    "ledger_node",
    "ledger_checkpoint",
    "ledger_key",
    "receipt",
    "posting",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that does not hold; ``row`` is the primary key, ``column`` None for a whole row."""

    table: str
    row: str | None
    column: str | None
    what: str


def rows(connection: sqlite3.Connection, sql: str, *params: object) -> Iterator[Row]:
    """Yield the rows of a query as dictionaries."""
    cursor = connection.execute(sql, params)
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield dict(zip(names, row, strict=True))


def compared(table: str, row: str, found: Row, expected: Row) -> Iterator[Finding]:
    """Yield a finding for each column whose value is not what the log says."""
    for column, value in expected.items():
        if found[column] != value:
            yield Finding(table=table, row=row, column=column, what="is not what the log recorded")
