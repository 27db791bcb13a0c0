"""How full a car with a taper can be when an offer begins: the last percents take their time."""

from fractions import Fraction

from .pieces import Pieces
from .request import QuoteRequest


def fullest_at_window(request: QuoteRequest, pieces: Pieces) -> int:
    """Return the most that can be stored when the offer's window begins, as fast as the car takes.

    The pieces know no taper: their charge is at full power, and what it takes longer up to the
    departure minimum is taken off the horizon's end. What is sold before that has to be there.
    """
    scale, capacity = pieces.scale, request.vehicle.usable_capacity_wh
    steps = [
        (scale.stored(capacity, step.from_soc_pct), step.max_charge_w) for step in request.taper
    ]
    level = pieces.start
    for index in range(pieces.window_pieces()[0]):
        seconds = pieces.edges[index + 1] - pieces.edges[index]
        level = _charged(
            level, pieces.high, seconds, pieces.charge_w[index], steps, scale.per_charged_ws
        )
        level -= pieces.drain[index]
    return level


def _charged(
    level: int, high: int, seconds: int, power_w: int, steps: list[tuple[int, int]], per_ws: int
) -> int:
    """Return what is stored after charging for a time, slower from each step of the taper on."""
    left = Fraction(seconds)
    while left > 0 and level < high and power_w:
        taken_w = min([power_w, *(most_w for at, most_w in steps if at <= level)])
        until = min([high, *(at for at, _ in steps if at > level)])
        lasts = Fraction(until - level, taken_w * per_ws)
        if lasts >= left:
            return level + int(left * taken_w * per_ws)
        level, left = until, left - lasts
    return level
