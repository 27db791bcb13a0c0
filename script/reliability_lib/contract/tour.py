"""Requests that bring about each documented answer, where chance alone would take long.

The deals and the valid requests are those of the route matrix; here every operation is also asked
badly in each way that the contract names.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
import sqlite3
from typing import Any, Final
from urllib.parse import urlsplit
import uuid

import orjson

from owner_api.commands import epochs, owners, parks
from owner_api.config import Config
from owner_api.ids import new_id
from tests.owner_api.deal_world import Caller, World, active, open_world, presented, scheduled
from tests.owner_api.domain_world import accept, award, settled, stop
from tests.owner_api.route_judge import Cast, _filled, _whole, build, judge, refused_owners
from tests.owner_api.route_rows import ROWS, Row

from .counting import Operation, Seen

LIMITS: Final[dict[str, Any]] = {
    "rate_per_s": 1e6,
    "rate_burst": 10**7,
    "public_rate_per_s": 1e6,
    "public_rate_burst": 10**7,
    "failure_rate_per_s": 1e6,
    "failure_burst": 10**7,
}
FREE: Final = Config(**LIMITS, body_timeout_s=0.5, asks_per_session_per_hour=1000)
# One request from every caller and no more: the second is one too many.
TIGHT: Final = Config(rate_burst=1, rate_per_s=0.01, public_rate_burst=1, public_rate_per_s=0.001)
_ERASE: Final = "/v1/erasure"
_NOTHING: Final[dict[str, Any]] = {
    "receipt": {"jws": "a.b.c", "proof": {"size": 1, "path": []}, "checkpoint": "no note"},
    "receipt_id": f"rcp_{2**40:032x}",
    "month": "2026-12",
    "terms_sha256": "0" * 64,
    "park_id": "prk_" + "0" * 32,
}


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Cast]:
    """Run a server with two owners and two parks who have dealt, limits raised."""
    async with open_world(folder, FREE) as world:
        yield await build(world)


async def tour(cast: Cast, seen: Seen) -> None:
    """Ask everything well and badly; what is answered is counted by the server's own ear."""
    await _ask_badly(cast, seen)
    await judge(cast)
    await refused_owners(cast)
    # It was paid under another reference on the way.
    claim = f"/v1/park/claims/{cast.a.objects['reward_id']}/payment"
    await cast.a.callers["park"].call("POST", claim, {"reference": "TX-3"})
    await _orders(cast.world)
    await _deadlines(cast.world)
    await _empty_log(cast.world)


async def too_often(folder: Path) -> None:
    """Ask every operation twice at a server that allows one request."""
    async with open_world(folder, TIGHT) as world:
        callers = await tokens(world)
        for key, rows in ROWS.items():
            asker = _Asker(world, key, rows[0], _whole(_NOTHING))
            caller = callers["park" if rows[0].role == "park" else "owner"]
            for _ in range(2):
                await asker.send(None if rows[0].role == "public" else caller)


async def tokens(world: World) -> dict[str, Caller]:
    """Add an owner with a device and a park without asking the server for tokens."""
    now, issue, new = world.clock.now(), world.agent.access.tokens.issue, new_id
    owner = await world.agent.store.write(
        lambda tx: owners.add_owner(tx, now=now, new_id=new, display_name="A")
    )
    park = await world.agent.store.write(
        lambda tx: parks.add_park(tx, now=now, new_id=new, display_name="P")
    )
    device = {"device_id": new("dev"), "owner_id": owner["owner_id"], "display_name": "probe"}
    await world.agent.store.write(
        lambda tx: tx.insert("device", **device, kind="phone", token_epoch=0, paired_at=now)
    )
    known = (
        ("owner", owner["owner_id"], device["device_id"]),
        ("park", park.park_id, park.park_id),
    )
    return {
        role: Caller(
            world=world,
            token=issue(
                role="owner" if role == "owner" else "park",
                party_id=party_id,
                client_id=client_id,
                epoch=0,
                now=now,
                life_s=3_600,
            ),
            party_id=party_id,
            grant={},
        )
        for role, party_id, client_id in known
    }


