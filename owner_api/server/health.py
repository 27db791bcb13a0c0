"""Is it alive, can it keep a promise now, and who is it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from aiohttp import web

from owner_api import __version__
from owner_api.calls import Call, Principal, Reply
from owner_api.clock import Clock
from owner_api.problems import ProblemCode
from owner_api.schemas.fields import choice, integer, text, timestamp
from owner_api.store import Store, Tx
from owner_api.store.documents import to_json

from .routing import Endpoint, Operation, Route

API_VERSION: Final = 1
_PROBE_EVERY_S: Final = 5

_OK: Final = {"status": choice("ok")}
SERVER: Final = {
    "server_id": text(1, 64),
    "name": text(1, 100),
    "version": text(1, 40),
    "api_version": integer(1, 1_000),
    "time": timestamp(),
}


def server_id(tx: Tx) -> str:
    """Return the identity this database was given when it was made."""
    row = tx.one("SELECT value FROM meta WHERE key = 'server_id'")
    assert row is not None
    return str(row["value"])


def describe_server(tx: Tx, call: Call) -> Reply:
    """Answer who this server is and what time it believes."""
    return Reply(
        body={
            "server_id": server_id(tx),
            "name": call.config.server_name,
            "version": __version__,
            "api_version": API_VERSION,
            "time": call.now,
        }
    )


@dataclass(slots=True)
class _Probe:
    """A durable write, at most once in five seconds however often it is asked for."""

    store: Store
    clock: Clock
    last: datetime | None = None

    async def check(self) -> None:
        now = self.clock.now()
        if self.last is None or abs((now - self.last).total_seconds()) >= _PROBE_EVERY_S:
            await self.store.write(partial(_mark, now=now))
            self.last = now


def _mark(tx: Tx, now: datetime) -> None:
    tx.run(
        "INSERT INTO meta (key, value) VALUES ('ready_at', ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        now,
    )


def health_operations(store: Store, clock: Clock) -> tuple[Operation, ...]:
    """Return the operations that tell how the server is."""
    probe = _Probe(store, clock)

    async def alive(_request: web.Request, _principal: Principal) -> web.StreamResponse:
        return _json({"status": "ok"})

    async def ready(_request: web.Request, _principal: Principal) -> web.StreamResponse:
        await probe.check()
        return _json({"status": "ok"})

    return (
        Endpoint(
            method="GET",
            path="/healthz",
            role="public",
            kind="query",
            summary="The process answers",
            answer=_OK,
            serve=alive,
        ),
        Endpoint(
            method="GET",
            path="/readyz",
            role="public",
            kind="query",
            summary="A durable write works",
            answer=_OK,
            problems=(ProblemCode.UNAVAILABLE,),
            serve=ready,
        ),
        Route(
            method="GET",
            path="/v1/server",
            role="public",
            kind="query",
            summary="Who this server is",
            answer=SERVER,
            handler=describe_server,
            few_rows=True,
        ),
    )


def _json(body: Mapping[str, Any]) -> web.Response:
    return web.Response(body=to_json(body), content_type="application/json")
