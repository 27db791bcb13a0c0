"""The durable store: tables, one writer, reads, migrations."""

from .batching import Commit
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
