"""Receipts and postings: is there exactly what the log says, and does every sum hold."""

from collections.abc import Iterator
from datetime import datetime
import sqlite3
from typing import Final

from owner_api.core.receipt import receipt_id
from owner_api.store.times import encode

from .contents import Contents, Entry
from .findings import Finding, Row, compared, rows

# What a transaction's lines share; one from before there were several payers names no reward.
_SAME: Final = ("txn_id", "kind", "settlement_id", "reward_id")


def check_receipts(connection: sqlite3.Connection, contents: Contents) -> Iterator[Finding]:
    """Hold each receipt against its entry: one for every entry of a party, none besides."""
    stored = {row["position"]: row for row in rows(connection, "SELECT * FROM receipt")}
    for position, entry in contents.entries.items():
        if entry.party_id is None:
            continue
        name = receipt_id(position)
        row = stored.pop(position, None)
        if row is None:
            yield Finding(table="receipt", row=name, column=None, what="is missing")
            continue
        expected = {
            "receipt_id": name,
            "party_id": entry.party_id,
            "kind": entry.kind,
            "subject_id": entry.subject_id,
        }
        yield from compared("receipt", name, row, expected)
    for position in stored:
        name = receipt_id(position)
        yield Finding(table="receipt", row=name, column=None, what="is in no entry of the log")


def check_postings(connection: sqlite3.Connection, contents: Contents) -> Iterator[Finding]:
    """Hold each posting against the log, and each transaction's sums against zero."""
    stored = {row["posting_id"]: row for row in rows(connection, "SELECT * FROM posting")}
    for entry in contents.entries.values():
        if entry.kind == "books":
            yield from _check_transaction(entry, stored)
    for name in stored:
        yield Finding(table="posting", row=name, column=None, what="is in no entry of the log")


def _check_transaction(entry: Entry, stored: dict[str, Row]) -> Iterator[Finding]:
    body, sums = entry.body, dict[str, int]()
    at = encode(datetime.fromisoformat(entry.at))
    for posting in body["postings"]:
        sums[posting["currency"]] = sums.get(posting["currency"], 0) + posting["amount_minor"]
        row = stored.pop(posting["posting_id"], None)
        if row is None:
            yield Finding(
                table="posting", row=posting["posting_id"], column=None, what="is missing"
            )
            continue
        same = {name: body.get(name) for name in _SAME}
        yield from compared("posting", posting["posting_id"], row, posting | same | {"at": at})
    for currency, total in sums.items():
        if total:
            yield Finding(
                table="posting",
                row=body["txn_id"],
                column="amount_minor",
                what=f"the transaction sums to {total} {currency}, not to zero",
            )
