"""Headers that every answer carries, and which parts of a request are believed."""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final

from aiohttp import web

from owner_api.config import Config, is_loopback
from owner_api.problems import Problem, ProblemCode

_HOUSE_BITS: Final = 64
_KEPT_BITS: Final = {4: 24, 6: 48}

type Listener = Callable[[web.Request, web.StreamResponse], None]

CONFIG: Final = web.AppKey("config", Config)
# Who is told of each answer as it leaves.
LEAVING: Final = web.AppKey("leaving", list[Listener])

ALWAYS: Final = {
    "Server": "owner-api",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # base-uri and form-action do not fall back on default-src.
    "Content-Security-Policy": (
        "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; sandbox"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
HSTS: Final = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}


def leave(request: web.Request, response: web.StreamResponse) -> None:
    """Tell who listens that an answer leaves now."""
    for listener in request.app[LEAVING]:
        listener(request, response)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers just before an answer leaves that aiohttp writes, whatever made it."""
    leave(request, response)
    headers = response.headers
    headers.update(ALWAYS)
    if headers.get("Content-Type", "").startswith("text/") and response.charset is None:
        response.charset = "utf-8"
    if is_encrypted(request):
        response.headers.update(HSTS)


def network_of(address: str) -> str:
    """Return the network an address is in, /24 or /48: enough to see an attack in a log.

    A whole address would be a person's; "unknown" for what is no address.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    prefix = _KEPT_BITS[found.version]
    return str(ip_network((found, prefix), strict=False))


@lru_cache(maxsize=10_000)
def household(address: str) -> str:
    """Return what limits per address count by: for IPv6 the /64, in which a house has 2^64.

    What is no address counts by itself.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ip_network((found, _HOUSE_BITS), strict=False))


def peer(request: web.Request) -> str:
    """Return the address at the other end of the connection."""
    return request.remote or ""


def is_proxy(request: web.Request) -> bool:
    """Tell whether the connection comes from a declared proxy."""
    config = request.app[CONFIG]
    if not config.trusted_proxies:
        return False
    try:
        address = ip_address(peer(request).partition("%")[0])
    except ValueError:
        return False
    return any(address in network for network in config.proxies)


def client_address(request: web.Request) -> str:
    """Return the caller's address; a forwarded one only from a declared proxy (its last hop).

    Where the proxy tells no address the caller is the proxy: no word of its choice is counted by.
    """
    if is_proxy(request):
        forwarded = request.headers.getall("X-Forwarded-For", [])
        return _address_in(",".join(forwarded).rpartition(",")[2].strip()) or peer(request)
    return peer(request)


def _address_in(hop: str) -> str | None:
    """Return the address a proxy wrote, without the brackets and port some write with it."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        return str(ip_address(hop.partition("%")[0]))
    except ValueError:
        return None


def is_encrypted(request: web.Request) -> bool:
    """Tell whether the caller's words travelled under TLS, ours or a declared proxy's."""
    return request.secure or (
        is_proxy(request) and request.headers.get("X-Forwarded-Proto", "").lower() == "https"
    )


def require_private_transport(request: web.Request) -> None:
    """Raise forbidden for plain HTTP that left this machine: tokens would be readable."""
    if request.secure:
        return
    told = request.headers.get("X-Forwarded-Proto") if is_proxy(request) else None
    private = is_loopback(peer(request)) if told is None else told.lower() == "https"
    if not private:
        raise Problem(
            ProblemCode.FORBIDDEN,
            "Plain HTTP is served on loopback only; use https or the declared proxy.",
        )
