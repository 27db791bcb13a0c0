"""Which schema a file has, and how it gets to the one this program knows."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
import sqlite3
from typing import Final

from .errors import StoreError, StoreVersionError, told
from .locking import FileLock

# A step's file begins with its revision: a start that finds nothing to do reads names and no
# more, because Alembic and SQLAlchemy take longer to import than all the rest.
_STEPS: Final = Path(__file__).parent / "migrations" / "versions"
_BEFORE: Final = ".before-"
_MIGRATING: Final = "owner_api.store.migrating"
_TABLE_MODULES: Final = (
    "owner_api.store.tables",
    "owner_api.store.domain_tables",
    "owner_api.store.ledger_tables",
)


def head() -> str:
    """Return the newest schema revision this program knows."""
    return _known()[-1]


def is_known(revision: str) -> bool:
    """Tell whether this program knows the way from a schema revision to its newest."""
    return revision in _known()


def _known() -> list[str]:
    return sorted(path.name.partition("_")[0] for path in _STEPS.glob("[0-9]*_*.py"))


def current(path: Path) -> str | None:
    """Return a file's schema revision, None for a missing or empty file; raises StoreError."""
    if not path.exists():
        return None
    connection = sqlite3.connect(path)
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        # No such table. A disk that refuses says nothing of what is in the file.
        if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
            return None
        raise StoreError(f"{path}: {told(error)}") from error
    finally:
        connection.close()
    return None if row is None else str(row[0])


def upgrade(path: Path) -> str:
    """Bring a database nobody serves to the newest schema; return the revision it has now.

    Raises StoreLockedError while a process serves it, StoreVersionError when it is newer.
    """
    lock = FileLock(path)
    lock.acquire()
    try:
        bring_up(path, allowed=True)
    finally:
        lock.release()
    return head()


def bring_up(path: Path, *, allowed: bool) -> None:
    """Upgrade a locked file when needed.

    Raises StoreVersionError when it may not or is newer, StoreError when the disk refuses.
    """
    found, newest = current(path), head()
    if found == newest:
        return
    if found is not None and not is_known(found):
        raise StoreVersionError(
            f"{path}: schema {found} is newer than this program's {newest}; use a newer program"
        )
    if not allowed:
        held = "nothing is in it" if found is None else f"schema {found} is older than {newest}"
        raise StoreVersionError(f"{path}: {held}; run db upgrade")
    copy = None if found is None else path.with_name(f"{path.name}{_BEFORE}{found}")
    try:
        if copy is not None:
            _keep_copy(path, copy)
        import_tables()
        import_module(_MIGRATING).migrate(path)
    except sqlite3.Error as error:
        if copy is not None:
            # The file is as it was, and what has no room must not take any.
            copy.unlink(missing_ok=True)
        raise StoreError(f"{path}: not upgraded, and as it was before: {told(error)}") from error


def import_tables() -> None:
    """Register every table on the shared MetaData."""
    for name in _TABLE_MODULES:
        if find_spec(name) is not None:
            import_module(name)


def kept_copies(path: Path) -> list[Path]:
    """Return the copies that upgrades of a database have left beside it, oldest schema first."""
    path = path.resolve()
    begins = f"{path.name}{_BEFORE}"
    return sorted(each for each in path.parent.iterdir() if each.name.startswith(begins))


def _keep_copy(path: Path, copy: Path) -> None:
    copy.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    try:
        connection.execute("VACUUM INTO ?", (str(copy),))
    finally:
        connection.close()
