"""Judge an offer against the owner's limits: first what forbids it, then the exact quote."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from owner_api.core.canonical import instant_text
from owner_api.core.model import NextDeparture, RewardTerms, Terms
from owner_api.planning.request import QuoteRequest
from owner_api.planning.request_writer import request_to_json
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from . import limits, planner
from .edge import Json
from .freshness import at_consent_s
from .leaving import departure_in_force, would_hold
from .limits import blocked
from .quoting import current_soc, offered, quote_request
from .records import CommitmentRecord, SessionRecord, VehicleRecord
from .released import for_part, in_steps, in_whole_steps, releasable, rounding_pct
from .reserved import live_deals
from .reward_parts import counted, counted_price
from .tariffs import TariffView, tariff


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """The verdict on one offer: a block, or a quote and the energy that may be released."""

    block: str | None
    reason: Json | None
    answer: Json | None
    question: QuoteRequest | None
    departure: NextDeparture | None
    soc_pct: Decimal | None
    available_wh: int
    energy_wh: int
    padded_from: datetime | None = None

    @property
    def request(self) -> Json | None:
        """The question as it is kept beside a deal: ``v2g.quote-request/1``."""
        return None if self.question is None else request_to_json(self.question)

    @property
    def feasible(self) -> bool:
        """Return whether the owner's limits allow the offer; says nothing about its price."""
        return self.block is None and self.energy_wh > 0


def judge(
    tx: Tx,
    vehicle: VehicleRecord,
    session: SessionRecord,
    terms: Terms,
    now: datetime,
    *,
    named_departure: datetime | None = None,
    max_age_s: int | None = None,
    leave_out: CommitmentRecord | None = None,
    counter: bool = True,
) -> Judgement:
    """Return the verdict on ``terms`` for the vehicle as it stands now.

    ``named_departure`` is a leave time a person names with the decision; ``leave_out`` is the
    commitment that is judged again: what it reserves is not counted against it. Without ``counter``
    other terms are looked for only where these are not good.
    """
    preferences = vehicle.preferences
    departure = departure_in_force(tx, vehicle, session, now, named=named_departure)
    soc = current_soc(vehicle, session)
    block = (
        limits.forbidden(vehicle, session)
        or limits.agreement_missing(tx, vehicle, session)
        or limits.terms_unwanted(vehicle, terms)
        or limits.battery_unfit(vehicle, soc, now, max_age_s or at_consent_s(tx, preferences))
        or limits.used_up(tx, vehicle, terms, now, leave_out)
    )
    if block is None and departure is None:
        block = blocked("departure_unknown")
    if block is not None or departure is None or soc is None:
        return _refused(block, departure, soc)
    if not now < terms.end_at or departure.departure_at <= now:
        return _refused(blocked("departure_unreachable"), departure, soc)
    # A deal that is judged again may use what was kept back when it was made.
    kept_back = rounding_pct(vehicle) if leave_out is None else Decimal(0)
    counted = max(Decimal(0), soc - kept_back)

    def known(until: datetime) -> TariffView:
        return tariff(tx, vehicle, now, until)

    def ask(asked: QuoteRequest) -> Json:
        return planner.judgement(asked, counter=counter, prices=lambda until: known(until).entries)

    prices = known(departure.departure_at)
    request = quote_request(
        tx,
        vehicle,
        session,
        offered(vehicle, terms, now),
        departure,
        prices=prices.entries,
        deals=live_deals(tx, vehicle.vehicle_id),
        soc=counted,
        recharge=terms.recharge,
        leave_out=leave_out,
        now=now,
    )
    answer = ask(request)
    available = in_steps(answer["max_energy_wh"])
    wanted = terms.requested_energy_wh
    energy, least = min(wanted, available), max(1, min(terms.min_energy_wh, wanted))
    enough = energy >= least
    reason = answer["reason"]
    if enough and energy != wanted:
        # The figures an owner says yes to, and the verdict, are those of what is released.
        released = ask(replace(request, offer=for_part(request.offer, energy)))
        answer = released | {"fits": "part", "max_energy_wh": answer["max_energy_wh"]}
        reason = released["reason"] or reason or blocked("energy", wanted, available, "Wh")
    if not enough:
        reason = reason or blocked("energy", least, available, "Wh")
        if answer["fits"] != "none" or answer["nearest"]:
            # What is a Wh short of a step is not released, and so no yes.
            answer = ask(replace(request, offer=in_whole_steps(request.offer)))
    nearest = [
        each
        for each in releasable(answer["nearest"], available)
        if each["change"] != "/departure_at"
        or would_hold(tx, vehicle, session, now, decode(each["to"]))
    ]
    return Judgement(
        # One word for too little and one for nothing, whatever limit made it so: which of the
        # owner's limits binds is for the owner, in ``reason``.
        block=None if enough else ("energy" if available else "not_available"),
        reason=reason,
        answer=answer | {"nearest": nearest},
        question=request,
        departure=departure,
        soc_pct=soc,
        available_wh=available,
        energy_wh=energy if enough else 0,
        padded_from=prices.padded_from,
    )


