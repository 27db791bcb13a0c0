"""Bend a real database in every way we can think of and count what the audit does not see.

``python -m tests.owner_api.trust.tamper --rows 50`` prints one JSON line per kind and exits 1 when
anything was missed, or when the control (an audit with one eye shut) misses nothing.
"""

# ruff: noqa: S608 - every table name comes from the constant COVERED

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
import random
import sqlite3
import tempfile
from typing import Any

import click
import orjson

from owner_api.audit.check import audit, open_read_only
from owner_api.audit.contents import NEVER_EMPTIED
from owner_api.audit.findings import COVERED, Finding, rows
from owner_api.commands import leaves
from owner_api.commands.notary import Notary
from owner_api.core.keyring import Keyring, keyring
from owner_api.store import Tx

from .books_world import NOW, Books, make_books

FORGED = {"txn_id": "txn_forked", "kind": "paid", "settlement_id": "stl_x", "postings": []}

type Row = dict[str, Any]
type Audit = Callable[..., Iterator[Finding]]


@dataclass
class Tally:
    """How many changes of each kind were made, and which of them nobody noticed."""

    tried: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def count(self, kind: str, *, seen: bool, example: str) -> None:
        """Add one change."""
        self.tried[kind] += 1
        if not seen:
            self.missed[kind] += 1
            self.examples.setdefault(kind, example)


