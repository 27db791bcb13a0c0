"""The log's one door: an entry, its leaf and the right to a receipt for it.

Entries are taken when they are appended, and hashed and written together at the batch's end.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from owner_api.core import receipt as receipts
from owner_api.core.canonical import decimal_text, instant_text, plain
from owner_api.core.drawn import random_bytes
from owner_api.core.merkle import leaf_hash
from owner_api.store.documents import Fragment
from owner_api.store.pending import Maker, Rows, Statement
from owner_api.store.tx import Tx

from .edge import Json

# What stands in an entry as it is; a fragment holds canonical bytes already.
_PLAIN: Final = frozenset((str, int, bool, type(None), Fragment))
# In the batch's memory: what it has appended.
_FRESH: Final = "fresh leaves"
# One past everything that ever had a position, also in a log from which somebody cut leaves: what
# an owner says there must still be recorded.
_NEXT: Final = (
    "SELECT max("
    "coalesce((SELECT max(position) + 1 FROM ledger_leaf), 0),"
    " coalesce((SELECT max(position) + 1 FROM ledger_entry), 0),"
    " coalesce((SELECT max(size) FROM ledger_checkpoint), 0)) AS next"
)


def exact(value: Any) -> Any:  # noqa: ANN401 - any value with a canonical form, or a float
    """Return canonical JSON types; a percentage or efficiency becomes its decimal string."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return {
            str(key): item if type(item) in _PLAIN else exact(item) for key, item in value.items()
        }
    if kind is list or kind is tuple:
        return [exact(item) for item in value]
    if kind is float:
        return decimal_text(Decimal(repr(value)))
    return plain(value)


@dataclass(slots=True)
class Leaf:
    """A leaf that is under no checkpoint yet; one that was read has a ``hash`` and no ``body``."""

    position: int
    kind: str
    at: str
    party_id: str | None
    subject_id: str | None
    body: Json | None = None
    hash: bytes = b""

    @property
    def receipt_id(self) -> str | None:
        """The receipt that the leaf's party has a right to."""
        return None if self.party_id is None else receipts.receipt_id(self.position)


def append(
    tx: Tx,
    kind: str,
    now: datetime,
    body: Mapping[str, Any],
    *,
    party_id: str | None = None,
    subject_id: str | None = None,
) -> int:
    """Write one entry, its leaf and, for a party, the right to a receipt; return its position."""
    told = exact(dict(body))
    return append_exact(tx, kind, now, told, party_id=party_id, subject_id=subject_id)


def append_exact(
    tx: Tx,
    kind: str,
    now: datetime,
    body: Json,
    *,
    party_id: str | None,
    subject_id: str | None,
) -> int:
    """Do the same with a body that holds canonical types only, and that nobody changes."""
    at = instant_text(now)
    leaf = Leaf(_next_position(tx), kind, at, party_id, subject_id, body)
    tx.later_made(_ROWS, leaf)
    tx.known.setdefault(_FRESH, []).append(leaf)
    return leaf.position


def _rows(leaves: list[Leaf]) -> Iterable[tuple[Statement, Rows]]:
    """Hash leaves, and return their rows, their entries' and their receipts'."""
    hashed: Rows = []
    entries: Rows = []
    rights: Rows = []
    for leaf in leaves:
        assert leaf.body is not None
        position, kind, party_id, subject_id = (
            leaf.position,
            leaf.kind,
            leaf.party_id,
            leaf.subject_id,
        )
        content = receipts.entry_content(leaf.body, party_id, subject_id)
        salt = random_bytes(receipts.SALT_BYTES)
        digest = receipts.content_digest(salt, content)
        leaf.hash = leaf_hash(receipts.leaf_bytes(kind, leaf.at, digest))
        hashed.append((position, kind, leaf.at, digest, leaf.hash))
        entries.append((position, party_id, salt.hex(), content.decode()))
        if party_id is not None:
            rights.append((leaf.receipt_id, position, party_id, kind, subject_id))
    yield _LEAF, hashed
    yield _ENTRY, entries
    yield _RECEIPT, rights


_LEAF: Final[Statement] = ("ledger_leaf", ("position", "kind", "at", "digest", "hash"))
_ENTRY: Final[Statement] = ("ledger_entry", ("position", "party_id", "salt", "content"))
_RECEIPT: Final[Statement] = (
    "receipt",
    ("receipt_id", "position", "party_id", "kind", "subject_id"),
)
_ROWS: Final = Maker(("ledger_leaf", "ledger_entry", "receipt"), _rows)


def fresh_from(tx: Tx, size: int) -> list[Leaf]:
    """Return every leaf from position ``size`` on, in order and hashed.

    The batch remembers what it appended; asked is only where that may not be all.
    """
    known: list[Leaf] = tx.known.get(_FRESH, [])
    first = known[0].position if known else size
    if first == size and tx.lasting.get("position") == size + len(known):
        tx.make()
        return known
    rows = tx.all(
        "SELECT leaf.position, leaf.kind, leaf.at, leaf.hash, receipt.party_id, receipt.subject_id"
        " FROM ledger_leaf AS leaf LEFT JOIN receipt USING (position)"
        " WHERE leaf.position >= ? ORDER BY leaf.position",
        size,
    )
    return [Leaf(**row) for row in rows]


def forget(tx: Tx) -> None:
    """Let the batch remember none of what it appended: asked, the log says what is left of it."""
    tx.known.pop(_FRESH, None)


def _next_position(tx: Tx) -> int:
    """Return the next position; asked once, because nobody else gives any out."""
    if (position := tx.lasting.get("position")) is None:
        row = tx.one(_NEXT)
        assert row is not None
        position = int(row["next"])
    tx.lasting["position"] = position + 1
    return position
