"""An owner's vehicles, the preferences for them and when they leave."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import Any, cast

from owner_api.calls import Call, Reply
from owner_api.core.departures import moved
from owner_api.core.model import (
    CalendarRead,
    Departure,
    Departures,
    Preferences,
    Vehicle,
    VehicleLive,
)
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.store.documents import dump
from owner_api.store.tx import Tx

from . import announce, binding, owners, rejudge
from .edge import Json, build, view
from .paging import page
from .records import CommitmentRecord, VehicleRecord
from .vehicle_views import departures_view, preferences_view, vehicle_view


def create(tx: Tx, call: Call) -> Reply:
    """Add a vehicle; nothing may be discharged from it until the owner allows it."""
    owners.check_room(tx, call.principal.party_id, "vehicle")
    vehicle_id, body = call.new_id("veh"), _checked_body(call.body)
    tx.insert(
        "vehicle",
        vehicle_id=vehicle_id,
        owner_id=call.principal.party_id,
        revision=1,
        **_body_columns(body),
        live=dump(VehicleLive()),
        preferences=dump(Preferences()),
        preferences_revision=1,
        departures=dump(Departures()),
        departures_revision=1,
        created_at=call.now,
    )
    _, shown = announce.vehicle(tx, vehicle_id, call.now)
    return Reply(body=shown, status=201, etag="1", location=f"/v1/vehicles/{vehicle_id}")


def list_all(tx: Tx, call: Call) -> Reply:
    """List the owner's vehicles."""
    records = VehicleRecord.of_owner(tx, call.principal.party_id)
    return page(call, [vehicle_view(tx, record, call.now) for record in records], "vehicle_id")


def get(tx: Tx, call: Call) -> Reply:
    """Return one vehicle."""
    record = _own(tx, call)
    return Reply(body=vehicle_view(tx, record, call.now), etag=str(record.revision))


def patch(tx: Tx, call: Call) -> Reply:
    """Change what the owner says about a vehicle."""
    record = _own(tx, call)
    call.require_revision(record.revision, vehicle_view(tx, record, call.now))
    body = _checked_body(_merged(view(record.body), call.body))
    tx.update(
        "vehicle",
        {"vehicle_id": record.vehicle_id},
        **_body_columns(body),
        revision=record.revision + 1,
    )
    rejudge.vehicle(tx, record.vehicle_id, call.now, "preferences")
    changed, shown = announce.vehicle(tx, record.vehicle_id, call.now)
    return Reply(body=shown, etag=str(changed.revision))


def _body_columns(body: Vehicle) -> dict[str, str | None]:
    """Return the document and beside it what a session finds the vehicle by."""
    return {"body": dump(body), "identifier_digest": body.identifier_digest}


def _checked_body(body: Json) -> Vehicle:
    """Return the vehicle; raise invalid_body naming the step where a taper does not fall."""
    vehicle = build(Vehicle, body)
    for number, (before, step) in enumerate(pairwise(vehicle.taper), start=1):
        if step.from_soc_pct <= before.from_soc_pct or step.max_charge_w > before.max_charge_w:
            limit = "a higher from_soc_pct and no higher max_charge_w than the step before"
            error = FieldError(pointer=f"/taper/{number}", code="conflict", limit=limit)
            raise Problem(ProblemCode.INVALID_BODY, f"taper.{number}: {limit}", errors=(error,))
    return vehicle


def delete(tx: Tx, call: Call) -> Reply:
    """Delete a vehicle; its history stays. A vehicle with a live deal cannot go."""
    record = _own(tx, call)
    call.require_revision(record.revision, vehicle_view(tx, record, call.now))
    if CommitmentRecord.live_of_vehicle(tx, record.vehicle_id):
        raise Problem(
            ProblemCode.CONFLICT, "Stop its live commitments first.", reason="has_live_deals"
        )
    binding.release(tx, record.vehicle_id, call.now)
    tx.update("vehicle", {"vehicle_id": record.vehicle_id}, deleted_at=call.now)
    gone = {"vehicle_id": record.vehicle_id}
    tx.emit(record.owner_id, "vehicle.deleted", call.now, gone)
    return Reply(body=None, status=204)


def get_preferences(tx: Tx, call: Call) -> Reply:
    """Return a vehicle's preferences."""
    record = _own(tx, call)
    return Reply(body=preferences_view(record), etag=str(record.preferences_revision))


def patch_preferences(tx: Tx, call: Call) -> Reply:
    """Change preferences; live deals that no longer hold are revoked at once."""
    record = _own(tx, call)
    call.require_revision(record.preferences_revision, preferences_view(record))
    body = dict(call.body)
    if "rules" in body:
        body["rules"] = [{"rule_id": call.new_id("rul"), **rule} for rule in body["rules"]]
    wanted = build(Preferences, _merged(view(record.preferences), body))
    _check_preferences(wanted)
    tx.update(
        "vehicle",
        {"vehicle_id": record.vehicle_id},
        preferences=dump(wanted),
        preferences_revision=record.preferences_revision + 1,
    )
    rejudge.vehicle(tx, record.vehicle_id, call.now, "preferences")
    changed = VehicleRecord.find(tx, record.vehicle_id)
    shown = preferences_view(changed)
    tx.emit(record.owner_id, "preferences.updated", call.now, shown)
    announce.vehicle(tx, record.vehicle_id, call.now)
    return Reply(body=shown, etag=str(changed.preferences_revision))


