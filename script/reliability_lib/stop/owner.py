"""The owner of the stops: one device, several cars, a yes to every offer, and stop."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from owner_api.cli_operate import operate
from owner_api.simulation.client import ApiError, Client
from owner_api.simulation.credentials import phone_access

_STAYS_FOR = timedelta(hours=12)
_TELL_EVERY_S = 60.0
_TOO_LATE = ("offer_closed", "offer_expired")
_WISHES = {
    "discharge_allowed": True,
    "later_refill_price_per_kwh": "0.3200",
    "max_discharge_events_per_day": None,
    "cooldown_s": 0,
}
_CAR = {
    "display_name": "Car",
    "usable_capacity_wh": 60_000,
    "max_charge_w": 7_000,
    "max_discharge_w": 7_000,
}


class Owner:
    """Owns cars at one park, sells from them and stops."""

    def __init__(self, http: aiohttp.ClientSession, url: str, database: Path) -> None:
        self._database = database
        self._owner_id = ""
        self.client = Client(http, url, _now, phone_access(self._mint, "Stopper"))
        self._cars: list[str] = []

    async def join(self, park_id: str, cars: int) -> None:
        """Be added, pair, and enter so many cars that are plugged in at the park."""
        added = await command(
            self._database, "owner add", display_name="Stopper", time_zone="Asia/Shanghai"
        )
        self._owner_id = str(added["owner_id"])
        self._cars = [await self._enter() for _ in range(cars)]
        parks = (await self.client.get("/v1/parks"))["items"]
        version = next(each["terms_version"] for each in parks if each["park_id"] == park_id)
        body = {"park_id": park_id, "terms_version": version, "vehicle_ids": self._cars}
        await self.client.post("/v1/agreements", body)

    async def say_yes(self) -> None:
        """Accept every offer that the owner's own stream tells of."""
        after = 0
        while True:
            async for seq, kind, data in self.client.events(after):
                after = seq
                if kind == "offer.presented":
                    await self._accept(data)

    async def tell(self) -> None:
        """Keep telling what the cars show, so that no reading grows too old."""
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            for vehicle_id in self._cars:
                await self._report(vehicle_id)

    async def stop(self, commitment_id: str) -> None:
        """Press stop for one deal."""
        await self.client.post("/v1/stops", {"commitment_id": commitment_id})

    async def _accept(self, offer: dict[str, Any]) -> None:
        decision = {name: offer[name] for name in ("offer_id", "revision", "terms_sha256")}
        try:
            await self.client.post(
                "/v1/decisions", decision | {"decision": "accept", "method": "tap"}
            )
        except ApiError as error:
            # On a busy machine an offer may end before the yes: the park makes another.
            if error.code not in _TOO_LATE:
                raise

    async def _enter(self) -> str:
        vehicle = await self.client.post("/v1/vehicles", _CAR)
        vehicle_id = str(vehicle["vehicle_id"])
        leave = {"one_off": {"departure_at": (_now() + _STAYS_FOR).isoformat()}}
        for name, change in (("preferences", _WISHES), ("departures", leave)):
            path = f"/v1/vehicles/{vehicle_id}/{name}"
            _, etag = await self.client.read(path)
            await self.client.patch(path, change, etag)
        await self._report(vehicle_id)
        return vehicle_id

    async def _report(self, vehicle_id: str) -> None:
        reading = {"measured_at": _now().isoformat(), "plugged_in": True, "soc_pct": 80}
        await self.client.post(f"/v1/vehicles/{vehicle_id}/telemetry", {"readings": [reading]})

    async def _mint(self) -> str:
        return str((await command(self._database, "pair", owner_id=self._owner_id))["code"])


async def command(database: Path, name: str, **arguments: str) -> dict[str, Any]:
    """Run what an operator's command runs, through the server that serves the database."""
    return await asyncio.to_thread(operate, database, name, arguments, as_json=False)


def _now() -> datetime:
    return datetime.now(UTC)
