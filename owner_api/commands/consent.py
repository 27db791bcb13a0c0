"""The owner's answer, recorded once: by a person, an allowed automation or a standing rule."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from owner_api.calls import Call, Reply
from owner_api.core.canonical import sha256
from owner_api.core.machine import (
    Answer,
    CommitmentState,
    Judged,
    Moved,
    OfferState,
    Rejection,
    award_deadline,
    decide_offer,
)
from owner_api.core.model import ConsentMode, CounterTerms, Decision, Departure, Rule
from owner_api.core.money import minor_digits
from owner_api.core.rules import Case, first_match
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.store.documents import dump, to_json
from owner_api.store.tx import Tx

from . import announce, journal, offers, vehicles
from .edge import Json, build
from .evaluate import Judgement, evaluation_view, judge
from .owner_views import offer_view
from .records import OfferRecord, SessionRecord, VehicleRecord

_STEP_WH: Final = 500

# Why a yes cannot stand now, as a problem of its own; everything else is ``not_feasible``.
_BLOCK_PROBLEMS: Final = {
    "soc_unknown": ProblemCode.SOC_UNKNOWN,
    "soc_stale": ProblemCode.SOC_STALE,
    "below_floor": ProblemCode.BELOW_FLOOR,
    "departure_unknown": ProblemCode.DEPARTURE_UNKNOWN,
    "discharge_not_allowed": ProblemCode.DISCHARGE_NOT_ALLOWED,
    "consent_never": ProblemCode.DISCHARGE_NOT_ALLOWED,
    "agreement_missing": ProblemCode.AGREEMENT_MISSING,
    "unbound_session": ProblemCode.NOT_BOUND,
}


def decide(tx: Tx, call: Call) -> Reply:
    """Record the owner's answer to exactly one revision of one offer."""
    body = call.body
    offer = OfferRecord.find(tx, body["offer_id"], owner_id=call.principal.party_id)
    repeated = offer.decision
    if (
        repeated
        and repeated.decision == body["decision"]
        and repeated.revision == body["revision"]
        and repeated.terms_sha256 == body["terms_sha256"]
    ):
        return Reply(body=offer_view(tx, offer), status=201)
    to = {
        "accept": OfferState.ACCEPTED,
        "decline": OfferState.DECLINED,
        "counter": OfferState.COUNTERED,
    }[body["decision"]]
    answer = Answer(to, body["revision"], body["terms_sha256"])
    move = decide_offer(offers.facts(offer), answer, call.now)
    if isinstance(move, Rejection):
        raise Problem(ProblemCode(move.code), move.detail, current=offer_view(tx, offer))
    assert offer.vehicle_id is not None
    vehicle = VehicleRecord.find(tx, offer.vehicle_id, call.principal.party_id)
    _check_method(body["method"], vehicle)
    if to is OfferState.ACCEPTED:
        _accept(tx, call, offer, vehicle)
    elif to is OfferState.COUNTERED:
        _counter(tx, call, offer, vehicle)
    else:
        record(tx, call, offer, vehicle, "decline", method=body["method"])
    changed = announce.offer(tx, offer.offer_id, call.now)
    announce.vehicle(tx, vehicle.vehicle_id, call.now)
    return Reply(body=offer_view(tx, changed), status=201)


def _check_method(method: str, vehicle: VehicleRecord) -> None:
    """Promise 1: an automation's word counts only where the owner has said that it does."""
    if method == "automation" and not vehicle.preferences.allow_automations:
        raise Problem(
            ProblemCode.FORBIDDEN,
            "Automations may not answer for this vehicle until the owner allows it.",
            errors=(FieldError(pointer="/method", code="not_allowed", limit="tap | voice"),),
        )


