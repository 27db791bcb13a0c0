"""Which Ed25519 keys a verifier trusts: those it pinned, and those that a trusted one vouches for.

A key is named by its RFC 7638 thumbprint. When a log changes its key, the old key signs a
statement that carries the new one; whoever pinned the old key follows the statements.
"""

from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
import hashlib
import json
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
import jwt

from .canonical import canonical

type Keyring = Mapping[str, Ed25519PublicKey]
type Json = dict[str, Any]

ALGORITHM: Final = "EdDSA"
KEY_TYPE: Final = "v2g-key+jwt"
_JWS: Final = jwt.PyJWS(algorithms=[ALGORITHM])


class SignatureError(ValueError):
    """A signature that no trusted key made, or a key that cannot be read."""


def public_jwk(public: Ed25519PublicKey) -> dict[str, str]:
    """Return the members that RFC 7638 hashes, and nothing else."""
    x = urlsafe_b64encode(public.public_bytes_raw()).rstrip(b"=").decode()
    return {"crv": "Ed25519", "kty": "OKP", "x": x}


def key_id(public: Ed25519PublicKey) -> str:
    """Return the key's RFC 7638 thumbprint in URL-safe base64."""
    digest = hashlib.sha256(canonical(public_jwk(public))).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def keyring(*keys: Ed25519PublicKey) -> dict[str, Ed25519PublicKey]:
    """Return the keys under their names."""
    return {key_id(key): key for key in keys}


def read_jwk(jwk: object) -> Ed25519PublicKey:
    """Return the key of a JWK; raises SignatureError for any other kind of key."""
    if not isinstance(jwk, dict) or (jwk.get("kty"), jwk.get("crv")) != ("OKP", "Ed25519"):
        raise SignatureError("not an Ed25519 public key as a JWK")
    try:
        x = str(jwk["x"])
        return Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(x + "=" * (-len(x) % 4)))
    except (KeyError, ValueError) as error:
        raise SignatureError("the JWK's x is not an Ed25519 key") from error


def read_keys(text: str) -> dict[str, Ed25519PublicKey]:
    """Read public keys from PEM, a JWK or a JWK set; other kinds of key in a set are left out.

    Raises SignatureError when there is no Ed25519 key in it.
    """
    if text.lstrip().startswith("-----BEGIN"):
        try:
            key = load_pem_public_key(text.encode())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise SignatureError("not a public key in PEM") from error
        if not isinstance(key, Ed25519PublicKey):
            raise SignatureError("the PEM holds another kind of key; Ed25519 is needed")
        return keyring(key)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SignatureError("neither PEM nor a JWK (set)") from error
    jwks = found["keys"] if isinstance(found, dict) and "keys" in found else [found]
    if not isinstance(jwks, list):
        raise SignatureError("a JWK set's keys are a list")
    wanted = [jwk for jwk in jwks if isinstance(jwk, dict) and jwk.get("crv") == "Ed25519"]
    if not wanted:
        raise SignatureError("no Ed25519 key in it")
    return keyring(*(read_jwk(jwk) for jwk in wanted))


def sign_jws(claims: Mapping[str, Any], kind: str, private: Ed25519PrivateKey) -> str:
    """Return a compact JWS over the canonical claims, typed and naming its key.

    Ed25519 is deterministic: the same claims under the same key give the same bytes.
    """
    headers = {"typ": kind, "kid": key_id(private.public_key())}
    return _JWS.encode(canonical(dict(claims)), private, ALGORITHM, headers=headers)


def read_jws(text: str, kind: str, keys: Keyring) -> Json:
    """Return the claims of a compact JWS that a trusted key signed; raises SignatureError.

    One algorithm, the exact type and exactly these header members pass (RFC 8725 §3).
    """
    try:
        header = jwt.get_unverified_header(text)
        if set(header) != {"alg", "typ", "kid"} or header["typ"] != kind:
            raise SignatureError(f"not a signed {kind}")
        key = keys.get(header["kid"])
        if key is None:
            raise SignatureError(f"signed by key {header['kid']}, which is not trusted here")
        payload = _JWS.decode(text, key, algorithms=[ALGORITHM])
        claims = json.loads(payload)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        if isinstance(error, SignatureError):
            raise
        raise SignatureError("the signature is not valid") from error
    if not isinstance(claims, dict):
        raise SignatureError("the signed content is no object")
    return claims


def vouch(new: Ed25519PublicKey, *, issuer: str, at: int, old: Ed25519PrivateKey) -> str:
    """Return the old key's statement that the log is now signed by ``new`` (``at``: epoch s)."""
    claims = {"iss": issuer, "iat": at, "jwk": public_jwk(new)}
    return sign_jws(claims, KEY_TYPE, old)


def follow(keys: Keyring, statements: Iterable[str]) -> dict[str, Ed25519PublicKey]:
    """Return the keys and those they vouch for, in order; raises SignatureError on a bad one.

    Statements older than what is pinned are passed over: nobody here can check them.
    """
    trusted = dict(keys)
    for statement in statements:
        try:
            signer = jwt.get_unverified_header(statement).get("kid")
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise SignatureError("a key statement cannot be read") from error
        if signer in trusted:
            trusted |= keyring(read_jwk(read_jws(statement, KEY_TYPE, trusted).get("jwk")))
    return trusted


def note_key_hash(name: str, public: Ed25519PublicKey) -> bytes:
    """Return the 4 bytes by which a signed note names an Ed25519 key (C2SP signed-note)."""
    material = name.encode() + b"\n\x01" + public.public_bytes_raw()
    return hashlib.sha256(material).digest()[:4]


def note_key(name: str, public: Ed25519PublicKey) -> str:
    """Return the key as C2SP writes it: name+hash+base64."""
    encoded = b64encode(b"\x01" + public.public_bytes_raw()).decode()
    return f"{name}+{note_key_hash(name, public).hex()}+{encoded}"


def is_signed(public: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    """Tell whether the key made this signature."""
    try:
        public.verify(signature, content)
    except InvalidSignature:
        return False
    return True
