"""Read checkpoints: what the log was at one moment, signed (C2SP tlog-checkpoint, signed-note)."""

from base64 import b64decode, b64encode
from dataclasses import dataclass
import hashlib
import re
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .trust_keys import Keyring, TrustError, UnknownKeyError

_NOTE: Final = re.compile(
    r"(?P<body>v2g-owner/(?P<server>[\x21-\x2a\x2c-\x7e]{1,64})/(?P<epoch>[1-9]\d{0,9})\n"
    r"(?P<size>0|[1-9]\d{0,18})\n"
    r"(?P<root>[A-Za-z0-9+/]{43}=)\n)"
    r"\n(?P<signatures>(?:\u2014 \S+ [A-Za-z0-9+/]+={0,2}\n)+)"
)
_LONGEST: Final = 8_192
_KEY_HASH_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The log of one server in one epoch: how many entries it had and the root over them."""

    note: str
    server_id: str
    epoch: int
    size: int
    root: bytes


def read_note(note: str, keys: Keyring) -> Checkpoint:
    """Return the checkpoint that one of ``keys`` signed.

    Raises UnknownKeyError when none of them did, TrustError when it is no checkpoint at all.
    """
    checkpoint, name, body, signatures = _parse(note)
    for key in keys.values():
        expected = _key_hash(name, key)
        for signature in signatures:
            if signature[:_KEY_HASH_BYTES] == expected and _signed(
                key, signature[_KEY_HASH_BYTES:], body
            ):
                return checkpoint
    raise UnknownKeyError("none of the trusted keys signed this checkpoint")


def read_kept_note(note: str) -> Checkpoint:
    """Return a checkpoint that was checked before it was kept; raises TrustError."""
    return _parse(note)[0]


def _parse(note: str) -> tuple[Checkpoint, str, bytes, list[bytes]]:
    """Return what a note says, its log's name, what is signed, and the log's own signatures."""
    found = _NOTE.fullmatch(note) if len(note) <= _LONGEST else None
    if found is None:
        raise TrustError("not a checkpoint of an owner API")
    body = found["body"]
    name = body.partition("\n")[0]
    lines = [line.split(" ") for line in found["signatures"].splitlines()]
    # Witnesses may sign beside the log; only its own signatures count here.
    signatures = [_decode(line[2]) for line in lines if line[1] == name]
    checkpoint = Checkpoint(
        note=note,
        server_id=found["server"],
        epoch=int(found["epoch"]),
        size=int(found["size"]),
        root=_decode(found["root"]),
    )
    return checkpoint, name, body.encode(), signatures


def _decode(text: str) -> bytes:
    """Return the bytes of base64 in its one canonical form; raises TrustError."""
    try:
        raw = b64decode(text, validate=True)
    except ValueError as error:
        raise TrustError("not base64") from error
    if b64encode(raw).decode() != text:
        raise TrustError("not the one way to write these bytes in base64")
    return raw


def _key_hash(name: str, key: Ed25519PublicKey) -> bytes:
    """Return the 4 bytes by which a signed note names an Ed25519 key."""
    named = name.encode() + b"\n\x01" + key.public_bytes_raw()
    return hashlib.sha256(named).digest()[:_KEY_HASH_BYTES]


def _signed(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    """Tell whether a key made this signature."""
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True
