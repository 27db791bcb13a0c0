"""Leaves, nodes, checkpoints and keys: is this the tree that was signed, whole and in order."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
import sqlite3

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from owner_api.core import checkpoint as notes, keyring
from owner_api.core.checkpoint import Checkpoint
from owner_api.core.epoch import Epoch, Standing, after, common, judge
from owner_api.core.keyring import Keyring, SignatureError
from owner_api.core.merkle import Frontier, Node, leaf_hash
from owner_api.core.receipt import leaf_bytes

from .contents import Contents
from .findings import Finding, Row, rows


@dataclass(slots=True)
class Tree:
    """What the stored leaves amount to: their number, and the roots at the sizes asked for."""

    size: int = 0
    epochs: list[Epoch] = field(default_factory=list)
    roots: dict[int, bytes] = field(default_factory=dict)
    heads: list[Checkpoint] = field(default_factory=list)
    server: str | None = None


def check_tree(
    connection: sqlite3.Connection,
    keys: Keyring,
    key_order: list[tuple[int, str]],
    wanted: Iterable[int],
    tree: Tree,
) -> Iterator[Finding]:
    """Rebuild the tree from its leaves and compare every node and checkpoint; fills ``tree``."""
    heads = list(rows(connection, "SELECT * FROM ledger_checkpoint ORDER BY number"))
    sizes = {*wanted, *(head["size"] for head in heads)}
    yield from _grow(connection, sizes, tree)
    yield from _check_heads(heads, keys, key_order, tree)


def _grow(connection: sqlite3.Connection, sizes: set[int], tree: Tree) -> Iterator[Finding]:
    nodes = _Nodes(connection)
    frontier = Frontier()
    for leaf in rows(connection, "SELECT * FROM ledger_leaf ORDER BY position"):
        name = str(leaf["position"])
        if leaf["position"] != frontier.size:
            yield Finding(
                table="ledger_leaf",
                row=name,
                column="position",
                what=f"stands where position {frontier.size} belongs",
            )
        hashed = leaf_hash(leaf_bytes(leaf["kind"], leaf["at"], leaf["digest"]))
        if hashed != leaf["hash"]:
            yield Finding(
                table="ledger_leaf", row=name, column="hash", what="is not the hash of the leaf"
            )
        frontier, made = frontier.append(hashed)
        for node in made[1:]:
            yield from nodes.take(node)
        if frontier.size in sizes:
            tree.roots[frontier.size] = frontier.root()
    yield from nodes.rest()
    tree.size = frontier.size


class _Nodes:
    """Holds the stored nodes against those that the leaves make, each level from its beginning."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        # Of each level: its stored nodes, and the next of them.
        self._levels: dict[int, tuple[Iterator[Row], Row | None]] = {}

    def take(self, node: Node) -> Iterator[Finding]:
        """Check the node that the leaves make next of its level."""
        stored, row = self._levels.get(node.level) or self._begun(node.level)
        while row is not None and row["number"] < node.number:
            yield _strange(row)
            row = next(stored, None)
        found = row["hash"] if row is not None and row["number"] == node.number else None
        if found != node.hash:
            what = "is missing" if found is None else "is not the hash of its children"
            yield Finding(
                table="ledger_node", row=f"{node.level},{node.number}", column="hash", what=what
            )
        if found is not None:
            row = next(stored, None)
        self._levels[node.level] = stored, row

    def rest(self) -> Iterator[Finding]:
        """Check that no node is left over."""
        for stored, row in self._levels.values():
            for each in () if row is None else chain((row,), stored):
                yield _strange(each)
        for row in rows(self._connection, "SELECT level, number FROM ledger_node WHERE level < 1"):
            yield _strange(row)
        above = max(self._levels, default=0)
        sql = "SELECT level, number FROM ledger_node WHERE level >= 1 AND level > ?"
        for row in rows(self._connection, sql, above):
            yield _strange(row)

    def _begun(self, level: int) -> tuple[Iterator[Row], Row | None]:
        sql = "SELECT * FROM ledger_node WHERE level = ? ORDER BY number"
        stored = rows(self._connection, sql, level)
        return stored, next(stored, None)


def _strange(row: Row) -> Finding:
    name = f"{row['level']},{row['number']}"
    return Finding(table="ledger_node", row=name, column=None, what="belongs to no tree")


def _check_heads(
    heads: list[Row], keys: Keyring, key_order: list[tuple[int, str]], tree: Tree
) -> Iterator[Finding]:
    """Check each checkpoint's place, signature and columns, and that the last covers all leaves."""
    last = 0
    for number, head in enumerate(heads):
        for finding in _check_head(number, head, keys, key_order, tree, last):
            yield Finding(
                table="ledger_checkpoint",
                row=str(head["number"]),
                column=finding[0],
                what=finding[1],
            )
        last = head["size"]
    if last != tree.size:
        yield Finding(
            table="ledger_checkpoint",
            row=None,
            column=None,
            what=f"the last checkpoint covers {last} leaves of {tree.size}",
        )