class _Asker:
    """Sends one operation's request in its own words or in worse ones."""

    def __init__(self, world: World, key: Operation, row: Row, values: dict[str, Any]) -> None:
        method, path = key
        self.world, self.method, self.row = world, method, row
        self.url = world.url + str(_filled(path, values))
        self.body = {} if method == "POST" and row.body is None else _filled(row.body, values)
        self.query = str(_filled(row.query, values))

    def headers(self, caller: Caller | None) -> dict[str, str]:
        """Return what a well-behaved client sends."""
        sent = {} if caller is None else {"Authorization": f"Bearer {caller.token}"}
        if self.method == "POST" and not self.row.form:
            sent["Idempotency-Key"] = uuid.uuid4().hex
        if self.method in ("PATCH", "DELETE"):
            sent["If-Match"] = "*"
        if self.method in ("POST", "PATCH"):
            form = "application/x-www-form-urlencoded"
            sent["Content-Type"] = form if self.row.form else "application/json"
        return sent

    async def send(
        self, caller: Caller | None, *, data: bytes | None = None, query: str = "", **changes: str
    ) -> int:
        """Send with these headers changed; ``drop`` names none: an empty value removes one."""
        sent = self.headers(caller) | {k.replace("_", "-"): v for k, v in changes.items()}
        kept = {name: value for name, value in sent.items() if value}
        async with self.world.http.request(
            self.method, self.url + query, data=data, headers=kept
        ) as answer:
            if "event-stream" not in answer.content_type:
                await answer.read()
            return answer.status


async def _ask_badly(cast: Cast, seen: Seen) -> None:
    """Ask every operation wrongly in each way that needs no state."""
    world = cast.world
    slow = []
    for key, rows in sorted(ROWS.items(), key=lambda each: each[1][0].ends):
        row = rows[0]
        role = row.role if row.role in ("owner", "park") else "owner"
        caller = None if row.role == "public" else cast.b.callers[role]
        own = key[0] in ("PATCH", "DELETE") and "device" not in key[1]
        values = _whole(cast.b.values(role) if own else _NOTHING)
        asker = _Asker(world, key, row, values)
        seen.statuses[key, await _no_http(asker)] += 1
        await asker.send(caller, query="?surprise=1")
        await asker.send(caller, If_Match="no quotes")
        if asker.method == "GET":
            continue
        await asker.send(caller, data=b"{")
        await asker.send(caller, data=b'{"surprise": 1}')
        await asker.send(caller, data=b"surprise=1&surprise=2")
        await asker.send(caller, data=b" " * 70_000)
        await asker.send(caller, data=b"x", Content_Type="image/png")
        await asker.send(caller, If_Match="")
        nothing = None if asker.method == "DELETE" else b"{}"
        await asker.send(caller, data=nothing, If_Match='"999999"')
        slow.append(_slow_body(asker, caller))
        key_header = uuid.uuid4().hex
        if asker.method == "POST" and not row.form and key[1] != _ERASE:
            good = orjson.dumps(asker.body)
            many = [asker.send(caller, data=good, Idempotency_Key=key_header) for _ in range(8)]
            await asyncio.gather(*many)
    await asyncio.gather(*slow)


async def _no_http(asker: _Asker) -> int:
    """Send a header that is none; answered before any operation is looked up, so counted here."""
    parts = urlsplit(asker.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"{asker.method} {parts.path} HTTP/1.1\r\nno header\r\n\r\n".encode())
    first = await reader.readline()
    writer.close()
    return int(first.split()[1])


