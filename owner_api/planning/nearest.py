"""The nearest yes: single changes to the request, each of which is enough for an accept."""

from dataclasses import replace
from datetime import datetime

from .answer import Change
from .counter import best_of, lowest_price, windows_matter
from .departure import Prices, later_departure
from .evaluation import Evaluation, allowance_wh, evaluate
from .request import QuoteRequest
from .search import boundary
from .span import Span
from .windows import Path, Windows


def nearest(
    evaluation: Evaluation, windows: Windows | None, prices: Prices | None = None
) -> tuple[Change, ...]:
    """Return the changes to a request that is not accepted; empty when no single one is enough.

    Each is the smallest of its kind. Looked at: price, the owner's minimum price, less (or more)
    energy, the energy budget, a later leave time (at ``prices``, see later_departure), and either
    end of the offer's window.
    """
    if evaluation.block is not None:
        return ()
    changes = [*_prices(evaluation), *_energies(evaluation), *_budget(evaluation)]
    # Other times are for what does not fit; for a price they are the last resort.
    if windows_matter(evaluation) and (evaluation.fits != "all" or not changes):
        departure_at = later_departure(evaluation.request, prices)
        if departure_at is not None:
            changes.append(Change(change="/departure_at", to=departure_at))
        if windows is not None:
            changes += _window_ends(evaluation, windows)
    return tuple(changes)


def _prices(evaluation: Evaluation) -> list[Change]:
    request = evaluation.request
    price, changes = lowest_price(evaluation), []
    if price is not None and price > request.offer.price_per_kwh:
        changes.append(Change(change="/offer/price_per_kwh", to=price))
    if (
        evaluation.fits == "all"
        and not evaluation.price_is_enough
        and evaluation.net(request.offer.requested_energy_wh) >= 0
    ):
        changes.append(
            Change(change="/preferences/min_price_per_kwh", to=request.offer.price_per_kwh)
        )
    return changes


def _energies(evaluation: Evaluation) -> list[Change]:
    """Less energy, or where there is no such yes, more: a window's cost spread further."""
    offer, most = evaluation.request.offer, evaluation.max_energy_wh
    if evaluation.supply is None or not evaluation.price_is_enough:
        return []

    def good(energy: int) -> bool:
        return evaluation.net(energy, energy) >= 0

    least, top = max(1, offer.min_energy_wh), min(offer.requested_energy_wh - 1, most)
    if least <= top:
        best = best_of(evaluation, least, top, as_requested=True)
        if good(best):
            to = top if good(top) else boundary(good, top, best)
            return [Change(change="/offer/requested_energy_wh", to=to)]
    if offer.requested_energy_wh < most:
        best = best_of(evaluation, offer.requested_energy_wh + 1, most, as_requested=True)
        if good(best):
            to = boundary(good, offer.requested_energy_wh, best)
            return [Change(change="/offer/requested_energy_wh", to=to)]
    return []


def _budget(evaluation: Evaluation) -> list[Change]:
    request, supply = evaluation.request, evaluation.supply
    requested = request.offer.requested_energy_wh
    if request.budget_left_wh is None or request.budget_left_wh >= requested or supply is None:
        return []
    if (
        allowance_wh(replace(request, budget_left_wh=None)) < requested
        or supply.most < requested * evaluation.pieces.scale.per_sold_wh
        or not evaluation.price_is_enough
        or evaluation.net(requested) < 0
    ):
        return []
    return [Change(change="/budget_left_wh", to=requested)]


def _is_enough(request: QuoteRequest, change: Change) -> bool:
    """Say whether a request is accepted with one end of its window moved."""
    to, offer = change.to, request.offer
    assert isinstance(to, datetime)
    begins = change.change == "/offer/start_at"
    moved = replace(offer, start_at=to) if begins else replace(offer, end_at=to)
    return evaluate(replace(request, offer=moved)).accepted


def _window_ends(evaluation: Evaluation, windows: Windows) -> list[Change]:
    """Move one end of the offer's window: outwards for power, inwards for recharging."""
    pieces, offer = evaluation.pieces, evaluation.request.offer
    span = Span(origin=pieces.origin, end=pieces.end)
    begin = max(0, span.seconds(offer.start_at, late=True))
    stop = min(span.seconds(offer.end_at, late=False), span.end)

    def moving_start(second: int) -> tuple[int, int]:
        return second, stop

    def moving_end(second: int) -> tuple[int, int]:
        return begin, second

    # (field, windows tried, first second, last second, direction)
    tries: tuple[tuple[str, Path, int, int, int], ...] = (
        ("start_at", moving_start, min(begin, stop) - 1, 0, -1),
        ("start_at", moving_start, begin + 1, stop - 1, 1),
        ("end_at", moving_end, stop - 1, begin + 1, -1),
        ("end_at", moving_end, max(begin, stop) + 1, span.end, 1),
    )
    changes = []
    for field, path, first, last, step in tries:
        if (last - first) * step < 0:
            continue
        found = windows.first_accepted(path, first, last)
        if found is not None:
            changes.append(Change(change=f"/offer/{field}", to=pieces.at(found)))
    if evaluation.request.taper:
        # The windows know no taper.
        return [each for each in changes if _is_enough(evaluation.request, each)]
    return changes
