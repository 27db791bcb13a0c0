"""The owner as a person: name, clock, language and currency."""

from datetime import datetime
from typing import Any

from owner_api.access.services import read_server_id
from owner_api.calls import Call, NewId, Reply
from owner_api.problems import not_found
from owner_api.store import Tx

from . import announce, rejudge
from .records import VehicleRecord
from .vehicle_views import departures_view

type Row = dict[str, Any]


def add_owner(
    tx: Tx,
    *,
    now: datetime,
    new_id: NewId,
    display_name: str,
    time_zone: str = "UTC",
    language: str = "en",
    currency: str = "CNY",
) -> Row:
    """Create an owner and return the view the owner has of it."""
    owner_id = new_id("own")
    tx.insert(
        "owner",
        owner_id=owner_id,
        revision=1,
        display_name=display_name,
        time_zone=time_zone,
        language=language,
        currency=currency,
        created_at=now,
    )
    return owner_view(find_owner(tx, owner_id))


def find_owner(tx: Tx, owner_id: str) -> Row:
    """Return the row of an owner who was not erased; raises not_found."""
    row = tx.one("SELECT * FROM owner WHERE owner_id = ? AND erased_at IS NULL", owner_id)
    if row is None:
        raise not_found()
    return row


def owner_view(row: Row) -> Row:
    """Return what owners see of themselves."""
    shown = ("owner_id", "display_name", "time_zone", "language", "currency", "revision")
    return {name: row[name] for name in shown}


def me(tx: Tx, call: Call) -> Reply:
    """Answer who the caller is."""
    party_id, server_id = call.principal.party_id, read_server_id(tx)
    if call.principal.kind == "park":
        row = tx.one("SELECT display_name FROM park WHERE park_id = ?", party_id)
        if row is None:
            raise not_found()
        who = {"display_name": row["display_name"]}
        return Reply(body={"kind": "park", "party_id": party_id, "server_id": server_id} | who)
    return _owner_me(find_owner(tx, party_id), call, server_id)


def _owner_me(row: Row, call: Call, server_id: str) -> Reply:
    shown = owner_view(row)
    del shown["owner_id"]
    identity = {
        "kind": "owner",
        "party_id": row["owner_id"],
        "server_id": server_id,
        "device_id": call.principal.device_id,
    }
    return Reply(body=identity | shown, etag=str(row["revision"]))


def patch_me(tx: Tx, call: Call) -> Reply:
    """Change the owner's name, clock, language or currency."""
    row = find_owner(tx, call.principal.party_id)
    call.require_revision(row["revision"], owner_view(row))
    changes = {name: value for name, value in call.body.items() if row[name] != value}
    if changes:
        row |= changes | {"revision": row["revision"] + 1}
        tx.update("owner", {"owner_id": row["owner_id"]}, revision=row["revision"], **changes)
        tx.emit(row["owner_id"], "owner.updated", call.now, owner_view(row))
    if "time_zone" in changes:
        # Weekday times and the days of budgets are the owner's local ones.
        for vehicle in VehicleRecord.of_owner(tx, row["owner_id"]):
            _judge_again(tx, vehicle, call.now)
    return _owner_me(row, call, read_server_id(tx))


def _judge_again(tx: Tx, vehicle: VehicleRecord, now: datetime) -> None:
    """Judge a vehicle's deals and offers again, and tell when it leaves by the owner's clock."""
    rejudge.vehicle(tx, vehicle.vehicle_id, now, "departure")
    tx.emit(vehicle.owner_id, "departures.updated", now, departures_view(vehicle, now))
    announce.vehicle(tx, vehicle.vehicle_id, now)
