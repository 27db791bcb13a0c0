"""Typed, time-ordered identifiers."""

from typing import Final
import uuid

PREFIXES: Final = frozenset(
    (
        "own",
        "prk",
        "pst",
        "dev",
        "cod",
        "veh",
        "chg",
        "agr",
        "mbr",
        "rul",
        "ses",
        "off",
        "dec",
        "com",
        "ins",
        "rdg",
        "stl",
        "rwd",
        "stp",
        "dsp",
        "evt",
        "txn",
    )
)


def new_id(prefix: str) -> str:
    """Return ``<prefix>_<32 hex digits of a UUIDv7>``; later ids sort after earlier ones."""
    if prefix not in PREFIXES:
        raise ValueError(f"unknown id prefix {prefix!r}; known: {' '.join(sorted(PREFIXES))}")
    return f"{prefix}_{uuid.uuid7().hex}"
