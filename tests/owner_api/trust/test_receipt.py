"""Receipts: a signed entry that proves its own place in the log, with the public key alone."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings, strategies as st
import jwt
import pytest

from owner_api.core import checkpoint, keyring, merkle, receipt
from owner_api.core.canonical import canonical
from owner_api.core.receipt import Entry, ReceiptError

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
KEYS = keyring.keyring(KEY.public_key())
SALT = bytes(range(16))
BODY = {"decision": "accept", "consented_energy_wh": 6000, "terms": {"price_per_kwh": "1.2"}}


def entry(body: dict[str, Any] | None = None) -> Entry:
    return Entry(
        kind="decision",
        at="2026-12-01T05:30:00Z",
        party_id="own_1",
        subject_id="dec_1",
        body=BODY if body is None else body,
    )


def document(
    made: Entry, *, others: int = 6, position: int = 3, salt: bytes = SALT
) -> dict[str, Any]:
    """Return a receipt over a log in which the entry stands among others."""
    frontier, nodes = merkle.Frontier(), {}
    digest = receipt.content_digest(salt, made.content)
    for number in range(others + 1):
        raw = receipt.leaf_bytes(made.kind, made.at, digest) if number == position else b"other"
        frontier, new = frontier.append(merkle.leaf_hash(raw))
        nodes |= {(node.level, node.number): node.hash for node in new}
    head = checkpoint.Checkpoint(
        origin=checkpoint.origin("srv_1", 1), size=frontier.size, root=frontier.root()
    )
    path = merkle.inclusion_proof(position, frontier.size, lambda *at: nodes[at])
    iss = receipt.issuer("srv_1")
    return {
        "jws": receipt.sign(made, position=position, salt=salt, iss=iss, iat=7, private=KEY),
        "proof": {"size": frontier.size, "path": [part.hex() for part in path]},
        "checkpoint": head.sign(KEY),
        "key_statements": [],
    }


def test_promise_6_a_receipt_proves_its_entry_with_the_public_key_alone() -> None:
    found = receipt.verify(document(entry()), KEYS)
    assert found.entry == entry()
    assert (found.position, found.checkpoint.size) == (3, 7)
    assert found.receipt_id == receipt.receipt_id(3)


@given(st.integers(0, 2**63 - 1))
def test_a_receipts_id_leads_back_to_its_position(position: int) -> None:
    assert receipt.position_of(receipt.receipt_id(position)) == position


@pytest.mark.parametrize(
    "name",
    [
        "",
        "rcp_",
        "rcp_7",
        "7".zfill(32),
        f"dec_{7:032x}",
        f"rcp_{10:032X}",
        f"rcp_{2**63:032x}",
        "rcp_" + "f" * 32,
        "rcp_" + "\uff17".zfill(32),
        "rcp_-" + "7".zfill(31),
    ],
)
def test_what_is_no_receipts_id_leads_nowhere(name: str) -> None:
    assert receipt.position_of(name) is None


def test_the_same_entry_gives_the_same_receipt_byte_for_byte() -> None:
    assert document(entry())["jws"] == document(entry())["jws"]


LEAF = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
BODIES = st.dictionaries(st.text("abc_", max_size=6), LEAF | st.lists(LEAF, max_size=3), max_size=5)


@given(body=BODIES)
@settings(max_examples=40)
def test_any_content_of_canonical_types_survives_the_way_through_json(body: dict[str, Any]) -> None:
    assert receipt.verify(document(entry(body)), KEYS).entry.body == body


@given(body=BODIES)
@settings(max_examples=40)
def test_the_hashed_content_is_the_canonical_form_that_everything_else_uses(
    body: dict[str, Any],
) -> None:
    whole = {"body": body, "party_id": "own_1", "subject_id": "dec_1"}
    assert entry(body).content == canonical(whole)
    leaf = {"at": "2026", "digest": "07" * 32, "kind": "stop", "v": 1}
    assert receipt.leaf_bytes("stop", "2026", b"\x07" * 32) == canonical(leaf)


@given(at=st.integers(0, 10**6), bit=st.integers(0, 5))
@settings(max_examples=40)
def test_a_single_changed_bit_in_the_signed_part_is_refused(at: int, bit: int) -> None:
    made = document(entry())
    raw = bytearray(made["jws"].encode())
    raw[at % len(raw)] ^= 1 << bit
    text = raw.decode("latin-1")
    # The last letter of base64 may have bits that mean nothing; PyJWT reads those alike.
    if text.rstrip("=")[:-1] == made["jws"][:-1] or _same_bytes(text, made["jws"]):
        return
    with pytest.raises(ReceiptError):
        receipt.verify(made | {"jws": text}, KEYS)


def _same_bytes(one: str, other: str) -> bool:
    try:
        return all(
            jwt.utils.base64url_decode(a) == jwt.utils.base64url_decode(b)
            for a, b in zip(one.split("."), other.split("."), strict=True)
        )
    except ValueError:
        return False


def _resigned(claims: dict[str, Any], **headers: Any) -> str:
    wanted = {"typ": receipt.RECEIPT_TYPE, "kid": keyring.key_id(KEY.public_key())} | headers
    return jwt.PyJWS().encode(canonical(claims), KEY, "EdDSA", headers=wanted)


def test_content_that_is_not_in_the_log_is_refused_even_with_the_real_signature() -> None:
    made = document(entry())
    claims = keyring.read_jws(made["jws"], receipt.RECEIPT_TYPE, KEYS)
    for change in (
        {"body": BODY | {"consented_energy_wh": 9000}},
        {"aud": "own_2"},
        {"at": "2026-12-01T05:30:01Z"},
        {"kind": "stop"},
        {"subject_id": None},
        {"salt": "00" * 16},
        {"position": 4, "jti": receipt.receipt_id(4)},
        {"position": 4},
        {"jti": receipt.receipt_id(4)},
        {"iss": receipt.issuer("srv_2")},
        {"extra": 1},
    ):
        with pytest.raises(ReceiptError):
            receipt.verify(made | {"jws": _resigned(claims | change)}, KEYS)
    assert receipt.verify(made | {"jws": _resigned(claims)}, KEYS).position == 3


@pytest.mark.parametrize("length", [0, 15, 17])
def test_promise_6_a_salt_of_another_length_is_refused_although_the_log_has_it(length: int) -> None:
    """Where salt and content may be parted anew, one leaf could be shown as two contents."""
    with pytest.raises(ReceiptError, match="salt"):
        receipt.verify(document(entry(), salt=bytes(length)), KEYS)


def test_a_position_is_a_number_and_not_what_counts_as_one() -> None:
    made = document(entry(), position=1)
    claims = keyring.read_jws(made["jws"], receipt.RECEIPT_TYPE, KEYS)
    assert claims["jti"] == receipt.receipt_id(position=True)
    with pytest.raises(ReceiptError, match="position"):
        receipt.verify(made | {"jws": _resigned(claims | {"position": True})}, KEYS)


def test_another_type_another_algorithm_or_no_key_is_refused() -> None:
    made = document(entry())
    claims = keyring.read_jws(made["jws"], receipt.RECEIPT_TYPE, KEYS)
    kid = keyring.key_id(KEY.public_key())
    secret = KEY.public_key().public_bytes_raw() * 2
    header = {"typ": receipt.RECEIPT_TYPE, "kid": kid}
    tokens = (
        _resigned(claims, typ="at+jwt"),
        _resigned(claims, typ="v2g-key+jwt"),
        _resigned(claims, jku="https://evil.example"),
        jwt.PyJWS().encode(canonical(claims), secret, "HS256", headers=header),
        jwt.PyJWS().encode(canonical(claims), "", "none", headers=header),
        "",
        "a.b.c",
    )
    for token in tokens:
        with pytest.raises(ReceiptError):
            receipt.verify(made | {"jws": token}, KEYS)
    with pytest.raises(ReceiptError, match="not trusted"):
        receipt.verify(made, {})


def test_a_missing_or_foreign_part_is_refused() -> None:
    made = document(entry())
    for name in ("jws", "proof", "checkpoint"):
        with pytest.raises(ReceiptError):
            receipt.verify({key: value for key, value in made.items() if key != name}, KEYS)
    with pytest.raises(ReceiptError, match="size"):
        receipt.verify(made | {"proof": made["proof"] | {"size": 6}}, KEYS)
    longer = document(entry(), others=12)
    with pytest.raises(ReceiptError):
        receipt.verify(made | {"proof": longer["proof"]}, KEYS)
    with pytest.raises(ReceiptError):
        receipt.verify(made | {"checkpoint": longer["checkpoint"]}, KEYS)