def _check_preferences(wanted: Preferences) -> None:
    """Raise preferences_conflict naming the limit when percentages contradict each other."""
    floor, ceiling = wanted.soc_floor_pct, wanted.soc_ceiling_pct
    checks = (
        (floor < ceiling, "/soc_floor_pct", f"below the ceiling, {ceiling} %"),
        (
            wanted.soc_min_departure_pct >= floor,
            "/soc_min_departure_pct",
            f"at least the floor, {floor} %",
        ),
        (
            wanted.soc_target_departure_pct >= wanted.soc_min_departure_pct,
            "/soc_target_departure_pct",
            f"at least the departure minimum, {wanted.soc_min_departure_pct} %",
        ),
        (
            len({band.start for band in wanted.tariff.bands}) == len(wanted.tariff.bands),
            "/tariff/bands",
            "one price per start time",
        ),
    )
    wrong = tuple(
        FieldError(pointer=pointer, code="conflict", limit=limit)
        for holds, pointer, limit in checks
        if not holds
    )
    if wrong:
        raise Problem(
            ProblemCode.PREFERENCES_CONFLICT,
            "; ".join(f"{each.pointer[1:]} must be {each.limit}" for each in wrong),
            errors=wrong,
        )


def get_departures(tx: Tx, call: Call) -> Reply:
    """Return a vehicle's leave times."""
    record = _own(tx, call)
    return Reply(body=departures_view(record, call.now), etag=str(record.departures_revision))


def patch_departures(tx: Tx, call: Call) -> Reply:
    """Change leave times; live deals that no longer hold are revoked at once."""
    record = _own(tx, call)
    call.require_revision(record.departures_revision, departures_view(record, call.now))
    _check_departures(call)
    set_departures(tx, record, _departures(record, call.body, call.now), call.now)
    rejudge.vehicle(tx, record.vehicle_id, call.now, "departure")
    changed = VehicleRecord.find(tx, record.vehicle_id)
    announce.vehicle(tx, record.vehicle_id, call.now)
    shown = departures_view(changed, call.now)
    return Reply(body=shown, etag=str(changed.departures_revision))


def _check_departures(call: Call) -> None:
    """Raise when a leave time lies further ahead than anybody plans."""
    told = [("/one_off/departure_at", call.body.get("one_off"))]
    events = (call.body.get("calendar") or {}).get("events", [])
    told += [(f"/calendar/events/{n}/departure_at", event) for n, event in enumerate(events)]
    for pointer, departure in told:
        if departure:
            check_not_too_far(call, pointer, departure["departure_at"])


def check_not_too_far(call: Call, pointer: str, at: datetime) -> None:
    """Raise invalid_body with the limit when a leave time is further ahead than anybody plans."""
    furthest = timedelta(seconds=call.config.departure_horizon_s)
    if at > call.now + furthest:
        error = FieldError(pointer=pointer, code="range", limit=f"at most {furthest.days} days")
        raise Problem(ProblemCode.INVALID_BODY, "The leave time is too far.", errors=(error,))


def set_departures(tx: Tx, record: VehicleRecord, wanted: Departures, now: datetime) -> None:
    """Store leave times as the next revision and tell the owner's devices."""
    tx.update(
        "vehicle",
        {"vehicle_id": record.vehicle_id},
        departures=dump(wanted),
        departures_revision=record.departures_revision + 1,
    )
    changed = VehicleRecord.find(tx, record.vehicle_id)
    tx.emit(record.owner_id, "departures.updated", now, departures_view(changed, now))


def name_departure(tx: Tx, call: Call, record: VehicleRecord, at: datetime) -> VehicleRecord:
    """Keep a leave time that was named with an answer; what it leaves no room for ends at once."""
    minimum_pct = record.preferences.soc_min_departure_pct
    wanted = moved(record.departures, at, minimum_pct, record.zone, call.now)
    set_departures(tx, record, wanted, call.now)
    rejudge.vehicle(tx, record.vehicle_id, call.now, "departure")
    return VehicleRecord.find(tx, record.vehicle_id)


def _departures(record: VehicleRecord, body: Json, now: datetime) -> Departures:
    """Return the leave times after a patch; a weekday set to null is cleared.

    Promise 2: a one-off that names no minimum asks no less of the battery than what it replaces,
    as one that is named with a yes. A minimum of null is the usual one.
    """
    before = after = record.departures
    if "weekly" in body:
        weekly = before.weekly | body["weekly"]
        kept = {day: cast("time", at) for day, at in weekly.items() if at is not None}
        after = replace(after, weekly=kept)
    if "calendar" in body:
        calendar = body["calendar"]
        after = replace(after, calendar=build(CalendarRead, calendar) if calendar else None)
    if "one_off" in body:
        one_off = body["one_off"]
        told = build(Departure, one_off) if one_off else None
        if told is not None and "soc_min_departure_pct" not in one_off:
            usual_pct = record.preferences.soc_min_departure_pct
            alone = moved(after, told.departure_at, usual_pct, record.zone, now).one_off
            assert alone is not None
            told = replace(told, soc_min_departure_pct=alone.soc_min_departure_pct)
        after = replace(after, one_off=told)
    return after


def _own(tx: Tx, call: Call) -> VehicleRecord:
    return VehicleRecord.find(tx, call.params["vehicle_id"], call.principal.party_id)


def _merged(before: dict[str, Any], patch_body: dict[str, Any]) -> dict[str, Any]:
    """Return a view with the fields of a patch in their place."""
    return before | patch_body
