"""Offers from a park: taken in, judged at once, and shown to the owner only when they can hold."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from owner_api.calls import Call, Reply
from owner_api.core.canonical import sha256
from owner_api.core.machine import (
    Judged,
    Moved,
    OfferState,
    Rejection,
    Revise,
    Withdraw,
    decide_offer,
)
from owner_api.core.model import CounterTerms, Rule, Terms
from owner_api.problems import Problem, ProblemCode
from owner_api.store.documents import dump_known
from owner_api.store.tx import Tx

from . import announce, asked, evaluations, rule_consent, unconfirmed
from .asked_for import countered, spoken
from .countering import best_counter
from .edge import Json
from .evaluate import evaluation_view, judge, unwanted, worth_it
from .offer_terms import checked_terms
from .owner_views import offer_view
from .paging import read_page
from .park_views import offer_view as park_offer_view
from .questions import spend_question
from .records import OfferRecord, SessionRecord, VehicleRecord
from .standing import OF_CARS

_OF_PARK: Final = "SELECT * FROM offer WHERE park_id = ?"
# By the index of the open ones: of a park's others there are ever more.
_OPEN_OF_PARK: Final = (
    "SELECT * FROM offer INDEXED BY offer_due"
    " WHERE park_id = ? AND state IN ('presented', 'countered')"
)

# One stays open until a tick has ended it.
_OVERDUE: Final = timedelta(days=1)
_OPEN_OF_OWNER: Final = (
    f"SELECT * FROM offer INDEXED BY offer_of_car WHERE {OF_CARS} AND owner_id = ?1"  # noqa: S608 - a constant
    " AND respond_by > ?2 AND state IN ('presented', 'countered')"
)


def create(tx: Tx, call: Call) -> Reply:
    """Take in an offer for a session and judge it in the same breath."""
    body, park_id = call.body, call.principal.party_id
    session = SessionRecord.find(tx, body["session_id"], park_id)
    terms = checked_terms(call, body)
    if session.state == "ended":
        raise Problem(ProblemCode.SESSION_ENDED, "The car has left this charger.")
    asked.check_room(tx, call, session.session_id)
    spend_question(tx, call, session)
    offer_id = call.new_id("off")
    digest = sha256(terms)
    tx.insert(
        "offer",
        offer_id=offer_id,
        park_id=park_id,
        owner_id=session.owner_id if session.state == "bound" else None,
        vehicle_id=session.vehicle_id if session.state == "bound" else None,
        session_id=session.session_id,
        revision=1,
        state=OfferState.RECEIVED.value,
        purpose=body["purpose"],
        issued_at=call.now,
        respond_by=body["respond_by"],
        terms=dump_known(terms),
        terms_sha256=digest,
        updated_at=call.now,
    )
    _keep_revision(tx, call, offer_id, 1, terms, body["respond_by"])
    shown = _judge(tx, call, OfferRecord.find(tx, offer_id), session)
    return Reply(body=shown, status=201, location=f"/v1/park/offers/{offer_id}")


def revise(tx: Tx, call: Call) -> Reply:
    """Replace an open offer's terms by the next revision; the old one can no longer be accepted."""
    offer = OfferRecord.find(tx, call.params["offer_id"], park_id=call.principal.party_id)
    terms = checked_terms(call, call.body | {"purpose": offer.purpose})
    move = decide_offer(evaluations.facts(offer), Revise(call.body["revision"]), call.now)
    if isinstance(move, Rejection):
        raise Problem(ProblemCode(move.code), move.detail)
    session = SessionRecord.find(tx, offer.session_id)
    if offer.state is OfferState.COUNTERED:
        # It waits for its owner again.
        asked.check_room(tx, call, session.session_id)
    spend_question(tx, call, session)
    tx.update(
        "offer_revision",
        {"offer_id": offer.offer_id, "revision": offer.revision},
        ended_as=OfferState.SUPERSEDED.value,
    )
    revised = offer.changed(
        tx,
        revision=call.body["revision"],
        state=OfferState.RECEIVED.value,
        state_reason=None,
        decision=None,
        evaluation=None,
        arrival=None,
        respond_by=call.body["respond_by"],
        terms=dump_known(terms),
        terms_sha256=sha256(terms),
        updated_at=call.now,
    )
    _keep_revision(tx, call, offer.offer_id, call.body["revision"], terms, call.body["respond_by"])
    announce.offer_to_owner(tx, replace(offer, state=OfferState.SUPERSEDED), call.now)
    return Reply(body=_judge(tx, call, revised, session), status=201)


def _keep_revision(
    tx: Tx, call: Call, offer_id: str, revision: int, terms: Terms, respond_by: datetime
) -> None:
    tx.insert(
        "offer_revision",
        offer_id=offer_id,
        revision=revision,
        terms=dump_known(terms),
        terms_sha256=sha256(terms),
        respond_by=respond_by,
        issued_at=call.now,
    )


