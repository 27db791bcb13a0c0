"""Which keys may sign the operator's log: the one pinned at pairing, and those it vouches for.

Our own small reader of what `docs/trust.md` describes. It shares no code with the server, so that
a mistake there is not repeated here.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
import hashlib
import json
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

type Keyring = Mapping[str, Ed25519PublicKey]

KEY_STATEMENT: Final = "v2g-key+jwt"


class TrustError(ValueError):
    """Something signed or proven that does not hold; the message says which part."""


class UnknownKeyError(TrustError):
    """A signature by a key that nobody we trust has vouched for."""


def canonical(value: Mapping[str, Any]) -> bytes:
    """Return RFC 8785 bytes of JSON without floats, under ASCII keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def read_key(x: object) -> Ed25519PublicKey:
    """Return the Ed25519 key of a JWK's ``x``; raises TrustError."""
    try:
        return Ed25519PublicKey.from_public_bytes(_from_base64(str(x)))
    except ValueError as error:
        raise TrustError("not an Ed25519 key") from error


def key_id(key: Ed25519PublicKey) -> str:
    """Return a key's RFC 7638 thumbprint in URL-safe base64."""
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": public_text(key)}
    return _to_base64(hashlib.sha256(canonical(jwk)).digest())


def public_text(key: Ed25519PublicKey) -> str:
    """Return a key's 32 bytes in URL-safe base64, as a JWK's ``x`` has them."""
    return _to_base64(key.public_bytes_raw())


def keyring(*xs: object) -> dict[str, Ed25519PublicKey]:
    """Return keys, given as JWKs' ``x``, under their thumbprints; raises TrustError."""
    keys = [read_key(x) for x in xs]
    return {key_id(key): key for key in keys}


def read_jws(text: str, kind: str, keys: Keyring) -> dict[str, Any]:
    """Return the claims of a compact JWS that one of ``keys`` signed.

    One algorithm, the exact type and exactly these header members pass (RFC 8725 §3). Raises
    UnknownKeyError for another signer, TrustError for anything else that does not hold.
    """
    try:
        head, payload, signature = text.split(".")
        header = json.loads(_from_base64(head))
        if set(header) != {"alg", "typ", "kid"} or (header["alg"], header["typ"]) != (
            "EdDSA",
            kind,
        ):
            raise TrustError(f"not a signed {kind}")
        if (key := keys.get(header["kid"])) is None:
            raise UnknownKeyError(f"signed by the unknown key {header['kid']}")
        key.verify(_from_base64(signature), f"{head}.{payload}".encode())
        claims = json.loads(_from_base64(payload))
    except InvalidSignature as error:
        raise TrustError("the signature is not valid") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        if isinstance(error, TrustError):
            raise
        raise TrustError("not a compact JWS") from error
    if not isinstance(claims, dict):
        raise TrustError("the signed content is no object")
    return claims


def vouched(statement: str, keys: Keyring, issuer: str) -> str:
    """Return the ``x`` of the key that a trusted one vouches for; raises TrustError."""
    claims = read_jws(statement, KEY_STATEMENT, keys)
    jwk = claims.get("jwk")
    if claims.get("iss") != issuer or not isinstance(jwk, dict):
        raise TrustError("the statement is another server's, or names no key")
    return public_text(read_key(jwk.get("x")))


def _to_base64(raw: bytes) -> str:
    """Return URL-safe base64 without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _from_base64(text: str) -> bytes:
    """Return the bytes of URL-safe base64 without padding; raises ValueError."""
    raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _to_base64(raw) != text:
        raise ValueError("not the one way to write these bytes")
    return raw
