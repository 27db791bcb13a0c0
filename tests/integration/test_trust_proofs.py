"""Our own verifier against the server's log: it takes every true proof and no bent one."""

from base64 import urlsafe_b64encode
import json
from string import ascii_lowercase, ascii_uppercase, digits

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings, strategies as st
import pytest

from custom_components.v2g_owner.trust_keys import TrustError, keyring, public_text, read_jws
from custom_components.v2g_owner.trust_note import read_note
from custom_components.v2g_owner.trust_tree import check_consistency, check_inclusion
from owner_api.core import keyring as server_keys, merkle
from owner_api.core.checkpoint import Checkpoint, origin

SIZES = st.integers(1, 70)
STANDARD = f"{ascii_uppercase}{ascii_lowercase}{digits}+/"
LETTERS = f"{STANDARD[:62]}-_"


def base64(raw: bytes) -> str:
    """Return URL-safe base64 without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def tree(size: int, salt: int = 0) -> dict[tuple[int, int], bytes]:
    """Return every node of a log of ``size`` entries."""
    frontier, nodes = merkle.Frontier(), {}
    for number in range(size):
        leaf = merkle.leaf_hash(f"{salt if number == 3 else 0}/{number}".encode())
        frontier, made = frontier.append(leaf)
        nodes |= {(node.level, node.number): node.hash for node in made}
    return nodes


def root(nodes: dict[tuple[int, int], bytes], size: int) -> bytes:
    """Return the root over the first entries."""
    return merkle.frontier_at(size, lambda level, number: nodes[level, number]).root()


@given(old=SIZES, more=st.integers(0, 70))
@settings(max_examples=200, deadline=None)
def test_every_log_that_only_grew_is_taken_and_none_that_changed(old: int, more: int) -> None:
    """One entry of the older part differs: no path can be right."""
    new = old + more
    nodes, other = tree(new), tree(new, salt=1)
    path = merkle.consistency_proof(old, new, lambda level, number: nodes[level, number])
    check_consistency(old, root(nodes, old), new, root(nodes, new), path)
    if old > 3:
        with pytest.raises(TrustError):
            check_consistency(old, root(other, old), new, root(nodes, new), path)
        with pytest.raises(TrustError):
            check_consistency(old, root(nodes, old), new, root(other, new), path)
    with pytest.raises(TrustError):
        check_consistency(old, root(nodes, old), new, root(nodes, new), [*path, b"\0" * 32])
    if path:
        with pytest.raises(TrustError):
            check_consistency(old, root(nodes, old), new, root(nodes, new), path[:-1])


@given(size=SIZES, data=st.data())
@settings(max_examples=200, deadline=None)
def test_every_entry_is_found_at_its_own_place_only(size: int, data: st.DataObject) -> None:
    """A path for one place proves nothing about another."""
    place = data.draw(st.integers(0, size - 1))
    nodes = tree(size)
    path = merkle.inclusion_proof(place, size, lambda level, number: nodes[level, number])
    leaf = nodes[0, place]
    check_inclusion(leaf, place, size, path, root(nodes, size))
    for index in {0, place + 1, size - 1, size} - {place}:
        with pytest.raises(TrustError):
            check_inclusion(leaf, index, size, path, root(nodes, size))
    with pytest.raises(TrustError):
        check_inclusion(b"x" * 32, place, size, path, root(nodes, size))


def test_a_checkpoint_with_one_changed_character_is_refused() -> None:
    """Name, size, root and signature are all covered."""
    private = Ed25519PrivateKey.generate()
    ring = keyring(public_text(private.public_key()))
    note = Checkpoint(origin=origin("srv_1", 2), size=12, root=b"r" * 32).sign(private)
    shown = read_note(note, ring)
    assert (shown.server_id, shown.epoch, shown.size, shown.root) == ("srv_1", 2, 12, b"r" * 32)
    for index, character in enumerate(note):
        bent = note[:index] + ("B" if character != "B" else "C") + note[index + 1 :]
        with pytest.raises(TrustError):
            read_note(bent, ring)
    with pytest.raises(TrustError):
        read_note(note * 60, ring)
    # The same bytes, written in another way: the bits that are left over are not nought.
    assert note.endswith("=\n")
    last = STANDARD[STANDARD.index(note[-3]) + 1]
    with pytest.raises(TrustError, match="not the one way"):
        read_note(f"{note[:-3]}{last}=\n", ring)


def test_a_signed_statement_is_taken_with_its_exact_type_and_key_only() -> None:
    """RFC 8725: no other algorithm, type, header member, key or byte passes."""
    private = Ed25519PrivateKey.generate()
    key = private.public_key()
    ring = keyring(public_text(key))
    text = server_keys.sign_jws({"a": 1}, "v2g-receipt+jwt", private)
    assert read_jws(text, "v2g-receipt+jwt", ring) == {"a": 1}
    head, payload, signature = text.split(".")
    unsigned = "eyJhbGciOiJub25lIiwidHlwIjoidjJnLXJlY2VpcHQrand0Iiwia2lkIjoieCJ9"
    for bent in (
        f"{head}.{payload}.{'A' * len(signature)}",
        f"{unsigned}.{payload}.",
        f"{head}.{payload}A.{signature}",
        f"{head}={payload}",
        "",
    ):
        with pytest.raises(TrustError):
            read_jws(bent, "v2g-receipt+jwt", ring)
    named = {"alg": "EdDSA", "typ": "v2g-receipt+jwt", "kid": server_keys.key_id(key)}
    for more in ({}, {"jku": "https://keys.example"}, {"crit": ["b64"]}, {"alg": "HS256"}):
        begin = f"{base64(json.dumps(named | more).encode())}.{payload}"
        told = f"{begin}.{base64(private.sign(begin.encode()))}"
        if not more:
            assert read_jws(told, "v2g-receipt+jwt", ring) == {"a": 1}
            continue
        with pytest.raises(TrustError, match="not a signed"):
            read_jws(told, "v2g-receipt+jwt", ring)
    # The same 64 bytes, written in another way.
    last = LETTERS[LETTERS.index(signature[-1]) + 1]
    with pytest.raises(TrustError, match="not a compact JWS"):
        read_jws(f"{text[:-1]}{last}", "v2g-receipt+jwt", ring)
    with pytest.raises(TrustError):
        read_jws(text, "v2g-key+jwt", ring)
    with pytest.raises(TrustError):
        read_jws(text, "v2g-receipt+jwt", {})
    with pytest.raises(TrustError):
        keyring("too short")
