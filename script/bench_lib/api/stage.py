"""Owners, cars and open offers on a running server, made through its public API."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
import uuid

import aiohttp
import orjson

from owner_api.simulation.client import Client, Token

from .load import request

type Json = dict[str, Any]

AT_ONCE = 16
SOC_PCT = 90
OFFER_WH = 250


def rfc(at: datetime) -> str:
    """Return an instant as the API wants it."""
    return at.isoformat().replace("+00:00", "Z")


def utc_now() -> datetime:
    """Return this process's present."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerSide:
    """One owner with a plugged-in car."""

    client: Client
    token: str
    session_id: str


class Stage:
    """The park and its owners; makes offers and the owners' answers to them."""

    def __init__(self, http: aiohttp.ClientSession, told: Json) -> None:
        self.port = int(told["port"])
        self.owners: list[OwnerSide] = []
        self._http = http
        self._told = told
        self._windows = 0
        self._newest_member = "mbr_"
        self._url = f"http://127.0.0.1:{self.port}"
        self.park = Client(http, self._url, utc_now, self._grant_park)

    async def _grant_park(self, client: Client, _token: Token | None) -> Token:
        form = {"grant_type": "client_credentials"}
        form |= {name: self._told[name] for name in ("client_id", "client_secret")}
        return await client.grant(form)

    async def build(self) -> None:
        """Pair every owner, give each a car at a charger of the park."""
        for number, code in enumerate(self._told["codes"]):
            self.owners.append(await self._owner(number, code))

    async def _owner(self, number: int, code: str) -> OwnerSide:
        granted: list[Token] = []

        async def keep(_client: Client, _token: Token | None) -> Token:
            return granted[0]

        client = Client(self._http, self._url, utc_now, keep)
        granted.append(await client.pair(code, "Bench"))
        car = {"display_name": "Car", "usable_capacity_wh": 80_000}
        car |= {"max_charge_w": 11_000, "max_discharge_w": 11_000}
        vehicle_id = (await client.post("/v1/vehicles", car))["vehicle_id"]
        path = f"/v1/vehicles/{vehicle_id}"
        wanted = {"discharge_allowed": True, "later_refill_price_per_kwh": "0.3200"}
        await client.patch(
            f"{path}/preferences", wanted, (await client.read(f"{path}/preferences"))[1]
        )
        leaving = {"one_off": {"departure_at": rfc(utc_now() + timedelta(hours=30))}}
        await client.patch(
            f"{path}/departures", leaving, (await client.read(f"{path}/departures"))[1]
        )
        joining = {"park_id": self._told["client_id"], "terms_version": 1}
        await client.post("/v1/agreements", joining | {"vehicle_ids": [vehicle_id]})
        members = await self.park.get("/v1/park/members", cursor=self._newest_member)
        self._newest_member = members["items"][-1]["member_ref"]
        told = {"measured_at": rfc(utc_now()), "plugged_in": True, "soc_pct": SOC_PCT}
        await client.post(f"{path}/telemetry", {"readings": [told]})
        session = await self.park.post(
            "/v1/park/sessions",
            {
                "evse_id": f"E{number}",
                "plugged_in_at": rfc(utc_now()),
                "member_ref": self._newest_member,
            },
        )
        if session["state"] != "bound":
            raise RuntimeError(f"the session of owner {number} is not bound: {session}")
        return OwnerSide(client=client, token=granted[0].access, session_id=session["session_id"])

    def offer_body(self, owner: OwnerSide) -> Json:
        """Return an offer in a quarter of an hour that no other offer asks for."""
        start = utc_now() + timedelta(hours=2, minutes=15 * (self._windows % 80))
        self._windows += 1
        return {
            "session_id": owner.session_id,
            "purpose": "peak_price",
            "respond_by": rfc(utc_now() + timedelta(hours=1)),
            "terms": {
                "start_at": rfc(start),
                "end_at": rfc(start + timedelta(minutes=15)),
                "requested_energy_wh": OFFER_WH,
                "min_energy_wh": 0,
                "max_energy_wh": OFFER_WH,
                "max_discharge_w": 7_000,
                "reward": {"kind": "cash", "currency": "CNY", "price_per_kwh": "1.2000"},
                "lease_s": 60,
                "dispute_window_s": 3_600,
            },
        }

    async def answers(self, decision: str, *, each: int) -> list[list[bytes]]:
        """Make `each` open offers per owner; return every owner's answers, ready to be sent."""
        free = asyncio.Semaphore(AT_ONCE)

        async def of(owner: OwnerSide) -> list[bytes]:
            async with free:
                made = []
                for _ in range(each):
                    offer = await self.park.post("/v1/park/offers", self.offer_body(owner))
                    if offer["state"] != "presented":
                        raise RuntimeError(f"an offer is not presented: {offer}")
                    made.append(self._answer(owner, offer, decision))
                return made

        return await asyncio.gather(*(of(owner) for owner in self.owners))

    def _answer(self, owner: OwnerSide, offer: Json, decision: str) -> bytes:
        body = {name: offer[name] for name in ("offer_id", "revision", "terms_sha256")}
        body |= {"decision": decision, "method": "tap"}
        return request(
            "POST",
            "/v1/decisions",
            orjson.dumps(body),
            Authorization=f"Bearer {owner.token}",
            Idempotency_Key=uuid.uuid4().hex,
        )

    def reads(self, path: str, *, each: int) -> list[list[bytes]]:
        """Return every owner's GETs of a path, ready to be sent."""
        return [
            [request("GET", path, Authorization=f"Bearer {owner.token}")] * each
            for owner in self.owners
        ]