def _accept(tx: Tx, call: Call, offer: OfferRecord, vehicle: VehicleRecord) -> None:
    """Judge once more with what is known now, then make the deal."""
    body = call.body
    session = SessionRecord.find(tx, offer.session_id)
    named = body.get("departure_at")
    judged = judge(tx, vehicle, session, offer.terms, call.now, named_departure=named)
    wanted = body.get("energy_wh", judged.energy_wh)
    low = min(offer.terms.min_energy_wh, offer.terms.requested_energy_wh)
    if not judged.feasible:
        shown = evaluation_view(vehicle, judged, offer.terms, call.now)
        reason = str((judged.reason or {}).get("code", judged.block))
        code = _BLOCK_PROBLEMS.get(reason, ProblemCode.NOT_FEASIBLE)
        raise Problem(code, f"The offer cannot be kept: {reason}.", current=shown)
    if not max(1, low) <= wanted <= judged.energy_wh:
        limit = f"{max(1, low)} to {judged.energy_wh}"
        error = FieldError(pointer="/energy_wh", code="range", limit=limit)
        raise Problem(ProblemCode.NOT_FEASIBLE, f"energy_wh: {limit}", errors=(error,))
    if named:
        departures = vehicles.named(vehicle, Departure(departure_at=named))
        vehicles.set_departures(tx, vehicle, departures, call.now)
    shown = evaluation_view(vehicle, judged, offer.terms, call.now)
    tx.update("offer", {"offer_id": offer.offer_id}, evaluation=to_json(shown).decode())
    record(tx, call, offer, vehicle, "accept", method=body["method"], energy_wh=wanted)
    _commit(tx, call, offer, vehicle, judged, wanted)


def _counter(tx: Tx, call: Call, offer: OfferRecord, vehicle: VehicleRecord) -> None:
    """Release the owner's terms: what the body names, else the computed best ones."""
    named = {
        key: call.body[key]
        for key in ("energy_wh", "price_per_kwh", "start_at")
        if key in call.body
    }
    terms = build(CounterTerms, named) if named else best_counter(offer.evaluation)
    if terms is None:
        raise Problem(ProblemCode.NOT_FEASIBLE, "There are no terms that would be accepted.")
    record(tx, call, offer, vehicle, "counter", method=call.body["method"], counter=terms)


def best_counter(evaluation: Json | None) -> CounterTerms | None:
    """Return the computed best terms, energy cut to what a park may learn; None without any."""
    best = (evaluation or {}).get("counter") or {}
    energy = best.get("energy_wh")
    released = energy // _STEP_WH * _STEP_WH if energy else None
    found = {
        "energy_wh": released or None,
        "price_per_kwh": best.get("price_per_kwh"),
        "start_at": best.get("start_at"),
    }
    return build(CounterTerms, found) if any(found.values()) else None


def matching_rule(
    tx: Tx, vehicle: VehicleRecord, offer: OfferRecord, judged: Judgement, now: datetime
) -> Rule | None:
    """Return the owner's first rule that says yes, if rules may speak for this park at all."""
    if vehicle.preferences.consent_mode is not ConsentMode.RULES or not judged.answer:
        return None
    if broken_promise(tx, vehicle.owner_id, offer.park_id):
        return None
    reward = offer.terms.reward
    case = Case(
        local_now=now.astimezone(vehicle.zone),
        park_id=offer.park_id,
        purpose=offer.purpose,
        price_per_kwh=Decimal(reward.price_per_kwh),
        energy_wh=judged.energy_wh,
        net_minor=judged.answer["net_minor"] or 0,
        minor_digits=minor_digits(reward.currency),
    )
    return first_match(vehicle.preferences.rules, case)


def broken_promise(tx: Tx, owner_id: str, park_id: str) -> bool:
    """Return whether the park broke a recharge promise under the agreement in force."""
    row = tx.one(
        "SELECT 1 AS found FROM session JOIN agreement a"
        " ON a.owner_id = session.owner_id AND a.park_id = session.park_id"
        " WHERE session.owner_id = ? AND session.park_id = ? AND recharge_broken = 1"
        " AND a.state = 'active' AND session.created_at >= a.created_at LIMIT 1",
        owner_id,
        park_id,
    )
    return row is not None


def accept_by_rule(
    tx: Tx,
    call: Call,
    offer: OfferRecord,
    vehicle: VehicleRecord,
    session: SessionRecord,
    judged: Judgement,
    rule: Rule,
) -> None:
    """Say the yes that the owner wrote down."""
    assert session.vehicle_id == vehicle.vehicle_id
    move = decide_offer(offers.facts(offer), Judged(OfferState.ACCEPTED, "rule"), call.now)
    assert isinstance(move, Moved)
    energy = judged.energy_wh
    record(tx, call, offer, vehicle, "accept", method="rule", energy_wh=energy, rule=rule)
    _commit(tx, call, offer, vehicle, judged, energy)
    announce.offer(tx, offer.offer_id, call.now)
    announce.vehicle(tx, vehicle.vehicle_id, call.now)


