"""The owner's agent: takes discharge offers, judges them, keeps promises and the ledger."""

from typing import Final

__version__: Final = "0.1.0"
