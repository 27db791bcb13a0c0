"""Trust that can be checked: log, receipts, checkpoints."""
