"""Running Alembic's steps; imported only when there is a step to run."""

from pathlib import Path
import sqlite3
from typing import Final
import uuid

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

SCRIPTS: Final = Path(__file__).parent / "migrations"


def migrate(path: Path) -> None:
    """Bring a locked file to the newest schema in one transaction; tables must be registered.

    Raises sqlite3.Error when the disk refuses: then nothing has changed.
    """
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    event.listen(engine, "connect", _by_hand)
    event.listen(engine, "begin", _begin)
    try:
        with engine.begin() as connection:
            _upgrade(connection)
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise error.orig from error
        raise
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> None:
    configured = config()
    configured.attributes["connection"] = connection
    command.upgrade(configured, "head")
    # Every database has an identity from birth and keeps it through backups.
    connection.exec_driver_sql(
        "INSERT INTO meta (key, value) VALUES ('server_id', ?) ON CONFLICT (key) DO NOTHING",
        (f"srv_{uuid.uuid7().hex}",),
    )


def config() -> Config:
    """Return where Alembic finds the steps."""
    configured = Config()
    configured.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    return configured


# The driver would commit before DDL by itself; a migration must be one transaction or nothing.
def _by_hand(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
