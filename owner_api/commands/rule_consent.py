"""The yes or the counter that the owner wrote down in advance."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from owner_api.calls import Call
from owner_api.core.machine import (
    Answer,
    Judged,
    Moved,
    OfferState,
    decide_offer,
)
from owner_api.core.model import ConsentMode, CounterTerms, Rule, Terms
from owner_api.core.money import minor_digits
from owner_api.core.rules import Case, first_match
from owner_api.core.soc import set_back
from owner_api.store.tx import Tx

from . import announce, asked_for, dealing, decisions, evaluations, unconfirmed
from .edge import Json
from .evaluate import Judgement
from .owner_views import broken_promise
from .records import OfferRecord, SessionRecord, VehicleRecord
from .reward_parts import counted_price


def matching_rule(
    tx: Tx, vehicle: VehicleRecord, offer: OfferRecord, judged: Judgement, now: datetime
) -> tuple[Rule | None, list[asked_for.Spoken]]:
    """Return the owner's first rule that says yes, if rules may speak for this park at all.

    One that a person's no has overruled only where no other does. Beside it stands what a person
    has said of the offer: whether that goes before the rule, ``person_first`` tells.
    """
    if vehicle.preferences.consent_mode is not ConsentMode.RULES or not judged.answer:
        return None, []
    rules, seen = vehicle.preferences.rules, (judged.energy_wh, judged.answer, now)
    first = first_of(rules, tx, vehicle, offer, *seen)
    if first is None:
        return None, []
    words = asked_for.spoken(tx, vehicle.vehicle_id, offer.offer_id, offer.terms)
    others = [each for each in rules if not _is_overruled(tx, vehicle, each, words, now)]
    return first_of(others, tx, vehicle, offer, *seen) or first, words


def person_first(
    tx: Tx,
    vehicle: VehicleRecord,
    words: list[asked_for.Spoken],
    terms: Terms,
    rule: Rule,
    now: datetime,
    *,
    energy_wh: int | None = None,
) -> str | None:
    """Return why a rule does not answer terms that came just now with an offer, None where it may.

    A person spoke before it, or has to look at it first: ``words`` are what of the time that the
    terms speak of. ``energy_wh`` is what would be sold, by default all that is requested.
    """
    if vehicle.unconfirmed_since is not None:
        return unconfirmed.UNCONFIRMED
    if was_stopped(tx, vehicle, terms) or _stopped_since(vehicle, now):
        return "person_stopped"
    if why := asked_for.objection(words, terms, energy_wh):
        return why
    return asked_for.DECLINED if _is_overruled(tx, vehicle, rule, words, now) else None


def _is_overruled(
    tx: Tx, vehicle: VehicleRecord, rule: Rule, words: Iterable[asked_for.Spoken], now: datetime
) -> bool:
    """Return whether a rule says yes to what a person declined: it cannot tell what is better."""
    return any(
        declined is not None and _would_have_taken(tx, vehicle, rule, declined, now)
        for _, declined in words
    )


def _would_have_taken(
    tx: Tx, vehicle: VehicleRecord, rule: Rule, declined: OfferRecord, now: datetime
) -> bool:
    seen = declined.arrival or {}
    energy_wh: int | None = seen.get("quoted_energy_wh")
    if energy_wh is None:
        return False
    return first_of((rule,), tx, vehicle, declined, energy_wh, seen, now) is not None


def was_stopped(tx: Tx, vehicle: VehicleRecord, terms: Terms) -> bool:
    """Return whether the owner has stopped a deal of the vehicle in the window of these terms.

    Promise 4: what a person has stopped only a person takes up again.
    """
    row = tx.one(
        "SELECT 1 AS found FROM commitment WHERE vehicle_id = ? AND owner_stopped_at IS NOT NULL"
        " AND start_at < ? AND end_at > ? LIMIT 1",
        vehicle.vehicle_id,
        terms.end_at,
        terms.start_at,
    )
    return row is not None


def _stopped_since(vehicle: VehicleRecord, came_at: datetime) -> bool:
    """Return whether the owner has pressed stop since an offer came: the stop may have passed it.

    Promise 4: what a rule agreed to before, the stop would have ended.
    """
    stopped_at = vehicle.owner_stopped_at
    return stopped_at is not None and came_at < stopped_at and not set_back(stopped_at, came_at)


def first_of(
    rules: Iterable[Rule],
    tx: Tx,
    vehicle: VehicleRecord,
    offer: OfferRecord,
    energy_wh: int,
    answer: Mapping[str, Any],
    at: datetime,
) -> Rule | None:
    """Return the first of some rules that says yes to an offer at a time, as it was judged."""
    if broken_promise(tx, vehicle.owner_id, offer.park_id):
        return None
    case = Case(
        local_now=at.astimezone(vehicle.zone),
        park_id=offer.park_id,
        purpose=offer.purpose,
        lease_s=offer.terms.lease_s,
        price_per_kwh=counted_price(vehicle.preferences, vehicle.currency, offer.terms.reward),
        energy_wh=energy_wh,
        net_minor=answer["net_minor"] or 0,
        minor_digits=minor_digits(vehicle.currency),
    )
    return first_match(rules, case)


def accept_by_rule(
    tx: Tx,
    call: Call,
    offer: OfferRecord,
    vehicle: VehicleRecord,
    session: SessionRecord,
    judged: Judgement,
    shown: Json,
    rule: Rule,
) -> Json:
    """Say the yes that the owner wrote down; returns what the park was told.

    ``shown`` is what the owner sees of the judgement.
    """
    assert session.vehicle_id == vehicle.vehicle_id
    move = decide_offer(evaluations.facts(offer), Judged(OfferState.ACCEPTED, "rule"), call.now)
    assert isinstance(move, Moved)
    for_park, _ = dealing.agree(
        tx,
        call,
        offer,
        vehicle,
        session,
        judged,
        shown=shown,
        energy_wh=judged.energy_wh,
        method="rule",
        rule=rule,
    )
    return for_park


def counter_by_rule(
    tx: Tx,
    call: Call,
    offer: OfferRecord,
    vehicle: VehicleRecord,
    best: CounterTerms,
    rule: Rule,
) -> Json:
    """Release the computed best terms because a rule of the owner says so.

    The offer passes through ``presented``, as it would on its way to a person. Returns what the
    park was told.
    """
    shown = decide_offer(evaluations.facts(offer), Judged(OfferState.PRESENTED), call.now)
    assert isinstance(shown, Moved)
    facts = replace(evaluations.facts(offer), state=shown.to)
    answer = Answer(OfferState.COUNTERED, offer.revision, offer.terms_sha256)
    assert isinstance(decide_offer(facts, answer, call.now), Moved)
    countered = decisions.record(
        tx, call, offer, vehicle, "counter", method="rule", counter=best, rule=rule
    )
    return announce.offer(tx, countered, call.now)[0]
