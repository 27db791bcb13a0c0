"""Receipts: one party's entry of the log, signed, with the proof that the log holds it.

An entry's content stays out of the tree: a leaf carries only its kind, its instant and a salted
digest, so that content can be erased and every proof still holds. Whoever has the receipt has the
salt and the content, and can rebuild the leaf.
"""

from collections.abc import Mapping
from dataclasses import dataclass
import hashlib
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from . import checkpoint as notes, merkle
from .canonical import encoded
from .keyring import Json, Keyring, SignatureError, follow, read_jws, sign_jws

RECEIPT_TYPE: Final = "v2g-receipt+jwt"
SALT_BYTES: Final = 16
# What a database can count to.
_POSITIONS: Final = 2**63
_CLAIMS: Final = frozenset(
    ("iss", "aud", "jti", "iat", "kind", "at", "subject_id", "position", "salt", "body")
)
# What stands beside the signature to be read, and the claim that it repeats.
_READ: Final = {
    "receipt_id": "jti",
    "content": "body",
    **{name: name for name in ("position", "kind", "at", "subject_id")},
}


class ReceiptError(ValueError):
    """A receipt that proves nothing; the message says which part does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What happened, for one party: ``body`` holds canonical JSON types only.

    ``party_id`` and ``subject_id`` are None for entries about the log itself.
    """

    kind: str
    at: str
    party_id: str | None
    subject_id: str | None
    body: Mapping[str, Any]

    @property
    def content(self) -> bytes:
        """The canonical bytes that are kept apart from the tree."""
        return entry_content(self.body, self.party_id, self.subject_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a receipt proves: this entry is at this position of the log named by the origin."""

    receipt_id: str
    issuer: str
    position: int
    entry: Entry
    checkpoint: notes.Checkpoint
    key_id: str


def issuer(server_id: str) -> str:
    """Return how a server names itself in what it signs."""
    return f"urn:v2g-owner:{server_id}"


def receipt_id(position: int) -> str:
    """Return the id of the receipt for the leaf at ``position``."""
    return f"rcp_{position:032x}"


def position_of(name: str) -> int | None:
    """Return the position of the leaf whose receipt has this id; None for what is no such id."""
    try:
        position = int(name.removeprefix("rcp_"), 16)
    except ValueError:
        return None
    return position if 0 <= position < _POSITIONS and receipt_id(position) == name else None


def entry_content(body: Mapping[str, Any], party_id: str | None, subject_id: str | None) -> bytes:
    """Return an entry's canonical bytes; ``body`` holds canonical JSON types only."""
    return encoded({"body": body, "party_id": party_id, "subject_id": subject_id})


def content_digest(salt: bytes, content: bytes) -> bytes:
    """Return SHA-256(salt ‖ content); the salt has a fixed length, so nothing can shift."""
    return hashlib.sha256(salt + content).digest()


def leaf_bytes(kind: str, at: str, digest: bytes) -> bytes:
    """Return what is hashed into the tree: nothing that could name a person."""
    return encoded({"at": at, "digest": digest.hex(), "kind": kind, "v": 1})


def sign(
    entry: Entry, *, position: int, salt: bytes, iss: str, iat: int, private: Ed25519PrivateKey
) -> str:
    """Return the entry as a compact JWS for its party."""
    claims = {
        "iss": iss,
        "aud": entry.party_id,
        "jti": receipt_id(position),
        "iat": iat,
        "kind": entry.kind,
        "at": entry.at,
        "subject_id": entry.subject_id,
        "position": position,
        "salt": salt.hex(),
        "body": dict(entry.body),
    }
    return sign_jws(claims, RECEIPT_TYPE, private)


def verify(document: Mapping[str, Any], keys: Keyring) -> Verified:
    """Check a receipt with nothing but public keys; raises ReceiptError.

    The document is what the API hands out: ``jws``, ``proof`` (``size``, ``path`` in hex),
    ``checkpoint`` and ``key_statements``. Checked are the signature, its type and its claims, the
    leaf rebuilt from them, the leaf's place in the tree, and the checkpoint over that tree; and
    that what stands beside the signature to be read is what was signed.
    """
    try:
        trusted = follow(keys, [str(text) for text in document.get("key_statements", ())])
        claims = read_jws(str(document["jws"]), RECEIPT_TYPE, trusted)
        checkpoint, key_id = notes.verify(str(document["checkpoint"]), trusted)
        entry, position, salt = _open(claims)
        proof = document["proof"]
        path = [bytes.fromhex(part) for part in proof["path"]]
        leaf = merkle.leaf_hash(
            leaf_bytes(entry.kind, entry.at, content_digest(salt, entry.content))
        )
        if proof["size"] != checkpoint.size:
            raise ReceiptError("the proof is for another size than the checkpoint's")
        merkle.verify_inclusion(leaf, position, checkpoint.size, path, checkpoint.root)
        _same_log(claims["iss"], checkpoint)
        _same_words(document, claims)
    except (SignatureError, notes.CheckpointError, merkle.ProofError) as error:
        raise ReceiptError(str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, ReceiptError):
            raise
        raise ReceiptError("not a receipt: a part is missing or malformed") from error
    return Verified(
        receipt_id=claims["jti"],
        issuer=claims["iss"],
        position=position,
        entry=entry,
        checkpoint=checkpoint,
        key_id=key_id,
    )


def _open(claims: Json) -> tuple[Entry, int, bytes]:
    """Return the entry, position and salt that the claims carry."""
    if set(claims) != _CLAIMS:
        raise ReceiptError("the signed claims are not a receipt's")
    position, salt = claims["position"], bytes.fromhex(claims["salt"])
    if type(position) is not int or claims["jti"] != receipt_id(position):
        raise ReceiptError("the receipt's id does not belong to its position")
    if len(salt) != SALT_BYTES:
        raise ReceiptError(f"a salt has {SALT_BYTES} bytes")
    entry = Entry(
        kind=claims["kind"],
        at=claims["at"],
        party_id=claims["aud"],
        subject_id=claims["subject_id"],
        body=claims["body"],
    )
    return entry, position, salt


def _same_log(claimed: str, checkpoint: notes.Checkpoint) -> None:
    if claimed != issuer(checkpoint.server_id):
        raise ReceiptError("the checkpoint belongs to another server's log")


def _same_words(document: Mapping[str, Any], claims: Json) -> None:
    for name, claim in _READ.items():
        if name in document and encoded({name: document[name]}) != encoded({name: claims[claim]}):
            raise ReceiptError(f"{name} says something else than what was signed")
