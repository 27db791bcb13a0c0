"""The house of the bench: cars and chargers at the API, what its sensors say, and the park."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
import itertools
from typing import Any, Final
import uuid

import aiohttp

from owner_api.simulation.client import Client, Token
from script.bench_lib.api.stage import rfc, utc_now

type Json = dict[str, Any]
type States = list[tuple[str, str, Json]]

_METER: Final = {"unit_of_measurement": "kWh", "device_class": "energy"}
_POWER: Final = {"unit_of_measurement": "W", "device_class": "power"}
_TESTED: Final = "2026-01-01T00:00:00+00:00"
# Both ends of the charger's number.
_LIMIT_W: Final = 11_000


@dataclass(slots=True, kw_only=True)
class Place:
    """One car at its own charger, and what their sensors say now."""

    number: int
    vehicle_id: str
    charger_id: str
    session_id: str = ""
    soc_pct: float = 60.0
    power_w: int = 0
    imported_kwh: float = 100.0
    exported_kwh: float = 5.0

    @property
    def evse_id(self) -> str:
        """The park's name for the charger."""
        return f"E{self.number}"

    def devices(self) -> list[States]:
        """Return what the car's own integration shows, and what the charger's."""
        n = self.number
        return [
            [
                (f"sensor.car_{n}_soc", f"{self.soc_pct:.1f}", {"unit_of_measurement": "%"}),
                (f"binary_sensor.car_{n}_plug", "on", {"device_class": "plug"}),
            ],
            [
                (f"sensor.box_{n}_power", str(self.power_w), dict(_POWER)),
                (f"sensor.box_{n}_import", f"{self.imported_kwh:.3f}", dict(_METER)),
                (f"sensor.box_{n}_export", f"{self.exported_kwh:.3f}", dict(_METER)),
                (f"binary_sensor.box_{n}_online", "on", {"device_class": "connectivity"}),
                (f"binary_sensor.box_{n}_connected", "on", {"device_class": "plug"}),
            ],
        ]

    def subentries(self) -> Iterator[Json]:
        """Yield the two subentries as the dialogs would leave them, the test passed."""
        n = self.number
        car = {
            "vehicle_id": self.vehicle_id,
            "soc_entity": f"sensor.car_{n}_soc",
            "plugged_entity": f"binary_sensor.car_{n}_plug",
            "power_sign": "charging_positive",
        }
        box = {
            "charger_id": self.charger_id,
            "power_entity": f"sensor.box_{n}_power",
            "power_sign": "charging_positive",
            "import_entity": f"sensor.box_{n}_import",
            "export_entity": f"sensor.box_{n}_export",
            "online_entity": f"binary_sensor.box_{n}_online",
            "connected_entity": f"binary_sensor.box_{n}_connected",
            "control": {
                "shape": "signed_number",
                "setpoint_entity": f"input_number.box_{n}_setpoint",
                "unit": "w",
                "charge_tested_at": _TESTED,
                "discharge_tested_at": _TESTED,
            },
        }
        for kind, key, data in (("vehicle", "vehicle_id", car), ("charger", "charger_id", box)):
            title = f"{kind.title()} {n}"
            yield {
                "data": data,
                "subentry_type": kind,
                "title": title,
                "unique_id": data[key],
            }


def helpers(places: int) -> str:
    """Return the YAML of the chargers' numbers."""
    numbers = "".join(
        f"  box_{n}_setpoint:\n    min: -{_LIMIT_W}\n    max: {_LIMIT_W}\n    step: 1\n"
        for n in range(places)
    )
    return f"input_number:\n{numbers}"