class Bench:
    """One database in memory that is bent, audited and straightened again."""

    def __init__(self, books: Books, look: Audit = audit, seed: int = 7) -> None:
        self.books, self.look, self.random = books, look, random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.tally = Tally()
        source = open_read_only(books.database)
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        source.backup(self.connection)
        source.close()
        # Whoever bends a file does not ask its constraints first.
        self.connection.execute("PRAGMA foreign_keys=OFF")

    @contextmanager
    def bent(self) -> Iterator[sqlite3.Connection]:
        """Undo whatever the block does."""
        self.connection.execute("BEGIN")
        try:
            yield self.connection
        finally:
            self.connection.execute("ROLLBACK")

    def seen(self, shown: Sequence[str] = (), pinned: Keyring | None = None) -> bool:
        """Tell whether the audit finds anything."""
        return any(self.look(self.connection, shown=shown, pinned=pinned))

    def picked(self, table: str, at_most: int) -> list[Row]:
        """Return random rows of a table with their rowid."""
        found = list(rows(self.connection, f"SELECT rowid AS _rowid, * FROM {table}"))
        return self.random.sample(found, min(at_most, len(found)))

    def columns(self, at_most: int) -> None:
        """Change every column of random rows of every covered table, one at a time."""
        for table in COVERED:
            for row in self.picked(table, at_most):
                for column in row:
                    if column != "_rowid":
                        self._change(table, row, column)

    def _change(self, table: str, row: Row, column: str) -> None:
        for value in self._others(row[column]):
            with self.bent() as connection:
                try:
                    connection.execute(
                        f'UPDATE {table} SET "{column}" = ? WHERE rowid = ?',
                        (value, row["_rowid"]),
                    )
                except sqlite3.IntegrityError:
                    continue
                example = f"{column} {row[column]!r} -> {value!r}"
                self.tally.count(f"column {table}", seen=self.seen(), example=example)

    def _others(self, value: Any) -> list[Any]:
        """Return values of the same kind that differ a little, and null."""
        match value:
            case None:
                return [0, "x"]
            case int():
                return [value + 1, None] if value else [value + 10**6, None]
            case bytes():
                at = self.random.randrange(len(value))
                return [value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]]
            case _:
                at = self.random.randrange(len(value))
                other = self.random.choice("0123456789abcdef".replace(value[at], ""))
                return [value[:at] + other + value[at + 1 :], None]

    def deletes(self, at_most: int) -> None:
        """Delete single rows."""
        for table in COVERED:
            for row in self.picked(table, at_most):
                with self.bent() as connection:
                    connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (row["_rowid"],))
                    self.tally.count(f"delete {table}", seen=self.seen(), example=str(row))

    def swaps(self, at_most: int) -> None:
        """Exchange all values but the key between two rows, and single columns between two."""
        for table in COVERED:
            for _ in range(at_most):
                pair = self.picked(table, 2)
                if len(pair) == 2:
                    self._swap(table, *pair)

    def _swap(self, table: str, one: Row, other: Row) -> None:
        names = [name for name in one if name not in self._keys(table) | {"_rowid"}]
        groups = [names, *([name] for name in names)]
        for group in groups:
            if all(one[name] == other[name] for name in group):
                continue
            taken = {name: other[name] for name in group}
            given = {name: one[name] for name in group}
            with self.bent() as connection:
                for row in (one, other):
                    connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (row["_rowid"],))
                for row in (one | taken, other | given):
                    values = {name: value for name, value in row.items() if name != "_rowid"}
                    Tx(connection).insert(table, **values)
                self.tally.count(f"swap {table}", seen=self.seen(), example=f"{group} {one}")

    def _keys(self, table: str) -> set[str]:
        columns = rows(self.connection, f"PRAGMA table_info({table})")
        return {column["name"] for column in columns if column["pk"]}

    def inserts(self, at_most: int) -> None:
        """Add a row that looks like another; a posting pair that even balances."""
        for table in COVERED:
            for row in self.picked(table, at_most):
                forged = {name: value for name, value in row.items() if name != "_rowid"}
                with self.bent() as connection:
                    forged |= {
                        name: 10**6 if isinstance(value, int) else f"{value}0"
                        for name, value in forged.items()
                        if name in self._keys(table) or name in ("position", "size")
                    }
                    Tx(connection).insert(table, **forged)
                    if table == "posting":
                        forged["posting_id"] += "1"
                        forged["amount_minor"] = -forged["amount_minor"]
                        Tx(connection).insert(table, **forged)
                    self.tally.count(f"insert {table}", seen=self.seen(), example=str(forged))

    def erasures(self, at_most: int) -> None:
        """Let an erasure that the real key signs empty what is nobody's: books, keys, erasures."""
        found = rows(self.connection, "SELECT position, kind FROM ledger_leaf ORDER BY position")
        kinds: dict[str, list[int]] = {"books": [], "key": [], "erasure": []}
        for row in found:
            if row["kind"] in kinds:
                kinds[row["kind"]].append(row["position"])
        for kind, positions in kinds.items():
            for position in self.random.sample(positions, min(at_most, len(positions))):
                with self.bent():
                    self._erase(position)
                    caught = self.seen([self.books.kept_note], self.books.pinned)
                    self.tally.count(f"erasure of {kind}", seen=caught, example=str(position))

    def _erase(self, position: int) -> None:
        connection, tx = self.connection, Tx(self.connection)
        # Whoever takes the money out of the books takes its postings too.
        connection.execute(
            "DELETE FROM posting WHERE txn_id = (SELECT content ->> '$.body.txn_id'"
            " FROM ledger_entry WHERE position = ?)",
            (position,),
        )
        erased_in = leaves.append(tx, "erasure", NOW, {"positions": [position]})
        connection.execute(
            "UPDATE ledger_entry SET party_id = NULL, salt = NULL, content = NULL, erased_in = ?"
            " WHERE position = ?",
            (erased_in, position),
        )
        self._notary(connection).seal(tx)

    def cut(self, size: int) -> None:
        """Cut the log back to an earlier checkpoint, leaving no trace in any table."""
        connection = self.connection
        lost = [
            orjson.loads(row["content"])["body"]["txn_id"]
            for row in rows(
                connection,
                "SELECT content FROM ledger_entry JOIN ledger_leaf USING (position)"
                f" WHERE kind = 'books' AND position >= {size} AND content IS NOT NULL",
            )
        ]
        for txn_id in lost:
            connection.execute("DELETE FROM posting WHERE txn_id = ?", (txn_id,))
        for table in ("ledger_entry", "receipt", "ledger_key", "ledger_leaf"):
            connection.execute(f"DELETE FROM {table} WHERE position >= ?", (size,))
        connection.execute("DELETE FROM ledger_node WHERE ((number + 1) << level) > ?", (size,))
        connection.execute("DELETE FROM ledger_checkpoint WHERE size > ?", (size,))

    def tails(self, at_most: int) -> None:
        """Cut tails, carelessly and thoroughly; fork; and rebuild all with the real key."""
        heads = self.picked("ledger_checkpoint", at_most + 1)
        newest = max(head["size"] for head in heads)
        for head in heads:
            size = head["size"]
            if size == self.books.size:
                continue
            for table in ("ledger_leaf", "ledger_entry", "ledger_checkpoint"):
                with self.bent() as connection:
                    column = "size" if table == "ledger_checkpoint" else "position"
                    where = f"{column} > {size}" if column == "size" else f"{column} >= {size}"
                    connection.execute(f"DELETE FROM {table} WHERE {where}")
                    self.tally.count("tail of one table", seen=self.seen(), example=table)
            with self.bent():
                self.cut(size)
                self._both_ways("tail of every table", size)
            with self.bent() as connection:
                self.cut(size)
                tx = Tx(connection)
                leaves.append(tx, "books", NOW, FORGED)
                self._notary(connection).seal(tx)
                self._both_ways("fork", size)
        for _ in range(at_most):
            with self.bent():
                self.rebuild()
                self._both_ways("rebuild", newest)

    def _both_ways(self, kind: str, size: int) -> None:
        """Without a kept checkpoint this cannot be seen, and with one it must be."""
        # Contents that an erasure after the cut had emptied cannot be brought back: that shows.
        emptied = self.connection.execute(
            "SELECT 1 FROM ledger_entry WHERE content IS NULL AND erased_in >= ?", (size,)
        )
        if emptied.fetchone() is None:
            alone = "not excluded without --checkpoint"
            self.tally.count(f"{kind}, {alone}", seen=not self.seen(), example=str(size))
        caught = self.seen([self.books.kept_note], self.books.pinned)
        self.tally.count(f"{kind}, with --checkpoint", seen=caught, example=str(size))

    def _notary(self, connection: sqlite3.Connection) -> Notary:
        """Return the real notary with the key that was newest at the point of the cut."""
        row = next(rows(connection, "SELECT key_id FROM ledger_key ORDER BY position DESC"))
        known = {name: key for key in self.books.privates for name in keyring(key.public_key())}
        return Notary(server_id=self.books.server_id, private=known[row["key_id"]])

    def rebuild(self) -> None:
        """Rewrite one reward and make a new, perfect log around it with the real keys."""
        connection, tx = self.connection, Tx(self.connection)
        old = list(
            rows(
                connection,
                "SELECT kind, at, content, erased_in FROM ledger_entry"
                " JOIN ledger_leaf USING (position) ORDER BY position",
            )
        )
        keys = {row["key_id"]: row for row in rows(connection, "SELECT * FROM ledger_key")}
        rewards = [i for i, row in enumerate(old) if row["kind"].startswith("reward.")]
        changed = self.random.choice([i for i in rewards if old[i]["content"]])
        for table in COVERED:
            if table != "posting":
                connection.execute(f"DELETE FROM {table}")
        known = {name: key for key in self.books.privates for name in keyring(key.public_key())}
        notary = None
        for number, row in enumerate(old):
            if row["content"] is None or row["kind"] == "erasure":
                # An honest-looking history without the erased owner's entries.
                continue
            content = orjson.loads(row["content"])
            if number == changed:
                content["body"]["amount_minor"] += 1
            position = leaves.append(
                tx,
                row["kind"],
                _instant(row["at"]),
                content["body"],
                party_id=content["party_id"],
                subject_id=content["subject_id"],
            )
            if row["kind"] == "key":
                name = content["body"]["key_id"]
                tx.insert("ledger_key", **keys[name] | {"position": position})
                notary = Notary(server_id=self.books.server_id, private=known[name])
            assert notary is not None
            notary.seal(tx)


