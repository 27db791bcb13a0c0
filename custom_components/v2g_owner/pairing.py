"""Read what an owner types or scans to pair: an address and a code, or both in one."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import parse_qsl

from yarl import URL

URI_PREFIX = "v2gowner:pair#"
# The API takes no device name that is longer, nor one with what cannot be printed alone.
_LONGEST_NAME = 100


class InsecureUrlError(ValueError):
    """Plain HTTP beyond this machine: anyone on the way could read and accept."""


class InvalidUrlError(ValueError):
    """Not the address of a web service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingInput:
    """Where to pair, with which code, and which server key to expect there."""

    url: str
    code: str
    key_sha256: str | None = None


def read_pairing(url: str, code: str, key_sha256: str | None = None) -> PairingInput:
    """Return what to pair with; the text of a QR code in ``code`` overrides the rest.

    Raises InvalidUrlError or InsecureUrlError when the address cannot be used.
    """
    code = code.strip()
    if code.startswith(URI_PREFIX):
        scanned = dict(parse_qsl(code.removeprefix(URI_PREFIX)))
        url, code = scanned.get("url", url), scanned.get("code", "")
        key_sha256 = scanned.get("pin")
    return PairingInput(url=normal_url(url), code=code, key_sha256=key_sha256)


def device_name(home: str) -> str:
    """Return what a home is listed as; a name of emoji, a long one or none must still pair."""
    shown = "".join(char for char in home if char.isprintable()).strip()
    return shown[:_LONGEST_NAME] or "Home Assistant"


def normal_url(text: str) -> str:
    """Return an address without path; raises when it is none, or would send secrets in clear."""
    try:
        url = URL(text.strip())
    except ValueError as error:
        raise InvalidUrlError(text) from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise InvalidUrlError(text)
    if url.scheme == "http" and not is_loopback(url.host):
        raise InsecureUrlError(text)
    return str(url.origin())


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