def unwanted(vehicle: VehicleRecord, terms: Terms, judged: Judgement) -> str | None:
    """Return why the owner need not be asked, or None when a person may say yes.

    Without a leave time no rule accepts, but a person may after naming one, so it is presented.
    """
    if judged.block is not None:
        return None if judged.block == "departure_unknown" else judged.block
    # What is in kind without a rate is nobody's to weigh but the person's.
    parts = counted(vehicle.preferences, vehicle.currency, terms.reward)
    if parts and not worth_it(vehicle, terms.reward, judged.answer or {}):
        return "price"
    return None


def worth_it(vehicle: VehicleRecord, reward: RewardTerms, answer: Mapping[str, Any]) -> bool:
    """Return whether what counts of a reward reaches the owner's price, without a loss.

    No rule says yes to anything else. ``answer`` is the quote for the energy that is released, or
    what is kept of it: its verdict is exact, while ``net_minor`` is a sum of rounded lines, and may
    be below nothing at the very price that the quote calls enough.
    """
    preferences = vehicle.preferences
    price = counted_price(preferences, vehicle.currency, reward)
    # Of a quote that was kept only the owner's price may have been in the way, and may have fallen.
    covers = answer.get("verdict") == "accept" or any(
        each["change"] == "/preferences/min_price_per_kwh" for each in answer.get("nearest", ())
    )
    return covers and price >= preferences.min_price_per_kwh


def _refused(block: Json | None, departure: NextDeparture | None, soc: Decimal | None) -> Judgement:
    reason = block or blocked("soc_unknown")
    return Judgement(
        block=reason["code"],
        reason=reason,
        answer=None,
        question=None,
        departure=departure,
        soc_pct=soc,
        available_wh=0,
        energy_wh=0,
    )


def evaluation_view(vehicle: VehicleRecord, judged: Judgement, terms: Terms, now: datetime) -> Json:
    """Return what the owner sees of a judgement: every figure, the reason and the nearest yes."""
    answer: Mapping[str, Any] = judged.answer or {}
    capacity = vehicle.body.usable_capacity_wh
    soc = judged.soc_pct
    after = None
    if soc is not None and judged.energy_wh:
        drop = Decimal(judged.energy_wh) / vehicle.body.discharge_efficiency / capacity * 100
        after = round(float(soc - drop), 1)
    departure = judged.departure
    kept = (
        "verdict",
        "fits",
        "break_even_price_per_kwh",
        "net_minor",
        "breakdown",
        "soc_at_departure_pct",
        "soc_lowest_pct",
        "counter",
        "plan",
    )
    return {
        **{key: answer.get(key) for key in kept},
        "verdict": answer.get("verdict", "decline"),
        "evaluated_at": instant_text(now),
        "max_energy_wh": answer.get("max_energy_wh", 0),
        "quoted_energy_wh": judged.energy_wh or None,
        "soc_now_pct": None if soc is None else float(soc),
        "soc_after_pct": after,
        "soc_floor_pct": float(vehicle.preferences.soc_floor_pct),
        "soc_min_departure_pct": None
        if departure is None
        else float(departure.soc_min_departure_pct),
        "departure_at": None if departure is None else instant_text(departure.departure_at),
        "reason": judged.reason,
        "nearest": answer.get("nearest", []),
        "prices_assumed_from": judged.padded_from and instant_text(judged.padded_from),
        "lease_s": terms.lease_s,
    }


def part_of(judged: Judgement, energy_wh: int) -> Judgement:
    """Return what a feasible judgement says of less energy than it released."""
    assert judged.question is not None
    smaller = replace(judged.question, offer=for_part(judged.question.offer, energy_wh))
    answer = planner.judgement(smaller, counter=False)
    return replace(judged, answer=answer, reason=answer["reason"], energy_wh=energy_wh)
