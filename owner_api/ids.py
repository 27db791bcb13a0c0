"""Typed, time-ordered identifiers."""

import os
from threading import Lock
from time import time_ns
from typing import Final

from owner_api.core.drawn import random_bytes

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


_MS: Final = 1_000_000
# What follows an instant in a UUIDv7: 74 random bits around the marks of version and variant.
_TAIL: Final = (1 << 74) - 1
_LOW: Final = (1 << 62) - 1
_VERSION: Final = 7 << 76
_VARIANT: Final = 2 << 62


class _Uuids:
    """UUIDs of version 7 in strictly rising order: RFC 9562 section 6.2, method 2.

    ``uuid.uuid7`` draws random bits for each, which in a process of several threads takes thirty
    times as long as the rest of it.
    """

    def __init__(self) -> None:
        self._begin()
        # A fork must not count on where its parent does.
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._lock = Lock()
        self._ms = self._tail = 0

    def next(self) -> str:
        """Return the next one as 32 hex digits."""
        with self._lock:
            ms = time_ns() // _MS
            # Within a millisecond, or after a clock was set back, the random bits count on.
            tail = self._tail + 1 + int.from_bytes(random_bytes(4))
            if ms > self._ms:
                self._ms, tail = ms, int.from_bytes(random_bytes(10)) & _TAIL
            elif tail > _TAIL:
                self._ms, tail = self._ms + 1, tail & _TAIL
            self._tail = tail
            number = self._ms << 80 | _VERSION | tail >> 62 << 64 | _VARIANT | tail & _LOW
        return f"{number:032x}"


uuid7_hex: Final = _Uuids().next


def new_id(prefix: str) -> str:
    """Return ``<prefix>_<32 hex digits of a UUIDv7>``; later ids sort after earlier ones."""
    if prefix not in PREFIXES:
        raise ValueError(f"unknown id prefix {prefix!r}; known: {' '.join(sorted(PREFIXES))}")
    return f"{prefix}_{uuid7_hex()}"
