"""Counter-offers: the terms nearest to the park's that the owner would take."""

from decimal import Decimal
from fractions import Fraction

from .evaluation import Evaluation
from .money import minor_per_unit, price_up


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
    energy, unit = offer.requested_energy_wh, minor_per_unit(offer.currency)
    cost = evaluation.total_cost(energy)
    if offer.cap_minor is not None and cost > Fraction(offer.cap_minor, unit):
        return None
    fixed = Fraction(offer.fixed_minor, unit)
    price = price_up((cost - fixed) * 1000 / energy)
    least = price_up(Fraction(evaluation.request.preferences.min_price_per_kwh))
    return max(price, least, Decimal("0.0000"))


def _corners(evaluation: Evaluation, least: int, most: int) -> set[int]:
    """Return the whole Wh at which the slope of net may change, within the given range."""
    offer = evaluation.request.offer
    marks = {least, most}
    if evaluation.supply is not None:
        for edge in evaluation.supply.edges:
            whole = edge // evaluation.pieces.scale.per_sold_wh
            marks.update((whole, whole + 1))
    if offer.cap_minor is not None:
        marks.update(_cap_reached(evaluation))
    return {mark for mark in marks if least <= mark <= most}


def _cap_reached(evaluation: Evaluation) -> tuple[int, ...]:
    """Return the whole Wh on both sides of where gross reaches its cap."""
    offer = evaluation.request.offer
    unit = minor_per_unit(offer.currency)
    rate = Fraction(offer.price_per_kwh) / 1000
    rate += Fraction(offer.fixed_minor, unit * offer.requested_energy_wh)
    if not rate:
        return ()
    whole = int(Fraction(offer.cap_minor or 0, unit) / rate)
    return whole, whole + 1
