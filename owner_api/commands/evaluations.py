"""What is kept about one offer: the facts its machine needs and how it was judged."""

from datetime import datetime
from functools import partial
from typing import Final

from owner_api.core.machine import (
    Forbid,
    Moved,
    OfferFacts,
    OfferState,
    decide_offer,
)
from owner_api.store.documents import to_json
from owner_api.store.tx import Tx

from . import announce, asked, journal, limits
from .alone import alone
from .edge import Json
from .evaluate import evaluation_view, judge
from .records import OfferRecord, SessionRecord, VehicleRecord

_FOR_RULES: Final = ("verdict", "quoted_energy_wh", "net_minor", "nearest")


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


def arrival(evaluation: Json) -> str:
    """Return what is kept of a judgement for rules that are tried later, whatever is judged since.

    The evaluation itself follows what changes, and a yes makes it what the yes was given to.
    """
    return to_json({name: evaluation[name] for name in _FOR_RULES}).decode()


def look_again(tx: Tx, session_id: str, vehicle_id: str, now: datetime) -> None:
    """Judge the vehicle's open offers again, where any is, as a part of something else.

    Promise 4: no stop fails because somebody's offer cannot be judged.
    """
    if asked.may_be(tx, session_id):
        alone(tx, f"the offers to {vehicle_id}", partial(refresh, tx, vehicle_id, now))


def refresh(tx: Tx, vehicle_id: str, now: datetime) -> None:
    """Judge the vehicle's open offers again, so that what is shown is what would hold.

    Promise 1: where the owner allows nothing any more they are declined, and no park waits for it.
    """
    rows = tx.all(
        "SELECT * FROM offer WHERE vehicle_id = ? AND state IN ('presented', 'countered')"
        # One whose time has passed is the next tick's to end.
        " AND respond_by > ?",
        vehicle_id,
        now,
    )
    vehicle = VehicleRecord.find(tx, vehicle_id) if rows else None
    for row in rows:
        offer = OfferRecord.from_row(row)
        assert vehicle is not None
        refused = limits.refused(vehicle)
        if offer.state is OfferState.COUNTERED and refused is None:
            # Answered already: only the park's next terms are judged.
            continue
        session = SessionRecord.find(tx, offer.session_id)
        judged = judge(tx, vehicle, session, offer.terms, now)
        kept = columns(evaluation_view(vehicle, judged, offer.terms, now), vehicle)
        move = decide_offer(facts(offer), Forbid(refused["code"]), now) if refused else None
        if isinstance(move, Moved):
            ended = offer.changed(
                tx, state=move.to.value, state_reason=move.reason, updated_at=now, **kept
            )
            announce.offer(tx, ended, now)
        elif offer.state is OfferState.PRESENTED:
            announce.offer_to_owner(tx, offer.changed(tx, **kept), now)
