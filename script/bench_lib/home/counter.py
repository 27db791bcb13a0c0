"""A TCP relay between Home Assistant and the API that counts messages and notes when they pass."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
import re
import time
from typing import Final

_REQUEST: Final = re.compile(rb"(?:^|\n)(GET|POST|PUT|PATCH|DELETE) (/\S*) HTTP/1\.1\r\n")
_ID: Final = re.compile(r"[a-z]{3}_[0-9a-f]{32}")
_CHUNK: Final = 1 << 16
_STREAM: Final = "/v1/events"


@dataclass(slots=True)
class Traffic:
    """Messages since the last reset: requests and events by kind, and heartbeats."""

    requests: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    heartbeats: int = 0
    answered_at: dict[str, float] = field(default_factory=dict)
    """When the last byte of the newest answer to a request passed, on the monotonic clock."""

    def messages(self) -> int:
        """Return how many requests and events there were; heartbeats apart."""
        return self.requests.total() + self.events.total()

    def confirmations(self) -> int:
        """Return how many told of a car's sensors: a reading, or the event that echoes it."""
        return (
            self.requests["POST /v1/vehicles/{id}/telemetry"] + self.events["event vehicle.updated"]
        )

    def kinds(self, most: int = 8) -> str:
        """Return the commonest kinds."""
        both = self.requests + self.events
        return ", ".join(f"{count}x {kind}" for kind, count in both.most_common(most)) or "nothing"


class Relay:
    """Relays one port; ``traffic`` may be replaced to begin anew."""

    def __init__(self, target_port: int) -> None:
        self.traffic = Traffic()
        self.port = 0
        self._target_port = target_port

    async def serve(self) -> asyncio.Server:
        """Listen on a free loopback port."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        return server

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        link = _Link(self)
        with suppress(OSError):
            await asyncio.gather(
                _pass(reader, up_writer, link.asked), _pass(up_reader, writer, link.answered)
            )
        for each in (writer, up_writer):
            each.close()


class _Link:
    """What passes over one connection."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._path = ""

    def asked(self, data: bytes) -> None:
        for method, path in _REQUEST.findall(data):
            self._path = path.decode().partition("?")[0]
            kind = f"{method.decode()} {_ID.sub('{id}', self._path)}"
            self._relay.traffic.requests[kind] += 1

    def answered(self, data: bytes) -> None:
        traffic = self._relay.traffic
        traffic.answered_at[self._path] = time.monotonic()
        if self._path != _STREAM:
            return
        for line in data.split(b"\n"):
            if line.startswith(b"event:"):
                traffic.events[f"event {line[6:].strip().decode()}"] += 1
            elif line.startswith(b":"):
                traffic.heartbeats += 1


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, look: object) -> None:
    while data := await reader.read(_CHUNK):
        look(data)  # type: ignore[operator]
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


@asynccontextmanager
async def counting(target_port: int) -> AsyncIterator[Relay]:
    """Relay to a port for the time of the block."""
    relay = Relay(target_port)
    server = await relay.serve()
    try:
        yield relay
    finally:
        server.close()
