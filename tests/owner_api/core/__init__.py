"""Tests of the pure decisions: machines, departures, rules, settlement, ledger."""
