"""Checking a database's log from outside: reads a file, trusts nothing in it but the arithmetic."""
