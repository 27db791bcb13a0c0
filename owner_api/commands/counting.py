"""What a charger's meter adds to what is known of a car: its counters, and its first register."""

from dataclasses import replace

from owner_api.core.model import SessionLive
from owner_api.store.documents import dump
from owner_api.store.tx import Tx

from .records import SessionRecord, VehicleRecord


def count_energy(tx: Tx, session: SessionRecord, now_live: SessionLive) -> None:
    """Add what the meter saw since the last reading to the vehicle's lifetime counters."""
    assert session.vehicle_id is not None
    row = tx.by_key("vehicle", session.vehicle_id)
    if row is None or row["deleted_at"] is not None:
        # Its last deal is settled all the same; it sells nothing any more.
        return
    if session.state == "bound":
        # A word that comes after the plug says nothing of the meter where the car stands now.
        _anchor(tx, session, now_live)
    before = session.live
    if before.import_register_wh is None or before.export_register_wh is None:
        return
    vehicle = VehicleRecord.find(tx, session.vehicle_id)
    charged = (now_live.import_register_wh or 0) - before.import_register_wh
    discharged = (now_live.export_register_wh or 0) - before.export_register_wh
    known = vehicle.live
    # A word that comes after the plug may tell what the car's own registers have told already.
    told_before_wh = 0 if session.state == "bound" else known.told_unseen_wh
    told_wh, seen_wh = max(0, min(told_before_wh, discharged)), _now_seen_wh(before, now_live)
    # What the car has told is among the unseen no more; what else is belongs to other deals.
    no_more_wh = min(told_before_wh, seen_wh)
    unseen_wh = max(0, known.unseen_wh - (seen_wh - no_more_wh))
    live = replace(
        known,
        charged_wh=known.charged_wh + charged,
        discharged_wh=known.discharged_wh + discharged - told_wh,
        metered_charged_wh=known.metered_charged_wh + charged,
        metered_discharged_wh=known.metered_discharged_wh + discharged - told_wh,
        unseen_wh=unseen_wh,
        unseen_from=known.unseen_from if unseen_wh else None,
        told_unseen_wh=known.told_unseen_wh - max(told_wh, no_more_wh),
    )
    if discharged < 0 and session.state == "bound" and live.anchor_export_wh is not None:
        # An estimate was too high, and so may be the anchor that was taken from one.
        live = replace(live, anchor_export_wh=live.anchor_export_wh + discharged)
    tx.update("vehicle", {"vehicle_id": vehicle.vehicle_id}, live=dump(live))


def _now_seen_wh(before: SessionLive, now_live: SessionLive) -> int:
    """Return what may have left unseen (Wh) until the meter has spoken of that time now."""
    return 0 if before.unseen is None or now_live.unseen is not None else before.unseen[0]


def _anchor(tx: Tx, session: SessionRecord, now_live: SessionLive) -> None:
    """Let the meter carry a state of charge that was read before it spoke in this session.

    Promise 2: from its first word on, what leaves the car is known, with a deal or without one.
    """
    vehicle = VehicleRecord.find(tx, session.vehicle_id or "")
    if vehicle.live.soc_pct is None or vehicle.live.anchor_export_wh is not None:
        return
    known = session.live.export_register_wh
    first = now_live.export_register_wh if known is None else known
    live = replace(vehicle.live, anchor_export_wh=first)
    tx.update("vehicle", {"vehicle_id": vehicle.vehicle_id}, live=dump(live))
