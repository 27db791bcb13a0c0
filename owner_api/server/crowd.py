"""How many connections may be open, in all and from one address (of IPv6 one /64)."""

from collections import Counter
from ipaddress import ip_address

from owner_api.config import Config, is_loopback

from .headers import household


class Crowd:
    """Counts open connections; who comes from this machine or a declared proxy is many at once."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._inside: Counter[str] = Counter()
        self._in_all = 0

    def enter(self, address: str) -> bool:
        """Count a new connection and tell whether there is room for it; ``leave`` ends either."""
        self._in_all += 1
        house = household(address)
        self._inside[house] += 1
        if self._in_all > self._config.max_connections:
            return False
        most = self._config.max_connections_per_address
        return self._inside[house] <= most or self._stands_for_many(address)

    def leave(self, address: str) -> None:
        """Forget a connection that was counted."""
        self._in_all -= 1
        house = household(address)
        self._inside[house] -= 1
        if not self._inside[house]:
            del self._inside[house]

    def _stands_for_many(self, address: str) -> bool:
        if is_loopback(address):
            return True
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return any(parsed in network for network in self._config.proxies)
