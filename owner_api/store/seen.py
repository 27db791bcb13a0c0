"""Which keys may be in a table: asking it for one that is not costs a statement."""

from collections.abc import Iterable
from typing import Final

_BITS: Final = 23
_MASK: Final = (1 << _BITS) - 1
_PART: Final = 3  # bytes of a digest that make one place


class Seen:
    """A Bloom filter of SHA-256 digests, 1 MiB; about 1 of 20 unknown ones passes at a million."""

    __slots__ = ("_bits",)

    def __init__(self, digests: Iterable[bytes]) -> None:
        self._bits = bytearray(1 << (_BITS - 3))
        for digest in digests:
            self.add(digest)

    def add(self, digest: bytes) -> None:
        """Remember a key; nothing is ever forgotten."""
        bits = self._bits
        for at in (0, _PART):
            place = int.from_bytes(digest[at : at + _PART]) & _MASK
            bits[place >> 3] |= 1 << (place & 7)

    def may_hold(self, digest: bytes) -> bool:
        """Tell whether the key may have been added; False is certain."""
        bits = self._bits
        first = int.from_bytes(digest[:_PART]) & _MASK
        second = int.from_bytes(digest[_PART : 2 * _PART]) & _MASK
        return bool(bits[first >> 3] >> (first & 7) & bits[second >> 3] >> (second & 7) & 1)
