"""The log after every kill: each new entry under its leaf, every leaf under the newest signature.

Only what is new since the last look is read, and the tree is grown from where that look ended. A
root that fits therefore also says that nothing before it has changed.
"""

from collections.abc import Iterator
from pathlib import Path
import sqlite3
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from owner_api.access.keys import load_keys
from owner_api.core import checkpoint as notes
from owner_api.core.keyring import keyring
from owner_api.core.merkle import Frontier, leaf_hash
from owner_api.core.receipt import content_digest, leaf_bytes

_NEW: Final = (
    "SELECT position, kind, at, digest, hash, salt, content FROM ledger_leaf"
    " LEFT JOIN ledger_entry USING (position) WHERE position >= ? ORDER BY position"
)
_HEAD: Final = "SELECT note FROM ledger_checkpoint ORDER BY number DESC LIMIT 1"


class LogWatch:
    """One database's log as far as it was read."""

    def __init__(self, database: Path) -> None:
        public = load_keys(database).receipt.private.public_key()
        assert isinstance(public, Ed25519PublicKey)
        self._keys = keyring(public)
        self._frontier = Frontier()

    def look(self, connection: sqlite3.Connection) -> Iterator[str]:
        """Yield what does not hold in what the log has gained."""
        for position, kind, at, digest, stored, salt, content in connection.execute(
            _NEW, (self._frontier.size,)
        ):
            if position != self._frontier.size:
                yield f"leaf {position} stands where {self._frontier.size} belongs"
            if salt is None or content_digest(bytes.fromhex(salt), content.encode()) != digest:
                yield f"entry {position} is not what its leaf committed to"
            hashed = leaf_hash(leaf_bytes(kind, at, digest))
            if hashed != stored:
                yield f"leaf {position} is not the hash of its columns"
            self._frontier, _ = self._frontier.append(hashed)
        row = connection.execute(_HEAD).fetchone()
        try:
            signed, _ = notes.verify(row[0], self._keys)
        except (notes.CheckpointError, TypeError) as error:
            yield f"the newest checkpoint: {error}"
            return
        if (signed.size, signed.root) != (self._frontier.size, self._frontier.root()):
            yield f"the newest checkpoint signs {signed.size} leaves, not these"
