"""Pairing codes: a public id to look them up and a secret that only the reader of the code knows.

A code is fifteen letters in three groups, ``BCDFG-HJKLM-NPQRS``. The first group is public, the
other two are the secret: 20^10 values, 43 bits. The alphabet is RFC 8628 §6.1's twenty consonants:
no digit to mistake for a letter, no vowel to spell a word with.
"""

from dataclasses import dataclass
import hashlib
import hmac
import re
import secrets
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
GROUP: Final = 5
PUBLIC_LETTERS: Final = GROUP
SECRET_LETTERS: Final = 2 * GROUP
URI_PREFIX: Final = "v2gowner:pair#"

_LETTERS: Final = re.compile(f"[{ALPHABET}]{{{PUBLIC_LETTERS + SECRET_LETTERS}}}")
_SEPARATORS: Final = str.maketrans("", "", " -_.\u2010\u2011\u2012\u2013\u2014\u00a0")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingCode:
    """A code as a person reads it, split into what is looked up and what is proved."""

    public_id: str
    secret: str

    def __str__(self) -> str:
        letters = self.public_id + self.secret
        return "-".join(letters[at : at + GROUP] for at in range(0, len(letters), GROUP))


def parse(text: str) -> PairingCode | None:
    """Read a code with any grouping and case, or None when it is no code at all."""
    letters = text.translate(_SEPARATORS).upper()
    if not _LETTERS.fullmatch(letters):
        return None
    return PairingCode(public_id=letters[:PUBLIC_LETTERS], secret=letters[PUBLIC_LETTERS:])


def new_code() -> PairingCode:
    """Return a random code."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(PUBLIC_LETTERS + SECRET_LETTERS))
    return PairingCode(public_id=letters[:PUBLIC_LETTERS], secret=letters[PUBLIC_LETTERS:])


def secret_digest(key: bytes, code_id: str, secret: str) -> str:
    """Return what the store keeps of a secret, in hex.

    43 bits fall to a plain hash in minutes, so the digest is keyed: the database alone does not
    open a code.
    """
    material = b"v2g-owner/pairing-secret\0" + code_id.encode() + b"\0" + secret.encode()
    return hmac.digest(key, material, hashlib.sha256).hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingUri:
    """What a QR code carries: where the server is, the code, and the key to expect there.

    ``pin`` is the SHA-256 of the server's public key (SubjectPublicKeyInfo, DER) in lower-case
    hex, present only where no public authority vouches for the certificate.
    """

    url: str
    code: str
    pin: str | None = None

    def __str__(self) -> str:
        values = {"url": self.url, "code": self.code}
        if self.pin:
            values["pin"] = self.pin
        # Everything stands in the fragment: no log of a visited address ever holds the secret.
        return URI_PREFIX + urlencode(values, quote_via=quote)


def parse_uri(text: str) -> PairingUri | None:
    """Read the text of a pairing QR code, or None when it is something else."""
    if not text.startswith(URI_PREFIX):
        return None
    values = dict(parse_qsl(text.removeprefix(URI_PREFIX)))
    if "url" not in values or "code" not in values:
        return None
    return PairingUri(url=values["url"], code=values["code"], pin=values.get("pin"))
