"""Where the tree's kept nodes are read."""

from owner_api.core.merkle import Lookup
from owner_api.store.tx import Tx


def node_lookup(tx: Tx) -> Lookup:
    """Return how the tree's kept nodes are read."""

    def lookup(level: int, number: int) -> bytes:
        if level:
            row = tx.one(
                "SELECT hash FROM ledger_node WHERE level = ? AND number = ?", level, number
            )
        else:
            row = tx.one("SELECT hash FROM ledger_leaf WHERE position = ?", number)
        if row is None:
            raise LookupError(f"the log has lost node {number} of level {level}")
        return bytes(row["hash"])

    return lookup
