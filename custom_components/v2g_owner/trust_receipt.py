"""Check receipts: one entry of the log, signed, with the proof that the log holds it."""

from collections.abc import Mapping
from dataclasses import dataclass
import hashlib
from typing import Any, Final

from .trust_keys import Keyring, TrustError, canonical, read_jws
from .trust_note import Checkpoint, read_note
from .trust_tree import check_inclusion, leaf_hash

RECEIPT: Final = "v2g-receipt+jwt"
_SALT_BYTES: Final = 16
_CLAIMS: Final = frozenset(
    ("iss", "aud", "jti", "iat", "kind", "at", "subject_id", "position", "salt", "body")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a receipt says: this happened to this party, at this place of the log."""

    receipt_id: str
    position: int
    kind: str
    at: str
    subject_id: str | None
    body: dict[str, Any]
    leaf: bytes


def issuer(server_id: str) -> str:
    """Return how a server names itself in what it signs."""
    return f"urn:v2g-owner:{server_id}"


def receipt_name(position: int) -> str:
    """Return the id of the receipt for one place of the log."""
    return f"rcp_{position:032x}"


def entry_leaf(
    kind: str,
    at: str,
    salt: str,
    body: Mapping[str, Any],
    *,
    party_id: str | None = None,
    subject_id: str | None = None,
) -> bytes:
    """Return the leaf hash of an entry; entries about the log itself belong to nobody."""
    content = canonical({"body": dict(body), "party_id": party_id, "subject_id": subject_id})
    digest = hashlib.sha256(bytes.fromhex(salt) + content).hexdigest()
    return leaf_hash(canonical({"at": at, "digest": digest, "kind": kind, "v": 1}))


def read_receipt(
    document: Mapping[str, Any], keys: Keyring, server_id: str, owner_id: str
) -> Entry:
    """Return what a receipt's signature covers, its place in the log unchecked.

    Raises TrustError unless a trusted key signed it for this owner, as this server.
    """
    claims = read_jws(str(document.get("jws")), RECEIPT, keys)
    try:
        position, salt = claims["position"], str(claims["salt"])
        if set(claims) != _CLAIMS or not _are_a_receipts(claims):
            raise TrustError("the signed claims are not a receipt's")
        if claims["jti"] != receipt_name(position) or len(bytes.fromhex(salt)) != _SALT_BYTES:
            raise TrustError("the receipt's id or salt does not belong to it")
        if (claims["iss"], claims["aud"]) != (issuer(server_id), owner_id):
            raise TrustError("the receipt is another server's or another owner's")
        leaf = entry_leaf(
            claims["kind"],
            claims["at"],
            salt,
            claims["body"],
            party_id=claims["aud"],
            subject_id=claims["subject_id"],
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, TrustError):
            raise
        raise TrustError("a part of the receipt is missing or malformed") from error
    return Entry(
        receipt_id=claims["jti"],
        position=position,
        kind=claims["kind"],
        at=claims["at"],
        subject_id=claims["subject_id"],
        body=claims["body"],
        leaf=leaf,
    )


def _are_a_receipts(claims: Mapping[str, Any]) -> bool:
    """Tell whether claims are of the kinds that a receipt's are: who signs may sign anything."""
    words = isinstance(claims["kind"], str) and isinstance(claims["at"], str)
    about = claims["subject_id"] is None or isinstance(claims["subject_id"], str)
    return type(claims["position"]) is int and words and about and isinstance(claims["body"], dict)


def check_place(document: Mapping[str, Any], entry: Entry, keys: Keyring) -> Checkpoint:
    """Return the signed checkpoint under which the log holds an entry; raises TrustError."""
    checkpoint = read_note(str(document.get("checkpoint")), keys)
    try:
        proof = document["proof"]
        if proof["size"] != checkpoint.size:
            raise TrustError("the proof is for another size than the checkpoint's")
        path = [bytes.fromhex(part) for part in proof["path"]]
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, TrustError):
            raise
        raise TrustError("the receipt's proof is malformed") from error
    check_inclusion(entry.leaf, entry.position, checkpoint.size, path, checkpoint.root)
    return checkpoint
