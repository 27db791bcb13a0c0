"""Trust exactly one server key, for an owner API with a self-signed certificate."""

import asyncio
import hashlib
from typing import override

from aiohttp import Fingerprint, ServerFingerprintMismatch
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class KeyPin(Fingerprint):
    """Accept a TLS server only when its public key has the SHA-256 the pairing code named.

    The key outlives its certificate, so a renewed certificate needs no new pairing.
    """

    @override
    def check(self, transport: asyncio.Transport) -> None:
        """Raise ServerFingerprintMismatch unless the server holds the pinned key."""
        certificate = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        public_key = x509.load_der_x509_certificate(certificate).public_key()
        info = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        got = hashlib.sha256(info).digest()
        if got != self.fingerprint:
            host, port, *_ = transport.get_extra_info("peername")
            raise ServerFingerprintMismatch(self.fingerprint, got, host, port)


def key_pin(key_sha256: str | None) -> KeyPin | None:
    """Return the pin for a key's SHA-256 in hex, or None when public trust is enough."""
    return None if key_sha256 is None else KeyPin(bytes.fromhex(key_sha256))
