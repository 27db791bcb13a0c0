"""Counter-offers: the terms nearest to the park's that the owner would take."""

from dataclasses import replace
from datetime import datetime
from decimal import ROUND_CEILING, Decimal

from .evaluation import Evaluation, allowance_wh, evaluate
from .span import SECOND
from .windows import Windows

FINEST_PRICE = Decimal("0.0001")


def best_energy_wh(evaluation: Evaluation) -> int | None:
    """Return the energy within the request that maximises net at the offered price.

    Between `min_energy_wh` and what fits; the larger of equals; None when every such net is
    negative, or the price is below the owner's minimum.
    """
    offer = evaluation.request.offer
    least, most = max(1, offer.min_energy_wh), evaluation.quoted_energy_wh
    if most < least or not evaluation.price_is_enough or evaluation.block is not None:
        return None
    best = best_of(evaluation, least, most)
    return best if evaluation.net(best) >= 0 else None


def lowest_price(evaluation: Evaluation) -> Decimal | None:
    """Return the lowest price, to 0.0001, at which the whole request is accepted."""
    offer = evaluation.request.offer
    if evaluation.fits != "all" or evaluation.block is not None:
        return None
    price = _price_that_covers(evaluation, evaluation.total_cost(offer.requested_energy_wh))
    if price is None:
        return None
    least = evaluation.request.preferences.min_price_per_kwh.quantize(FINEST_PRICE, ROUND_CEILING)
    return max(price, least, Decimal("0.0000"))


def _price_that_covers(evaluation: Evaluation, cost: int) -> Decimal | None:
    """Return the price at which the whole request is paid `cost`; None where caps forbid it.

    Of several payers one without a cap is asked for what is missing.
    """
    offer, pays = evaluation.request.offer, evaluation.rates.pays
    energy, caps = offer.requested_energy_wh, [pay.cap for pay in pays if pay.cap is not None]
    if len(pays) == 1 or not caps:
        if caps and cost > caps[0]:
            return None
        return evaluation.price_for(cost - sum(pay.fixed for pay in pays), energy)
    missing = cost - evaluation.gross(energy)
    if missing > 0 and len(caps) == len(pays):
        return None
    return offer.price_per_kwh + evaluation.price_for(max(0, missing), energy)


def best_of(evaluation: Evaluation, least: int, most: int, *, as_requested: bool = False) -> int:
    """Return the energy from `least` to `most` with the highest net, the larger of equals.

    `as_requested` judges each energy as if the park had asked for just that.
    """

    def rank(energy: int) -> tuple[int, int]:
        return evaluation.net(energy, energy if as_requested else None), energy

    # Net is concave, so its maximum on whole Wh is at an edge, at an end, or where the cap bites.
    marks = {least, most}
    if evaluation.supply is not None:
        for edge in evaluation.supply.edges:
            whole = edge // evaluation.pieces.scale.per_sold_wh
            marks.update((whole, whole + 1))
    marks.update(_cap_reached(evaluation, as_requested=as_requested))
    return max((mark for mark in marks if least <= mark <= most), key=rank)


def latest_start(evaluation: Evaluation, windows: Windows | None) -> datetime | None:
    """Return the latest start at which a window of the offer's length is accepted."""
    if windows is None:
        return None
    request, offer = evaluation.request, evaluation.request.offer
    length = offer.end_at - offer.start_at
    found = windows.latest_start(length // SECOND)
    if found is None:
        return None
    start_at = evaluation.pieces.at(found)
    moved = replace(offer, start_at=start_at, end_at=start_at + length)
    # The windows know no taper.
    known = not request.taper or evaluate(replace(request, offer=moved)).accepted
    return start_at if known else None


def other_windows(evaluation: Evaluation) -> Windows | None:
    """Return the search over windows, None where no window could make the request accepted."""
    if (
        evaluation.cost_without is None
        or not evaluation.pieces.end
        or not windows_matter(evaluation)
    ):
        return None
    return Windows(evaluation)


def windows_matter(evaluation: Evaluation) -> bool:
    """Say whether the request could be accepted at another time: nothing else forbids it."""
    request = evaluation.request
    return (
        evaluation.block is None
        and evaluation.price_is_enough
        and allowance_wh(request) >= request.offer.requested_energy_wh
    )


def _cap_reached(evaluation: Evaluation, *, as_requested: bool) -> tuple[int, ...]:
    """Return the whole Wh on both sides of where a payer's gross reaches its cap."""
    requested, marks = evaluation.request.offer.requested_energy_wh, list[int]()
    for pay in evaluation.rates.pays:
        if pay.cap is None:
            continue
        if as_requested:
            whole = max(0, pay.cap - pay.fixed) // pay.price if pay.price else 0
        else:
            per_requested = pay.price * requested + pay.fixed
            whole = pay.cap * requested // per_requested if per_requested else 0
        marks += [whole, whole + 1]
    return tuple(marks)
