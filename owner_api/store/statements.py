"""What a statement's text says about it, and the statements that are made from names."""

from functools import cache
import re
from typing import Final, NamedTuple

from .kept import BESIDE, KEYS, REMEMBERED

# A statement that names one of these tables is preceded by the rows that wait for it.
LATER: Final = frozenset(
    {
        "commitment",
        "idempotency",
        "ledger_checkpoint",
        "ledger_leaf",
        "ledger_entry",
        "ledger_key",
        "ledger_node",
        "offer",
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
# What ``require_live`` looks at; a device is also written to each time it gets a new token.
_DOORS: Final = re.compile(
    r'\bUPDATE\s+"?(?:device|park)\b.*\b(?:token_epoch|revoked_at|disabled_at)\b',
    re.IGNORECASE | re.DOTALL,
)
_CHANGED: Final = re.compile(r'\b(?:UPDATE|FROM|INTO)\s+"?(\w+)', re.IGNORECASE)


class Traits(NamedTuple):
    """What has to be seen to around a statement.

    ``waiting`` are tables it names whose rows may wait, ``kept`` tables it changes of which
    something may be remembered; ``doors`` tells whether it may end somebody's access.
    """

    waiting: frozenset[str]
    writes: bool
    kept: frozenset[str]
    doors: bool


@cache
def traits(sql: str) -> Traits:
    """Return what a statement's text says about it."""
    writes = not sql.lstrip().upper().startswith(("SELECT", "WITH", "EXPLAIN"))
    changed = _CHANGED.findall(sql) if writes else ()
    return Traits(
        waiting=LATER.intersection(_TABLES.findall(sql)),
        writes=writes,
        kept=frozenset(REMEMBERED | BESIDE).intersection(changed),
        doors=_DOORS.search(sql) is not None,
    )


@cache
def insert_sql(table: str, columns: tuple[str, ...]) -> str:
    """Return the statement that inserts a row; raises ValueError for what is no name."""
    _check_names(table, *columns)
    names = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join("?" * len(columns))
    return f'INSERT INTO "{table}" ({names}) VALUES ({marks})'  # noqa: S608 - names are checked


@cache
def update_sql(table: str, where: tuple[str, ...], columns: tuple[str, ...]) -> str:
    """Return the statement that sets columns where others equal; raises ValueError."""
    _check_names(table, *where, *columns)
    if not where or not columns:
        raise ValueError("an update needs at least one condition and one value")
    values = ", ".join(f'"{name}" = ?' for name in columns)
    wanted = " AND ".join(f'"{name}" IS ?' for name in where)
    return f'UPDATE "{table}" SET {values} WHERE {wanted}'  # noqa: S608 - names are checked


@cache
def by_key_sql(table: str) -> str:
    """Return the statement that reads one row of a table in ``KEYS``; raises KeyError."""
    return f'SELECT * FROM "{table}" WHERE "{KEYS[table]}" = ?'  # noqa: S608 - a name of ours


def _check_names(*names: str) -> None:
    for name in names:
        if not name.isidentifier():
            raise ValueError(f"{name!r} is no table or column name")
