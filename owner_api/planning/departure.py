"""The earliest later leave time at which a request is accepted."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from .check import MAX_HORIZON
from .evaluation import evaluate
from .pieces import Pieces, cut
from .request import QuoteRequest, TariffEntry
from .search import boundary
from .span import SECOND

# How far past the leave time or the offer it is worth looking.
FURTHEST = timedelta(days=7)
# When a later leave time fits but costs too much: how many tariff changes further to look, and
# how many times to double this many seconds.
TARIFF_TRIES = 6
FIRST_STEP_S = 900
DOUBLINGS = 9

type Prices = Callable[[datetime], tuple[TariffEntry, ...]]


def later_departure(request: QuoteRequest, prices: Prices | None = None) -> datetime | None:
    """Return the earliest leave time after the request's at which it is accepted.

    ``prices`` says which tariff a request with another leave time would have; without it the last
    price of this one holds on.

    Exact where fitting is all that was missing; where it also costs too much, looked for at some
    later times (tariff changes, and ever larger steps) and then narrowed to the second.
    """
    offer_end = max(request.offer.end_at, request.departure_at)
    far = min(offer_end + FURTHEST, request.now + MAX_HORIZON)
    if far <= request.departure_at:
        return None
    # Prices do not decide what fits: one entry keeps the pieces few.
    far_request = replace(request, departure_at=far, tariff=request.tariff[:1])
    pieces = cut(far_request)
    lead = (far - pieces.origin) // SECOND - pieces.end

    def tariff(until: datetime) -> tuple[TariffEntry, ...]:
        return request.tariff if prices is None else prices(until)

    def accepted(end: int) -> bool:
        leave_at = pieces.at(end + lead)
        return evaluate(replace(request, departure_at=leave_at, tariff=tariff(leave_at))).accepted

    now_end = (request.departure_at - pieces.origin) // SECOND - lead
    energy = request.offer.requested_energy_wh * pieces.scale.per_sold_wh
    end = _first_fitting(pieces, energy, after=now_end)
    if end is None:
        return None
    if accepted(end):
        return pieces.at(end + lead)
    changes = [(entry.start_at - pieces.origin) // SECOND for entry in tariff(far)]
    tries = [change for change in changes if change > end][:TARIFF_TRIES]
    tries += [end + FIRST_STEP_S * 2**doubling for doubling in range(DOUBLINGS)]
    later = sorted({second for second in tries if second <= pieces.end})
    for bad, good in pairwise([end, *later]):
        if accepted(good):
            return pieces.at(boundary(accepted, bad, good) + lead)
    return None


def _first_fitting(pieces: Pieces, energy: int, *, after: int) -> int | None:
    """Return the first horizon later than `after` by which `energy` is sold and the need met.

    Follows the fullest course: charge whenever possible, sell in the window, nothing else.
    """
    first, last = pieces.window_pieces()
    level: int | None = pieces.start
    for index in range(first):
        level = _fullest(pieces, index, level)
    if level is None or energy > sum(pieces.sellable[first:last]):
        return None
    stop = _end_inside_window(pieces, energy, level, after)
    if stop is not None:
        return stop
    level -= energy + sum(pieces.drain[first:last])
    if level < pieces.low[last]:
        return None
    for index in range(last, len(pieces.charge)):
        found = _reached(pieces, index, level, after)
        if found is not None:
            return found
        level = _fullest(pieces, index, level)
        if level is None:
            break
    return None


def _fullest(pieces: Pieces, index: int, level: int | None) -> int | None:
    """Return the most stored after a piece, None once a lower bound is broken."""
    if level is None:
        return None
    level = min(pieces.high, level + pieces.charge[index]) - pieces.drain[index]
    return None if level < pieces.low[index + 1] else level


def _end_inside_window(pieces: Pieces, energy: int, level: int, after: int) -> int | None:
    """Return the first second inside the window at which all is sold and the need still held."""
    first, last = pieces.window_pieces()
    powered = drained = 0
    for index in range(first, last):
        begin, end = pieces.edges[index : index + 2]
        sellable, seconds = pieces.sellable[index], end - begin
        missing = max(0, energy - powered)
        if missing <= sellable and end > after:
            stop = max(begin - (-missing * seconds // sellable) if missing else begin, after + 1)
            taken = drained + pieces.drain[index] * (stop - begin) // seconds
            need = max(pieces.need, pieces.low[index + 1])
            return stop if level - taken - energy >= need else None
        powered += sellable
        drained += pieces.drain[index]
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
