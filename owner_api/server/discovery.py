"""Announcing a house's own server on the local network, so that Home Assistant finds it."""

from errno import EADDRINUSE
from ipaddress import ip_address
from typing import Final

from zeroconf import IPVersion, NonUniqueNameException
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from owner_api import __version__
from owner_api.config import Config, is_loopback

from .tls import Transport, outward_addresses

SERVICE_TYPE: Final = "_v2g-owner._tcp.local."
_ENTRY_BYTES: Final = 255


def should_announce(config: Config, transport: Transport) -> bool:
    """Tell whether this server can be reached by whoever hears the announcement.

    Nothing is announced on loopback, nor behind a proxy: the proxy's name is the public one.
    """
    return (
        config.announce
        and not is_loopback(config.listen_host)
        and transport.ssl_context is not None
    )


def service_info(
    *,
    server_id: str,
    name: str,
    host: str,
    port: int,
    api_version: int,
    url: str | None = None,
) -> AsyncServiceInfo:
    """Return what is announced: where the server is and who it says it is, no secret and no pin.

    A certificate is good for the name in ``url`` only, never for the bare address. A pin that
    travels with the announcement would only vouch for whoever announces.
    """
    try:
        address = ip_address(host)
        addresses = outward_addresses() if address.is_unspecified else [str(address)]
    except ValueError:
        addresses = outward_addresses()
    return AsyncServiceInfo(
        SERVICE_TYPE,
        f"V2G Owner {server_id[-8:]}.{SERVICE_TYPE}",
        port=port,
        parsed_addresses=addresses,
        properties={
            "server_id": server_id,
            "name": _fitting("name", name),
            "version": __version__,
            "api_version": str(api_version),
            "tls": "1",
        }
        # Of an address a part is none.
        | ({"url": url} if url and len(f"url={url}".encode()) <= _ENTRY_BYTES else {}),
        server=f"v2g-owner-{server_id[-8:]}.local.",
    )


def _fitting(entry: str, text: str) -> str:
    """Return as much of a text as one entry of an announcement holds: 255 bytes, its name too."""
    return text.encode()[: _ENTRY_BYTES - len(f"{entry}=")].decode(errors="ignore")


class Announcement:
    """One announced service; ``close`` takes it back."""

    def __init__(self, info: AsyncServiceInfo) -> None:
        self._info = info
        self._zeroconf: AsyncZeroconf | None = None

    async def open(self) -> None:
        """Announce the service; raises OSError without multicast, or when its name is taken.

        Another name is not tried: who answers to one name can answer to every other.
        """
        self._zeroconf = AsyncZeroconf(ip_version=IPVersion.V4Only)
        try:
            await self._zeroconf.async_register_service(self._info)
        except NonUniqueNameException as error:
            taken = f"somebody else announces {self._info.name} already"
            raise OSError(EADDRINUSE, taken) from error

    async def close(self) -> None:
        """Say goodbye and stop."""
        if self._zeroconf is not None:
            await self._zeroconf.async_unregister_all_services()
            await self._zeroconf.async_close()
            self._zeroconf = None
