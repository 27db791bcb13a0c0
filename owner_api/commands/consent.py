"""The owner's answer, recorded once: by a person or an automation the owner allows."""

from datetime import datetime
from typing import Final

from owner_api.calls import Call, Reply
from owner_api.core.machine import (
    Answer,
    OfferState,
    Rejection,
    decide_offer,
)
from owner_api.core.model import CounterTerms, Decision, Terms
from owner_api.core.rules import LONGEST_USUAL_LEASE_S
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.store.documents import to_json, with_member
from owner_api.store.tx import Tx

from . import (
    announce,
    asked_for,
    dealing,
    decisions,
    evaluations,
    rule_consent,
    unconfirmed,
    vehicles,
)
from .countering import best_counter
from .edge import Json, build
from .evaluate import Judgement, evaluation_view, judge, part_of, unwanted
from .owner_views import broken_promise, offer_view
from .records import OfferRecord, SessionRecord, VehicleRecord

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

OBJECTIONS: Final = {
    asked_for.ASKED_FOR_MORE: "The owner has asked for better terms",
    asked_for.DECLINED: "The owner has declined such terms for this time",
    unconfirmed.UNCONFIRMED: "These limits are those of a restored backup",
}
# What an owner may name in a counter.
_COUNTERED: Final[tuple[str, ...]] = ("energy_wh", "price_per_kwh", "start_at")


def decide(tx: Tx, call: Call) -> Reply:
    """Record the owner's answer to exactly one revision of one offer."""
    body = call.body
    offer = OfferRecord.find(tx, body["offer_id"], owner_id=call.principal.party_id)
    if offer.decision and _says_again(tx, offer, offer.decision, body):
        return _answered(tx, offer, to_json(offer_view(tx, offer)).decode())
    to = {
        "accept": OfferState.ACCEPTED,
        "decline": OfferState.DECLINED,
        "counter": OfferState.COUNTERED,
    }[body["decision"]]
    answer = Answer(to, body["revision"], body["terms_sha256"])
    move = decide_offer(evaluations.facts(offer), answer, call.now)
    if isinstance(move, Rejection):
        raise Problem(ProblemCode(move.code), move.detail, current=offer_view(tx, offer))
    assert offer.vehicle_id is not None
    vehicle = VehicleRecord.find(tx, offer.vehicle_id, call.principal.party_id)
    _check_method(body["method"], vehicle)
    if body["method"] == "automation" and to is not OfferState.DECLINED:
        _check_confirmed(vehicle)
    if to is OfferState.ACCEPTED:
        _check_person(tx, body, offer, vehicle)
        told = _accept(tx, call, offer, vehicle)
        return _answered(tx, OfferRecord.find(tx, offer.offer_id), told)
    if to is OfferState.COUNTERED:
        changed = _counter(tx, call, offer, vehicle)
    else:
        changed = decisions.record(tx, call, offer, vehicle, "decline", method=body["method"])
    _, told = announce.offer(tx, changed, call.now)
    return _answered(tx, changed, told)


def _says_again(tx: Tx, offer: OfferRecord, made: Decision, body: Json) -> bool:
    """Return whether an answer only repeats the recorded one.

    Promise 2: of two phones that name another energy or leave time the second must hear that the
    first has won, or a car would be away when it is thought to be at its charger.
    """
    told = (body["decision"], body["revision"], body["terms_sha256"])
    if told != (made.decision, made.revision, made.terms_sha256):
        return False
    if made.decision == "counter":
        named = {key: body[key] for key in _COUNTERED if key in body}
        if named and build(CounterTerms, named) != made.counter_terms:
            return False
    elif not _is_covered(made.consented_energy_wh, body):
        return False
    vehicle = VehicleRecord.kept(tx, offer.vehicle_id) if offer.vehicle_id else None
    one_off = vehicle.departures.one_off if vehicle else None
    return body.get("departure_at") in (None, one_off and one_off.departure_at)


def _is_covered(sold_wh: int | None, body: Json) -> bool:
    """Return whether an answer stands for what was sold: no other energy, nor more than shown."""
    if sold_wh is None:
        return "energy_wh" not in body
    shown_wh: int = body.get("quoted_energy_wh", sold_wh)
    return bool(body.get("energy_wh", sold_wh) == sold_wh) and sold_wh <= shown_wh


