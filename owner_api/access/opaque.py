"""Opaque secrets of 256 bits: made here, handed out once, kept only as a hash."""

import hashlib
import hmac
import secrets
from typing import Final

REFRESH_PREFIX: Final = "v2grt_"
CLIENT_PREFIX: Final = "v2gcs_"
_BYTES: Final = 32


def new_secret(prefix: str) -> str:
    """Return ``prefix`` and 256 random bits in URL-safe base64; the prefix helps leak scanners."""
    return prefix + secrets.token_urlsafe(_BYTES)


def digest(secret: str) -> str:
    """Return what the store keeps, SHA-256 in hex; 256 random bits need no salt or stretching."""
    return hashlib.sha256(secret.encode()).hexdigest()


def matches(secret: str, stored_digest: str) -> bool:
    """Tell whether ``secret`` is the one that was stored, in time that tells nothing."""
    return hmac.compare_digest(digest(secret), stored_digest)
