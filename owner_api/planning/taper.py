"""How full a car with a taper can be when an offer begins, and has to be when it ends."""

from dataclasses import replace
from fractions import Fraction

from .pieces import Pieces, cut
from .request import QuoteRequest


def fullest_at_window(request: QuoteRequest, pieces: Pieces) -> int:
    """Return the most that can be stored when the offer's window begins, as fast as the car takes.

    The pieces know no taper: their charge is at full power, and what it takes longer up to the
    departure minimum is taken off the horizon's end. What is sold before that has to be there.
    """
    scale, steps, level = pieces.scale, _steps(request, pieces), pieces.start
    for index in range(pieces.window_pieces()[0]):
        seconds = pieces.edges[index + 1] - pieces.edges[index]
        level = _charged(
            level, pieces.high, seconds, pieces.charge_w[index], steps, scale.per_charged_ws
        )
        level -= pieces.drain[index]
    return level


def least_after_window(request: QuoteRequest, pieces: Pieces) -> int:
    """Return the least that must be stored when the window ends, 0 where the pieces tell as much.

    What charging takes longer is taken off the horizon's end. Where a commitment has that time,
    or nobody promised to charge in it, the car must be fuller before.
    """
    ends = pieces.at(pieces.window[1])
    later = any(each.end_at > ends for each in request.commitments)
    if request.charging is None and not later:
        return 0
    whole, steps, begin = cut(replace(request, taper=())), _steps(request, pieces), pieces.window[1]
    level = max(whole.need, whole.low[-1])
    for index in range(len(whole.charge) - 1, -1, -1):
        first, last = max(begin, whole.edges[index]), whole.edges[index + 1]
        if first >= last:
            break
        power_w, lasts = whole.charge_w[index], last - whole.edges[index]
        level = _before(level, last - first, power_w, steps, whole.scale.per_charged_ws)
        level -= -whole.drain[index] * (last - first) // lasts
        level = max(level, whole.low[index])
        if level > whole.high:
            # No plan of the owner holds, so there is nothing to sell.
            return level + sum(whole.charge)
    return level


def _steps(request: QuoteRequest, pieces: Pieces) -> list[tuple[int, int]]:
    """Return the taper's steps: from what is stored on how much is charged (W)."""
    scale, capacity = pieces.scale, request.vehicle.usable_capacity_wh
    return [
        (scale.stored(capacity, step.from_soc_pct), step.max_charge_w) for step in request.taper
    ]


def _before(
    level: int, seconds: int, power_w: int, steps: list[tuple[int, int]], per_ws: int
) -> int:
    """Return the least from which charging for a time comes to a level."""
    left = Fraction(seconds)
    while level > 0 and power_w:
        taken_w = min([power_w, *(most_w for at, most_w in steps if at < level)])
        from_level = max([0, *(at for at, _ in steps if at < level)])
        lasts = Fraction(level - from_level, taken_w * per_ws)
        if lasts >= left:
            return level - int(left * taken_w * per_ws)
        level, left = from_level, left - lasts
    return level


def _charged(
    level: int, high: int, seconds: int, power_w: int, steps: list[tuple[int, int]], per_ws: int
) -> int:
    """Return what is stored after charging for a time, slower from each step of the taper on."""
    left = Fraction(seconds)
    while level < high and power_w:
        taken_w = min([power_w, *(most_w for at, most_w in steps if at <= level)])
        until = min([high, *(at for at, _ in steps if at > level)])
        lasts = Fraction(until - level, taken_w * per_ws)
        if lasts >= left:
            return level + int(left * taken_w * per_ws)
        level, left = until, left - lasts
    return level
