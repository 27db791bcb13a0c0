"""Every command with a body that would pass, to send it with something wrong in it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
import uuid

import pytest
import pytest_asyncio

from .deal_world import Answer, Caller, Deal, World, open_world, presented, scheduled

# What may grow without anything having been stored: repeats and credentials.
UNCOUNTED = {"idempotency", "refresh_token", "device"}


@dataclass(frozen=True, kw_only=True)
class Target:
    """One command with a body that would pass."""

    name: str
    caller: Caller
    method: str
    path: str
    body: dict[str, Any]


@dataclass(kw_only=True)
class Stage:
    """A server with one live deal, and every command that has a body."""

    world: World
    deal: Deal
    targets: dict[str, Target]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with open_world(tmp_path_factory.mktemp("world")) as world:
        deal = await scheduled(world)
        other = await presented(world)
        yield Stage(world=world, deal=deal, targets=await _targets(world, deal, other))


async def _targets(world: World, deal: Deal, other: Deal) -> dict[str, Target]:
    charger = await deal.owner.post("/v1/chargers", {"display_name": "Home"})
    vehicle, session = f"/v1/vehicles/{deal.vehicle_id}", f"/v1/park/sessions/{deal.session_id}"
    com = f"/v1/park/commitments/{deal.commitment_id}"
    at = {"measured_at": world.at(0)}
    reading = at | {"import_register_wh": 1, "export_register_wh": 1, "power_w": 0}
    recharge = {
        "guaranteed": True,
        "energy_wh": 5000,
        "start_at": world.at(5400),
        "by": world.at(9000),
        "max_w": 7000,
        "price_per_kwh": "0.3",
    }
    terms = world.terms(recharge=recharge)
    offer = {
        "session_id": deal.session_id,
        "purpose": "test",
        "respond_by": world.at(600),
        "terms": terms,
    }
    rule = {"name": "r", "min_price_per_kwh": "1", "between": {"start": "08:00", "end": "18:00"}}
    wishes = {
        "soc_floor_pct": 20,
        "soc_min_departure_pct": 50,
        "min_price_per_kwh": "0.5",
        "quiet_hours": [{"start": "22:00", "end": "07:00"}],
        "rules": [rule],
        "tariff": {"bands": [{"start": "00:00", "price_per_kwh": "0.6"}]},
        "discharge_allowed": True,
        "departure_buffer_s": 900,
    }
    decision = {
        "offer_id": other.offer["offer_id"],
        "revision": 1,
        "terms_sha256": other.offer["terms_sha256"],
        "decision": "accept",
        "method": "tap",
        "energy_wh": 4000,
    }
    leaving = {"one_off": {"departure_at": world.at(7200), "soc_min_departure_pct": 60}}
    agreement = {
        "park_id": deal.park.party_id,
        "terms_version": 1,
        "vehicle_ids": [deal.vehicle_id],
    }
    car = {"display_name": "Red car", "usable_capacity_wh": 50_000, "charge_efficiency": 0.9}
    told = at | {"soc_pct": 80, "plugged_in": True, "power_w": 0}
    question = {
        "session_id": deal.session_id,
        "start_at": world.at(600),
        "end_at": world.at(5400),
    }
    opened = {"evse_id": "E07", "plugged_in_at": world.at(0), "recharge": recharge}
    award = {
        "order_reference": "PO-2",
        "terms_sha256": deal.offer["terms_sha256"],
        "committed_energy_wh": 4000,
    }
    owner, park = deal.owner, deal.park
    rows: list[tuple[str, Caller, str, str, dict[str, Any]]] = [
        ("vehicle", owner, "POST", "/v1/vehicles", car),
        ("vehicle edit", owner, "PATCH", vehicle, car),
        ("preferences", owner, "PATCH", f"{vehicle}/preferences", wishes),
        ("departures", owner, "PATCH", f"{vehicle}/departures", leaving),
        ("telemetry", owner, "POST", f"{vehicle}/telemetry", {"readings": [told]}),
        ("charger", owner, "POST", "/v1/chargers", {"display_name": "C", "max_charge_w": 1}),
        (
            "charger telemetry",
            owner,
            "POST",
            f"/v1/chargers/{charger['charger_id']}/telemetry",
            {"readings": [at | {"power_w": 1, "online": True}]},
        ),
        ("agreement", owner, "POST", "/v1/agreements", agreement),
        ("check-in", owner, "POST", "/v1/check-ins", _check_in(deal)),
        ("decision", owner, "POST", "/v1/decisions", decision),
        ("stop", owner, "POST", "/v1/stops", {"commitment_id": deal.commitment_id}),
        ("session", park, "POST", "/v1/park/sessions", opened),
        ("session end", park, "POST", f"{session}/end", {"unplugged_at": world.at(0)}),
        ("readings", park, "POST", f"{session}/readings", {"readings": [reading]}),
        ("availability", park, "POST", "/v1/park/availability", question),
        ("offer", park, "POST", "/v1/park/offers", offer),
        (
            "revision",
            park,
            "POST",
            f"/v1/park/offers/{deal.offer['offer_id']}/revisions",
            {"revision": 2, "respond_by": world.at(600), "terms": terms},
        ),
        ("award", park, "POST", f"{com}/award", award),
        ("instruction", park, "POST", f"{com}/instructions", {"seq": 1, "power_setpoint_w": -1}),
        (
            "stop confirmation",
            park,
            "POST",
            f"{com}/stop-confirmation",
            {"confirmed_at": world.at(0)},
        ),
    ]
    return {
        name: Target(name=name, caller=caller, method=method, path=path, body=body)
        for name, caller, method, path, body in rows
    }


def _check_in(deal: Deal) -> dict[str, Any]:
    return {"vehicle_id": deal.vehicle_id, "evse_code": "E07-1"}


NAMES = (
    "vehicle",
    "vehicle edit",
    "preferences",
    "departures",
    "telemetry",
    "charger",
    "charger telemetry",
    "agreement",
    "check-in",
    "decision",
    "stop",
    "session",
    "session end",
    "readings",
    "availability",
    "offer",
    "revision",
    "award",
    "instruction",
    "stop confirmation",
)


async def dump(world: World) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table that holds something said or done."""

    def read(tx: Any) -> dict[str, list[dict[str, Any]]]:
        named = tx.all("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = sorted({row["name"] for row in named} - UNCOUNTED)
        return {name: tx.all(f'SELECT * FROM "{name}"') for name in names}  # noqa: S608 - from the schema

    return await world.agent.store.read(read)


async def send(target: Target, raw: bytes, media: str = "application/json") -> Answer:
    """Send bytes as they are, with every header that a well-formed request needs."""
    world = target.caller.world
    headers = {
        "Authorization": f"Bearer {target.caller.token}",
        "Content-Type": media,
        "Idempotency-Key": uuid.uuid4().hex,
        "If-Match": "*",
    }
    async with world.http.request(
        target.method, world.url + target.path, data=raw, headers=headers
    ) as response:
        body = await response.json(content_type=None)
        return Answer(response.status, body, dict(response.headers), await response.read())


async def send_json(target: Target, body: Any) -> Answer:
    etag = "*" if target.method == "PATCH" else None
    world = target.caller.world
    if etag is None:
        return await target.caller.call(target.method, target.path, body)
    headers = {"Authorization": f"Bearer {target.caller.token}", "If-Match": "*"}
    async with world.http.request(
        target.method, world.url + target.path, json=body, headers=headers
    ) as response:
        found = await response.json(content_type=None)
        return Answer(response.status, found, dict(response.headers), await response.read())
