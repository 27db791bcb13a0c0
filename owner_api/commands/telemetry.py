"""What the car says: state of charge, plugged in, power. Old news never replaces newer."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from owner_api.calls import Call, Reply
from owner_api.config import Config
from owner_api.core.machine import CommitmentState
from owner_api.core.model import VehicleLive
from owner_api.core.soc import newest, set_back
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.store.documents import dump
from owner_api.store.tx import Tx

from . import announce, battery, binding, deals, guard, own_registers, rejudge
from .edge import Json
from .records import CommitmentRecord, SessionRecord, VehicleRecord
from .standing import open_session


def take(tx: Tx, call: Call) -> Reply:
    """Take a vehicle's readings, bind a session by them, and watch what runs."""
    vehicle = VehicleRecord.find(tx, call.params["vehicle_id"], call.principal.party_id)
    latest = call.now + timedelta(seconds=call.config.clock_skew_s)
    for number, reading in enumerate(call.body["readings"]):
        if reading["measured_at"] > latest:
            error = FieldError(
                pointer=f"/readings/{number}/measured_at", code="range", limit="not after now"
            )
            raise Problem(ProblemCode.INVALID_BODY, "A reading from the future.", errors=(error,))
    session = open_session(tx, vehicle.vehicle_id)
    live, tolerance = vehicle.live, timedelta(seconds=call.config.bind_tolerance_s)
    for reading in sorted(call.body["readings"], key=lambda item: item["measured_at"]):
        # A clock that runs ahead does not make a reading newer than its arrival.
        at = min(reading["measured_at"], call.now)
        anchor = _register_at(tx, session, at) if reading.get("soc_pct") is not None else None
        told = reading | {"measured_at": at}
        live = _after(live, told, session, anchor, call.now, tolerance=tolerance)
    left_at = _left_at(live, session, call.config)
    if left_at is not None:
        live = replace(live, unplugged_at=None)
    tx.update("vehicle", {"vehicle_id": vehicle.vehicle_id}, live=dump(live))
    battery.keep_sample(tx, vehicle.vehicle_id, live)
    if session is not None and left_at is not None:
        binding.end(tx, session.session_id, left_at, call.now)
        session = None
    if session is None:
        known = replace(vehicle, live=live)
        binding.bind_by_telemetry(tx, known, call.now, call.config.bind_tolerance_s)
    fresh_soc = live.soc_measured_at != vehicle.live.soc_measured_at
    _watch(tx, vehicle.vehicle_id, call.now, call.config, fresh_soc=fresh_soc)
    _, shown = announce.vehicle(tx, vehicle.vehicle_id, call.now)
    return Reply(body=shown, status=201)


def _register_at(tx: Tx, session: SessionRecord | None, at: datetime) -> int | None:
    """Return the charger's export register (Wh) at ``at`` or before: from there the meter carries.

    A reading that arrives late must not hide what has left since it was taken.
    """
    if session is None or session.live.export_register_wh is None:
        return None
    seen = (
        "SELECT export_register_wh AS wh FROM reading WHERE session_id = ?"
        " AND measured_at >= coalesce(?, '') AND quality NOT IN ('missing', 'bad')"
    )
    named = session.session_id, session.live.counts_from
    row = tx.one(f"{seen} AND measured_at <= ? ORDER BY measured_at DESC", *named, at)
    row = row or tx.one(f"{seen} ORDER BY measured_at", *named)
    # No more than the meter counts on from: an estimate may have said more.
    known = session.live.export_register_wh
    return min(row["wh"], known) if row else known


def _after(
    live: VehicleLive,
    reading: Json,
    session: SessionRecord | None,
    anchor: int | None,
    now: datetime,
    *,
    tolerance: timedelta,
) -> VehicleLive:
    """Return what is known after one reading; each value only moves forward in time."""
    at, known = reading["measured_at"], live
    soc = reading.get("soc_pct")
    if soc is not None and newest(at, live.soc_measured_at, now):
        live = replace(
            live,
            soc_pct=Decimal(repr(soc)),
            soc_measured_at=at,
            soc_source=reading.get("soc_source", "direct"),
            anchor_export_wh=anchor,
        )
        # A reading from before the end of a session says nothing of what left until then, which
        # may be the end of a lease, and so to come: no sign of a clock that was set back.
        until, before = known.carried_until, known.soc_measured_at
        if until is None or at >= until or (before is not None and set_back(before, now)):
            live = replace(live, carried_wh=0, carried_until=None)
    if not newest(at, live.measured_at, now):
        return live
    plugged = reading.get("plugged_in")
    if plugged is not None and plugged != live.plugged_in:
        if not plugged:
            live = replace(live, unplugged_at=at if _was_in(live, session, tolerance) else None)
        live = replace(live, plugged_in=plugged, plugged_in_at=at if plugged else None)
    pack = reading.get("pack_temperature_c")
    if pack is not None:
        live = replace(live, pack_temperature_c=Decimal(repr(pack)))
    if reading.get("power_w") is not None:
        live = replace(live, power_w=reading["power_w"])
    live = own_registers.take(live, reading, at, counts=session is None)
    return replace(live, measured_at=at)


def _was_in(live: VehicleLive, session: SessionRecord | None, tolerance: timedelta) -> bool:
    """Return whether the plug was seen in during this session.

    One that was not is late with its word, as after a check-in by code: what it now says may be of
    the charger before.
    """
    if session is None or live.plugged_in is not True or live.plugged_in_at is None:
        return False
    return live.plugged_in_at >= session.plugged_in_at - tolerance


def _left_at(live: VehicleLive, session: SessionRecord | None, config: Config) -> datetime | None:
    """Promise 3: return when the car left its session, once it is plugged in again since.

    Where it stands now nobody has said. A plug that bounces while it is pushed in left nothing:
    what still is near the session's beginning would bind it as well.
    """
    left, plugged = live.unplugged_at, live.plugged_in_at
    if session is None or left is None or plugged is None:
        return None
    near_until = session.plugged_in_at + timedelta(seconds=config.bind_tolerance_s)
    return left if session.plugged_in_at < left and near_until < plugged else None


def _watch(tx: Tx, vehicle_id: str, now: datetime, config: Config, *, fresh_soc: bool) -> None:
    """Hold every live deal against what the car now says."""
    for deal in CommitmentRecord.live_of_vehicle(tx, vehicle_id):
        if guard.enforce(tx, deal, now, config):
            continue
        if fresh_soc and deal.state is CommitmentState.ACTIVE:
            left = rejudge.energy_left(tx, deal, now)
            if not left:
                deals.finish(tx, deal, CommitmentState.CURTAILED, "departure_minimum", now)
            else:
                rejudge.limit(tx, deal, left)
