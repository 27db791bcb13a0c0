"""Check proofs over the operator's log, a Merkle tree as in RFC 9162 §2.1. Hashes have 32 bytes."""

from collections.abc import Sequence
import hashlib

from .trust_keys import TrustError


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf is at ``index`` of the tree of ``size``; raises TrustError (§2.1.3.2)."""
    if not 0 <= index < size:
        raise TrustError(f"no leaf {index} in a tree of {size}")
    walk = _Walk(index, size - 1)
    found = leaf
    for sibling in path:
        found = _node(sibling, found) if walk.up() else _node(found, sibling)
    if walk.last != 0 or found != root:
        raise TrustError("the log does not hold this entry")


def check_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that the newer tree begins with the older one; raises TrustError (§2.1.4.2)."""
    if not 0 < old <= new:
        raise TrustError(f"a tree of {new} cannot begin with one of {old}")
    if old == new:
        if path or old_root != new_root:
            raise TrustError("two trees of one size differ")
        return
    hashes = [old_root, *path] if old.bit_count() == 1 else list(path)
    if not hashes:
        raise TrustError("the proof is empty")
    walk = _Walk(old - 1, new - 1)
    while walk.index & 1:
        walk.index, walk.last = walk.index >> 1, walk.last >> 1
    found_old = found_new = hashes[0]
    for sibling in hashes[1:]:
        if walk.up():
            found_old, found_new = _node(sibling, found_old), _node(sibling, found_new)
        else:
            found_new = _node(found_new, sibling)
    if walk.last != 0 or (found_old, found_new) != (old_root, new_root):
        raise TrustError("the newer log does not begin with the older one")


class _Walk:
    """The way from a node up to the root: its number and the last number on its level."""

    def __init__(self, index: int, last: int) -> None:
        """Begin at a leaf."""
        self.index = index
        self.last = last

    def up(self) -> bool:
        """Go up past one sibling; tell whether that sibling stands to the left."""
        if self.last == 0:
            raise TrustError("the proof is too long")
        is_left = bool(self.index & 1) or self.index == self.last
        while is_left and self.index and not self.index & 1:
            self.index, self.last = self.index >> 1, self.last >> 1
        self.index, self.last = self.index >> 1, self.last >> 1
        return is_left


def _node(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()
