"""Receipts and postings: is there exactly what the log says, and does every sum hold.

Each is held against the log entry by entry, so that years of them need no memory.
"""

from collections.abc import Iterator
from datetime import datetime
import sqlite3
from typing import Final

from owner_api.core.receipt import receipt_id
from owner_api.store.times import encode

from .contents import Entry
from .findings import Finding, Row, compared, rows

# What a transaction's lines share; one from before there were several payers names no reward.
_SAME: Final = ("txn_id", "kind", "settlement_id", "reward_id")
_STRANGE: Final = "is in no entry of the log"


class Receipts:
    """Holds the receipts against the entries: one for every entry of a party, none besides."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Begin with the lowest position; nothing is read yet."""
        self._stored = rows(connection, "SELECT * FROM receipt ORDER BY position")
        self._next: Row | None = None

    def take(self, position: int, entry: Entry) -> Iterator[Finding]:
        """Check the receipt of an entry, and that none is between this and the one before."""
        if entry.party_id is None:
            return
        yield from self._strange_before(position)
        name, row = receipt_id(position), self._next
        if row is None or row["position"] != position:
            yield Finding(table="receipt", row=name, column=None, what="is missing")
            return
        self._next = None
        expected = {
            "receipt_id": name,
            "party_id": entry.party_id,
            "kind": entry.kind,
            "subject_id": entry.subject_id,
        }
        yield from compared("receipt", name, row, expected)

    def rest(self) -> Iterator[Finding]:
        """Check that no receipt is left over."""
        yield from self._strange_before(None)

    def _strange_before(self, position: int | None) -> Iterator[Finding]:
        """Go on to the receipt at a position or behind it; those passed over are nobody's."""
        while True:
            self._next = self._next or next(self._stored, None)
            if self._next is None or (position is not None and self._next["position"] >= position):
                return
            name = receipt_id(self._next["position"])
            yield Finding(table="receipt", row=name, column=None, what=_STRANGE)
            self._next = None


class Postings:
    """Holds the postings against the log, and each transaction's sums against zero."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Begin; nothing is read yet."""
        self._connection = connection
        self._named: set[str] = set()

    def take(self, position: int, entry: Entry) -> Iterator[Finding]:
        """Check the postings of a transaction."""
        if entry.kind != "books":
            return
        body, sums = entry.body, dict[str, int]()
        same = {name: body.get(name) for name in _SAME}
        try:
            same["at"] = encode(datetime.fromisoformat(entry.at))
        except ValueError, OverflowError:
            yield Finding(table="ledger_leaf", row=str(position), column="at", what="is no instant")
        for posting in body["postings"]:
            sums[posting["currency"]] = sums.get(posting["currency"], 0) + posting["amount_minor"]
            yield from self._check(posting, same)
        for currency, total in sums.items():
            if total:
                yield Finding(
                    table="posting",
                    row=body["txn_id"],
                    column="amount_minor",
                    what=f"the transaction sums to {total} {currency}, not to zero",
                )

    def _check(self, posting: Row, same: Row) -> Iterator[Finding]:
        name = posting["posting_id"]
        found = rows(self._connection, "SELECT * FROM posting WHERE posting_id = ?", name)
        row = None if name in self._named else next(found, None)
        self._named.add(name)
        if row is None:
            yield Finding(table="posting", row=name, column=None, what="is missing")
        else:
            yield from compared("posting", name, row, posting | same)

    def rest(self) -> Iterator[Finding]:
        """Check that no posting is left over."""
        for row in rows(self._connection, "SELECT posting_id FROM posting ORDER BY posting_id"):
            if row["posting_id"] not in self._named:
                name = row["posting_id"]
                yield Finding(table="posting", row=name, column=None, what=_STRANGE)
