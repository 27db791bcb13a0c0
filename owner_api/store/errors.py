"""Why a store cannot be opened or cannot answer."""

import errno
import sqlite3
from typing import Final


class StoreError(Exception):
    """The store cannot do what was asked; the message says what would help."""


class StoreLockedError(StoreError):
    """Another process holds this database."""


class StoreVersionError(StoreError):
    """The database's schema is newer than this program, or older and may not be changed."""


class StoreUnavailableError(StoreError):
    """The disk or the database refused; nothing of this command was kept."""


class StoreClosedError(StoreError):
    """The store is closed or closing."""


# The machine's fault, not the statement's: the same command may work later.
_REFUSALS: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOTADB,
    }
)
_PRIMARY: Final = 0xFF
# What SQLite calls a "disk I/O error" where a file could not grow, or not be kept.
_NO_ROOM: Final = frozenset(
    {
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_SHMOPEN,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMMAP,
    }
)


_FULL: Final = "the disk may be full, or has a limit"
_OTHERS: Final = "run this as the user that the database belongs to"
_HELPS: Final = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EACCES: _OTHERS,
    errno.EPERM: _OTHERS,
}


def told(error: BaseException) -> str:
    """Return what went wrong, and what to look at first where the system's word names no cause."""
    if getattr(error, "sqlite_errorcode", None) in _NO_ROOM:
        return f"{error}; {_FULL}"
    if isinstance(error, OSError) and error.strerror:
        helps = _HELPS.get(error.errno or 0)
        return f"{error.strerror}; {helps}" if helps else error.strerror
    return str(error)


def as_refusal(error: BaseException) -> BaseException:
    """Return StoreUnavailableError for a failure of disk or memory, else the error itself."""
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(error, sqlite3.Error) and code is not None and code & _PRIMARY in _REFUSALS:
        return StoreUnavailableError(f"the database refused: {told(error)}")
    return error
