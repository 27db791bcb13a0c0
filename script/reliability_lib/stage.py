"""A database full of questions: owners with a car at a park and many offers to answer.

Made once in bulk and copied for each run, so that what is timed or killed is only the answering.
"""

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
import shutil
from typing import Any, Final, Self

import orjson

from .model.desk import NOON, Desk
from .model.things import Party

DATABASE: Final = "owner.db"
_PLAN: Final = "plan.json"
_PREFERENCES: Final = {
    "discharge_allowed": True,
    "later_refill_price_per_kwh": "0.3200",
}


@dataclass(kw_only=True)
class Answerer:
    """One owner with a device, a car, and offers as (offer_id, terms_sha256)."""

    owner_id: str
    device_id: str
    vehicle_id: str
    offers: list[tuple[str, str]] = field(default_factory=list)


@dataclass(kw_only=True)
class Plan:
    """What a prepared database holds."""

    park_id: str
    answerers: list[Answerer]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the plan beside a prepared database."""
        told = orjson.loads((folder / _PLAN).read_bytes())
        people = [
            Answerer(**(each | {"offers": [tuple(pair) for pair in each["offers"]]}))
            for each in told["answerers"]
        ]
        return cls(park_id=told["park_id"], answerers=people)


async def prepare(folder: Path, *, owners: int, offers: int, at: datetime = NOON) -> Plan:
    """Make a database in ``folder`` with so many owners, each with so many offers to answer."""
    folder.mkdir(parents=True)  # noqa: ASYNC240 - nothing else runs in a harness that prepares
    desk = await Desk.open(folder / DATABASE, at)
    park = await desk.add_park()
    plan = Plan(park_id=park.party_id, answerers=[])
    for number in range(owners):
        plan.answerers.append(await _owner(desk, park, number, offers))
    await desk.close()
    (folder / _PLAN).write_bytes(orjson.dumps(asdict(plan)))
    return plan


def copy(template: Path, folder: Path) -> None:
    """Copy a prepared database with its keys and its plan."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)


async def _owner(desk: Desk, park: Party, number: int, offers: int) -> Answerer:
    owner = await desk.add_owner()
    assert owner.device_id is not None
    await desk.store.write(
        lambda tx: tx.insert(
            "device",
            device_id=owner.device_id,
            owner_id=owner.party_id,
            display_name="harness",
            kind="phone",
            token_epoch=0,
            paired_at=desk.clock.at,
        )
    )
    vehicle_id = await _car(desk, owner)
    body = {"park_id": park.party_id, "terms_version": 1, "vehicle_ids": [vehicle_id]}
    await _sent(desk, owner, "/v1/agreements", body)
    ref = desk.seen.execute(
        "SELECT member_ref FROM member WHERE vehicle_id = ?", (vehicle_id,)
    ).fetchone()[0]
    body = {"evse_id": f"E{number}", "plugged_in_at": desk.at(0), "member_ref": ref}
    session = await _sent(desk, park, "/v1/park/sessions", body)
    made = Answerer(owner_id=owner.party_id, device_id=owner.device_id, vehicle_id=vehicle_id)
    for _ in range(offers):
        shown = await _sent(desk, park, "/v1/park/offers", _offer(desk, session["session_id"]))
        assert shown["state"] == "presented", shown
        made.offers.append((shown["offer_id"], shown["terms_sha256"]))
    return made


async def _car(desk: Desk, owner: Party) -> str:
    body = {
        "display_name": "Car",
        "usable_capacity_wh": 60_000,
        "max_charge_w": 7_000,
        "max_discharge_w": 7_000,
    }
    vehicle_id = str((await _sent(desk, owner, "/v1/vehicles", body))["vehicle_id"])
    path = "/v1/vehicles/{vehicle_id}/"
    leave = {"one_off": {"departure_at": desk.at(6 * 86_400)}}
    for name, changes in (("preferences", _PREFERENCES), ("departures", leave)):
        answer = await desk.send(
            *(owner, "PATCH", path + name, changes), key="none", revision=1, vehicle_id=vehicle_id
        )
        assert answer.code is None, answer
    reading = {"measured_at": desk.at(0), "plugged_in": True, "soc_pct": 80}
    await _sent(desk, owner, path + "telemetry", {"readings": [reading]}, vehicle_id=vehicle_id)
    return vehicle_id


def _offer(desk: Desk, session_id: str) -> dict[str, Any]:
    start = timedelta(days=3).total_seconds()
    return {
        "session_id": session_id,
        "purpose": "peak_price",
        "respond_by": desk.at(start),
        "terms": {
            "start_at": desk.at(start),
            "end_at": desk.at(start + 3600),
            "requested_energy_wh": 3000,
            "min_energy_wh": 1000,
            "max_energy_wh": 10_000,
            "max_discharge_w": 7000,
            "reward": {"kind": "cash", "currency": "CNY", "price_per_kwh": "1.2000"},
        },
    }


_sent_so_far = iter(range(1 << 62))


async def _sent(desk: Desk, party: Party, path: str, body: dict[str, Any], **params: str) -> Any:  # noqa: ANN401 - any answer's body
    key = f"stage-{next(_sent_so_far)}"
    answer = await desk.send(party, "POST", path, body, key=key, revision=None, **params)
    assert answer.code is None, answer
    return answer.body
