"""The owner as a person: name, clock, language and currency."""

from datetime import datetime
from typing import Any, Final, Literal

from owner_api.access.services import read_server_id
from owner_api.calls import Call, NewId, Reply
from owner_api.problems import FieldError, Problem, ProblemCode, not_found
from owner_api.store import Tx

from . import announce, months, rejudge
from .records import VehicleRecord
from .vehicle_views import departures_view

type Row = dict[str, Any]

# Vehicles, or chargers, of one owner.
MOST_OF_A_KIND: Final = 200
# Weekday times and the days of budgets are the owner's local ones; cash is in the owner's currency.
_JUDGED_BY: Final = frozenset({"time_zone", "currency"})


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


def check_room(tx: Tx, owner_id: str, kind: Literal["vehicle", "charger"]) -> None:
    """Raise conflict for one vehicle or charger too many: each is looked at for every stop."""
    row = tx.one(
        f"SELECT COUNT(*) AS held FROM {kind} WHERE owner_id = ? AND deleted_at IS NULL",  # noqa: S608 - named above
        owner_id,
    )
    if row is not None and row["held"] >= MOST_OF_A_KIND:
        raise Problem(
            ProblemCode.CONFLICT,
            f"An owner has at most {MOST_OF_A_KIND} {kind}s; delete one first.",
            reason="too_many",
        )


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
    if "currency" in changes:
        _check_nothing_sold(tx, row)
    if "time_zone" in changes:
        months.change_zone(tx, row, call.now)
    if changes:
        row |= changes | {"revision": row["revision"] + 1}
        tx.update("owner", {"owner_id": row["owner_id"]}, revision=row["revision"], **changes)
        tx.emit(row["owner_id"], "owner.updated", call.now, owner_view(row))
    if _JUDGED_BY & changes.keys():
        for vehicle in VehicleRecord.of_owner(tx, row["owner_id"]):
            _judge_again(tx, vehicle, call.now)
    return _owner_me(row, call, read_server_id(tx))


def _check_nothing_sold(tx: Tx, owner: Row) -> None:
    """Raise conflict once the owner's currency has been dealt in.

    A deal that lives is judged in it; and what selling has cost a battery, which a correction may
    still change, is a bare number: seven fen are not seven yen.
    """
    currency = owner["currency"]
    deal = tx.one(
        "SELECT started_at FROM commitment WHERE owner_id = ? AND (started_at IS NOT NULL"
        " OR state IN ('pending_award', 'scheduled', 'active')) ORDER BY started_at DESC LIMIT 1",
        owner["owner_id"],
    )
    if deal is None:
        return
    why, reason = "You have sold energy, and what it cost your battery is counted", "energy_sold"
    if deal["started_at"] is None:
        why, reason = "End your live deals first: they were made", "deals_in_currency"
    error = FieldError(pointer="/currency", code="conflict", limit=currency)
    raise Problem(ProblemCode.CONFLICT, f"{why} in {currency}.", errors=(error,), reason=reason)


def _judge_again(tx: Tx, vehicle: VehicleRecord, now: datetime) -> None:
    """Judge a vehicle's deals and offers again, and tell when it leaves by the owner's clock."""
    rejudge.vehicle(tx, vehicle.vehicle_id, now, "departure")
    tx.emit(vehicle.owner_id, "departures.updated", now, departures_view(vehicle, now))
    announce.vehicle(tx, vehicle.vehicle_id, now)
