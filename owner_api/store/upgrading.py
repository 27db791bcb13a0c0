"""Which schema a file has, and how it gets to the one this program knows."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
import sqlite3
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from .errors import StoreVersionError
from .locking import FileLock

_SCRIPTS: Final = Path(__file__).parent / "migrations"
_TABLE_MODULES: Final = (
    "owner_api.store.tables",
    "owner_api.store.domain_tables",
    "owner_api.store.ledger_tables",
)


def head() -> str:
    """Return the newest schema revision this program knows."""
    revision = _directory().get_current_head()
    assert revision is not None
    return revision


def current(path: Path) -> str | None:
    """Return a file's schema revision; None for a missing or empty file."""
    if not path.exists():
        return None
    connection = sqlite3.connect(path)
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
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
    """Upgrade a locked file when needed; raises StoreVersionError when it may not or cannot."""
    found, newest = current(path), head()
    if found == newest:
        return
    known = {script.revision for script in _directory().walk_revisions()}
    if found is not None and found not in known:
        raise StoreVersionError(
            f"{path}: schema {found} is newer than this program's {newest}; use a newer program"
        )
    if not allowed:
        raise StoreVersionError(f"{path}: schema {found} is older than {newest}; run db upgrade")
    if found is not None:
        _keep_copy(path, found)
    import_tables()
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    event.listen(engine, "connect", _by_hand)
    event.listen(engine, "begin", _begin)
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()


def import_tables() -> None:
    """Register every table on the shared MetaData."""
    for name in _TABLE_MODULES:
        if find_spec(name) is not None:
            import_module(name)


def _keep_copy(path: Path, revision: str) -> None:
    copy = path.with_name(f"{path.name}.before-{revision}")
    copy.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    try:
        connection.execute("VACUUM INTO ?", (str(copy),))
    finally:
        connection.close()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


def _directory() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


# The driver would commit before DDL by itself; a migration must be one transaction or nothing.
def _by_hand(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
