"""One owner, one car, one park on a real server: real socket, real SQLite, a clock the test moves.

Every answer is checked against the schema that OpenAPI publishes for its route.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
import itertools
from pathlib import Path
from typing import Any
import uuid

import aiohttp
from probatio import Schema

from owner_api.config import Config
from owner_api.server.agent import Agent, build_agent
from owner_api.server.desk import Operate
from owner_api.server.owner import ROUTES as OWNER_ROUTES
from owner_api.server.park import ROUTES as PARK_ROUTES
from tests.fresh_database import SYNCHRONOUS, lay
from tests.owner_api.receipt_words import without_words

NOON = datetime(2026, 12, 1, 5, 30, tzinfo=UTC)


class MovableClock:
    """A clock that stands still until the test moves it."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        """Return where the test has moved the clock."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Refuse to wait: a test moves the clock by hand."""
        del seconds
        raise AssertionError("nothing in these tests waits on the clock")


def rfc(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _matching(method: str, path: str) -> Any:
    parts = path.split("?", maxsplit=1)[0].split("/")
    for route in (*OWNER_ROUTES, *PARK_ROUTES):
        wanted = route.path.split("/")
        if route.method == method and len(wanted) == len(parts):
            pairs = zip(wanted, parts, strict=True)
            if all(want.startswith("{") or want == part for want, part in pairs):
                return route
    return None


@dataclass
class Answer:
    """What came back over HTTP."""

    status: int
    body: Any
    headers: dict[str, str]
    raw: bytes


@dataclass(kw_only=True)
class Caller:
    """One party's access: an owner's device or a park's dispatcher."""

    world: World
    token: str
    party_id: str
    grant: dict[str, str]

    async def renew(self) -> None:
        """Get a new access token as a real client would."""
        async with self.world.http.post(self.world.url + "/v1/token", data=self.grant) as response:
            granted = await response.json()
            assert response.status == 200, granted
        self.token = granted["access_token"]
        if "refresh_token" in granted:
            self.grant["refresh_token"] = granted["refresh_token"]

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        etag: str | None = None,
    ) -> Answer:
        if self.world.clock.at >= self.world.renew_at.get(self.party_id, NOON):
            await self.renew()
            self.world.renew_at[self.party_id] = self.world.clock.at + timedelta(minutes=10)
        headers = {"Authorization": f"Bearer {self.token}"}
        if method == "POST":
            headers["Idempotency-Key"] = key or uuid.uuid4().hex
            body = {} if body is None else body
        if etag is not None:
            headers["If-Match"] = f'"{etag}"'
        async with self.world.http.request(
            method, self.world.url + path, json=body, headers=headers
        ) as response:
            raw = await response.read()
            is_json = bool(raw) and "json" in response.content_type
            found = await response.json(content_type=None) if is_json else None
            answer = Answer(response.status, found, dict(response.headers), raw)
        route = _matching(method, path)
        if route is not None and answer.status < 300 and route.answer is not None and is_json:
            Schema(route.answer)(found)
            assert answer.status == route.status, (method, path, answer.status)
        if method == "GET" and path.startswith("/v1/receipts/rcp_") and answer.status == 200:
            assert without_words(found) == set()
        return answer

    async def get(self, path: str) -> Any:
        answer = await self.call("GET", path)
        assert answer.status == 200, answer.body
        return answer.body

    async def post(self, path: str, body: Any = None, *, status: int | None = None) -> Any:
        answer = await self.call("POST", path, body)
        assert answer.status == status if status else answer.status < 300, answer.body
        return answer.body

    async def patch(self, path: str, body: Any) -> Any:
        current = await self.call("GET", path)
        assert current.status == 200, current.body
        answer = await self.call("PATCH", path, body, etag=str(current.body["revision"]))
        assert answer.status == 200, answer.body
        return answer.body

    async def events(self, after: int = 0) -> list[dict[str, Any]]:
        """Return what the party's stream holds after an event, read from the store's outbox."""
        rows = await self.world.agent.store.read(
            lambda tx: tx.all(
                "SELECT seq, type, data FROM outbox WHERE party_id = ? AND seq > ? ORDER BY seq",
                self.party_id,
                after,
            )
        )
        return [dict(row) for row in rows]


