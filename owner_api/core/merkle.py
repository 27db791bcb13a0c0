"""The Merkle tree of RFC 6962 and RFC 9162 §2.1: append, prove inclusion, prove consistency.

Hashes are 32 bytes. Only complete subtrees are kept, as nodes ``(level, number)``: the node covers
the leaves from ``number << level`` on, ``1 << level`` of them. They never change once made, so
appending costs O(log n) and a proof for any past size O(log² n) lookups.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
import hashlib
from typing import Final, NamedTuple

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

type Lookup = Callable[[int, int], bytes]


class ProofError(ValueError):
    """A proof that does not lead where it should, or that cannot exist."""


class Node(NamedTuple):
    """The hash of one complete subtree; level 0 is a leaf."""

    level: int
    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Frontier:
    """The complete subtrees that make up a tree of ``size`` leaves, largest (leftmost) first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def append(self, *leaves: bytes) -> tuple[Frontier, list[Node]]:
        """Return the frontier with more leaf hashes, and the nodes completed by them."""
        peaks, made = list(self.peaks), []
        for position, leaf in enumerate(leaves, self.size):
            level, number, current = 0, position, leaf
            made.append(Node(level, number, current))
            while number & 1:
                level, number, current = level + 1, number >> 1, node_hash(peaks.pop(), current)
                made.append(Node(level, number, current))
            peaks.append(current)
        return Frontier(self.size + len(leaves), tuple(peaks)), made

    def root(self) -> bytes:
        """Return the tree's root hash."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ entry): a leaf can never be mistaken for a node."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def frontier_at(size: int, lookup: Lookup) -> Frontier:
    """Return the frontier of the first ``size`` leaves from kept nodes."""
    peaks, start = [], 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            peaks.append(lookup(level, start >> level))
            start += 1 << level
    return Frontier(size, tuple(peaks))


def inclusion_proof(position: int, size: int, lookup: Lookup) -> tuple[bytes, ...]:
    """Return the audit path of the leaf at ``position`` in the tree of ``size`` leaves.

    Raises ProofError unless 0 ≤ position < size (RFC 9162 §2.1.3.1).
    """
    if not 0 <= position < size:
        raise ProofError(f"position {position}: 0 to {size - 1} are in a tree of {size}")
    path, low, high = [], 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if position < middle:
            path.append(_range_root(middle, high, lookup))
            high = middle
        else:
            path.append(_range_root(low, middle, lookup))
            low = middle
    return tuple(reversed(path))


def consistency_proof(old: int, new: int, lookup: Lookup) -> tuple[bytes, ...]:
    """Return the proof that the first ``old`` leaves of ``new`` are the older tree.

    Raises ProofError unless 0 < old ≤ new (RFC 9162 §2.1.4.1).
    """
    if not 0 < old <= new:
        raise ProofError(f"from {old} to {new}: sizes must satisfy 0 < from ≤ to")
    path, low, high = [], 0, new
    while high != old:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_range_root(middle, high, lookup))
            high = middle
        else:
            path.append(_range_root(low, middle, lookup))
            low = middle
    # The old root itself is known to the verifier; any other old subtree must be named.
    if low:
        path.append(_range_root(low, high, lookup))
    return tuple(reversed(path))


def verify_inclusion(
    leaf: bytes, position: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Check an audit path against a root; raises ProofError (RFC 9162 §2.1.3.2)."""
    if not 0 <= position < size:
        raise ProofError(f"position {position} is outside a tree of {size}")
    found = leaf
    for sibling, is_left in _climb(position, size - 1, path):
        found = node_hash(sibling, found) if is_left else node_hash(found, sibling)
    if found != root:
        raise ProofError("the inclusion proof leads to another root")


def verify_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that one tree only grew into the other; raises ProofError (RFC 9162 §2.1.4.2)."""
    if not 0 < old <= new:
        raise ProofError(f"from {old} to {new}: sizes must satisfy 0 < from ≤ to")
    if old == new:
        if path or old_root != new_root:
            raise ProofError("two trees of one size differ")
        return
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not steps:
        raise ProofError("the proof is empty")
    # Both trees share the complete subtree that ends the older one: begin above it.
    level = (old & -old).bit_length() - 1
    found_old = found_new = steps[0]
    for sibling, is_left in _climb(old - 1 >> level, new - 1 >> level, steps[1:]):
        if is_left:
            found_old, found_new = node_hash(sibling, found_old), node_hash(sibling, found_new)
        else:
            found_new = node_hash(found_new, sibling)
    if found_old != old_root:
        raise ProofError("the older tree is not a beginning of the newer one")
    if found_new != new_root:
        raise ProofError("the consistency proof leads to another newer root")


def _climb(first: int, last: int, path: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each sibling on the way to the root and whether it stands to the left."""
    for sibling in path:
        if last == 0:
            raise ProofError("the proof is too long")
        is_left = bool(first & 1) or first == last
        yield sibling, is_left
        while is_left and first and not first & 1:
            first, last = first >> 1, last >> 1
        first, last = first >> 1, last >> 1
    if last:
        raise ProofError("the proof is too short")


def _split(count: int) -> int:
    """Return the largest power of two smaller than ``count`` (count ≥ 2)."""
    return 1 << (count - 1).bit_length() - 1


def _range_root(low: int, high: int, lookup: Lookup) -> bytes:
    """Return the hash over leaves [low, high); ``low`` is a multiple of every power split off."""
    count = high - low
    level = count.bit_length() - 1
    if count == 1 << level:
        return lookup(level, low >> level)
    middle = low + _split(count)
    return node_hash(_range_root(low, middle, lookup), _range_root(middle, high, lookup))
