"""A load of prepared requests over kept connections; leaner than the servers that it loads."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
import time
from typing import Final

HEADER_END: Final = b"\r\n\r\n"
LENGTH: Final = b"content-length:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a load took: `latencies` in s, sorted; `wall_s` from first request to last answer."""

    latencies: list[float]
    statuses: Counter[int]
    wall_s: float

    @property
    def per_s(self) -> float:
        """Requests answered per second."""
        return len(self.latencies) / self.wall_s

    def quantile(self, share: float) -> float:
        """Return the latency in s that `share` of the requests did not exceed."""
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Return one request as it goes over the wire; `_` in a header's name stands for `-`."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines.append("Content-Type: application/json")
    return "\r\n".join([*lines, "", ""]).encode() + body


class _Connection(asyncio.Protocol):
    """Sends its requests one after another, each when the answer before is whole."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()
        self._requests = iter(requests)
        self._received = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def begin(self) -> None:
        """Send the first request."""
        self._next()

    def _next(self) -> None:
        assert self._transport is not None
        following = next(self._requests, None)
        if following is None:
            self._transport.close()
            self.done.set_result(None)
            return
        self._sent_at = time.perf_counter()
        self._transport.write(following)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(HEADER_END)
        if not end:
            return
        lines = head.lower().split(b"\r\n")
        length = next((int(line[len(LENGTH) :]) for line in lines if line.startswith(LENGTH)), 0)
        if len(rest) < length:
            return
        self.latencies.append(time.perf_counter() - self._sent_at)
        self.statuses[int(head[9:12])] += 1
        self._received = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))


async def run(port: int, per_connection: Sequence[Sequence[bytes]]) -> Load:
    """Send each connection's requests in order, all connections at once."""
    loop = asyncio.get_running_loop()
    connections = []
    for requests in per_connection:
        _, connection = await loop.create_connection(
            lambda requests=requests: _Connection(requests),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        connections.append(connection)
    begun = time.perf_counter()
    for connection in connections:
        connection.begin()
    await asyncio.gather(*(connection.done for connection in connections))
    wall_s = time.perf_counter() - begun
    statuses: Counter[int] = Counter()
    for connection in connections:
        statuses += connection.statuses
    latencies = sorted(each for connection in connections for each in connection.latencies)
    return Load(latencies=latencies, statuses=statuses, wall_s=wall_s)