def _answered(tx: Tx, offer: OfferRecord, told: str | None) -> Reply:
    """Return what the owner was told of an answered offer with the name of the answer's receipt."""
    assert offer.decision is not None
    assert told is not None
    receipt_id = decisions.receipt_of(tx, offer.decision.decision_id)
    return Reply(body=with_member(told, "receipt_id", receipt_id).encode(), status=201)


def _check_method(method: str, vehicle: VehicleRecord) -> None:
    """Promise 1: an automation's word counts only where the owner has said that it does."""
    if method == "automation" and not vehicle.preferences.allow_automations:
        raise Problem(
            ProblemCode.FORBIDDEN,
            "Automations may not answer for this vehicle until the owner allows it.",
            errors=(FieldError(pointer="/method", code="not_allowed", limit="tap | voice"),),
            reason="automations_not_allowed",
        )


def _check_confirmed(vehicle: VehicleRecord) -> None:
    """Promise 1: whether automations may answer is a backup's word until a person confirms it."""
    if vehicle.unconfirmed_since is not None:
        why = unconfirmed.UNCONFIRMED
        raise _persons_word(f"{OBJECTIONS[why]}: a person has to confirm them first.", why)


def _check_person(tx: Tx, body: Json, offer: OfferRecord, vehicle: VehicleRecord) -> None:
    """Promise 4: a stop that may take long is seen before the yes, and one that was made stands.

    What a park promises is judged by a person, once it has broken such a promise, and so is less
    than what a person asked for.
    """
    if body["method"] != "automation":
        return
    if offer.terms.lease_s > LONGEST_USUAL_LEASE_S:
        why, reason = "A stop may take longer than usual here", "long_stop"
    elif rule_consent.was_stopped(tx, vehicle, offer.terms):
        why, reason = "The owner has stopped a deal in this window", "person_stopped"
    elif broken_promise(tx, vehicle.owner_id, offer.park_id):
        why, reason = "This park has broken a promise to recharge", "recharge_broken"
    elif objection := _objection(tx, offer, vehicle, offer.terms, _most_wh(offer, body)):
        why, reason = OBJECTIONS[objection], objection
    else:
        return
    raise _persons_word(f"{why}: only a person may say yes to that.", reason)


def _objection(
    tx: Tx,
    offer: OfferRecord,
    vehicle: VehicleRecord,
    terms: Terms,
    energy_wh: int | None = None,
) -> str | None:
    """Return why a person has to say whether terms will do, None where anybody may."""
    words = asked_for.spoken(tx, vehicle.vehicle_id, offer.offer_id, terms)
    return asked_for.objection(words, terms, energy_wh)


def _most_wh(offer: OfferRecord, body: Json) -> int:
    """Return the most (Wh) that a yes to the offer could sell."""
    if "energy_wh" in body:
        # By name, whatever else was shown: just that is what would be sold.
        return int(body["energy_wh"])
    return min([offer.terms.requested_energy_wh, *_told_wh(offer, body)])


def _persons_word(detail: str, reason: str) -> Problem:
    """Return the problem of an automation that speaks where only a person may."""
    error = FieldError(pointer="/method", code="not_allowed", limit="tap | voice")
    return Problem(ProblemCode.FORBIDDEN, detail, errors=(error,), reason=reason)


