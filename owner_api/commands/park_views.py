"""What a park sees: promise 7's allow-list, built field by field so nothing slips through."""

from typing import Final

from owner_api.core.canonical import instant_text
from owner_api.core.machine import OfferState
from owner_api.store.tx import Tx

from .edge import Json, view, view_json
from .owner_views import settlement_figures
from .records import CommitmentRecord, OfferRecord, Row, SessionRecord

# Why an offer was not taken, in the four words a park may hear.
_PRICE_CODES: Final = frozenset({"price", "reward_kind", "currency"})
_ENERGY_CODES: Final = frozenset({"energy"})
_LATER_CODES: Final = frozenset({"later"})

# Why a delivery ended, in the four words a park may hear.
_STOP_WORDS: Final = {
    "owner": "owner",
    "preferences": "owner",
    "departure": "owner",
    "agreement": "owner",
    "floor": "vehicle",
    "departure_minimum": "vehicle",
    "soc_stale": "vehicle",
    "wrong_vehicle": "vehicle",
    "temperature": "vehicle",
    "unplugged": "vehicle",
    "lease": "link",
    "blind": "link",
    "site": "site",
    "park": "site",
}


def offer_reason(offer: OfferRecord) -> str | None:
    """Return why the offer was not taken; a person's plain no needs no reason."""
    if offer.state not in (OfferState.AUTO_DECLINED, OfferState.REJECTED):
        return None
    code = offer.state_reason or ""
    if code in _PRICE_CODES:
        return "price"
    if code in _ENERGY_CODES:
        return "less_energy"
    return "later" if code in _LATER_CODES else "not_available"


def stop_reason(code: str | None) -> str | None:
    """Return why a delivery ended, as far as a park may know."""
    return None if code is None else _STOP_WORDS.get(code)


def session_view(session: SessionRecord) -> Json:
    """Return a session as the park opened it."""
    return {
        "session_id": session.session_id,
        "evse_id": session.evse_id,
        "state": session.state,
        "meter": session.meter,
        "plugged_in_at": instant_text(session.plugged_in_at),
        "unplugged_at": None
        if session.unplugged_at is None
        else instant_text(session.unplugged_at),
        "recharge_due": [view(each) for each in session.recharge_left],
    }


def offer_view(offer: OfferRecord) -> Json:
    """Return an offer with the owner's answer and, where the agent said no, one of four words."""
    decided = offer.decision
    released = None
    if decided is not None:
        counter = decided.counter_terms
        released = {
            "decision": decided.decision,
            "decided_at": instant_text(decided.decided_at),
            "consented_energy_wh": decided.consented_energy_wh,
            "counter_terms": None if counter is None else view(counter),
        }
    return {
        "offer_id": offer.offer_id,
        "revision": offer.revision,
        "session_id": offer.session_id,
        "purpose": offer.purpose,
        "state": offer.state.value,
        "issued_at": instant_text(offer.issued_at),
        "respond_by": instant_text(offer.respond_by),
        "terms": view_json(offer.terms),
        "terms_sha256": offer.terms_sha256,
        "reason": offer_reason(offer),
        "decision": released,
        "commitment_id": offer.commitment_id,
    }


def commitment_view(deal: CommitmentRecord) -> Json:
    """Return a deal: energy, window, lease, and whether and by which of four words it ended."""
    return {
        "commitment_id": deal.commitment_id,
        "offer_id": deal.offer_id,
        "session_id": deal.session_id,
        "state": deal.state.value,
        "order_reference": deal.order_reference,
        "committed_energy_wh": deal.committed_energy_wh,
        "max_discharge_w": deal.terms.max_discharge_w,
        "start_at": instant_text(deal.start_at),
        "end_at": instant_text(deal.end_at),
        "award_by": instant_text(deal.award_by),
        "lease_until": None if deal.lease_until is None else instant_text(deal.lease_until),
        "last_seq": deal.last_seq,
        "delivered_wh": deal.delivered_wh,
        "stop_reason": stop_reason(deal.state_reason),
        "stop": None if deal.stop is None else view(deal.stop),
    }


def settlement_view(tx: Tx, row: Row) -> Json:
    """Return the figures both sides must agree on."""
    return settlement_figures(tx, row)
