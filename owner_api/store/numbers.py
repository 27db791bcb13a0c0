"""Which rows may hold a key, told from memory.

An index in the database would be written at another random page for each new key, which costs more
than the row. Rows that are numbered as they come cost none.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Who a key belongs to and what it is; the columns of a row that make it.
type Key = tuple[str, ...]

_BITS: Final = 23
_MASK: Final = (1 << _BITS) - 1
_WORD: Final = (1 << 64) - 1
# Sorting so many takes about a millisecond.
SEGMENT: Final = 1 << 14
# As many keys as share a filter: of unknown ones about 1 of 20 passes when it is full.
FILTERED: Final = 1 << 20


class Numbers:
    """The numbers of rows by their keys: 17 bytes a key, and a no is certain.

    A number that is told may be of a row that is not there any more, or of another key's: whoever
    asks looks. Where rows that were deleted come back, it must be made anew.
    """

    __slots__ = ("_parts", "last")

    def __init__(self, rows: Iterable[tuple[int, Key]] = ()) -> None:
        """Remember rows of a table, lowest number first."""
        self.last = 0
        self._parts = [_Part()]
        for number, key in rows:
            self._add(key, number)

    def add(self, key: Key) -> int:
        """Return the number of a new row with this key, higher than any before."""
        self._add(key, self.last + 1)
        return self.last

    def of(self, key: Key) -> list[int]:
        """Return which rows may hold a key, newest first; an empty list is certain."""
        word = hash(key) & _WORD
        return [number for part in reversed(self._parts) for number in part.of(key, word)]

    def forget_before(self, number: int) -> None:
        """Forget rows below a number, as far as it costs nothing."""
        while len(self._parts) > 1 and self._parts[0].last < number:
            del self._parts[0]
        self._parts[0].forget_before(number)

    def _add(self, key: Key, number: int) -> None:
        part = self._parts[-1]
        if part.is_full:
            part = _Part()
            self._parts.append(part)
        part.add(key, number)
        self.last = number


class _Part:
    """Keys that came one after another: a filter, the newest ones, and sorted segments of others.

    Texts are hashed anew in each process, so nobody can choose keys that meet.
    """

    __slots__ = ("_added", "_bits", "_newest", "_segments", "last")

    def __init__(self) -> None:
        self.last = 0
        self._added = 0
        self._bits = bytearray(1 << (_BITS - 3))
        self._newest: dict[Key, int] = {}
        self._segments: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []

    @property
    def is_full(self) -> bool:
        return self._added >= FILTERED

    def add(self, key: Key, number: int) -> None:
        word, bits = hash(key) & _WORD, self._bits
        for place in (word & _MASK, word >> _BITS & _MASK):
            bits[place >> 3] |= 1 << (place & 7)
        # The same key again: the row before was undone, or deleted.
        self._newest[key] = self.last = number
        self._added += 1
        if len(self._newest) >= SEGMENT:
            self._sort()

    def of(self, key: Key, word: int) -> list[int]:
        bits, first, second = self._bits, word & _MASK, word >> _BITS & _MASK
        if not bits[first >> 3] >> (first & 7) & bits[second >> 3] >> (second & 7) & 1:
            return []
        if (number := self._newest.get(key)) is not None:
            return [number]
        wanted, found = np.uint64(word), list[int]()
        for words, numbers in reversed(self._segments):
            at = int(words.searchsorted(wanted))
            while at < len(words) and words[at] == wanted:
                found.append(int(numbers[at]))
                at += 1
        return found

    def forget_before(self, number: int) -> None:
        while self._segments and int(self._segments[0][1].max()) < number:
            del self._segments[0]

    def _sort(self) -> None:
        words = np.array([hash(key) & _WORD for key in self._newest], dtype=np.uint64)
        numbers = np.fromiter(self._newest.values(), dtype=np.int64)
        order = words.argsort()
        self._segments.append((words[order], numbers[order]))
        self._newest.clear()
