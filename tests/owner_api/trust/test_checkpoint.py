"""Checkpoints: only the log's own key can sign one, and no byte of it can change."""

from base64 import b64decode, b64encode
from dataclasses import replace
from itertools import product

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, strategies as st
import orjson
import pytest

from owner_api.core import checkpoint, keyring
from owner_api.core.checkpoint import Checkpoint, CheckpointError

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
KEYS = keyring.keyring(KEY.public_key())
NAME = checkpoint.origin("srv_0193", 1)
HEAD = Checkpoint(origin=NAME, size=8, root=b"\x5d" * 32)


@given(size=st.integers(0, 2**60), root=st.binary(min_size=32, max_size=32))
def test_what_is_signed_is_read_back(size: int, root: bytes) -> None:
    head = Checkpoint(origin=NAME, size=size, root=root)
    found, key_id = checkpoint.verify(head.sign(KEY), KEYS)
    assert found == head
    assert key_id in KEYS


def test_a_note_is_written_as_c2sp_says() -> None:
    lines = HEAD.sign(KEY).split("\n")
    assert lines[:4] == [NAME, "8", b64encode(b"\x5d" * 32).decode(), ""]
    dash, name, encoded = lines[4].split(" ")
    assert (dash, name, lines[5:]) == ("—", NAME, [""])
    signature = b64decode(encoded)
    KEY.public_key().verify(signature[4:], "\n".join(lines[:3]).encode() + b"\n")
    vkey = keyring.note_key(NAME, KEY.public_key())
    assert vkey.split("+")[1] == signature[:4].hex()


def test_a_single_changed_bit_is_refused() -> None:
    """Every one of them: also those of base64 that no decoder needs, and of the key's name."""
    note = HEAD.sign(KEY).encode()
    for at, bit in product(range(len(note)), range(8)):
        raw = bytearray(note)
        raw[at] ^= 1 << bit
        with pytest.raises((CheckpointError, UnicodeDecodeError)):
            checkpoint.verify(raw.decode(), KEYS)


@pytest.mark.parametrize("length", [31, 33])
def test_a_root_of_another_length_is_no_checkpoint_even_signed(length: int) -> None:
    with pytest.raises(CheckpointError, match="32 bytes"):
        checkpoint.verify(replace(HEAD, root=bytes(length)).sign(KEY), KEYS)


def test_another_key_is_refused_and_a_witness_beside_the_log_is_not_in_the_way() -> None:
    with pytest.raises(CheckpointError, match="no trusted key"):
        checkpoint.verify(HEAD.sign(OTHER), KEYS)
    witness = f"— witness.example {b64encode(b'w' * 76).decode()}\n"
    assert checkpoint.verify(HEAD.sign(KEY) + witness, KEYS)[0] == HEAD


@pytest.mark.parametrize(
    "note",
    [
        "",
        "v2g-owner/srv/1\n8\n\n",
        "elsewhere/srv/1\n8\nXQ==\n\n— x y\n",
        HEAD.sign(KEY).replace("\n8\n", "\n08\n"),
        HEAD.sign(KEY).replace("\n8\n", "\n-8\n"),
        HEAD.sign(KEY).replace("\n\n", "\nextra\n\n"),
        HEAD.sign(KEY).removesuffix("\n"),
    ],
)
def test_anything_else_is_no_checkpoint(note: str) -> None:
    with pytest.raises(CheckpointError):
        checkpoint.verify(note, KEYS)


def test_a_note_with_witnesses_is_read_up_to_its_longest_and_no_further() -> None:
    note = HEAD.sign(KEY)
    left = checkpoint.MAX_NOTE - len(note)
    name = "w" * (left - len("—  eA==\n"))
    assert checkpoint.verify(f"{note}— {name} eA==\n", KEYS)[0] == HEAD
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        checkpoint.verify(f"{note}— {name}w eA==\n", KEYS)


def test_a_log_needs_a_name_that_fits_on_one_line() -> None:
    with pytest.raises(CheckpointError):
        checkpoint.origin("two words", 1)


def test_public_keys_are_read_from_pem_a_jwk_and_a_set() -> None:
    public = KEY.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    jwk = keyring.public_jwk(public)
    p256 = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}
    texts = (pem, orjson.dumps(jwk).decode(), orjson.dumps({"keys": [p256, jwk]}).decode())
    for text in texts:
        assert keyring.read_keys(text).keys() == KEYS.keys()
    for text in ("", "{}", '{"keys": 1}', '{"keys": []}', "-----BEGIN PUBLIC KEY-----", "[1]"):
        with pytest.raises(keyring.SignatureError):
            keyring.read_keys(text)


def test_a_new_key_is_trusted_only_when_the_old_one_vouches_for_it() -> None:
    new = Ed25519PrivateKey.from_private_bytes(b"\x09" * 32)
    statement = keyring.vouch(new.public_key(), issuer="urn:x", at=1, old=KEY)
    trusted = keyring.follow(KEYS, [statement])
    later = HEAD.sign(new)
    assert checkpoint.verify(later, trusted)[0] == HEAD
    with pytest.raises(CheckpointError):
        checkpoint.verify(later, KEYS)
    forged = keyring.vouch(new.public_key(), issuer="urn:x", at=1, old=OTHER)
    assert keyring.follow(KEYS, [forged]).keys() == KEYS.keys()
    with pytest.raises(keyring.SignatureError):
        keyring.follow(KEYS, [statement[:-4] + "AAAA"])
