"""How much energy could be sold at all: what must and what can be stored, never what it costs."""

from .evaluation import allowance_wh, block_of
from .pieces import Pieces, cut
from .request import QuoteRequest
from .taper import fullest_at_window, least_after_window


def most_energy_wh(request: QuoteRequest) -> int:
    """Return only `max_energy_wh` of a request's quote, for a request that passes `check`.

    The cost curves of a quote begin and end where energy may lie, and those ends move alike
    whatever anything costs: here they move alone.
    """
    if block_of(request) not in (None, "currency"):
        return 0
    pieces = cut(request)
    first, last = pieces.window_pieces()
    needed = _needed(pieces, last)
    if needed is None:
        return 0
    if request.taper:
        fullest = fullest_at_window(request, pieces)
        needed = max(needed, least_after_window(request, pieces))
    else:
        fullest = _fullest(pieces, first)
    stored = fullest - needed - sum(pieces.drain[first:last])
    most = max(0, min(sum(pieces.sellable[first:last]), stored))
    return min(most // pieces.scale.per_sold_wh, allowance_wh(request))


def _needed(pieces: Pieces, at: int) -> int | None:
    """Return the least that must be stored at edge `at`; None when no plan of the owner holds."""
    low, high = max(pieces.need, pieces.low[-1]), pieces.high
    if low > high:
        return None
    needed = low
    for index in range(len(pieces.charge) - 1, -1, -1):
        low += pieces.drain[index] - pieces.charge[index]
        high += pieces.drain[index]
        if pieces.low[index] > high or pieces.high < low:
            return None
        low, high = max(low, pieces.low[index]), min(high, pieces.high)
        if index >= at:
            needed = low
    return needed if low <= pieces.start <= high else None


def _fullest(pieces: Pieces, at: int) -> int:
    """Return the most that can be stored at edge `at`, where a plan of the owner holds."""
    level = pieces.start
    for index in range(at):
        level = min(pieces.high, level + pieces.charge[index] - pieces.drain[index])
    return level