@dataclass(slots=True, kw_only=True)
class House:
    """Twenty places of one owner, and a park that asks them."""

    port: int
    http: aiohttp.ClientSession
    told: Json
    places: list[Place] = field(default_factory=list)
    phone: Client = field(init=False)
    park: Client = field(init=False)
    _sequence: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def build(self, places: int) -> None:
        """Pair the phone; make cars and chargers; plug every car in."""
        granted: list[Token] = []

        async def keep(client: Client, token: Token | None) -> Token:
            if token is None:
                return granted[0]
            form = {"grant_type": "refresh_token", "refresh_token": token.refresh or ""}
            return await client.grant(form)

        async def grant_park(client: Client, _token: Token | None) -> Token:
            form = {"grant_type": "client_credentials"}
            form |= {name: self.told[name] for name in ("client_id", "client_secret")}
            return await client.grant(form)

        self.phone = Client(self.http, self._url, utc_now, keep)
        self.park = Client(self.http, self._url, utc_now, grant_park)
        granted.append(await self.phone.pair(self.told["codes"][0], "Phone"))
        for number in range(places):
            self.places.append(await self._place(number))
        joining = {"park_id": self.told["client_id"], "terms_version": 1}
        cars = [place.vehicle_id for place in self.places]
        await self.phone.post("/v1/agreements", joining | {"vehicle_ids": cars})

    async def _place(self, number: int) -> Place:
        car: Json = {"display_name": f"Car {number}", "usable_capacity_wh": 60_000}
        car |= {"max_charge_w": 11_000, "max_discharge_w": 11_000}
        vehicle_id = (await self.phone.post("/v1/vehicles", car))["vehicle_id"]
        path = f"/v1/vehicles/{vehicle_id}"
        wanted = {"discharge_allowed": True, "later_refill_price_per_kwh": "0.3200"}
        await self.phone.patch(
            f"{path}/preferences", wanted, (await self.phone.read(f"{path}/preferences"))[1]
        )
        leaving = {"one_off": {"departure_at": rfc(utc_now() + timedelta(hours=20))}}
        await self.phone.patch(
            f"{path}/departures", leaving, (await self.phone.read(f"{path}/departures"))[1]
        )
        box: Json = {"display_name": f"Box {number}", "evse_id": f"E{number}"}
        box |= {"max_charge_w": _LIMIT_W, "max_discharge_w": _LIMIT_W}
        charger_id = (await self.phone.post("/v1/chargers", box))["charger_id"]
        return Place(number=number, vehicle_id=vehicle_id, charger_id=charger_id)

    async def pair_home_assistant(self, url: str) -> Json:
        """Pair with the second code; return the entry that the dialogs would make."""
        body = {"code": self.told["codes"][1], "device_name": "Bench", "kind": "home_assistant"}
        async with self.http.post(
            f"{self._url}/v1/pair", json=body, headers={"Idempotency-Key": uuid.uuid4().hex}
        ) as response:
            paired = await response.json()
        data = {
            "url": url,
            "key_sha256": None,
            "receipt_key": paired["receipt_key"]["x"],
            **{k: paired[k] for k in ("server_id", "owner_id", "device_id", "refresh_token")},
        }
        subentries = [each for place in self.places for each in place.subentries()]
        return {
            "title": "Bench",
            "unique_id": paired["owner_id"],
            "data": data,
            "subentries_data": subentries,
        }

    def devices(self) -> list[States]:
        """Return what the sensors of each car and of each charger say now."""
        return [states for place in self.places for states in place.devices()]

    async def open_sessions(self) -> None:
        """Let the park tell that every car stands at its charger."""
        members = (await self.park.get("/v1/park/members", limit="200"))["items"]
        for place, member in zip(self.places, members, strict=True):
            told = {"measured_at": rfc(utc_now()), "plugged_in": True, "soc_pct": place.soc_pct}
            path = f"/v1/vehicles/{place.vehicle_id}/telemetry"
            await self.phone.post(path, {"readings": [told]})
            session = await self.park.post(
                "/v1/park/sessions",
                {
                    "evse_id": place.evse_id,
                    "plugged_in_at": rfc(utc_now()),
                    "member_ref": member["member_ref"],
                },
            )
            if session["state"] != "bound":
                raise RuntimeError(f"the session at {place.evse_id} is not bound: {session}")
            place.session_id = session["session_id"]

    async def offer(self, place: Place, *, starts_in_s: int) -> Json:
        """Ask one car for a kilowatt-hour at a good price."""
        start = utc_now() + timedelta(seconds=starts_in_s)
        terms = {
            "start_at": rfc(start),
            "end_at": rfc(start + timedelta(minutes=15)),
            "requested_energy_wh": 1_000,
            "min_energy_wh": 0,
            "max_energy_wh": 1_000,
            "max_discharge_w": 7_000,
            "reward": {"kind": "cash", "currency": "CNY", "price_per_kwh": "1.5000"},
            "lease_s": 60,
            "dispute_window_s": 3_600,
        }
        body = {
            "session_id": place.session_id,
            "purpose": "peak_price",
            "respond_by": rfc(utc_now() + timedelta(minutes=10)),
            "terms": terms,
        }
        offer: Json = await self.park.post("/v1/park/offers", body)
        if offer["state"] != "presented":
            raise RuntimeError(f"an offer is not presented: {offer}")
        return offer

    async def award(self, commitment_id: str) -> None:
        """Award all that was consented to."""
        deal = await self.park.get(f"/v1/park/commitments/{commitment_id}")
        offer = await self.park.get(f"/v1/park/offers/{deal['offer_id']}")
        body = {"order_reference": commitment_id, "terms_sha256": offer["terms_sha256"]}
        body |= {"committed_energy_wh": deal["committed_energy_wh"]}
        await self.park.post(f"/v1/park/commitments/{commitment_id}/award", body)

    async def meter(self, place: Place) -> None:
        """Send the park's reading of a charger."""
        reading = {
            "measured_at": rfc(utc_now()),
            "power_w": place.power_w,
            "import_register_wh": round(place.imported_kwh * 1000),
            "export_register_wh": round(place.exported_kwh * 1000),
        }
        path = f"/v1/park/sessions/{place.session_id}/readings"
        await self.park.post(path, {"readings": [reading]})

    async def instruct(self, commitment_id: str, power_w: int) -> None:
        """Set a deal's discharge power."""
        body = {"seq": next(self._sequence), "power_setpoint_w": power_w}
        await self.park.post(f"/v1/park/commitments/{commitment_id}/instructions", body)