def _judge(tx: Tx, call: Call, offer: OfferRecord, session: SessionRecord) -> Json:
    """Judge a fresh revision: decline it, accept or counter it by a rule, or present it.

    Returns what the park was told.
    """
    if session.state != "bound" or session.vehicle_id is None:
        # Nobody knows whose car it is, so there is no owner's word to decline it by.
        return _move(tx, offer, Judged(OfferState.REJECTED, "unbound_session"), call.now)
    vehicle = VehicleRecord.find(tx, session.vehicle_id)
    judged = judge(tx, vehicle, session, offer.terms, call.now)
    evaluation = evaluation_view(vehicle, judged, offer.terms, call.now)
    rule, words = rule_consent.matching_rule(tx, vehicle, offer, judged, call.now)
    declined = unwanted(vehicle, offer.terms, judged)
    kept = evaluations.columns(evaluation, vehicle) | {"arrival": evaluations.arrival(evaluation)}
    if declined is not None:
        best = None
        if rule and rule.counter:
            best = best_counter(tx, vehicle, session, offer.terms, judged.answer, call.now)
        if rule and best and not _person_first(tx, vehicle, offer, call, rule, best):
            offer = offer.changed(tx, **kept)
            return rule_consent.counter_by_rule(tx, call, offer, vehicle, best, rule)
        return _move(tx, offer, Judged(OfferState.AUTO_DECLINED, declined), call.now, **kept)
    # A yes by hand counts meanwhile, and its owner is to see by which limits it is judged.
    why = None if vehicle.unconfirmed_since is None else unconfirmed.UNCONFIRMED
    # A person may take what counts as nothing; a rule is judged on the net reward alone.
    if (
        why is None
        and rule
        and judged.feasible
        and worth_it(vehicle, offer.terms.reward, judged.answer or {})
    ):
        why = rule_consent.person_first(
            tx, vehicle, words, offer.terms, rule, call.now, energy_wh=judged.energy_wh
        )
        if why is None:
            return rule_consent.accept_by_rule(
                tx, call, offer, vehicle, session, judged, evaluation, rule
            )
    told = _move(tx, offer, Judged(OfferState.PRESENTED, why), call.now, **kept)
    asked.note(tx, offer)
    return told


def _person_first(
    tx: Tx,
    vehicle: VehicleRecord,
    offer: OfferRecord,
    call: Call,
    rule: Rule,
    best: CounterTerms,
) -> str | None:
    """Return why a rule does not ask for these terms: the park would hear less than a person's."""
    terms = countered(offer.terms, best)
    words = spoken(tx, vehicle.vehicle_id, offer.offer_id, terms)
    return rule_consent.person_first(tx, vehicle, words, terms, rule, call.now)


def _move(tx: Tx, offer: OfferRecord, verdict: Judged, now: datetime, **kept: object) -> Json:
    move = decide_offer(evaluations.facts(offer), verdict, now)
    assert isinstance(move, Moved)
    moved = offer.changed(tx, state=move.to.value, state_reason=move.reason, updated_at=now, **kept)
    return announce.offer(tx, moved, now)[0]


def withdraw(tx: Tx, call: Call) -> Reply:
    """Take back an open offer."""
    offer = OfferRecord.find(tx, call.params["offer_id"], park_id=call.principal.party_id)
    move = decide_offer(evaluations.facts(offer), Withdraw(), call.now)
    if isinstance(move, Rejection):
        raise Problem(ProblemCode(move.code), move.detail)
    withdrawn = offer.changed(tx, state=move.to.value, updated_at=call.now)
    return Reply(body=announce.offer(tx, withdrawn, call.now)[0])


def get_for_park(tx: Tx, call: Call) -> Reply:
    """Return one of the park's offers."""
    offer = OfferRecord.find(tx, call.params["offer_id"], park_id=call.principal.party_id)
    return Reply(body=park_offer_view(offer))


def list_for_park(tx: Tx, call: Call) -> Reply:
    """List the park's offers: the open ones, or all with ``?state=all``."""
    return read_page(
        tx,
        call,
        _OF_PARK if call.query.get("state", "open") == "all" else _OPEN_OF_PARK,
        call.principal.party_id,
        key="offer_id",
        view=lambda row: park_offer_view(OfferRecord.from_row(row)),
    )


def get_for_owner(tx: Tx, call: Call) -> Reply:
    """Return one of the owner's offers with its evaluation."""
    offer = OfferRecord.find(tx, call.params["offer_id"], owner_id=call.principal.party_id)
    return Reply(body=offer_view(tx, offer), etag=str(offer.revision))


def list_for_owner(tx: Tx, call: Call) -> Reply:
    """List the owner's offers: the open ones, or all with ``?state=all``."""
    everything = call.query.get("state", "open") == "all"
    return read_page(
        tx,
        call,
        "SELECT * FROM offer WHERE owner_id = ?" if everything else _OPEN_OF_OWNER,
        call.principal.party_id,
        *(() if everything else (call.now - _OVERDUE,)),
        key="offer_id",
        view=lambda row: offer_view(tx, OfferRecord.from_row(row)),
    )
