"""What stands between a path and a connection that writes."""

from pathlib import Path
import sqlite3

from . import upgrading
from .connect import open_writer
from .copying import remove_drafts
from .errors import StoreError


def find(path: Path, *, create: bool) -> Path:
    """Return the file itself where a link was named: what stands beside it is found from there."""
    path = path.resolve()
    if not path.parent.is_dir():
        raise StoreError(f"{path.parent}: no such directory")
    if not create and not path.exists():
        raise StoreError(f"{path}: no such database")
    return path


def prepare(path: Path, *, create: bool, synchronous: str, single: bool) -> sqlite3.Connection:
    """Bring a locked file to the newest schema and open it; raises StoreError."""
    try:
        remove_drafts(path)
    except OSError as error:
        raise StoreError(f"{path.parent}: cannot be tidied ({error})") from error
    upgrading.bring_up(path, allowed=create)
    return open_writer(path, synchronous=synchronous, exclusive=single)
