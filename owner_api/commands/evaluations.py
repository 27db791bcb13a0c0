"""What is kept about one offer: the facts its machine needs and how it was judged."""

from datetime import datetime

from owner_api.core.machine import (
    OfferFacts,
)
from owner_api.store.documents import to_json
from owner_api.store.tx import Tx

from . import announce, journal
from .edge import Json
from .evaluate import evaluation_view, judge
from .records import OfferRecord, SessionRecord, VehicleRecord


def facts(offer: OfferRecord) -> OfferFacts:
    """Return what the offer machine needs to know."""
    return OfferFacts(
        state=offer.state,
        revision=offer.revision,
        terms_sha256=offer.terms_sha256,
        respond_by=offer.respond_by,
    )


def columns(evaluation: Json, vehicle: VehicleRecord) -> dict[str, str]:
    """Return what is kept beside an offer of what its owner sees of a judgement."""
    text = to_json(evaluation).decode()
    # An answer to the offer is logged with it, and must not take longer for that.
    journal.judged.know(text, journal.judged_as(evaluation))
    return {
        "owner_id": vehicle.owner_id,
        "vehicle_id": vehicle.vehicle_id,
        "evaluation": text,
    }


def refresh(tx: Tx, vehicle_id: str, now: datetime) -> None:
    """Judge the vehicle's open offers again, so that what is shown is what would hold."""
    rows = tx.all("SELECT * FROM offer WHERE vehicle_id = ? AND state = 'presented'", vehicle_id)
    vehicle = VehicleRecord.find(tx, vehicle_id) if rows else None
    for row in rows:
        offer = OfferRecord.from_row(row)
        assert vehicle is not None
        session = SessionRecord.find(tx, offer.session_id)
        judged = judge(tx, vehicle, session, offer.terms, now)
        shown = evaluation_view(vehicle, judged, offer.terms, now)
        announce.offer_to_owner(tx, offer.changed(tx, **columns(shown, vehicle)), now)
