"""Promise 6: the Merkle tree says when history changed, and only then.

The oracle here is RFC 9162's own recursive definition over a list of leaves.
"""

import hashlib
from itertools import pairwise

from hypothesis import assume, given, strategies as st
import pytest

from owner_api.core import merkle
from owner_api.core.merkle import Frontier, Node, ProofError

# The inputs and roots that Certificate Transparency implementations share as test data.
CT_LEAVES = tuple(
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
)
CT_ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def definition(leaves: list[bytes]) -> bytes:
    """Return MTH(D[n]) exactly as RFC 9162 §2.1.1 writes it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    halves = definition(leaves[:k]) + definition(leaves[k:])
    return hashlib.sha256(b"\x01" + halves).digest()


class Log:
    """A tree grown leaf by leaf, its nodes kept as a store would."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves, self.frontier = leaves, Frontier()
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.most_made = 0
        for leaf in leaves:
            self.frontier, made = self.frontier.append(merkle.leaf_hash(leaf))
            for node in made:
                assert (node.level, node.number) not in self.nodes
                self.nodes[node.level, node.number] = node.hash

    def lookup(self, level: int, number: int) -> bytes:
        """Return a kept node's hash."""
        return self.nodes[level, number]


LEAVES = st.lists(st.binary(max_size=40), min_size=1, max_size=70)


def test_the_roots_are_those_of_the_certificate_transparency_test_data() -> None:
    for size, root in enumerate(CT_ROOTS, 1):
        assert Log(list(CT_LEAVES[:size])).frontier.root().hex() == root
    assert Frontier().root().hex() == hashlib.sha256(b"").hexdigest()


def test_the_proofs_are_those_of_the_certificate_transparency_test_data() -> None:
    log = Log(list(CT_LEAVES))
    assert [part.hex() for part in merkle.inclusion_proof(0, 8, log.lookup)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    assert [part.hex() for part in merkle.consistency_proof(6, 8, log.lookup)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


@given(leaves=LEAVES)
def test_growing_leaf_by_leaf_gives_the_root_of_the_definition(leaves: list[bytes]) -> None:
    assert Log(leaves).frontier.root() == definition(leaves)


@given(leaves=LEAVES, data=st.data())
def test_a_past_frontier_is_read_back_from_the_kept_nodes(
    leaves: list[bytes], data: st.DataObject
) -> None:
    size = data.draw(st.integers(0, len(leaves)))
    found = merkle.frontier_at(size, Log(leaves).lookup)
    assert found == Log(leaves[:size]).frontier


@given(leaves=LEAVES, data=st.data())
def test_every_leaf_is_proven_in_every_tree_that_holds_it(
    leaves: list[bytes], data: st.DataObject
) -> None:
    log = Log(leaves)
    size = data.draw(st.integers(1, len(leaves)))
    position = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion_proof(position, size, log.lookup)
    assert len(path) <= (size - 1).bit_length()
    leaf, root = merkle.leaf_hash(leaves[position]), definition(leaves[:size])
    merkle.verify_inclusion(leaf, position, size, path, root)


@given(leaves=LEAVES, data=st.data())
def test_growth_is_proven_between_any_two_sizes(leaves: list[bytes], data: st.DataObject) -> None:
    log = Log(leaves)
    new = data.draw(st.integers(1, len(leaves)))
    old = data.draw(st.integers(1, new))
    path = merkle.consistency_proof(old, new, log.lookup)
    merkle.verify_consistency(old, definition(leaves[:old]), new, definition(leaves[:new]), path)


@given(leaves=LEAVES, other=st.binary(max_size=40), data=st.data())
def test_a_leaf_that_is_not_there_cannot_be_proven(
    leaves: list[bytes], other: bytes, data: st.DataObject
) -> None:
    position = data.draw(st.integers(0, len(leaves) - 1))
    assume(other != leaves[position])
    path = merkle.inclusion_proof(position, len(leaves), Log(leaves).lookup)
    with pytest.raises(ProofError):
        merkle.verify_inclusion(
            merkle.leaf_hash(other), position, len(leaves), path, definition(leaves)
        )


@given(leaves=LEAVES, data=st.data())
def test_changed_history_is_never_consistent(leaves: list[bytes], data: st.DataObject) -> None:
    old = data.draw(st.integers(1, len(leaves)))
    changed = list(leaves)
    changed[data.draw(st.integers(0, old - 1))] += b"!"
    path = merkle.consistency_proof(old, len(leaves), Log(changed).lookup)
    with pytest.raises(ProofError):
        merkle.verify_consistency(
            old, definition(leaves[:old]), len(leaves), definition(changed), path
        )


@given(leaves=LEAVES, data=st.data())
def test_any_bent_proof_is_refused(leaves: list[bytes], data: st.DataObject) -> None:
    log, size = Log(leaves), len(leaves)
    position = data.draw(st.integers(0, size - 1))
    leaf, root = merkle.leaf_hash(leaves[position]), definition(leaves)
    path = list(merkle.inclusion_proof(position, size, log.lookup))
    bent = _bend(path, data)
    with pytest.raises(ProofError):
        merkle.verify_inclusion(leaf, position, size, bent, root)
    old = data.draw(st.integers(1, size))
    path = list(merkle.consistency_proof(old, size, log.lookup))
    bent = _bend(path, data)
    with pytest.raises(ProofError):
        merkle.verify_consistency(old, definition(leaves[:old]), size, root, bent)


def _bend(path: list[bytes], data: st.DataObject) -> list[bytes]:
    """Return the path with one part changed, dropped or added."""
    if path and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(path) - 1))
        flipped = bytes([path[at][0] ^ 1]) + path[at][1:]
        part = data.draw(st.sampled_from([[flipped], []]))
        return path[:at] + part + path[at + 1 :]
    at = data.draw(st.integers(0, len(path)))
    return [*path[:at], b"\x07" * 32, *path[at:]]


@pytest.mark.parametrize(("position", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_no_proof_is_given_for_what_is_not_in_the_tree(position: int, size: int) -> None:
    log = Log([b"a", b"b", b"c"])
    with pytest.raises(ProofError, match="position"):
        merkle.inclusion_proof(position, size, log.lookup)
    with pytest.raises(ProofError, match="position"):
        merkle.verify_inclusion(b"", position, size, [], b"")


@pytest.mark.parametrize(("old", "new"), [(0, 2), (3, 2)])
def test_no_growth_is_proven_from_nothing_or_backwards(old: int, new: int) -> None:
    log = Log([b"a", b"b", b"c"])
    with pytest.raises(ProofError, match="sizes"):
        merkle.consistency_proof(old, new, log.lookup)
    with pytest.raises(ProofError, match="sizes"):
        merkle.verify_consistency(old, b"", new, b"", [])


def test_appending_touches_a_logarithmic_number_of_nodes() -> None:
    frontier, made = Frontier(), []
    for number in range(1 << 12):
        frontier, nodes = frontier.append(merkle.leaf_hash(number.to_bytes(4)))
        assert len(nodes) <= 13
        assert len(frontier.peaks) <= 13
        made.extend(nodes)
    assert len(made) == 2 * (1 << 12) - 1
    assert all(isinstance(node, Node) for node in made)
    levels = [node.level for node in made]
    assert all(after in {before + 1, 0} for before, after in pairwise(levels))
