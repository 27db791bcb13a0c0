"""Pure decisions: model, machines, rules, settlement, ledger. No I/O, clock or randomness."""
