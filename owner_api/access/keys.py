"""The server's own keys, made at the first start beside the database and never inside it.

``<database>.keys/`` (0700) holds one file (0600) per key: ``token-es256.pem`` signs access tokens,
``receipt-ed25519.pem`` signs receipts and checkpoints, ``pairing.key`` keys the digests of pairing
codes, ``tls-p256.pem`` belongs to a self-signed certificate. ``token-es256-*.pem`` are former
signing keys: their tokens are read for an hour after the first start with the present one.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Set as AbstractSet
from dataclasses import dataclass
import hashlib
import os
from pathlib import Path
import secrets
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from jwt.algorithms import ECAlgorithm, OKPAlgorithm
import orjson

from owner_api.core.keyring import keyring

type PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
type PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

TOKEN_FILE: Final = "token-es256"  # noqa: S105 - a file name, no secret
RECEIPT_FILE: Final = "receipt-ed25519"
PAIRING_FILE: Final = "pairing.key"
TLS_FILE: Final = "tls-p256.pem"
_PAIRING_KEY_BYTES: Final = 32


class KeyFileError(Exception):
    """A key file cannot be used; the message names the file and what would pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """One private key with the identifier and public form that verifiers know it by."""

    kid: str
    private: PrivateKey
    public: PublicKey
    public_jwk: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Every key of one server: ``token`` signs, ``former_tokens`` may still be read for a while."""

    token: SigningKey
    former_tokens: tuple[SigningKey, ...]
    receipt: SigningKey
    pairing: bytes

    def token_key(self, kid: str) -> SigningKey | None:
        """Return the token key that goes by ``kid``."""
        return next((key for key in (self.token, *self.former_tokens) if key.kid == kid), None)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public keys as a JSON Web Key Set (RFC 7517)."""
        return {"keys": [k.public_jwk for k in (self.token, *self.former_tokens, self.receipt)]}


def key_directory(database: Path) -> Path:
    """Return where the keys of ``database`` are kept; one place, by whatever link it is reached."""
    database = database.resolve()
    return database.with_name(database.name + ".keys")


def load_keys(database: Path, *, signed_by: str | None = None, accepted: str | None = None) -> Keys:
    """Read the keys of ``database``, making those that are missing; raises KeyFileError.

    ``signed_by`` is the key that its log names last, ``accepted`` one that its operator took for a
    lost one. Any other looks to every owner and park like a stranger's, so that none is made by the
    way where the directory was forgotten, nor taken from another server's.
    """
    folder = key_directory(database)
    try:
        if signed_by is not None:
            _refuse_strangers(database, {signed_by, accepted})
        folder.mkdir(mode=0o700, exist_ok=True)
        token = load_p256(folder / f"{TOKEN_FILE}.pem")
        former = [
            signing_key(load_p256(path, make=False))
            for path in sorted(folder.glob(f"{TOKEN_FILE}-*.pem"))
        ]
        receipt = load_ed25519(folder / f"{RECEIPT_FILE}.pem")
        pairing = _load_bytes(folder / PAIRING_FILE)
    except OSError as error:
        raise KeyFileError(f"{error.filename or folder}: {error.strerror}") from error
    return Keys(
        token=signing_key(token),
        former_tokens=tuple(former),
        receipt=signing_key(receipt),
        pairing=pairing,
    )


def _refuse_strangers(database: Path, known: AbstractSet[str | None]) -> None:
    folder = key_directory(database)
    ours = f"with which the log of {database} is signed"
    help_ = (
        "put the copy of the key directory back, or, if it is lost, see `owner-api ledger new-key`"
    )
    if not _has_receipt_key(folder):
        raise KeyFileError(f"{folder / RECEIPT_FILE}.pem: missing, {ours}; {help_}")
    if known.isdisjoint(receipt_keys(database)):
        raise KeyFileError(f"{folder}: keys of another log; the one {ours} is missing; {help_}")


def _has_receipt_key(folder: Path) -> bool:
    """Tell whether the key in force or a former one is there; raises OSError for a closed door."""
    try:
        return any(path.name.startswith(RECEIPT_FILE) for path in folder.iterdir())
    except FileNotFoundError:
        return False


