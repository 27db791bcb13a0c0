"""A real owner API on a loopback socket, with an owner to pair and a park that sends offers.

The owner API and the integration run in one process and one event loop, each with its own real
code: what one says on the wire, the other reads.
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

from owner_api.access.services import PUBLIC_URL, write_meta
from owner_api.commands import owners, pairing, parks
from owner_api.config import Config
from owner_api.ids import new_id
from owner_api.server.agent import Agent, build_agent
from owner_api.store import Tx
from tests.fresh_database import SYNCHRONOUS, lay


class ServerClock:
    """The machine's clock, which a test may push forward for the server alone."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        """Return the server's time."""
        return datetime.now(UTC) + self.ahead

    async def sleep(self, seconds: float) -> None:
        """Nothing in the server waits on the clock while its timers are moved by hand."""
        raise AssertionError(f"asked to wait {seconds} s")


def rfc(instant: datetime) -> str:
    """Return an instant as the API writes it."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


async def serving(database: Path, clock: ServerClock, config: Config) -> Agent:
    """Return a server on a database, not yet listening, whose timers are moved by hand."""
    return await build_agent(database, clock, config, run_timers=False, synchronous=SYNCHRONOUS)


@dataclass(kw_only=True)
class Party:
    """A party that speaks HTTP itself: the park, or the owner's phone."""

    url: str
    http: aiohttp.ClientSession
    party_id: str
    token: str

    async def call(self, method: str, path: str, body: Any = None, etag: int | None = None) -> Any:
        """Send one request; returns (status, JSON)."""
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": uuid.uuid4().hex}
        if etag is not None:
            headers["If-Match"] = f'"{etag}"'
        async with self.http.request(
            method, self.url + path, json=body, headers=headers
        ) as response:
            content = await response.json(content_type=None) if response.status != 204 else None
            return response.status, content

    async def get(self, path: str) -> Any:
        """Read one resource."""
        status, answer = await self.call("GET", path)
        assert status == 200, answer
        return answer

    async def post(self, path: str, body: Any = None) -> Any:
        """Do something."""
        status, answer = await self.call("POST", path, {} if body is None else body)
        assert status < 300, answer
        return answer

    async def patch(self, path: str, body: Any) -> Any:
        """Change a versioned resource as it stands now."""
        current = await self.get(path)
        status, answer = await self.call("PATCH", path, body, current["revision"])
        assert status == 200, answer
        return answer


