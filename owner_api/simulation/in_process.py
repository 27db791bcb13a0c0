"""The real owner API inside this process, on a virtual clock: the only door not made of HTTP.

What an operator does on the command line (add an owner, add a park, mint a pairing code) is done
here through the same commands; everything else in the simulation goes through the socket.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from owner_api.commands import operator
from owner_api.config import Config
from owner_api.ids import new_id
from owner_api.server.agent import Agent as Server, build_agent
from owner_api.store import Commit, outbox

from .virtual_clock import VirtualClock

# Virtual hours pass in real seconds: limits per second would throttle time itself.
_UNLIMITED = 1_000_000
_LONG_TOKEN_S = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkCredentials:
    """A park's OAuth 2 client, and the key (JWK) by which it knows its operator's log."""

    park_id: str
    client_id: str
    secret: str
    receipt_key: dict[str, str]


class Agent:
    """Starts, ticks and stops the server; knows its base URL while it runs."""

    def __init__(self, database: Path, clock: VirtualClock) -> None:
        self.base_url = ""
        self._database = database
        self._clock = clock
        self._config = Config(
            database=str(database),
            listen_host="127.0.0.1",
            listen_port=0,
            announce=False,
            rate_per_s=_UNLIMITED,
            rate_burst=_UNLIMITED,
            public_rate_per_s=_UNLIMITED,
            public_rate_burst=_UNLIMITED,
            failure_rate_per_s=_UNLIMITED,
            failure_burst=_UNLIMITED,
            access_token_s=_LONG_TOKEN_S,
            keepalive_s=600,
        )
        self._server: Server | None = None
        self._news: set[str] = set()

    async def start(self) -> None:
        """Open the database and listen on a free port of the loopback address."""
        self._server = await build_agent(
            self._database,
            self._clock,
            self._config,
            run_timers=False,
            # A run is thrown away when the power fails: it need not wait for the disk.
            synchronous="OFF",
        )
        self._server.store.subscribe(
            lambda commit: self._news.update(event.party_id for event in commit.events)
        )
        port = await self._server.start()
        self.base_url = f"http://127.0.0.1:{port}"

    async def close(self) -> None:
        """Stop the server; the database is whole and closed afterwards."""
        if self._server:
            await self._server.stop()
            self._server = None

    def _hear(self, commit: Commit) -> None:
        self._news.update(event.party_id for event in commit.events)

    async def tick(self) -> None:
        """Do what is due at the clock's present."""
        await self._running.tick()

    def has_news(self, party_id: str) -> bool:
        """Tell, once for each time, whether a party's stream has grown."""
        news = party_id in self._news
        self._news.discard(party_id)
        return news

    async def head(self, party_id: str) -> int:
        """Return the newest event number of a party: how far its stream must be read."""
        span = await self._running.store.read(lambda tx: outbox.span(tx, party_id))
        return span.head

    async def add_owner(self, name: str, zone: str) -> str:
        """Add an owner as ``owner-api owner add`` does; returns the owner's id."""
        added = await self._operate("owner add", {"display_name": name, "time_zone": zone})
        return str(added["owner_id"])

    async def mint_code(self, owner_id: str) -> str:
        """Mint a one-time pairing code as ``owner-api pair`` does."""
        return str((await self._operate("pair", {"owner_id": owner_id}))["code"])

    async def add_park(self, name: str) -> ParkCredentials:
        """Add a park as ``owner-api park add`` does."""
        added = await self._operate("park add", {"display_name": name})
        return ParkCredentials(
            park_id=added["park_id"],
            client_id=added["client_id"],
            secret=added["client_secret"],
            receipt_key=added["receipt_key"],
        )

    @property
    def _running(self) -> Server:
        assert self._server is not None
        return self._server

    async def _operate(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        context = operator.Operator(
            access=self._running.access,
            config=self._config,
            now=self._clock.now(),
            new_id=new_id,
        )
        return await self._running.store.write(
            lambda tx: operator.run(tx, context, name, arguments)
        )
