"""Tell both sides what changed: one place that decides who hears which event with which view."""

from datetime import datetime

from owner_api.store.tx import Tx

from . import journal, owner_views, park_views, vehicle_views
from .edge import Json
from .records import CommitmentRecord, OfferRecord, Row, SessionRecord, VehicleRecord
from .standing import Standing


def vehicle(tx: Tx, vehicle_id: str, now: datetime) -> tuple[VehicleRecord, Json]:
    """Tell the owner how the vehicle stands now; returns its record and what was told."""
    record = VehicleRecord.find(tx, vehicle_id)
    return record, vehicle_as(tx, record, None, now)


def vehicle_as(tx: Tx, record: VehicleRecord, stands: Standing | None, now: datetime) -> Json:
    """Tell the owner of a vehicle whose row, and maybe standing, this transaction has read."""
    shown = vehicle_views.vehicle_view(tx, record, now, stands)
    tx.emit(record.owner_id, "vehicle.updated", now, shown)
    return shown


def session(tx: Tx, session_id: str, now: datetime, *, park: bool = True) -> None:
    """Tell the park, and the owner once known, how a session stands."""
    record = SessionRecord.find(tx, session_id)
    if park:
        tx.emit(record.park_id, f"session.{record.state}", now, park_views.session_view(record))
    if record.owner_id:
        shown = owner_views.session_view(tx, record)
        tx.emit(record.owner_id, f"session.{record.state}", now, shown)


def offer(tx: Tx, record: OfferRecord, now: datetime) -> tuple[Json, str | None]:
    """Tell both sides how an offer stands.

    Returns what the park was told, and as JSON what the owner was.
    """
    for_park = park_views.offer_view(record)
    tx.emit(record.park_id, f"offer.{record.state}", now, for_park)
    return for_park, offer_to_owner(tx, record, now)


def offer_to_owner(tx: Tx, record: OfferRecord, now: datetime) -> str | None:
    """Tell only the owner how an offer stands: when it looks different, no park must notice.

    Returns what the owner was told as JSON.
    """
    if record.owner_id is None:
        return None
    shown = owner_views.offer_view(tx, record)
    return tx.emit(record.owner_id, f"offer.{record.state}", now, shown)


def commitment(
    tx: Tx, commitment_id: str, now: datetime, kind: str | None = None, *, park: bool = True
) -> CommitmentRecord:
    """Tell both sides how a deal stands; ``kind`` names the event when it is not the state."""
    record = CommitmentRecord.find(tx, commitment_id)
    name = kind or f"commitment.{record.state}"
    journal.commitment(tx, record, name, now)
    if park:
        tx.emit(record.park_id, name, now, park_views.commitment_view(record))
    if journal.is_here(tx, record.owner_id):
        tx.emit(record.owner_id, name, now, owner_views.commitment_view(tx, record, now))
    return record


def new_commitment(
    tx: Tx,
    record: CommitmentRecord,
    accepted: OfferRecord,
    at: SessionRecord,
    of: VehicleRecord,
    now: datetime,
) -> None:
    """Tell both sides of a deal that was made from these records just now."""
    name = f"commitment.{record.state}"
    journal.commitment(tx, record, name, now)
    tx.emit(record.park_id, name, now, park_views.commitment_view(record))
    shown = owner_views.deal_view(tx, record, now, offer=accepted, session=at, vehicle=of)
    tx.emit(record.owner_id, name, now, shown)


def settlement(tx: Tx, row: Row, now: datetime) -> None:
    """Tell both sides how a settlement stands, and the owner what that makes in all."""
    kind = f"settlement.{row['state']}"
    journal.settlement(tx, row, now)
    tx.emit(row["park_id"], kind, now, park_views.settlement_view(tx, row))
    if journal.is_here(tx, row["owner_id"]):
        tx.emit(row["owner_id"], kind, now, owner_views.settlement_view(tx, row))
