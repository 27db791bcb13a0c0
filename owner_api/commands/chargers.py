"""An owner's chargers: what they are and what they last measured."""

from datetime import timedelta
from typing import Any, Final

from owner_api.calls import Call, Reply
from owner_api.core.soc import newest
from owner_api.problems import FieldError, Problem, ProblemCode, not_found
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from . import measured, metering, owners, rejudge
from .paging import page
from .records import Row, SessionRecord, VehicleRecord
from .standing import OPEN_SESSIONS
from .vehicle_views import charger_view

# What the judgement of a deal at the charger rests on.
_BOUNDS: Final = ("evse_id", "max_charge_w", "max_discharge_w")
_NOT_SHOWN: Final = frozenset({"measured_at", "source", "signed"})


def create(tx: Tx, call: Call) -> Reply:
    """Add a charger; with an EVSE id it shows what a park's session there measures."""
    owners.check_room(tx, call.principal.party_id, "charger")
    charger_id = call.new_id("chg")
    tx.insert(
        "charger",
        charger_id=charger_id,
        owner_id=call.principal.party_id,
        revision=1,
        created_at=call.now,
        **call.body,
    )
    row = find(tx, charger_id, call.principal.party_id)
    _judge_again(tx, call, row)
    shown = _tell(tx, call, row)
    return Reply(body=shown, status=201, etag="1", location=f"/v1/chargers/{charger_id}")


def find(tx: Tx, charger_id: str, owner_id: str) -> Row:
    """Load an owner's charger; raise not_found otherwise."""
    row = tx.one(
        "SELECT * FROM charger WHERE charger_id = ? AND owner_id = ? AND deleted_at IS NULL",
        charger_id,
        owner_id,
    )
    if row is None:
        raise not_found()
    return row


def list_all(tx: Tx, call: Call) -> Reply:
    """List the owner's chargers."""
    return page(call, all_views(tx, call.principal.party_id), "charger_id")


def all_views(tx: Tx, owner_id: str) -> list[dict[str, Any]]:
    """Return every charger of an owner, oldest first."""
    rows = tx.all(
        "SELECT * FROM charger WHERE owner_id = ? AND deleted_at IS NULL ORDER BY charger_id",
        owner_id,
    )
    return [charger_view(tx, row) for row in rows]


def get(tx: Tx, call: Call) -> Reply:
    """Return one charger."""
    row = find(tx, call.params["charger_id"], call.principal.party_id)
    return Reply(body=charger_view(tx, row), etag=str(row["revision"]))


def patch(tx: Tx, call: Call) -> Reply:
    """Change what the owner says about a charger."""
    row = find(tx, call.params["charger_id"], call.principal.party_id)
    call.require_revision(row["revision"], charger_view(tx, row))
    where = {"charger_id": row["charger_id"]}
    tx.update("charger", where, revision=row["revision"] + 1, **call.body)
    changed = find(tx, row["charger_id"], call.principal.party_id)
    if any(changed[name] != row[name] for name in _BOUNDS):
        _judge_again(tx, call, row, changed)
    return Reply(body=_tell(tx, call, changed), etag=str(changed["revision"]))


def delete(tx: Tx, call: Call) -> Reply:
    """Delete a charger; its history stays."""
    row = find(tx, call.params["charger_id"], call.principal.party_id)
    call.require_revision(row["revision"], charger_view(tx, row))
    tx.update("charger", {"charger_id": row["charger_id"]}, deleted_at=call.now)
    _judge_again(tx, call, row)
    tx.emit(call.principal.party_id, "charger.deleted", call.now, {"charger_id": row["charger_id"]})
    return Reply(body=None, status=204)


def telemetry(tx: Tx, call: Call) -> Reply:
    """Take a charger's readings; of each value the newest is shown, old news changes nothing."""
    row = find(tx, call.params["charger_id"], call.principal.party_id)
    measured.check_origins(call.body["readings"])
    latest = call.now + timedelta(seconds=call.config.clock_skew_s)
    for number, reading in enumerate(call.body["readings"]):
        if reading["measured_at"] > latest:
            pointer = f"/readings/{number}/measured_at"
            error = FieldError(pointer=pointer, code="range", limit="not after now")
            raise Problem(ProblemCode.INVALID_BODY, "A reading from the future.", errors=(error,))
        if reading.get("vehicle_id"):
            VehicleRecord.find(tx, reading["vehicle_id"], call.principal.party_id)
    _meter(tx, call, row)
    seen = decode(row["last_seen_at"]) if row["last_seen_at"] else None
    readings = sorted(call.body["readings"], key=lambda reading: reading["measured_at"])
    told: dict[str, Any] = {}
    # A clock that runs ahead does not make a reading newer than its arrival.
    newest_at = min(readings[-1]["measured_at"], call.now)
    for reading in readings:
        if newest(min(reading["measured_at"], call.now), seen, call.now):
            told |= {key: value for key, value in reading.items() if key not in _NOT_SHOWN}
    if not newest(newest_at, seen, call.now):
        return Reply(body=charger_view(tx, row), status=201)
    if told.get("online") is not None:
        told["online"] = int(told["online"])
    tx.update("charger", {"charger_id": row["charger_id"]}, last_seen_at=newest_at, **told)
    changed = find(tx, row["charger_id"], call.principal.party_id)
    return Reply(body=_tell(tx, call, changed), status=201)


def _meter(tx: Tx, call: Call, row: Row) -> None:
    """Let the readings count in the session whose park agreed to the owner's own meter.

    Promise 4: also where the park was left while a deal ran, until what was delivered is settled.
    """
    found = tx.one(
        f"{OPEN_SESSIONS} AND evse_id = ?2 AND meter = 'owner'"  # noqa: S608 - a constant
        " AND (state = 'bound' OR EXISTS (SELECT 1 FROM commitment"
        " WHERE commitment.session_id = session.session_id AND started_at IS NOT NULL"
        " AND settlement_id IS NULL)) ORDER BY state = 'bound' DESC, plugged_in_at DESC LIMIT 1",
        row["owner_id"],
        row["evse_id"],
    )
    needed = ("import_register_wh", "export_register_wh", "power_w")
    origin = ("source", "signed")
    told = [
        {key: reading[key] for key in ("measured_at", *needed, *origin) if key in reading}
        for reading in call.body["readings"]
        if reading.get("power_w") is not None
    ]
    if found is None:
        return
    whole = [each for each in told if all(each.get(key) is not None for key in needed)]
    metering.take(tx, call, SessionRecord.from_row(found), whole)
    # A register that is away for a while does not hide the power beside it.
    bare = [each for each in told if each not in whole]
    metering.see_power(tx, call, found["session_id"], bare)


def _judge_again(tx: Tx, call: Call, *rows: Row) -> None:
    """Hold the deals at a charger against what it can do now: charging that it promised may go."""
    for evse_id in {row["evse_id"] for row in rows if row["evse_id"]}:
        found = tx.all(
            f"{OPEN_SESSIONS} AND evse_id = ?2 AND state = 'bound' AND meter = 'owner'",
            call.principal.party_id,
            evse_id,
        )
        for session in found:
            rejudge.vehicle(tx, session["vehicle_id"], call.now, "preferences")


def _tell(tx: Tx, call: Call, row: Row) -> dict[str, Any]:
    shown = charger_view(tx, row)
    tx.emit(call.principal.party_id, "charger.updated", call.now, shown)
    return shown