@dataclass(kw_only=True)
class World:
    """The server and the parties of the usual deal."""

    agent: Agent
    clock: MovableClock
    url: str
    http: aiohttp.ClientSession
    database: Path
    sequence: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    renew_at: dict[str, datetime] = field(default_factory=dict)
    imported_wh: int = 100_000
    exported_wh: int = 5_000

    def at(self, seconds: float) -> str:
        return rfc(self.clock.at + timedelta(seconds=seconds))

    async def move(self, seconds: float, *, tick: bool = True) -> None:
        self.clock.at += timedelta(seconds=seconds)
        if tick:
            await self.agent.tick()

    async def operate(self, command: str, **arguments: object) -> dict[str, Any]:
        """Do what the operator's command line does."""
        return await self.agent.store.write(
            Operate(self.agent.desk, command, arguments, self.clock.now())
        )

    async def add_owner(self, name: str = "Li Wei") -> Caller:
        row = await self.operate("owner add", display_name=name, time_zone="Asia/Shanghai")
        minted = await self.operate("pair", owner_id=row["owner_id"])
        body = {"code": minted["code"], "device_name": "Kitchen", "kind": "home_assistant"}
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        async with self.http.post(self.url + "/v1/pair", json=body, headers=headers) as response:
            paired = await response.json()
            assert response.status == 201, paired
        grant = {"grant_type": "refresh_token", "refresh_token": paired["refresh_token"]}
        token, party_id = paired["access_token"], row["owner_id"]
        return Caller(world=self, token=token, party_id=party_id, grant=grant)

    async def add_park(self, name: str = "East Gate Park") -> Caller:
        added = await self.operate("park add", display_name=name)
        form = {
            "grant_type": "client_credentials",
            "client_id": added["client_id"],
            "client_secret": added["client_secret"],
        }
        caller = Caller(world=self, token="", party_id=added["client_id"], grant=form)
        await caller.renew()
        return caller

    async def add_vehicle(self, owner: Caller, **preferences: Any) -> str:
        """Add a 60 kWh car that may discharge, leaves at 18:00 local time, prices as in design."""
        vehicle = await owner.post(
            "/v1/vehicles",
            {
                "display_name": "Blue car",
                "usable_capacity_wh": 60_000,
                "max_charge_w": 7_000,
                "max_discharge_w": 7_000,
            },
        )
        vehicle_id = str(vehicle["vehicle_id"])
        wanted = {"discharge_allowed": True, "later_refill_price_per_kwh": "0.3200"} | preferences
        await owner.patch(f"/v1/vehicles/{vehicle_id}/preferences", wanted)
        weekly = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "18:00")
        await owner.patch(f"/v1/vehicles/{vehicle_id}/departures", {"weekly": weekly})
        return vehicle_id

    async def join(self, owner: Caller, park: Caller, vehicle_id: str) -> str:
        body = {"park_id": park.party_id, "terms_version": 1, "vehicle_ids": [vehicle_id]}
        await owner.post("/v1/agreements", body)
        members = await park.get("/v1/park/members")
        return str(members["items"][-1]["member_ref"])

    async def telemetry(self, owner: Caller, vehicle_id: str, **reading: Any) -> Any:
        told = {"measured_at": self.at(0), "plugged_in": True} | reading
        return await owner.post(f"/v1/vehicles/{vehicle_id}/telemetry", {"readings": [told]})

    async def plug_in(
        self, owner: Caller, park: Caller, vehicle_id: str, member: str, soc_pct: float = 80
    ) -> str:
        """Plug the car in at the park's charger E07; both sides say so."""
        await self.telemetry(owner, vehicle_id, soc_pct=soc_pct)
        body = {"evse_id": "E07", "plugged_in_at": self.at(0), "member_ref": member}
        session = await park.post("/v1/park/sessions", body)
        assert session["state"] == "bound"
        return str(session["session_id"])

    def terms(self, **changes: Any) -> dict[str, Any]:
        reward = {"kind": "cash", "currency": "CNY", "price_per_kwh": "1.2000"}
        return {
            "start_at": self.at(1800),
            "end_at": self.at(5400),
            "requested_energy_wh": 6000,
            "min_energy_wh": 3000,
            "max_energy_wh": 10_000,
            "max_discharge_w": 7000,
            "reward": reward,
            "lease_s": 60,
            "dispute_window_s": 3600,
        } | changes

    async def offer(self, park: Caller, session_id: str, **changes: Any) -> Any:
        body = {
            "session_id": session_id,
            "purpose": "peak_price",
            "respond_by": self.at(1200),
            "terms": self.terms(**changes),
        }
        return await park.post("/v1/park/offers", body)

    async def decide(self, owner: Caller, offer: Any, decision: str = "accept", **more: Any) -> Any:
        body = {
            "offer_id": offer["offer_id"],
            "revision": offer["revision"],
            "terms_sha256": offer["terms_sha256"],
            "decision": decision,
            "method": "tap",
        } | more
        return await owner.call("POST", "/v1/decisions", body)

    async def meter(self, park: Caller, session_id: str, power_w: int = 0, **more: Any) -> Any:
        reading = {
            "measured_at": self.at(0),
            "import_register_wh": self.imported_wh,
            "export_register_wh": self.exported_wh,
            "power_w": power_w,
        } | more
        return await park.post(f"/v1/park/sessions/{session_id}/readings", {"readings": [reading]})

    async def instruct(self, park: Caller, commitment_id: str, power_w: int = -7000) -> Answer:
        body = {"seq": next(self.sequence), "power_setpoint_w": power_w}
        return await park.call("POST", f"/v1/park/commitments/{commitment_id}/instructions", body)


