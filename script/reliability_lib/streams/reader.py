"""One client of a stream: it hangs up, stops reading or is left alone, and always comes back."""

import asyncio
from dataclasses import dataclass, field
import hashlib
import random
import socket
from typing import Any, Final

import aiohttp

from .frames import Frames, Heard

_SMALL: Final = 4_096
_BYTES: Final = (200, 5_000, 50_000, 400_000)
_SLEEPS_S: Final = 2.0
_AGAIN_S: Final = 0.05


@dataclass
class Server:
    """Where the server is now; None while it is down. ``starts`` counts its lives."""

    url: str | None = None
    starts: int = 0


@dataclass
class Links:
    """What became of the connections of all readers."""

    opened: int = 0
    resumed: int = 0
    refused: int = 0
    hung_up: int = 0
    inside: int = 0
    dropped: int = 0
    with_server: int = 0


@dataclass(kw_only=True)
class Reader:
    """One stream of one party; ``slip`` is the proof's own fault: it resumes so many too late."""

    server: Server
    links: Links
    party_id: str
    token: str
    chance: random.Random
    slip: int = 0
    last: int = 0
    heard: list[tuple[int, str]] = field(default_factory=list)

    async def run(self) -> None:
        """Read, lose the link and resume until cancelled."""
        while True:
            if self.server.url is None:
                await asyncio.sleep(_AGAIN_S)
                continue
            starts, draw = self.server.starts, self.chance.random()
            try:
                if draw < 0.25:
                    await self._sleepy(self.server.url, starts)
                else:
                    budget = self.chance.choice(_BYTES) if draw < 0.8 else 1 << 40
                    await self._read(self.server.url, int(budget * self.chance.random()) + 1)
            except aiohttp.ClientError, ConnectionError:
                self.links.with_server += 1
                await asyncio.sleep(_AGAIN_S)

    async def catch_up(self, head: int) -> None:
        """Read on, without any more faults of this side, until ``head`` has been heard."""
        self.slip = 0
        async with aiohttp.ClientSession() as http:
            while self.last < head and self.server.url is not None:
                try:
                    async with await self._open(http, self.server.url) as response:
                        if response.status != 200:
                            return
                        frames = Frames()
                        while self.last < head and (got := await response.content.readany()):
                            self._hear(frames.feed(got))
                except aiohttp.ClientError, ConnectionError:
                    # Too slow for all that was waiting: on from there.
                    self.links.dropped += 1

    async def _open(self, http: aiohttp.ClientSession, url: str) -> aiohttp.ClientResponse:
        at = self.last + self.slip if self.last else 0
        headers = {"Authorization": f"Bearer {self.token}", "Last-Event-ID": str(max(0, at))}
        timeout = aiohttp.ClientTimeout(total=None)
        response = await http.get(url + "/v1/events", headers=headers, timeout=timeout)
        self.links.opened += 1
        self.links.resumed += self.last > 0
        self.links.refused += response.status != 200
        return response

    async def _read(self, url: str, budget: int) -> None:
        """Read so many bytes and cut the connection there, in the middle of whatever that is."""
        async with aiohttp.ClientSession() as http, await self._open(http, url) as response:
            if response.status != 200:
                await asyncio.sleep(_AGAIN_S)
                return
            frames = Frames()
            while received := (await response.content.readany())[:budget]:
                self._hear(frames.feed(received))
                budget -= len(received)
            if budget:
                self.links.with_server += 1
                return
            self.links.hung_up += 1
            self.links.inside += bool(frames.rest)
            if (connection := response.connection) is not None and connection.transport is not None:
                connection.transport.abort()

    async def _sleepy(self, url: str, starts: int) -> None:
        """Open a stream and do not read it; the server is right to end that."""
        connector = aiohttp.TCPConnector(socket_factory=_small)
        async with (
            aiohttp.ClientSession(connector=connector, read_bufsize=_SMALL) as http,
            await self._open(http, url) as response,
        ):
            if response.status != 200:
                return
            await asyncio.sleep(_SLEEPS_S)
            frames = Frames()
            try:
                while received := await response.content.readany():
                    self._hear(frames.feed(received))
                    if self.chance.random() < 0.01:
                        # It reads again and was never far behind.
                        self.links.hung_up += 1
                        return
            except aiohttp.ClientError, ConnectionError:
                pass
            if starts == self.server.starts and self.server.url is not None:
                self.links.dropped += 1
            else:
                self.links.with_server += 1

    def _hear(self, events: list[Heard]) -> None:
        for event in events:
            digest = hashlib.sha256(event.said.encode()).hexdigest()
            self.heard.append((event.seq, digest))
            self.last = event.seq


def _small(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
    return made
