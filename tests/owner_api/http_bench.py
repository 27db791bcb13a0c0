"""A small application on a real socket whose operations have effects a test can count."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
import threading
from typing import Any

from aiohttp import ClientSession, web
from multidict import CIMultiDictProxy
import orjson
from probatio import Optional, Required

from owner_api.calls import Answer as HandlerAnswer, Call, Principal, Reply
from owner_api.clock import Clock
from owner_api.config import Config
from owner_api.problems import Problem, ProblemCode, not_found
from owner_api.relay import Hub
from owner_api.schemas.fields import ListOf, boolean, integer, number, text, timestamp
from owner_api.server.app import create_app, make_runner
from owner_api.server.auth import unauthenticated
from owner_api.server.routing import PAGE, Operation, Route
from owner_api.store import Store, Tx

THING = {
    Required("name"): text(1, 20),
    Optional("share_pct"): number(0, 100),
    Optional("count"): integer(0, 10),
    Optional("at"): timestamp(),
    Optional("parts"): ListOf({Required("size"): integer(1, 5)}, 0, 3),
}


class Gate:
    """Holds a handler inside its transaction until the test lets it go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()


def count(tx: Tx) -> int:
    """Return how many things exist."""
    row = tx.one("SELECT count(*) AS n FROM meta WHERE key LIKE 'thing:%'")
    assert row is not None
    return int(row["n"])


def create(tx: Tx, call: Call) -> HandlerAnswer:
    """Make a thing and say so on the caller's stream."""
    thing_id = call.new_id("evt")
    tx.insert("meta", key=f"thing:{thing_id}", value=call.body["name"])
    tx.emit(call.principal.party_id, "thing.made", call.now, {"thing_id": thing_id})
    if call.body["name"] == "undone":
        raise Problem(ProblemCode.CONFLICT, "undone on purpose")
    if call.body["name"] == "kept":
        return Problem(ProblemCode.CONFLICT, "kept on purpose")
    if call.body["name"] == "broken":
        raise RuntimeError("inner detail nobody may see")
    return Reply(
        body={"thing_id": thing_id, "at": call.body.get("at")},
        status=201,
        etag="1",
        location=f"/v1/things/{thing_id}",
    )


def operations(gate: Gate) -> list[Operation]:
    """Return the bench's operations."""

    def hold(tx: Tx, call: Call) -> HandlerAnswer:
        gate.entered.set()
        assert gate.open.wait(10)
        return create(tx, call)

    def read(tx: Tx, call: Call) -> HandlerAnswer:
        row = tx.one("SELECT value FROM meta WHERE key = ?", f"thing:{call.params['thing_id']}")
        if row is None:
            raise not_found()
        return Reply(body={"name": row["value"]}, etag="1")

    def change(tx: Tx, call: Call) -> HandlerAnswer:
        current = read(tx, call)
        assert isinstance(current, Reply)
        call.require_revision(1, current.body)
        return Reply(body=call.body, etag="2")

    def listing(tx: Tx, call: Call) -> HandlerAnswer:
        return Reply(body={"query": dict(call.query), "n": count(tx)})

    def sheet(_tx: Tx, _call: Call) -> HandlerAnswer:
        return Reply(body="a;b\n", content_type="text/csv")

    def remove(_tx: Tx, _call: Call) -> HandlerAnswer:
        return Reply(body=None, status=204)

    posts: dict[str, Any] = {
        "method": "POST",
        "role": "owner",
        "kind": "command",
        "request": THING,
        "status": 201,
    }
    gets: dict[str, Any] = {"method": "GET", "role": "owner", "kind": "query"}
    return [
        Route(path="/v1/things", summary="Make", handler=create, **posts),
        Route(path="/v1/things/{thing_id}/parts", summary="Make a part", handler=create, **posts),
        Route(path="/v1/slow-things", summary="Make slowly", handler=hold, **posts),
        Route(
            path="/v1/secret-things", summary="Hide", handler=create, secret_answer=True, **posts
        ),
        Route(
            path="/v1/things",
            summary="List",
            handler=listing,
            query=PAGE | {Optional("deep"): boolean()},
            **gets,
        ),
        Route(path="/v1/sheet", summary="Sheet", handler=sheet, answer_type="text/csv", **gets),
        Route(path="/v1/things/{thing_id}", summary="Read", handler=read, **gets),
        Route(
            method="PATCH",
            path="/v1/things/{thing_id}",
            role="owner",
            kind="command",
            summary="Change",
            request={Optional("name"): text(1, 20)},
            needs_if_match=True,
            handler=change,
        ),
        Route(
            method="DELETE",
            path="/v1/things/{thing_id}",
            role="any",
            kind="command",
            summary="Remove",
            status=204,
            handler=remove,
        ),
        Route(
            method="POST",
            path="/v1/form",
            role="public",
            kind="command",
            summary="A form",
            request={Required("grant_type"): text(1, 40)},
            media="form",
            idempotent=False,
            handler=lambda _tx, call: Reply(body=call.body),
        ),
    ]


def authenticate(request: web.Request, _store: Store, _clock: Clock) -> Principal:
    """Believe a bearer token of the form kind:party[:device[:epoch]]."""
    words = request.headers.get("Authorization", "").removeprefix("Bearer ").split(":")
    match words:
        case ["owner", party]:
            return Principal(kind="owner", party_id=party, device_id=f"dev_{party}")
        case ["owner", party, device, epoch]:
            return Principal(kind="owner", party_id=party, device_id=device, token_epoch=int(epoch))
        case ["park", party]:
            return Principal(kind="park", party_id=party)
        case _:
            raise unauthenticated("no such token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that was read to its end."""

    status: int
    headers: CIMultiDictProxy[str]
    raw: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.raw)

    @property
    def code(self) -> str:
        """The problem's code."""
        assert self.headers["Content-Type"] == "application/problem+json"
        return str(self.json["code"])


@dataclass(kw_only=True)
class Bench:
    """One running application and a client for it."""

    store: Store
    hub: Hub
    gate: Gate
    client: ClientSession
    port: int

    async def post(
        self, path: str, body: Any, *, key: str | None = "k1", party: str = "own_a"
    ) -> Answer:
        """POST JSON as an owner."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.send("POST", path, caller=f"owner:{party}", json=body, headers=headers)

    async def send(
        self, method: str, path: str, *, caller: str | None = "owner:own_a", **more: Any
    ) -> Answer:
        """Send anything as somebody, or as nobody."""
        headers = dict(more.pop("headers", {}))
        if caller is not None:
            headers.setdefault("Authorization", f"Bearer {caller}")
        async with self.client.request(method, path, headers=headers, **more) as response:
            return Answer(
                status=response.status, headers=response.headers, raw=await response.read()
            )

    async def things(self) -> int:
        """Return how many things were made."""
        return await self.store.read(count)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the server has come to a state that nothing announces."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - the state belongs to the code under test
            await asyncio.sleep(0.01)


@asynccontextmanager
async def bench(store: Store, clock: Clock, config: Config | None = None) -> AsyncIterator[Bench]:
    """Serve the bench on 127.0.0.1 while the block runs."""
    config = config or Config()
    gate = Gate()
    hub = Hub(store, config, clock)
    app = create_app(
        store=store,
        clock=clock,
        config=config,
        routes=operations(gate),
        authenticate=authenticate,
        hub=hub,
    )
    runner = make_runner(app, config)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with ClientSession(f"http://127.0.0.1:{port}") as client:
            yield Bench(store=store, hub=hub, gate=gate, client=client, port=port)
    finally:
        gate.open.set()
        await runner.cleanup()
