"""The owner's agent: takes discharge offers, judges them, keeps promises and the ledger."""