@dataclass(kw_only=True)
class OwnerWorld:
    """The server and everyone around it except Home Assistant."""

    database: Path
    config: Config
    clock: ServerClock
    http: aiohttp.ClientSession
    agent: Agent
    port: int
    owner_id: str = ""
    park: Party = field(init=False)
    phone: Party = field(init=False)
    sequence: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    imported_wh: int = 100_000
    exported_wh: int = 5_000
    park_secret: str = ""

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    def at(self, seconds: float) -> str:
        """Return the server's time in some seconds."""
        return rfc(self.clock.now() + timedelta(seconds=seconds))

    async def stop_server(self) -> None:
        """Take the server away; its database stays."""
        await self.agent.stop()

    async def start_server(self) -> None:
        """Bring the server back where it was."""
        self.agent = await serving(self.database, self.clock, self.config)
        await self.agent.start("127.0.0.1", self.port)

    async def tick(self) -> None:
        """Do once what is due now."""
        await self.agent.tick()

    async def add_owner(self, name: str = "Li Wei", time_zone: str = "Asia/Shanghai") -> str:
        """Add an owner; returns the id."""
        row = await self.agent.store.write(
            lambda tx: owners.add_owner(
                tx,
                now=self.clock.now(),
                new_id=new_id,
                display_name=name,
                time_zone=time_zone,
            )
        )
        return str(row["owner_id"])

    async def pairing_code(self, owner_id: str | None = None, *, uri: bool = False) -> str:
        """Mint a one-time code, or the text of its QR code."""
        minted = await self.agent.store.write(
            lambda tx: pairing.mint(
                tx,
                access=self.agent.access,
                config=self.config,
                now=self.clock.now(),
                new_id=new_id,
                owner_id=owner_id or self.owner_id,
            )
        )
        return str(minted.uri if uri else minted.code)

    async def pair_phone(self) -> Party:
        """Pair another device of the same owner."""
        body = {"code": await self.pairing_code(), "device_name": "Phone", "kind": "phone"}
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        async with self.http.post(self.url + "/v1/pair", json=body, headers=headers) as response:
            paired = await response.json()
            assert response.status == 201, paired
        return Party(
            url=self.url, http=self.http, party_id=self.owner_id, token=paired["access_token"]
        )

    async def add_park(self, name: str = "East Gate Park") -> Party:
        """Add a park that has signed in."""
        added = await self.agent.store.write(
            lambda tx: parks.add_park(tx, now=self.clock.now(), new_id=new_id, display_name=name)
        )
        return await self.sign_in(str(added.park_id), str(added.client_secret))

    async def add_parks_until_the_last(self, name: str = "Far Park", *, beside: int = 210) -> None:
        """Add more parks than a page of a list has; the last of them is the one to deal with."""

        def add(tx: Tx) -> None:
            for number in range(beside):
                parks.add_park(
                    tx, now=self.clock.now(), new_id=new_id, display_name=f"Park {number}"
                )

        await self.agent.store.write(add)
        self.park = await self.add_park(name)

    async def sign_in(self, park_id: str, secret: str) -> Party:
        """Give a park a new token: it lasts an hour."""
        form = {"grant_type": "client_credentials", "client_id": park_id, "client_secret": secret}
        async with self.http.post(self.url + "/v1/token", data=form) as response:
            granted = await response.json()
            assert response.status == 200, granted
        self.park_secret = secret
        return Party(url=self.url, http=self.http, party_id=park_id, token=granted["access_token"])

    async def add_vehicle(self, **preferences: Any) -> str:
        """Add a 60 kWh car by phone: it may discharge and leaves in a day."""
        vehicle = await self.phone.post(
            "/v1/vehicles",
            {
                "display_name": "Blue car",
                "usable_capacity_wh": 60_000,
                "max_charge_w": 7_000,
                "max_discharge_w": 7_000,
            },
        )
        path = f"/v1/vehicles/{vehicle['vehicle_id']}"
        wanted = {"discharge_allowed": True, "later_refill_price_per_kwh": "0.3200"}
        await self.phone.patch(f"{path}/preferences", wanted | preferences)
        one_off = {"departure_at": self.at(86_400)}
        await self.phone.patch(f"{path}/departures", {"one_off": one_off})
        return str(vehicle["vehicle_id"])

    async def join(self, vehicle_id: str) -> str:
        """Agree to the park's terms by phone; returns the park's name for the car."""
        body = {"park_id": self.park.party_id, "terms_version": 1, "vehicle_ids": [vehicle_id]}
        await self.phone.post("/v1/agreements", body)
        return str((await self.park.get("/v1/park/members"))["items"][-1]["member_ref"])

    async def plug_in(self, member_ref: str | None = None, *, evse_id: str = "E07") -> str:
        """Open a session at one of the park's chargers, as the park sees it."""
        body: dict[str, Any] = {"evse_id": evse_id, "plugged_in_at": self.at(0)}
        if member_ref:
            body["member_ref"] = member_ref
        return str((await self.park.post("/v1/park/sessions", body))["session_id"])

    def terms(self, **changes: Any) -> dict[str, Any]:
        """Return the usual terms: 6 kWh at 1.20 CNY, starting in a minute."""
        reward = {"kind": "cash", "currency": "CNY", "price_per_kwh": "1.2000"}
        return {
            "start_at": self.at(60),
            "end_at": self.at(3_660),
            "requested_energy_wh": 6_000,
            "min_energy_wh": 1_000,
            "max_energy_wh": 10_000,
            "max_discharge_w": 7_000,
            "reward": reward,
            "lease_s": 60,
            "dispute_window_s": 3_600,
        } | changes

    async def offer(
        self,
        session_id: str,
        *,
        respond_s: float = 600,
        purpose: str = "peak_price",
        **changes: Any,
    ) -> Any:
        """Send an offer for a session."""
        body = {
            "session_id": session_id,
            "purpose": purpose,
            "respond_by": self.at(respond_s),
            "terms": self.terms(**changes),
        }
        return await self.park.post("/v1/park/offers", body)

    async def offer_in_days(self, vehicle_id: str, session_id: str, days: int) -> Any:
        """Send an offer for an hour some days ahead; the car leaves after it."""
        seconds = days * 86_400
        one_off = {"departure_at": self.at(seconds + 43_200)}
        await self.phone.patch(f"/v1/vehicles/{vehicle_id}/departures", {"one_off": one_off})
        times = {"start_at": self.at(seconds), "end_at": self.at(seconds + 3_600)}
        return await self.offer(session_id, **times)

    async def award(self, commitment_id: str) -> None:
        """Award everything that was consented to."""
        deal = await self.park.get(f"/v1/park/commitments/{commitment_id}")
        offer = await self.park.get(f"/v1/park/offers/{deal['offer_id']}")
        await self.park.post(
            f"/v1/park/commitments/{commitment_id}/award",
            {
                "order_reference": f"PO-{commitment_id}",
                "terms_sha256": offer["terms_sha256"],
                "committed_energy_wh": deal["committed_energy_wh"],
            },
        )

    async def meter(self, session_id: str, power_w: int = 0, **more: Any) -> None:
        """Send the charger's registers as they stand."""
        reading = {
            "measured_at": self.at(0),
            "import_register_wh": self.imported_wh,
            "export_register_wh": self.exported_wh,
            "power_w": power_w,
        } | more
        await self.park.post(f"/v1/park/sessions/{session_id}/readings", {"readings": [reading]})

    async def instruct(self, commitment_id: str, power_w: int = -7_000) -> int:
        """Set the discharge power; returns the answer's status."""
        body = {"seq": next(self.sequence), "power_setpoint_w": power_w}
        status, _ = await self.park.call(
            "POST", f"/v1/park/commitments/{commitment_id}/instructions", body
        )
        return int(status)


@asynccontextmanager
async def open_owner_world(
    folder: Path, *, time_zone: str = "Asia/Shanghai", **settings: Any
) -> AsyncIterator[OwnerWorld]:
    """Serve on a free loopback port, with one owner, one phone and one park."""
    limits: dict[str, Any] = {"rate_per_s": 1e6, "rate_burst": 10**7, "public_rate_burst": 10**6}
    # In real time nobody waits an hour for a settlement to be final.
    limits["dispute_window_min_s"] = 0
    config = Config(**limits | settings)
    clock, database = ServerClock(), lay(folder / "owner.db")
    agent = await serving(database, clock, config)
    port = await agent.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as http:
        world = OwnerWorld(
            database=database, config=config, clock=clock, http=http, agent=agent, port=port
        )
        await agent.store.write(lambda tx: write_meta(tx, PUBLIC_URL, world.url))
        world.owner_id = await world.add_owner(time_zone=time_zone)
        world.phone = await world.pair_phone()
        world.park = await world.add_park()
        try:
            yield world
        finally:
            await world.agent.stop()
