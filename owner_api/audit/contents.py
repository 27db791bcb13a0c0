"""What the entries say, and whether each is what its leaf committed to.

A log of years has millions of entries: each is read once, shown to the other checks, and let go.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
import json
import sqlite3
from typing import Any, Final

from probatio import Invalid, Optional, Schema

from owner_api.core.receipt import content_digest
from owner_api.schemas.fields import AnyJson, ListOf, Nullable, integer, text
from owner_api.schemas.views import required

from .findings import Finding, Row, rows

# The kinds that are nobody's, whose content another check reads, and its shape; of the others only
# the names of their parties and subjects are shown.
_WHOLE, _WORD = integer(0, 2**53), text(0, 4_096)
_SHAPES: Final = {
    "key": Schema(required({"key_id": _WORD, "x": _WORD, "statement": Nullable(_WORD)})),
    "epoch": Schema(
        required({"epoch": _WHOLE, "reason": _WORD, "kept": AnyJson(), "lost": AnyJson()})
    ),
    "erasure": Schema(required({"positions": ListOf(_WHOLE, 1, 10**9)})),
    "books": Schema(
        {
            Optional("reward_id"): _WORD,
            **required(
                {
                    "txn_id": _WORD,
                    "kind": _WORD,
                    "settlement_id": _WORD,
                    "postings": ListOf(
                        required(
                            {
                                "posting_id": _WORD,
                                "account": _WORD,
                                "amount_minor": integer(-(2**53), 2**53),
                                "currency": _WORD,
                            }
                        ),
                        0,
                        1_000,
                    ),
                }
            ),
        }
    ),
}

# What the log says of itself: few, and kept until the end.
_KEPT: Final = frozenset({"key", "epoch", "erasure"})
# What only a false erasure has to hide: the books and the log's own word outlive every person.
NEVER_EMPTIED: Final = "is gone, and no erasure empties an entry of this kind"


@dataclass(slots=True)
class Entry:
    """One entry that is still there, with its leaf's kind and instant."""

    kind: str
    at: str
    party_id: str | None
    subject_id: str | None
    body: dict[str, Any]


@dataclass(slots=True)
class Contents:
    """What the log says of itself, by kind, and who else looks at each entry that is still there.

    ``readers`` are given its position with it, lowest first.
    """

    readers: tuple[Callable[[int, Entry], Iterator[Finding]], ...] = ()
    kept: dict[str, list[tuple[int, dict[str, Any]]]] = field(default_factory=dict)

    def of_kind(self, kind: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield position and body of each entry of one of the log's own kinds."""
        yield from self.kept.get(kind, ())


def check_contents(connection: sqlite3.Connection, contents: Contents) -> Iterator[Finding]:
    """Open every entry against its leaf; fills ``contents``."""
    joined = rows(
        connection,
        "SELECT l.position AS leaf, l.kind, l.at, l.digest, e.* FROM ledger_leaf l"
        " FULL JOIN ledger_entry e USING (position) ORDER BY coalesce(l.position, e.position)",
    )
    for row in joined:
        if row["leaf"] is None:
            yield _wrong(row["position"], "position", "has no leaf")
        elif row["position"] is None:
            yield _wrong(row["leaf"], None, "is missing")
        elif row["content"] is not None and row["salt"] is not None:
            entry = yield from _open(row)
            if entry is None:
                continue
            if entry.kind in _KEPT:
                contents.kept.setdefault(entry.kind, []).append((row["position"], entry.body))
            for reader in contents.readers:
                yield from reader(row["position"], entry)
    yield from _check_erasures(connection, contents)


def _check_erasures(connection: sqlite3.Connection, contents: Contents) -> Iterator[Finding]:
    """Nothing is gone without an erasure in the log, and nothing that was erased is still here.

    An erasure is the operator's own word, so it may name a person's entries only: it forgets
    people, never money, keys, losses or other erasures.
    """
    erasures = {
        position: number
        for number, body in contents.of_kind("erasure")
        for position in body.get("positions", ())
    }
    emptied = rows(
        connection,
        "SELECT kind, e.* FROM ledger_entry e JOIN ledger_leaf USING (position)"
        " WHERE content IS NULL OR salt IS NULL ORDER BY position",
    )
    for row in emptied:
        position = row["position"]
        if position not in erasures:
            yield _wrong(position, "content", "is gone, and no erasure in the log says so")
        elif row["kind"] in _SHAPES:
            yield _wrong(position, "content", NEVER_EMPTIED)
        elif row["erased_in"] != erasures[position]:
            yield _wrong(position, "erased_in", "does not name the erasure in the log")
        for column in ("salt", "content", "party_id"):
            if row[column] is not None:
                yield _wrong(position, column, "should have gone with the erasure")
    kept = "SELECT 1 FROM ledger_entry WHERE position = ? AND salt || content IS NOT NULL"
    for position in erasures:
        if next(rows(connection, kept, position), None) is not None:
            yield _wrong(position, "content", "is there although an erasure in the log names it")


def _open(row: Row) -> Generator[Finding, None, Entry | None]:
    """Yield what is wrong with an entry; return it, or None where it cannot be read."""
    position = row["position"]
    try:
        salt = bytes.fromhex(row["salt"])
        # Exactly as it was written: fromhex would also take spaces and capitals.
        opens = salt.hex() == row["salt"]
        opens = opens and content_digest(salt, row["content"].encode()) == row["digest"]
        content = json.loads(row["content"]) if opens else None
    except ValueError:
        content = None
    if not isinstance(content, dict) or set(content) != {"body", "party_id", "subject_id"}:
        yield _wrong(position, "content", "or its salt is not what the leaf committed to")
        return None
    shape = _SHAPES.get(row["kind"])
    try:
        body = {} if shape is None else shape(content["body"])
    except Invalid:
        yield _wrong(position, "content", f"is no {row['kind']}")
        return None
    if row["party_id"] != content["party_id"]:
        yield _wrong(position, "party_id", "is not what the log recorded")
    if row["erased_in"] is not None:
        yield _wrong(position, "erased_in", "is set, but nothing is erased")
    return Entry(
        kind=row["kind"],
        at=row["at"],
        party_id=content["party_id"],
        subject_id=content["subject_id"],
        body=body,
    )


def _wrong(position: int, column: str | None, what: str) -> Finding:
    return Finding(table="ledger_entry", row=str(position), column=column, what=what)
