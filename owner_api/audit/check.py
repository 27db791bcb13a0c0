"""One audit of one database: every check in the order in which they need each other."""

from collections.abc import Iterator, Sequence
from pathlib import Path
import sqlite3
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from owner_api.core import checkpoint as notes
from owner_api.core.epoch import in_question
from owner_api.core.keyring import Keyring
from owner_api.store.errors import told

from .books import Postings, Receipts
from .contents import Contents, check_contents
from .findings import COVERED, Finding
from .tree import Tree, check_epochs, check_keys, check_shown, check_tree

WITHOUT_CHECKPOINT: Final = (
    "Without a checkpoint that somebody else kept, a cut tail or a rebuilt history cannot be "
    "excluded."
)
WITHOUT_KEY: Final = "Without a public key from elsewhere, the keys are the database's own word."


class NoLogError(Exception):
    """The file cannot be read as a database with a log."""


def audit(
    connection: sqlite3.Connection,
    *,
    pinned: Keyring | None = None,
    shown: Sequence[str] = (),
) -> Iterator[Finding]:
    """Yield everything that does not hold; nothing when the log is whole.

    ``pinned`` are keys known from elsewhere, ``shown`` checkpoints (signed notes) that somebody
    kept. Raises NoLogError when the tables are not there.
    """
    _require_tables(connection)
    books = Receipts(connection), Postings(connection)
    contents, tree = Contents(readers=tuple(each.take for each in books)), Tree()
    yield from check_contents(connection, contents)
    keys: dict[str, Ed25519PublicKey] = {}
    yield from check_keys(connection, contents, pinned, keys)
    yield from check_epochs(contents, tree)
    order = sorted((position, str(body["key_id"])) for position, body in contents.of_kind("key"))
    yield from check_tree(connection, keys, order, _sizes(shown, tree), tree)
    for each in books:
        yield from each.rest()
    for note in shown:
        yield from check_shown(note, {**keys, **(pinned or {})}, tree)


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a database file for reading only; raises NoLogError when there is none."""
    if not path.is_file():
        raise NoLogError(f"{path}: no such database")
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    connection.execute("PRAGMA busy_timeout=5000")
    connection.isolation_level = None
    return connection


def _require_tables(connection: sqlite3.Connection) -> None:
    try:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
    except sqlite3.DatabaseError as error:
        raise NoLogError(f"cannot be read ({told(error)})") from error
    missing = [name for name in COVERED if name not in names]
    if missing:
        raise NoLogError(f"no log in it: {', '.join(missing)} missing; see db upgrade")


def _sizes(shown: Sequence[str], tree: Tree) -> Iterator[int]:
    for note in shown:
        try:
            asked = notes.parse(note)
        except notes.CheckpointError:
            continue
        for each in in_question(asked, tree.epochs):
            yield each.size
