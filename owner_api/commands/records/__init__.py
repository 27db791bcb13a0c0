"""Rows of the store as the model's objects."""

from .commitment import CommitmentRecord
from .offer import OfferRecord
from .opened import Row
from .session import SessionRecord
from .vehicle import VehicleRecord

__all__ = [
    "CommitmentRecord",
    "OfferRecord",
    "Row",
    "SessionRecord",
    "VehicleRecord",
]