def _accept(tx: Tx, call: Call, offer: OfferRecord, vehicle: VehicleRecord) -> str | None:
    """Judge once more with what is known now, then make the deal.

    Returns what the owner is told as JSON.
    """
    body = call.body
    session = SessionRecord.find(tx, offer.session_id)
    named = body.get("departure_at")
    if named:
        _check_leave(call, named)
    judged = judge(
        tx, vehicle, session, offer.terms, call.now, named_departure=named, counter=False
    )
    wanted = body.get("energy_wh", min([judged.energy_wh, *_told_wh(offer, body)]))
    low = min(offer.terms.min_energy_wh, offer.terms.requested_energy_wh)
    shown = evaluation_view(vehicle, judged, offer.terms, call.now)
    if not judged.feasible:
        reason = str((judged.reason or {}).get("code", judged.block))
        code = _BLOCK_PROBLEMS.get(reason, ProblemCode.NOT_FEASIBLE)
        raise Problem(code, f"The offer cannot be kept: {reason}.", current=shown)
    _check_worth(call, offer, vehicle, judged)
    if not max(1, low) <= wanted <= judged.energy_wh:
        limit = f"{max(1, low)} to {judged.energy_wh}"
        error = FieldError(pointer="/energy_wh", code="range", limit=limit)
        raise Problem(ProblemCode.NOT_FEASIBLE, f"energy_wh: {limit}", errors=(error,))
    if wanted < judged.energy_wh:
        # What the window costs by itself is lost on a part as on the whole.
        part = part_of(judged, wanted)
        _check_worth(call, offer, vehicle, part)
        figures = evaluation_view(vehicle, part, offer.terms, call.now)
        shown = figures | {"max_energy_wh": shown["max_energy_wh"]}
    if named:
        vehicle = vehicles.name_departure(tx, call, vehicle, named)
    _, told = dealing.agree(
        tx,
        call,
        offer,
        vehicle,
        session,
        judged,
        shown=shown,
        energy_wh=wanted,
        method=body["method"],
    )
    return told


def _told_wh(offer: OfferRecord, body: Json) -> list[int]:
    """Return the energy (Wh) that the owner was last told would be sold, and what they were shown.

    Promise 1: a car may have charged since, and a yes covers no more than what it was said to. A
    notification stays as it was sent, whatever is told after it.
    """
    told = ((offer.evaluation or {}).get("quoted_energy_wh"), body.get("quoted_energy_wh"))
    return [energy_wh for energy_wh in told if energy_wh is not None]


def _check_worth(call: Call, offer: OfferRecord, vehicle: VehicleRecord, judged: Judgement) -> None:
    """Raise not_feasible for what would be declined today: on purpose means to change the limit."""
    if unwanted(vehicle, offer.terms, judged) is not None:
        detail = f"The offer is not worth it by your own limits: {_price(judged)}."
        shown = evaluation_view(vehicle, judged, offer.terms, call.now)
        raise Problem(ProblemCode.NOT_FEASIBLE, detail, current=shown)


def _price(judged: Judgement) -> str:
    """Return in a few words which price would pass."""
    reason = judged.reason or {}
    if reason.get("code") != "price":
        return "price"
    return f"price, {reason['needed']} {reason['unit']} would do, {reason['available']} is offered"


def _check_leave(call: Call, at: datetime) -> None:
    """Raise invalid_body with the limit when nobody could plan for a leave time."""
    if at <= call.now:
        error = FieldError(pointer="/departure_at", code="range", limit="after now")
        raise Problem(ProblemCode.INVALID_BODY, "The leave time has passed.", errors=(error,))
    vehicles.check_not_too_far(call, "/departure_at", at)


def _counter(tx: Tx, call: Call, offer: OfferRecord, vehicle: VehicleRecord) -> OfferRecord:
    """Release the owner's terms: what the body names, else the computed best ones.

    A leave time that is named with them is kept first, and the best terms are those that it allows.
    """
    if leave := call.body.get("departure_at"):
        _check_leave(call, leave)
        vehicle = vehicles.name_departure(tx, call, vehicle, leave)
        offer = OfferRecord.find(tx, offer.offer_id)
    named = {key: call.body[key] for key in _COUNTERED if key in call.body}
    if named:
        terms: CounterTerms | None = build(CounterTerms, named)
    else:
        session = SessionRecord.find(tx, offer.session_id)
        terms = best_counter(tx, vehicle, session, offer.terms, offer.evaluation, call.now)
    if terms is None:
        detail = "There are no terms that would be accepted."
        raise Problem(ProblemCode.NOT_FEASIBLE, detail, reason="no_better_terms")
    method, wanted = call.body["method"], asked_for.countered(offer.terms, terms)
    if method == "automation" and (why := _objection(tx, offer, vehicle, wanted)):
        raise _persons_word(f"{OBJECTIONS[why]}: only a person may ask for less.", why)
    return decisions.record(tx, call, offer, vehicle, "counter", method=method, counter=terms)
