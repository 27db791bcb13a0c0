"""A database that nobody has used yet: made once by the real steps, and copied for each test."""

from contextlib import closing
from functools import cache
from pathlib import Path
import sqlite3
import tempfile
from typing import Final
import uuid

from owner_api.store import upgrading

# No test that uses this cuts the power, and on a busy disk most of a test was waiting for flushes.
# What must survive a cut is shown where it is cut: tests/owner_api/reliability, test_store_crash.
SYNCHRONOUS: Final = "OFF"


def lay(path: Path) -> Path:
    """Put such a database, with an identity of its own, where there is none yet; return where."""
    if not path.exists():
        path.write_bytes(_made())
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(f"PRAGMA synchronous={SYNCHRONOUS}")
            change = "UPDATE meta SET value = ? WHERE key = 'server_id'"
            assert connection.execute(change, (f"srv_{uuid.uuid7().hex}",)).rowcount == 1
    return path


@cache
def _made() -> bytes:
    """Bring an empty file to the newest schema: two dozen steps, longer than most tests take."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "owner.db"
        upgrading.upgrade(path)
        return path.read_bytes()
