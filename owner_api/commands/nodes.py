"""Where the tree's kept nodes are written and read."""

from collections.abc import Iterable
from typing import Final

from owner_api.core.merkle import Lookup, Node
from owner_api.store.pending import Maker, Rows, Statement
from owner_api.store.tx import Tx

_NODE: Final[Statement] = ("ledger_node", Node._fields)


def _rows(grown: list[list[Node]]) -> Iterable[tuple[Statement, Rows]]:
    """Return the rows of nodes; a leaf has one of its own."""
    yield _NODE, [node for made in grown for node in made if node.level]


# Given the nodes that were made.
NODES: Final = Maker(("ledger_node",), _rows)


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
