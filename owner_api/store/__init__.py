"""The durable store: tables, one writer, reads, migrations."""

from .errors import (
    StoreClosedError,
    StoreError,
    StoreLockedError,
    StoreUnavailableError,
    StoreVersionError,
)
from .pending import Event
from .store import Store
from .tx import Tx
from .writer import Commit

__all__ = [
    "Commit",
    "Event",
    "Store",
    "StoreClosedError",
    "StoreError",
    "StoreLockedError",
    "StoreUnavailableError",
    "StoreVersionError",
    "Tx",
]
