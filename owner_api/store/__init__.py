"""The durable store: tables, one writer, reads, migrations."""

from .errors import (
    StoreClosedError,
    StoreError,
    StoreLockedError,
    StoreUnavailableError,
    StoreVersionError,
)
from .store import Store
from .tx import Tx

__all__ = [
    "Store",
    "StoreClosedError",
    "StoreError",
    "StoreLockedError",
    "StoreUnavailableError",
    "StoreVersionError",
    "Tx",
]
