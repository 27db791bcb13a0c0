"""A real server on a real socket and a real SQLite file, with a clock the test moves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
import uuid

import aiohttp
from aiohttp import web
from multidict import CIMultiDictProxy

from owner_api.access.services import Access, open_access
from owner_api.commands import owners, pairing, parks
from owner_api.config import Config
from owner_api.ids import new_id
from owner_api.server.access import access_routes
from owner_api.server.app import create_app, make_runner
from owner_api.server.auth import Authenticator
from owner_api.store import Store
from tests.fresh_database import SYNCHRONOUS, lay


class MovableClock:
    """A clock that stands still until the test moves it."""

    def __init__(self) -> None:
        self.at = datetime(2026, 12, 1, 5, 30, tzinfo=UTC)

    def now(self) -> datetime:
        """Return where the test put the clock."""
        return self.at

    def move(self, seconds: float) -> None:
        """Let time pass, or step back with a negative number."""
        self.at += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:  # noqa: ARG002 - the protocol's signature
        """Refuse: nothing in these tests waits on the clock."""
        raise AssertionError("nothing in these tests waits on the clock")


@dataclass
class Answer:
    """An HTTP answer, whole."""

    status: int
    body: Any
    headers: CIMultiDictProxy[str]
    raw: bytes


@dataclass(kw_only=True)
class Server:
    """A running server with the shortcuts these tests need."""

    url: str
    store: Store
    access: Access
    clock: MovableClock
    config: Config
    http: aiohttp.ClientSession
    database: Path

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        json: Any = None,
        form: dict[str, str] | None = None,
        key: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request and return its answer."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if key is not None:
            sent["Idempotency-Key"] = key
        async with self.http.request(
            method, self.url + path, json=json, data=form, headers=sent
        ) as response:
            raw = await response.read()
            is_json = raw and "json" in response.content_type
            body = await response.json(content_type=None) if is_json else None
            return Answer(response.status, body, response.headers, raw)

    async def add_owner(self, name: str = "Li Wei") -> str:
        """Add an owner as the command line does; return the id."""
        row = await self.store.write(
            lambda tx: owners.add_owner(tx, now=self.clock.now(), new_id=new_id, display_name=name)
        )
        return str(row["owner_id"])

    async def add_park(self, name: str = "East Gate Park") -> parks.NewPark:
        """Add a park as the command line does."""
        return await self.store.write(
            lambda tx: parks.add_park(tx, now=self.clock.now(), new_id=new_id, display_name=name)
        )

    async def mint(self, owner_id: str) -> pairing.MintedCode:
        """Make a pairing code as the command line does."""
        return await self.store.write(
            lambda tx: pairing.mint(
                tx,
                access=self.access,
                config=self.config,
                now=self.clock.now(),
                new_id=new_id,
                owner_id=owner_id,
            )
        )

    async def pair(self, code: str, *, key: str | None = None, name: str = "Kitchen") -> Answer:
        """Trade a code, under a fresh Idempotency-Key unless one is given."""
        body = {"code": code, "device_name": name, "kind": "home_assistant"}
        return await self.call("POST", "/v1/pair", json=body, key=key or uuid.uuid4().hex)

    async def device(self, owner_id: str) -> dict[str, Any]:
        """Pair a new device of an owner and return what it got."""
        answer = await self.pair((await self.mint(owner_id)).code)
        assert answer.status == 201, answer.body
        return dict(answer.body)

    async def refresh(self, refresh_token: str) -> Answer:
        """Trade a refresh token."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self.call("POST", "/v1/token", form=form)

    async def park_token(self, park: parks.NewPark) -> str:
        """Return an access token of a park."""
        form = {
            "grant_type": "client_credentials",
            "client_id": park.park_id,
            "client_secret": park.client_secret,
        }
        answer = await self.call("POST", "/v1/token", form=form)
        assert answer.status == 200, answer.body
        return str(answer.body["access_token"])


@asynccontextmanager
async def running(database: Path, **settings: Any) -> AsyncIterator[Server]:
    """Serve the access operations on 127.0.0.1 until the block ends."""
    config, clock = replace(Config(), **settings), MovableClock()
    store = await Store.open(lay(database), synchronous=SYNCHRONOUS)
    access = await open_access(store, database, clock.now())
    app = create_app(
        store=store,
        clock=clock,
        config=config,
        routes=access_routes(access),
        authenticate=Authenticator(access.tokens),
    )
    runner = make_runner(app, config)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as http:
            yield Server(
                url=f"http://127.0.0.1:{port}",
                store=store,
                access=access,
                clock=clock,
                config=config,
                http=http,
                database=database,
            )
    finally:
        await runner.cleanup()
        await store.close()
