"""What a yes leaves behind, be it a person's or a rule's: the decision and the deal."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from owner_api.calls import Call
from owner_api.core.canonical import field_names
from owner_api.core.machine import CommitmentState, award_deadline
from owner_api.core.model import Rule
from owner_api.store.documents import dump, to_json
from owner_api.store.tx import Tx

from . import announce, asked, decisions, evaluations
from .edge import Json
from .evaluate import Judgement
from .records import CommitmentRecord, OfferRecord, SessionRecord, VehicleRecord
from .reserved import keep_deals, live_deals, new_deal
from .standing import Standing

# Everything of a deal that only its delivery will tell.
_TO_COME: Mapping[str, Any] = dict.fromkeys(
    (
        "state_reason",
        "order_reference",
        "lease_until",
        "instructed_at",
        "started_at",
        "ended_at",
        "soc_at_start_pct",
        "begin_register_wh",
        "last_register_wh",
        "last_reading_at",
        "powered_j",
        "begin_reading_id",
        "last_reading_id",
        "stop",
        "settlement_id",
        "owner_stopped_at",
    )
)


def agree(
    tx: Tx,
    call: Call,
    offer: OfferRecord,
    vehicle: VehicleRecord,
    session: SessionRecord,
    judged: Judgement,
    *,
    shown: Json,
    energy_wh: int,
    method: str,
    rule: Rule | None = None,
) -> tuple[Json, str | None]:
    """Record the yes and its deal, whose energy is reserved from this moment, and tell both sides.

    ``shown`` is what the owner sees of the judgement from now on. Returns what the park was
    told of the offer, and as JSON what the owner was.
    """
    commitment_id = call.new_id("com")
    kept = evaluations.columns(shown, vehicle)
    accepted = decisions.record(
        tx,
        call,
        offer,
        vehicle,
        "accept",
        method=method,
        energy_wh=energy_wh,
        rule=rule,
        evaluation=kept["evaluation"],
        more={"commitment_id": commitment_id, **kept},
    )
    # Asked for anew: a leave time named with the yes may have ended deals that were judged with it.
    others = live_deals(tx, vehicle.vehicle_id)
    deal = _reserve(tx, call, accepted, vehicle, judged, energy_wh)
    announce.new_commitment(tx, deal, accepted, session, vehicle, call.now)
    told = announce.offer(tx, accepted, call.now)
    deals = keep_deals(tx, vehicle.vehicle_id, [*others, new_deal(deal)])
    stands = Standing(session, judged.departure, deals)
    announce.vehicle_as(tx, vehicle, stands, call.now)
    if asked.may_be(tx, offer.session_id):
        evaluations.refresh(tx, vehicle.vehicle_id, call.now)
    return told


def _reserve(
    tx: Tx,
    call: Call,
    offer: OfferRecord,
    vehicle: VehicleRecord,
    judged: Judgement,
    energy_wh: int,
) -> CommitmentRecord:
    """Write the deal of an accepted offer."""
    terms = offer.terms
    lead = timedelta(seconds=call.config.award_lead_s)
    assert offer.commitment_id is not None
    deal = CommitmentRecord(
        commitment_id=offer.commitment_id,
        offer_id=offer.offer_id,
        session_id=offer.session_id,
        vehicle_id=vehicle.vehicle_id,
        owner_id=vehicle.owner_id,
        park_id=offer.park_id,
        state=CommitmentState.PENDING_AWARD,
        consented_energy_wh=energy_wh,
        committed_energy_wh=energy_wh,
        energy_limit_wh=energy_wh,
        start_at=terms.start_at,
        end_at=terms.end_at,
        award_by=award_deadline(terms.start_at, terms.end_at, call.now, lead),
        decided_at=call.now,
        terms=terms,
        terms_sha256=offer.terms_sha256,
        quote_request=to_json(judged.request).decode(),
        soc_floor_pct=vehicle.preferences.soc_floor_pct,
        last_seq=0,
        setpoint_w=0,
        worst_setpoint_w=0,
        **_TO_COME,
    )
    tx.later("commitment", **_columns(deal))
    return deal


def _columns(deal: CommitmentRecord) -> dict[str, object]:
    """Return what the row of a new deal says."""
    said = {name: getattr(deal, name) for name in field_names(deal) if name not in _TO_COME}
    return said | {
        "state": deal.state.value,
        "terms": dump(deal.terms),
        "soc_floor_pct": str(deal.soc_floor_pct),
    }
