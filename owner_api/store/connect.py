"""How every SQLite connection of ours is opened."""

import os
from pathlib import Path
import sqlite3
from typing import Final, Literal

from .connection import Connection
from .errors import StoreError, StoreUnavailableError

# Before this version several connections could corrupt a database at a WAL reset
# (sqlite.org/wal.html, "WAL-reset bug"; fixed in 3.51.3, 3.50.7 and 3.44.6).
SAFE_WITH_SEVERAL: Final = (3, 51, 3)
_BACKPORTS: Final = {(3, 50): 7, (3, 44): 6}
BUSY_TIMEOUT_MS: Final = 5_000
# What a busy park's day touches stays in memory.
CACHE_KIB: Final = 16_384

type Synchronous = Literal["FULL", "NORMAL", "OFF"]


def several_connections_are_safe(version: tuple[int, int, int]) -> bool:
    """Tell whether a SQLite version may serve one file over several connections."""
    fixed_in = _BACKPORTS.get(version[:2])
    return version >= SAFE_WITH_SEVERAL or (fixed_in is not None and version[2] >= fixed_in)


def open_writer(path: Path, *, synchronous: str, exclusive: bool) -> sqlite3.Connection:
    """Return the one connection that writes; transactions are begun and ended by hand.

    ``exclusive`` keeps the file to this connection alone, for SQLite versions that need it.
    """
    if synchronous not in ("FULL", "NORMAL", "OFF"):
        raise StoreError(f"synchronous {synchronous!r}: FULL, NORMAL or OFF")
    connection = _open(path)
    if exclusive:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(f"{path}: this file system gives journal mode {mode}; WAL is needed")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    _keep_entries(path, connection)
    # What a savepoint could undo is kept in memory; a file for it would be the slowest part.
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    if not exclusive:
        # A Checkpointer does it beside the writer.
        connection.execute("PRAGMA wal_autocheckpoint=0")
    return connection


def _keep_entries(path: Path, connection: sqlite3.Connection) -> None:
    """Make sure that the file and its log are found again after a power cut.

    SQLite syncs the folder too, once, but takes no notice when that fails: a log that is not found
    is everything since the last checkpoint. Raises StoreUnavailableError.
    """
    # Reading makes the log's file, if it is not there yet.
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError as error:
        raise StoreUnavailableError(f"{path.parent}: cannot be synced ({error})") from error
    finally:
        os.close(folder)


def open_checkpointer(path: Path, synchronous: str) -> sqlite3.Connection:
    """Return a connection that moves the log into the database, and flushes as the writer does."""
    connection = _open(path)
    connection.execute(f"PRAGMA synchronous={synchronous}")
    return connection


def open_reader(path: Path, *, patient: bool = True) -> sqlite3.Connection:
    """Return a connection that refuses to write; one that is not patient waits for no lock."""
    connection = _open(path)
    connection.execute("PRAGMA query_only=ON")
    if not patient:
        connection.execute("PRAGMA busy_timeout=0")
    return connection


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=512,
        factory=Connection,
    )
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    return connection
