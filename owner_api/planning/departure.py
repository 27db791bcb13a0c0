"""The earliest later leave time at which a request is accepted."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from .check import MAX_HORIZON
from .evaluation import evaluate
from .pieces import Pieces, cut
from .request import QuoteRequest
from .search import boundary
from .span import SECOND

# How far past the leave time or the offer it is worth looking.
FURTHEST = timedelta(days=7)
# When a later leave time fits but costs too much: how many tariff changes further to look.
CHEAPER_TRIES = 6


def later_departure(request: QuoteRequest) -> datetime | None:
    """Return the earliest leave time after the request's at which it is accepted.

    Exact where fitting is what was missing; where the price is too, it is looked for at the
    next few tariff changes and then narrowed to the second.
    """
    offer_end = max(request.offer.end_at, request.departure_at)
    far = min(offer_end + FURTHEST, request.now + MAX_HORIZON)
    if far <= request.departure_at:
        return None
    # Prices do not decide what fits: one entry keeps the pieces few.
    far_request = replace(request, departure_at=far, tariff=request.tariff[:1])
    pieces = cut(far_request)
    lead = (far - pieces.origin) // SECOND - pieces.end

    def accepted(end: int) -> bool:
        moved = replace(request, departure_at=pieces.at(end + lead))
        return evaluate(moved).accepted

    now_end = (request.departure_at - pieces.origin) // SECOND - lead
    energy = request.offer.requested_energy_wh * pieces.scale.per_sold_wh
    end = _first_fitting(pieces, energy, after=now_end)
    if end is None:
        return None
    if accepted(end):
        return pieces.at(end + lead)
    changes = [(entry.start_at - pieces.origin) // SECOND for entry in request.tariff]
    later = [change for change in changes if end < change <= pieces.end][:CHEAPER_TRIES]
    for bad, good in pairwise([end, *later]):
        if accepted(good):
            return pieces.at(boundary(accepted, bad, good) + lead)
    return None


def _first_fitting(pieces: Pieces, energy: int, *, after: int) -> int | None:
    """Return the first horizon later than `after` by which `energy` is sold and the need met.

    Follows the fullest course: charge whenever possible, sell in the window, nothing else.
    """
    first, last = pieces.window_pieces()
    level, powered = pieces.start, 0
    for index, (begin, end) in enumerate(pairwise(pieces.edges)):
        seconds = end - begin
        if first <= index < last:
            sellable = pieces.sellable[index]
            if powered < energy <= powered + sellable:
                # The whole sale could end here, with the rest of the window cut off.
                stop = begin - (-(energy - powered) * seconds // sellable)
                drained = pieces.drain[index] * (stop - begin) // seconds
                stop = max(stop, after + 1)
                kept = level - drained - energy
                if stop <= end and kept >= max(pieces.need, pieces.low[index + 1]):
                    return stop
            powered += sellable
            level -= pieces.drain[index]
            if index == last - 1:
                if powered < energy:
                    return None
                level -= energy
                if level < pieces.low[index + 1]:
                    return None
                if end > after and level >= pieces.need:
                    return end
            continue
        if index >= last and powered >= energy:
            found = _reached(pieces, index, level, after)
            if found is not None:
                return found
        level = min(pieces.high, level + pieces.charge[index]) - pieces.drain[index]
        if level < pieces.low[index + 1]:
            return None
    return None


def _reached(pieces: Pieces, index: int, level: int, after: int) -> int | None:
    """Return the first second of a piece, later than `after`, at which the need is stored."""
    begin, end = pieces.edges[index : index + 2]
    rate = pieces.charge_w[index] * pieces.scale.per_charged_ws
    missing = max(0, pieces.need - level)
    if missing and not rate:
        return None
    stop = max(begin - (-missing // rate) if missing else begin, after + 1)
    drained = pieces.drain[index] * (stop - begin) // (end - begin)
    held = min(pieces.high, level + rate * (stop - begin)) - drained
    return stop if stop <= end and held >= pieces.need else None
