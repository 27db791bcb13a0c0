"""Tables of the log: what happened, its tree, its checkpoints, its keys, and who has a receipt.

``ledger_leaf`` and ``ledger_node`` are the tree and hold nothing about a person; ``ledger_entry``
holds the contents behind the salted digests and is the only one of them that is ever emptied.
"""

from typing import Final

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, text

from .metadata import STRICT, metadata

ledger_leaf = Table(
    "ledger_leaf",
    metadata,
    Column("position", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    # What the log says of itself; the other entries do not pay for it.
    Index("ledger_leaf_of_log", "kind", sqlite_where=text("kind = 'epoch' OR kind = 'key'")),
    **STRICT,
)
# Erased: salt and content are gone and ``erased_in`` is the position of the entry that says so.
ledger_entry = Table(
    "ledger_entry",
    metadata,
    Column("position", Integer, ForeignKey("ledger_leaf.position"), primary_key=True),
    # No index: every entry of a party has a receipt, and those are found by their party.
    Column("party_id", Text),
    Column("salt", Text),
    Column("content", Text),
    Column("erased_in", Integer),
    **STRICT,
)
ledger_node = Table(
    "ledger_node",
    metadata,
    Column("level", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    **STRICT,
)
ledger_checkpoint = Table(
    "ledger_checkpoint",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("size", Integer, nullable=False, unique=True),
    Column("root", LargeBinary, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("note", Text, nullable=False),
    **STRICT,
)
ledger_key = Table(
    "ledger_key",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("x", Text, nullable=False),
    Column("position", Integer, ForeignKey("ledger_leaf.position"), nullable=False),
    Column("statement", Text),
    **STRICT,
)
receipt = Table(
    "receipt",
    metadata,
    Column("receipt_id", Text, nullable=False),
    Column("position", Integer, ForeignKey("ledger_leaf.position"), primary_key=True),
    Column("party_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject_id", Text),
    Index("receipt_of_party", "party_id", "position"),
    Index("receipt_about", "subject_id", "party_id"),
    **STRICT,
)
LEDGER_TABLES: Final = (
    ledger_leaf,
    ledger_entry,
    ledger_node,
    ledger_checkpoint,
    ledger_key,
    receipt,
)