@dataclass(kw_only=True)
class Deal:
    """The usual deal up to a scheduled commitment."""

    world: World
    owner: Caller
    park: Caller
    vehicle_id: str
    session_id: str
    offer: Any
    commitment_id: str = ""

    async def deliver(
        self, seconds: int, power_w: int = -7000, step_s: int = 30, soc_pct: float = 80
    ) -> Answer:
        """Discharge under a renewed lease until time or the API ends it.

        The charger is read every ``step_s`` seconds, the car every five minutes, rounded down.
        """
        world, begin = self.world, self.world.exported_wh
        answer = await world.instruct(self.park, self.commitment_id, power_w)
        for passed in range(step_s, seconds + 1, step_s):
            if answer.status != 201:
                break
            await world.move(step_s, tick=False)
            world.exported_wh += round(-power_w * step_s / 3600)
            await world.meter(self.park, self.session_id, power_w)
            if passed % 300 == 0:
                left = soc_pct - (world.exported_wh - begin) / 0.933 / 600
                await world.telemetry(self.owner, self.vehicle_id, soc_pct=int(left))
            await world.agent.tick()
            answer = await world.instruct(self.park, self.commitment_id, power_w)
        return answer

    async def stop(self) -> None:
        """Press stop; three seconds later the meter shows rest, by which the deal is settled."""
        await self.owner.post("/v1/stops", {"commitment_id": self.commitment_id})
        await self.world.move(3)
        await self.world.meter(self.park, self.session_id, 0, context="end")


@asynccontextmanager
async def open_world(
    folder: Path, config: Config | None = None, *, apart: bool = False, at: datetime = NOON
) -> AsyncIterator[World]:
    """Run the server on a free loopback port for the time of a test."""
    clock = MovableClock()
    clock.at = at
    config = config or Config(rate_per_s=1e6, rate_burst=10**7, public_rate_burst=10**6)
    agent = await build_agent(
        lay(folder / "owner.db"),
        clock,
        config,
        run_timers=False,
        synchronous=SYNCHRONOUS,
        apart=apart,
        packages=("tests",),
    )
    port = await agent.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as http:
        yield World(
            agent=agent,
            clock=clock,
            url=f"http://127.0.0.1:{port}",
            http=http,
            database=folder / "owner.db",
        )
    await agent.stop()


async def presented(
    world: World,
    *,
    soc_pct: float = 80,
    preferences: dict[str, Any] | None = None,
    **changes: Any,
) -> Deal:
    """Bring the usual offer in front of the owner."""
    owner, park = await world.add_owner(), await world.add_park()
    vehicle_id = await world.add_vehicle(owner, **(preferences or {}))
    member = await world.join(owner, park, vehicle_id)
    session_id = await world.plug_in(owner, park, vehicle_id, member, soc_pct)
    offer = await world.offer(park, session_id, **changes)
    return Deal(
        world=world,
        owner=owner,
        park=park,
        vehicle_id=vehicle_id,
        session_id=session_id,
        offer=offer,
    )


async def scheduled(world: World, **changes: Any) -> Deal:
    """Bring the usual deal to a scheduled commitment."""
    deal = await presented(world, **changes)
    assert deal.offer["state"] == "presented", deal.offer
    answer = await world.decide(deal.owner, deal.offer)
    assert answer.status == 201, answer.body
    deal.commitment_id = answer.body["commitment_id"]
    await deal.park.post(
        f"/v1/park/commitments/{deal.commitment_id}/award",
        {
            "order_reference": "PO-1",
            "terms_sha256": deal.offer["terms_sha256"],
            "committed_energy_wh": answer.body["decision"]["consented_energy_wh"],
        },
    )
    return deal


async def active(world: World, **changes: Any) -> Deal:
    """Bring the usual deal to the first minute of its window, delivering."""
    deal = await scheduled(world, **changes)
    await world.move(1800)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=changes.get("soc_pct", 80))
    await world.meter(deal.park, deal.session_id, context="begin")
    return deal