async def _slow_body(asker: _Asker, caller: Caller | None) -> None:
    """Announce a body and never send it."""
    parts = urlsplit(asker.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = [f"{asker.method} {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Content-Length: 9"]
    lines += [f"{name}: {value}" for name, value in asker.headers(caller).items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    await reader.read(64)
    writer.close()


async def _orders(world: World) -> None:
    """Order, run, confirm and pay as the parties of a deal do, and twice where once is allowed."""
    deal = await active(world)
    await world.instruct(deal.park, deal.commitment_id)
    await world.move(20)
    world.exported_wh += 39
    await world.meter(deal.park, deal.session_id, -7000)
    await stop(deal)
    me = (await deal.owner.get("/v1/me"))["revision"]
    await deal.owner.call("PATCH", "/v1/me", {"currency": "EUR"}, etag=str(me))
    bill = (await settled(deal))["settlement_id"]
    await deal.owner.call("POST", f"/v1/settlements/{bill}/dispute", {"reason": "Too little"})
    for caller, path in ((deal.owner, "/v1/settlements"), (deal.park, "/v1/park/settlements")):
        await caller.call("POST", f"{path}/{bill}/confirmation")
    dispute = {"reason": "Too late"}
    await deal.owner.call("POST", f"/v1/settlements/{bill}/dispute", dispute)
    payment = f"/v1/park/settlements/{bill}/payment"
    await deal.park.call("POST", payment, {"reference": "TX-1"})
    wrong = {"delivered_wh": 10, "reason": "meter"}
    correction = f"/v1/park/settlements/{bill}/correction"
    await deal.park.call("POST", correction, wrong)
    await deal.park.call("POST", correction, wrong)
    later = {"start_at": world.at(7200), "end_at": world.at(9000)}
    offer = await world.offer(deal.park, deal.session_id, **later)
    path = f"/v1/park/offers/{offer['offer_id']}"
    revised = {"revision": 2, "respond_by": world.at(600), "terms": world.terms(**later)}
    await deal.park.call("POST", f"{path}/revisions", revised)
    await deal.park.call("POST", f"{path}/withdrawal")
    pending = await scheduled(world)
    car = f"/v1/vehicles/{pending.vehicle_id}"
    revision = (await pending.owner.get(car))["revision"]
    await pending.owner.call("DELETE", car, etag=str(revision))
    leaving = await world.add_owner()
    # Its token is renewed here: an erased owner has none to renew.
    await leaving.get("/v1/me")
    erase = [leaving.call("POST", _ERASE, {"confirm": "erase"}, key="once") for _ in range(8)]
    await asyncio.gather(*erase)
    await pending.park.call("POST", f"/v1/park/commitments/{pending.commitment_id}/cancellation")
    await pending.park.call(
        "POST", f"/v1/park/sessions/{pending.session_id}/end", {"unplugged_at": world.at(0)}
    )
    confirmation = f"{car}/preferences/confirmation"
    await pending.owner.call("POST", confirmation, {"revision": 1})
    await _restored(world)
    seen = (await pending.owner.get(f"{car}/preferences"))["revision"]
    for revision in (seen + 1, seen):
        await pending.owner.call("POST", confirmation, {"revision": revision})
    head = await deal.owner.get("/v1/ledger/checkpoint")
    await deal.owner.call("POST", "/v1/ledger/witness", {"checkpoint": head["checkpoint"]})


async def _restored(world: World) -> None:
    """Have the log go on in a new epoch, as after a restore: limits wait for their owners."""
    store = world.agent.store
    await store.write(lambda tx: epochs.ask_for(tx, reason="disk lost", lost_note=None))
    await store.write(lambda tx: epochs.open_pending(tx, world.clock.now()))


async def _empty_log(world: World) -> None:
    """Ask for the head of a log that somebody has emptied; the last thing this server answers."""
    caller = await world.add_owner()
    # A new token would be a commit, and a commit would sign the log anew.
    world.renew_at[caller.party_id] = world.clock.at + timedelta(days=1)
    with closing(sqlite3.connect(world.database, isolation_level=None)) as connection:
        for table in ("ledger_checkpoint", "ledger_node"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - two names of ours
    for path in ("checkpoint", "proofs/inclusion?position=0", "proofs/consistency?from=1"):
        await caller.call("GET", f"/v1/ledger/{path}")


async def _deadlines(world: World) -> None:
    """Come too late for an answer, an award, a pairing code and an event."""
    deal = await presented(world)
    await accept(deal)
    later = {"start_at": world.at(7200), "end_at": world.at(9000)}
    second = await world.offer(deal.park, deal.session_id, **later)
    await world.move(1900)
    await award(deal)
    await world.decide(deal.owner, second)
    code = await deal.owner.post("/v1/pairing-codes", {})
    await world.move(700)
    told = {"code": code["code"], "device_name": "Late", "kind": "home_assistant"}
    await deal.owner.call("POST", "/v1/pair", told)
    await world.agent.store.write(
        lambda tx: tx.run("DELETE FROM outbox WHERE party_id = ? AND seq < 3", deal.owner.party_id)
    )
    await deal.owner.call("GET", "/v1/events?after=0")
    grant = {"grant_type": "client_credentials", "client_id": "prk_x", "client_secret": "y" * 43}
    async with world.http.post(world.url + "/v1/token", data=grant):
        pass
    gone = {"vehicle_ids": [deal.vehicle_id], "park_id": deal.park.party_id, "terms_version": 1}
    await deal.owner.call("POST", "/v1/agreements", gone)
    await deal.owner.call("DELETE", f"/v1/vehicles/{deal.vehicle_id}", etag="999")
