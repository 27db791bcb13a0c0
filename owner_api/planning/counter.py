"""Counter-offers: the terms nearest to the park's that the owner would take."""

from decimal import Decimal
from fractions import Fraction

from .evaluation import Evaluation
from .money import price_up


def best_energy_wh(evaluation: Evaluation) -> int | None:
    """Return the energy within the request that maximises net at the offered price.

    Between `min_energy_wh` and what fits; the larger of equals; None when every such net is
    negative, or the price is below the owner's minimum.
    """
    offer = evaluation.request.offer
    least, most = max(1, offer.min_energy_wh), evaluation.quoted_energy_wh
    if most < least or not evaluation.price_is_enough or evaluation.block is not None:
        return None
    # Net is concave, so its maximum on whole Wh is at an edge, at an end, or where the cap bites.
    best = max(
        _corners(evaluation, least, most), key=lambda energy: (evaluation.net(energy), energy)
    )
    return best if evaluation.net(best) >= 0 else None


def lowest_price(evaluation: Evaluation) -> Decimal | None:
    """Return the lowest price, to 0.0001, at which the whole request is accepted."""
    offer = evaluation.request.offer
    if evaluation.fits != "all" or evaluation.block is not None:
        return None
    energy, rates = offer.requested_energy_wh, evaluation.rates
    cost = evaluation.total_cost(energy)
    if rates.cap is not None and cost > rates.cap:
        return None
    price = evaluation.price_for(cost - rates.fixed, energy)
    least = price_up(Fraction(evaluation.request.preferences.min_price_per_kwh))
    return max(price, least, Decimal("0.0000"))


def _corners(evaluation: Evaluation, least: int, most: int) -> set[int]:
    """Return the whole Wh at which the slope of net may change, within the given range."""
    marks = {least, most}
    if evaluation.supply is not None:
        for edge in evaluation.supply.edges:
            whole = edge // evaluation.pieces.scale.per_sold_wh
            marks.update((whole, whole + 1))
    marks.update(_cap_reached(evaluation))
    return {mark for mark in marks if least <= mark <= most}


def _cap_reached(evaluation: Evaluation) -> tuple[int, ...]:
    """Return the whole Wh on both sides of where gross reaches its cap."""
    rates, requested = evaluation.rates, evaluation.request.offer.requested_energy_wh
    per_requested = rates.price * requested + rates.fixed
    if not per_requested or rates.cap is None:
        return ()
    whole = rates.cap * requested // per_requested
    return whole, whole + 1