def make_receipt_key(database: Path, lost: str | None) -> Path:
    """Make the key of a log whose own is ``lost``, or take the one that lies there already.

    Raises KeyFileError where none is lost, OSError.
    """
    path = key_directory(database) / f"{RECEIPT_FILE}.pem"
    if path.exists() and (lost is None or lost in receipt_keys(database)):
        raise KeyFileError(
            f"{path}: exists; to change it, move it to {RECEIPT_FILE}-<date>.pem and start the"
            " server"
        )
    path.parent.mkdir(mode=0o700, exist_ok=True)
    load_ed25519(path)
    return path


def receipt_keys(database: Path) -> dict[str, ed25519.Ed25519PublicKey]:
    """Return the public keys that lie beside ``database`` for its log, former ones too.

    A key that is newer than a backup is known from here only. Raises KeyFileError, OSError.
    """
    found = sorted(key_directory(database).glob(f"{RECEIPT_FILE}*.pem"))
    return keyring(*(load_ed25519(path).public_key() for path in found))


def signing_key(private: PrivateKey) -> SigningKey:
    """Name a key by its RFC 7638 thumbprint and render its public half as a JWK."""
    jwk: dict[str, Any]
    if isinstance(private, ec.EllipticCurvePrivateKey):
        jwk = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
        algorithm = "ES256"
    else:
        jwk = OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
        algorithm = "EdDSA"
    required = {name: str(jwk[name]) for name in ("crv", "kty", "x", "y") if name in jwk}
    thumbprint = hashlib.sha256(orjson.dumps(required, option=orjson.OPT_SORT_KEYS)).digest()
    kid = base64url(thumbprint)
    public = required | {"kid": kid, "use": "sig", "alg": algorithm}
    return SigningKey(kid=kid, private=private, public=private.public_key(), public_jwk=public)


def base64url(raw: bytes) -> str:
    """Return URL-safe base64 without padding, as JOSE writes bytes."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def load_p256(path: Path, *, make: bool = True) -> ec.EllipticCurvePrivateKey:
    """Read a P-256 private key, making it when missing; raises KeyFileError, OSError."""
    key = _load_pem(path, new_p256 if make else None)
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1":
        return key
    raise KeyFileError(f"{path}: no P-256 key; move it away to get a new one")


def load_ed25519(path: Path) -> ed25519.Ed25519PrivateKey:
    """Read an Ed25519 private key, making it when missing; raises KeyFileError, OSError."""
    key = _load_pem(path, ed25519.Ed25519PrivateKey.generate)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    raise KeyFileError(f"{path}: no Ed25519 key; move it away to get a new one")


def _load_pem(path: Path, make: Callable[[], PrivateKey] | None) -> PrivateKeyTypes:
    try:
        pem = read_private(path)
    except FileNotFoundError:
        if make is None:
            raise
        made = make()
        encoded = made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return made if write_private(path, encoded) else _load_pem(path, None)
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path}: not an unencrypted PEM private key") from error


def _load_bytes(path: Path) -> bytes:
    try:
        raw = read_private(path)
    except FileNotFoundError:
        made = secrets.token_bytes(_PAIRING_KEY_BYTES)
        return made if write_private(path, made) else _load_bytes(path)
    if len(raw) != _PAIRING_KEY_BYTES:
        raise KeyFileError(f"{path}: holds {len(raw)} bytes where {_PAIRING_KEY_BYTES} belong")
    return raw


def read_private(path: Path) -> bytes:
    """Read a file that nobody else may read; raises KeyFileError when others can, OSError."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise KeyFileError(f"{path}: others can read it; chmod 600 would pass")
        return file.read()


def write_private(path: Path, content: bytes) -> bool:
    """Write a new file with mode 0600, whole or not at all; False when another was first.

    Two first starts at once must end with one key: the file is linked into place, which fails
    when the name is taken.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    # Found again after a power cut, like the log that is signed with it.
    for folder in (path.parent, path.parent.parent):
        entries = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(entries)
        finally:
            os.close(entries)
    return True


def new_p256() -> ec.EllipticCurvePrivateKey:
    """Return a new private key on NIST P-256."""
    return ec.generate_private_key(ec.SECP256R1())