def counter_by_rule(
    tx: Tx,
    call: Call,
    offer: OfferRecord,
    vehicle: VehicleRecord,
    best: CounterTerms,
    rule: Rule,
) -> None:
    """Release the computed best terms because a rule of the owner says so.

    The offer passes through ``presented``, as it would on its way to a person.
    """
    shown = decide_offer(offers.facts(offer), Judged(OfferState.PRESENTED), call.now)
    assert isinstance(shown, Moved)
    facts = replace(offers.facts(offer), state=shown.to)
    answer = Answer(OfferState.COUNTERED, offer.revision, offer.terms_sha256)
    assert isinstance(decide_offer(facts, answer, call.now), Moved)
    record(tx, call, offer, vehicle, "counter", method="rule", counter=best, rule=rule)
    announce.offer(tx, offer.offer_id, call.now)


def record(
    tx: Tx,
    call: Call,
    offer: OfferRecord,
    vehicle: VehicleRecord,
    kind: str,
    *,
    method: str,
    energy_wh: int | None = None,
    counter: CounterTerms | None = None,
    rule: Rule | None = None,
) -> Decision:
    """Write the decision and move the offer; from here on it cannot be unsaid, only revoked."""
    states = {
        "accept": OfferState.ACCEPTED,
        "decline": OfferState.DECLINED,
        "counter": OfferState.COUNTERED,
    }
    made = Decision(
        decision_id=call.new_id("dec"),
        offer_id=offer.offer_id,
        revision=offer.revision,
        terms_sha256=offer.terms_sha256,
        decision=kind,
        method=method,
        decided_at=call.now,
        preferences_revision=vehicle.preferences_revision,
        consented_energy_wh=energy_wh,
        counter_terms=counter,
        rule_id=rule.rule_id if rule else None,
        device_id=None if rule else call.principal.device_id,
        actor={} if rule else dict(call.body.get("actor", {})),
        reason=None if rule else call.body.get("reason"),
    )
    tx.insert(
        "decision",
        decision_id=made.decision_id,
        offer_id=offer.offer_id,
        owner_id=vehicle.owner_id,
        revision=offer.revision,
        decision=kind,
        method=method,
        decided_at=call.now,
        body=dump(made),
    )
    tx.update(
        "offer",
        {"offer_id": offer.offer_id},
        state=states[kind].value,
        state_reason="rule" if rule else None,
        decision=dump(made),
        updated_at=call.now,
    )
    journal.decision(tx, made, offer, vehicle)
    return made


def _commit(
    tx: Tx,
    call: Call,
    offer: OfferRecord,
    vehicle: VehicleRecord,
    judged: Judgement,
    energy_wh: int,
) -> None:
    """Make the deal: its energy is reserved from this moment."""
    commitment_id = call.new_id("com")
    terms = offer.terms
    deadline = award_deadline(terms.start_at, terms.end_at, call.now)
    tx.insert(
        "commitment",
        commitment_id=commitment_id,
        offer_id=offer.offer_id,
        session_id=offer.session_id,
        vehicle_id=vehicle.vehicle_id,
        owner_id=vehicle.owner_id,
        park_id=offer.park_id,
        state=CommitmentState.PENDING_AWARD.value,
        consented_energy_wh=energy_wh,
        committed_energy_wh=energy_wh,
        energy_limit_wh=energy_wh,
        start_at=terms.start_at,
        end_at=terms.end_at,
        award_by=deadline,
        decided_at=call.now,
        terms=dump(terms),
        terms_sha256=sha256(terms),
        quote_request=to_json(judged.request).decode(),
        soc_floor_pct=str(vehicle.preferences.soc_floor_pct),
        last_seq=0,
        setpoint_w=0,
        worst_setpoint_w=0,
    )
    tx.update("offer", {"offer_id": offer.offer_id}, commitment_id=commitment_id)
    announce.commitment(tx, commitment_id, call.now)
