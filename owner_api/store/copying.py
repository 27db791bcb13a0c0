"""Whole copies of a database, and what can be checked about one without serving it."""

from collections.abc import Callable
from dataclasses import dataclass
import os
from pathlib import Path
import re
import secrets
import sqlite3
from typing import Final

from .errors import StoreClosedError, StoreError, told
from .tx import Tx
from .upgrading import current, head, is_known

_LEFT_BESIDE: Final = ("-wal", "-shm", "-journal")
_DRAFT_BYTES: Final = 8
# So many bytes in hex, and what SQLite writes beside.
_DRAFT_END: Final = re.compile(r"[0-9a-f]{16}(-journal)?")
_PATIENCE_MS: Final = 5_000
# 1 MiB at a time, and how long (s) a piece waits for a transaction to end.
_PIECE_PAGES: Final = 256
_PIECE_WAITS_S: Final = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a check of one file found: its schema beside this program's, and what is damaged."""

    revision: str | None
    newest: str
    problems: tuple[str, ...]

    @property
    def is_newer(self) -> bool:
        """Tell whether only a newer program can serve the file."""
        return self.revision is not None and not is_known(self.revision)

    @property
    def sound(self) -> bool:
        """Tell whether the file can be served as it is."""
        return not self.problems and self.revision == self.newest


def check(path: Path) -> Health:
    """Check a file, served or not: pages, references, schema revision and the books' sums.

    Raises StoreError when it cannot be opened or is no database.
    """
    newest = head()
    connection = _open(path)
    try:
        revision = current(path)
        problems = [
            f"integrity: {row[0]}"
            for row in connection.execute("PRAGMA integrity_check")
            if row[0] != "ok"
        ]
        problems += [
            f"reference: {row[0]} row {row[1]} names a {row[2]} that does not exist"
            for row in connection.execute("PRAGMA foreign_key_check")
        ]
        if revision == newest:
            problems += [
                f"books: transaction {row[0]} sums to {row[2]} {row[1]}"
                for row in connection.execute(
                    "SELECT txn_id, currency, sum(amount_minor) AS total FROM posting"
                    " GROUP BY txn_id, currency HAVING total <> 0"
                )
            ]
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path}: cannot be read ({told(error)})") from error
    finally:
        connection.close()
    return Health(revision=revision, newest=newest, problems=tuple(problems))


def is_held(path: Path) -> bool:
    """Tell whether a server keeps the file to its own connection, as older SQLites need it.

    Asked first by whoever would read: a copy would wait for such a file for ever.
    """
    connection = _open(path)
    # A server that opens or leaves it holds it for a moment; one that keeps it, for long.
    connection.execute("PRAGMA busy_timeout=1000")
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    finally:
        connection.close()
    return False


def draft_beside(path: Path) -> Path:
    """Return a hidden name beside a database for a copy of it that somebody reads and removes."""
    return path.with_name(f".{path.name}.{secrets.token_hex(_DRAFT_BYTES)}")


def remove_drafts(path: Path) -> None:
    """Remove what a killed server has left of such copies: whoever was erased is still in them.

    For who holds the database's lock.
    """
    begin = f".{path.name}."
    for each in path.parent.iterdir():
        if each.name.startswith(begin) and _DRAFT_END.fullmatch(each.name.removeprefix(begin)):
            each.unlink(missing_ok=True)


def copy_own(connection: sqlite3.Connection, target: Path, goes_on: Callable[[], bool]) -> None:
    """Copy a database over the connection that writes it, while that goes on; blocks.

    What is written meanwhile is in the copy. Raises StoreClosedError once ``goes_on`` says no,
    sqlite3.Error.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    writer = sqlite3.connect(target)

    def look(_status: int, _left: int, _pages: int) -> None:
        if not goes_on():
            raise StoreClosedError("the store is closing; nothing was copied")

    try:
        # In pieces: a stop must not wait for all of it.
        connection.backup(writer, pages=_PIECE_PAGES, progress=look, sleep=_PIECE_WAITS_S)
        writer.execute("PRAGMA journal_mode=DELETE")
    except BaseException:
        target.unlink()
        raise
    finally:
        writer.close()


def copy(source: Path, target: Path, change: Callable[[Tx], None] = lambda _tx: None) -> int:
    """Copy a database, served or not, to a new file and return its size in bytes.

    The copy is one consistent state, with ``change`` made to it, on disk before it gets its name.
    Raises StoreError when the target exists, the source is no database, or either cannot be read
    or written.
    """
    if not target.parent.is_dir():
        raise StoreError(f"{target.parent}: no such directory")
    if target.exists():
        raise StoreError(f"{target}: exists; a copy never overwrites")
    for ending in _LEFT_BESIDE:
        left = target.with_name(target.name + ending)
        # SQLite would play a lost file's last writes into whatever takes its name.
        if left.exists():
            raise StoreError(f"{left}: belongs to a file that was lost; move it away first")
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        said = f"{target.parent}: no file can be made there ({error.strerror})"
        raise StoreError(said) from error
    try:
        _copy(source, draft, change)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        # Unlike a rename, a link fails when somebody else took the name meanwhile.
        os.link(draft, target)
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{source} cannot be copied to {target}: {told(error)}") from error
    finally:
        # By name: what a pattern would find depends on the characters in the target's own.
        for ending in ("", *_LEFT_BESIDE):
            draft.with_name(draft.name + ending).unlink(missing_ok=True)
    return target.stat().st_size


def _copy(source: Path, draft: Path, change: Callable[[Tx], None]) -> None:
    reader, writer = _open(source), sqlite3.connect(draft)
    try:
        # In one piece: one read transaction, so a served database may go on writing meanwhile.
        reader.backup(writer, pages=-1)
        # One closed file: a copy has no log beside it.
        writer.execute("PRAGMA journal_mode=DELETE")
        with writer:
            change(Tx(writer))
    finally:
        writer.close()
        reader.close()


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise StoreError(f"{path}: no such database")
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    connection.execute(f"PRAGMA busy_timeout={_PATIENCE_MS}")
    return connection