def _instant(text: str) -> Any:
    return NOW.fromisoformat(text)


def half_blind(connection: sqlite3.Connection, **options: Any) -> Iterator[Finding]:
    """Audit blind to receipts, postings and false erasures: the control that must miss some."""
    for finding in audit(connection, **options):
        if finding.table not in ("receipt", "posting") and finding.what != NEVER_EMPTIED:
            yield finding


def run(books: Books, at_most: int, look: Audit = audit) -> Tally:
    """Bend the database in every way and return the counts."""
    bench = Bench(books, look)
    assert not bench.seen([books.kept_note], books.pinned), "the log must be whole to begin with"
    bench.columns(at_most)
    bench.deletes(at_most)
    bench.swaps(at_most)
    bench.inserts(at_most)
    bench.erasures(at_most)
    bench.tails(min(at_most, 10))
    return bench.tally


@click.command()
@click.option("--rows", "at_most", default=50, show_default=True)
def main(at_most: int) -> None:
    """Print one line per kind of change: how many were made, how many went unseen."""
    with tempfile.TemporaryDirectory() as folder:
        books = asyncio.run(make_books(Path(folder), settlements=16, rotations=50))
        connection = open_read_only(books.database)
        for table in COVERED:
            found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            click.echo(orjson.dumps({"table": table, "rows": found}))
        connection.close()
        tally = run(books, at_most)
        control = run(books, 2, half_blind)
    for kind, tried in tally.tried.items():
        line = {"kind": kind, "tried": tried, "missed": tally.missed[kind]}
        if kind in tally.examples:
            line["example"] = tally.examples[kind]
        click.echo(orjson.dumps(line))
    tried, missed = tally.tried.total(), tally.missed.total()
    can_fail = control.missed.total()
    click.echo(orjson.dumps({"tried": tried, "missed": missed, "missed_by_control": can_fail}))
    raise SystemExit(bool(missed) or not can_fail)


if __name__ == "__main__":
    main()
