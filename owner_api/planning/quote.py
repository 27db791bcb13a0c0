"""The exact quote of design §5: one request in, one answer out. Pure, no solver.

    request = parse_request(json_object)      # or build a QuoteRequest
    answer = quote(request)                   # QuoteAnswer; quote_accepted is the short one
    answer_to_json(answer)                    # {"schema": "v2g.quote/1", ...}

parse_request and quote raise QuoteRequestError on what no real car, tariff or offer can be.
"""

from .answer import Change, Counter, QuoteAnswer, Reason, SupplyStep, Verdict
from .answer_json import answer_to_json
from .check import QuoteRequestError, check
from .counter import best_energy_wh, latest_start, lowest_price, other_windows
from .departure import Prices
from .evaluation import Evaluation, evaluate
from .explain import explain, supply_steps
from .horizon import course_selling, course_without
from .money import half_even
from .nearest import nearest
from .plan import plan_steps
from .reason import reason
from .request import (
    ChargingPromise,
    CommittedDischarge,
    Offer,
    Preferences,
    QuoteRequest,
    TaperStep,
    TariffEntry,
    Vehicle,
)
from .request_json import parse_request

__all__ = [
    "ChargingPromise",
    "CommittedDischarge",
    "Offer",
    "Preferences",
    "QuoteAnswer",
    "QuoteRequest",
    "QuoteRequestError",
    "TaperStep",
    "TariffEntry",
    "Vehicle",
    "answer_to_json",
    "parse_request",
    "quote",
    "quote_accepted",
]


def quote(request: QuoteRequest, prices: Prices | None = None) -> QuoteAnswer:
    """Judge one offer exactly.

    ``prices`` tells the tariff up to a later leave time, for whoever knows it (`later_departure`).

    Raises QuoteRequestError on a request that contradicts itself or is beyond any real car.
    """
    check(request)
    evaluation = evaluate(request, arrive_everywhere=True)
    windows = other_windows(evaluation)
    counter = Counter(
        energy_wh=best_energy_wh(evaluation),
        price_per_kwh=lowest_price(evaluation),
        start_at=latest_start(evaluation, windows),
    )
    if evaluation.accepted:
        return _answer(evaluation, "accept", counter, curve=supply_steps(evaluation))
    return _answer(
        evaluation,
        "decline" if counter.is_empty else "counter",
        counter,
        why=reason(evaluation),
        changes=nearest(evaluation, windows, prices),
        curve=supply_steps(evaluation),
    )


def quote_accepted(request: QuoteRequest) -> QuoteAnswer | None:
    """Return an accepted offer's quote without counter and supply curve; None for another offer.

    Whoever says yes needs no other terms, and looking for them costs as much as the figures.
    Raises QuoteRequestError as `quote` does.
    """
    check(request)
    evaluation = evaluate(request)
    return _answer(evaluation, "accept") if evaluation.accepted else None


def _answer(
    evaluation: Evaluation,
    verdict: Verdict,
    counter: Counter | None = None,
    *,
    why: Reason | None = None,
    changes: tuple[Change, ...] = (),
    curve: tuple[SupplyStep, ...] | None = None,
) -> QuoteAnswer:
    """Put the answer together: figures where something fits, none where nothing does."""
    if evaluation.fits == "none" or evaluation.supply is None or evaluation.cost_without is None:
        return QuoteAnswer(
            max_energy_wh=evaluation.max_energy_wh,
            fits="none",
            feasible=False,
            quoted_energy_wh=None,
            break_even_price_per_kwh=None,
            net_minor=None,
            breakdown=None,
            cost_lines=None,
            window_cost_minor=None,
            supply_curve=None,
            soc_at_departure_pct=None,
            soc_lowest_pct=None,
            plan=None,
            verdict=verdict,
            counter=counter,
            reason=why,
            nearest=changes,
        )
    pieces, request = evaluation.pieces, evaluation.request
    capacity, energy = request.vehicle.usable_capacity_wh, evaluation.quoted_energy_wh
    offered = course_selling(
        pieces, evaluation.arrive, evaluation.ahead, energy * pieces.scale.per_sold_wh
    )
    lines = rounded = None
    if evaluation.block != "currency":
        lines, rounded = explain(evaluation, offered, course_without(pieces, evaluation.ahead))
    window_cost = (evaluation.supply.base - evaluation.cost_without) * evaluation.rates.cost
    return QuoteAnswer(
        max_energy_wh=evaluation.max_energy_wh,
        fits=evaluation.fits,
        feasible=True,
        quoted_energy_wh=energy,
        break_even_price_per_kwh=evaluation.price_for(evaluation.total_cost(energy), energy),
        net_minor=None if rounded is None else rounded.net_minor,
        breakdown=rounded,
        cost_lines=lines,
        window_cost_minor=half_even(window_cost, evaluation.rates.minor),
        supply_curve=curve,
        soc_at_departure_pct=pieces.scale.percent_down(capacity, offered.stored[-1]),
        soc_lowest_pct=pieces.scale.percent_down(capacity, min(offered.stored)),
        plan=plan_steps(pieces, capacity, offered),
        verdict=verdict,
        counter=counter,
        reason=why,
        nearest=changes,
    )