def _check_head(
    number: int, head: Row, keys: Keyring, key_order: list[tuple[int, str]], tree: Tree, last: int
) -> Iterator[tuple[str, str]]:
    if head["number"] != number:
        yield "number", f"stands where number {number} belongs"
    if head["size"] <= last:
        yield "size", "does not grow"
    try:
        signed, key_id = notes.verify(head["note"], keys)
    except notes.CheckpointError as error:
        yield "note", str(error)
        return
    tree.heads.append(signed)
    server = signed.origin.split("/")[1]
    tree.server = tree.server or server
    if server != tree.server:
        yield "note", "belongs to another server's log"
    in_force = [name for position, name in key_order if position < signed.size]
    opened = [epoch.number for epoch in tree.epochs if epoch.position < signed.size]
    epoch = opened[-1] if opened else 1
    expected = {
        "size": signed.size,
        "root": signed.root,
        "epoch": signed.epoch,
        "key_id": key_id,
    }
    for column, value in expected.items():
        if head[column] != value:
            yield column, "is not what the signed note says"
    if signed.epoch != epoch:
        yield "note", f"is of epoch {signed.epoch} where the log says {epoch}"
    if not in_force or key_id != in_force[-1]:
        yield "note", "was signed by a key that was not in force"
    if tree.roots.get(signed.size) != signed.root:
        yield "root", "is not the root over these leaves"


def check_epochs(contents: Contents, tree: Tree) -> Iterator[Finding]:
    """Read what each new epoch kept and gave up; fills ``tree``."""
    for position, body in contents.of_kind("epoch"):
        try:
            tree.epochs.append(Epoch.read(position, body))
        except notes.CheckpointError as error:
            yield Finding(
                table="ledger_entry", row=str(position), column="content", what=str(error)
            )


def check_keys(
    connection: sqlite3.Connection,
    contents: Contents,
    pinned: Keyring | None,
    keys: dict[str, Ed25519PublicKey],
) -> Iterator[Finding]:
    """Compare the key table with the log's key entries; fills ``keys`` with what they name."""
    logged: Mapping[str, Row] = {
        str(body["key_id"]): {"x": body["x"], "statement": body["statement"], "position": position}
        for position, body in contents.of_kind("key")
    }
    stored = {row["key_id"]: row for row in rows(connection, "SELECT * FROM ledger_key")}
    for name in logged.keys() | stored.keys():
        yield from _check_key(name, stored.get(name), logged.get(name), keys)
    newest = max(logged, key=lambda name: logged[name]["position"], default=None)
    if pinned is not None and newest is not None:
        statements = sorted(logged.values(), key=lambda row: row["position"])
        try:
            trusted = keyring.follow(pinned, [s["statement"] for s in statements if s["statement"]])
        except SignatureError as error:
            yield Finding(table="ledger_key", row=newest, column="statement", what=str(error))
            return
        if newest not in trusted:
            yield Finding(
                table="ledger_key",
                row=newest,
                column="statement",
                what="the log's key is neither the given public key nor vouched for by it",
            )


def _check_key(
    name: str, row: Row | None, logged: Row | None, keys: dict[str, Ed25519PublicKey]
) -> Iterator[Finding]:
    def wrong(column: str | None, what: str) -> Finding:
        return Finding(table="ledger_key", row=name, column=column, what=what)

    if logged is None:
        yield wrong(None, "is in no entry of the log")
        return
    try:
        public = keyring.read_jwk({"kty": "OKP", "crv": "Ed25519", "x": logged["x"]})
    except SignatureError as error:
        yield wrong("x", str(error))
        return
    if keyring.key_id(public) != name:
        yield wrong("key_id", "is not the name of this key")
    keys[name] = public
    if row is None:
        yield wrong(None, "is missing")
        return
    for column, value in logged.items():
        if row[column] != value:
            yield wrong(column, "is not what the log recorded")


def check_shown(note: str, keys: Keyring, tree: Tree) -> Iterator[Finding]:
    """Hold a checkpoint that somebody kept against this log."""

    def wrong(what: str) -> Finding:
        return Finding(table="ledger_checkpoint", row="shown", column=None, what=what)

    try:
        shown, _ = notes.verify(note, keys)
    except notes.CheckpointError as error:
        yield wrong(f"the shown checkpoint is of no use: {error}")
        return
    if tree.server is not None and shown.origin.split("/")[1] != tree.server:
        yield wrong("the shown checkpoint belongs to another server's log")
        return

    def holds(each: Checkpoint) -> bool:
        return tree.roots.get(each.size) == each.root

    standing = judge(shown, tree.epochs, holds)
    if standing is Standing.CONTRADICTED:
        yield wrong(_how(shown, tree))
    kept = common(after(shown.epoch, tree.epochs))
    if standing is Standing.GIVEN_UP and kept is not None and shown.size <= kept:
        # Said openly, and still not the history that its holder has receipts of.
        number = max(each.number for each in tree.epochs)
        yield wrong(f"it is of another history, which this log gave up by its epoch {number}")


def _how(shown: Checkpoint, tree: Tree) -> str:
    """Say in which way a checkpoint that no later epoch gave up contradicts this log."""
    later = after(shown.epoch, tree.epochs)
    kept = common(later)
    if shown.size <= (tree.size if kept is None else kept):
        return (
            f"the first {shown.size} leaves are not those that were signed: history was"
            " rebuilt or forked"
        )
    if kept is None:
        return f"the log has {tree.size} leaves where {shown.size} were signed: its tail is cut"
    lost = max(each.lost.size if each.lost else each.kept for each in later)
    return f"epoch {later[-1].number} says that {lost} leaves were signed, not {shown.size}"
