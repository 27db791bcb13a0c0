"""How the server may listen: plain HTTP on loopback only, elsewhere TLS or a declared proxy."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import hashlib
from ipaddress import ip_address
from pathlib import Path
import socket
import ssl

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
import ifaddr

from owner_api.access.keys import TLS_FILE, key_directory, load_p256
from owner_api.config import Config, is_loopback

# For TLS 1.2 (RFC 9325 §4.2); those of 1.3 are all forward secret and are not named here.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
_VALID_FOR = timedelta(days=3650)
_WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104 - compared to, not bound to


class ListenRefusedError(Exception):
    """The server will not listen like this; the message says what would pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """How the words travel: over TLS of our own or not, and the key to expect if self-signed.

    ``pin`` is the SHA-256 of the public key (SubjectPublicKeyInfo, DER) in lower-case hex. The key
    is pinned and not the certificate, so that a renewed certificate changes nothing.
    """

    ssl_context: ssl.SSLContext | None = None
    pin: str | None = None

    @property
    def scheme(self) -> str:
        """The URL scheme that clients use when they connect directly."""
        return "http" if self.ssl_context is None else "https"


def choose_transport(config: Config, *, database: Path, self_signed: bool) -> Transport:
    """Return the transport of a listen address; raises ListenRefusedError, KeyFileError, OSError.

    Beyond loopback one of these is needed: a certificate and key, ``self_signed``, or a declared
    proxy that brings TLS itself.
    """
    if config.tls_certificate and config.tls_key:
        if self_signed:
            raise ListenRefusedError("give a certificate and key, or --self-signed, not both")
        return Transport(ssl_context=_context(config.tls_certificate, config.tls_key))
    if self_signed:
        return _self_signed(database, config.listen_host)
    if is_loopback(config.listen_host) or config.trusted_proxies:
        return Transport()
    raise ListenRefusedError(
        f"{config.listen_host} is reachable from other machines, and plain HTTP would show every "
        "token to the network: give --tls-certificate and --tls-key, or --self-signed, or "
        "--proxy ADDRESS of the TLS proxy in front, or listen on 127.0.0.1"
    )


def public_url(config: Config, transport: Transport, port: int) -> str:
    """Return the URL under which clients reach the server; configured, or made from the address."""
    if config.public_url:
        return config.public_url.rstrip("/")
    host = config.listen_host
    if host in _WILDCARDS:
        host = next(iter(outward_addresses()), "127.0.0.1")
    return f"{transport.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def outward_addresses() -> list[str]:
    """Return this machine's IPv4 addresses that other machines can reach."""
    found = (
        ip_address(ip.ip)
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
        if isinstance(ip.ip, str)
    )
    return [str(each) for each in found if not each.is_loopback and not each.is_link_local]


def key_pin(public: ec.EllipticCurvePublicKey) -> str:
    """Return the SHA-256 of a public key's SubjectPublicKeyInfo in lower-case hex."""
    encoded = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(encoded).hexdigest()


def server_context(certificate: str | Path, key: str | Path) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and 1.3 with forward secret suites only; raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.load_cert_chain(certificate, key, password=_nobody_types)
    return context


def _nobody_types() -> str:
    """Refuse a key that asks for a passphrase: OpenSSL would wait for a terminal."""
    raise OSError("the key is protected by a passphrase; give one without, that only we may read")


def certificate_ends_at(file: str | Path) -> datetime | None:
    """Return when the certificate of a file ends; None for one that only OpenSSL can read."""
    try:
        return x509.load_pem_x509_certificate(Path(file).read_bytes()).not_valid_after_utc
    except ValueError:
        return None


def _context(certificate: str | Path, key: str | Path) -> ssl.SSLContext:
    try:
        return server_context(certificate, key)
    except OSError as error:
        raise ListenRefusedError(
            f"{certificate} and {key} are no usable certificate and key: {error}"
        ) from error


def _self_signed(database: Path, host: str) -> Transport:
    """Return a transport whose certificate nobody vouches for but the pairing code."""
    folder = key_directory(database)
    folder.mkdir(mode=0o700, exist_ok=True)
    key_file, certificate_file = folder / TLS_FILE, folder / "tls-p256.crt"
    try:
        key = load_p256(key_file)
    except UnsupportedAlgorithm as error:
        raise ListenRefusedError(f"{key_file}: {error}") from error
    certificate = _certificate(key, _names(host))
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Transport(
        ssl_context=_context(certificate_file, key_file), pin=key_pin(key.public_key())
    )


def _names(host: str) -> list[x509.GeneralName]:
    machine = socket.gethostname()
    addresses = {"127.0.0.1", "::1", *outward_addresses()}
    names = {"localhost", machine, f"{machine.partition('.')[0]}.local"}
    try:
        addresses.add(str(ip_address(host)))
    except ValueError:
        names.add(host)
    return [
        *(x509.DNSName(name) for name in sorted(names) if name.isascii() and name),
        *(x509.IPAddress(ip_address(text)) for text in sorted(addresses)),
    ]


def _certificate(
    key: ec.EllipticCurvePrivateKey, names: list[x509.GeneralName]
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "V2G Owner")])
    # The certificate's clock is the machine's own: TLS peers compare it to theirs.
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID_FOR)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
