"""Cost-to-go and cost-to-arrive over a cut horizon, and the plan that follows from them."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from .curves import Curve
from .pieces import Pieces


def costs_to_go(pieces: Pieces) -> list[Curve | None]:
    """Return, per edge, the cheapest cost from there to the horizon; None where none exists.

    Without the offer: charging is allowed in its window too. `[0]` at the start is J0.
    """
    go: list[Curve | None] = [None] * len(pieces.edges)
    curve = _at_horizon(pieces)
    if curve is None:
        return go
    low, high, charge, drain, price = (
        pieces.low,
        pieces.high,
        pieces.charge,
        pieces.drain,
        pieces.price,
    )
    go[-1] = curve.copy()
    for index in range(len(charge) - 1, -1, -1):
        if charge[index]:
            curve.charge_before(price[index], charge[index])
        if drain[index]:
            curve.shift(drain[index])
        if not curve.cut(low[index], high):
            break
        go[index] = curve.copy()
    return go


def costs_to_arrive(pieces: Pieces, last: int) -> list[Curve | None]:
    """Return, per edge up to index `last`, the cheapest cost of arriving there from now."""
    arrive: list[Curve | None] = [None] * len(pieces.edges)
    curve = Curve(pieces.start, pieces.start, 0, [], [])
    arrive[0] = curve.copy()
    for index in range(last):
        if pieces.charge[index]:
            curve.charge_after(pieces.price[index], pieces.charge[index])
        if pieces.drain[index]:
            curve.shift(-pieces.drain[index])
        if not curve.cut(pieces.low[index + 1], pieces.high):
            break
        arrive[index + 1] = curve.copy()
    return arrive


def costs_before_window(pieces: Pieces, after: Curve, sold: int) -> list[Curve]:
    """Return cost-to-go per edge up to the window's start, given what the window takes out.

    `after` is the cost-to-go at the window's end; `sold` and the commitments' drain inside the
    window are fixed, and nothing is charged there.
    """
    first, last = pieces.window_pieces()
    curve = after.copy()
    curve.shift(sold + sum(pieces.drain[first:last]))
    curve.cut(pieces.low[first], pieces.high)
    go = [curve.copy()]
    for index in range(first - 1, -1, -1):
        if pieces.charge[index]:
            curve.charge_before(pieces.price[index], pieces.charge[index])
        if pieces.drain[index]:
            curve.shift(pieces.drain[index])
        curve.cut(pieces.low[index], pieces.high)
        go.append(curve.copy())
    go.reverse()
    return go


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """One way through the horizon: stored energy at each edge, charged and sold per piece."""

    stored: list[int]
    charged: list[int]
    sold: list[int]


def follow(pieces: Pieces, go: list[Curve | None], *, sold: int | None) -> Course:
    """Walk forward along cost-to-go curves; ties charge at once, never for nothing.

    `go[i]` is the cost-to-go at edge i (edges inside the window are not looked at when `sold`
    is given). `sold` None is the course without the offer.
    """
    first, last = pieces.window_pieces()
    shares = [0] * len(pieces.charge)
    if sold is not None:
        shares[first:last] = _spread(
            pieces.sellable[first:last], pieces.edges[first : last + 1], sold
        )
    stored, charged = [pieces.start], []
    energy = pieces.start
    for index, most in enumerate(pieces.charge):
        add = 0
        if most and not (sold is not None and first <= index < last):
            ahead = go[index + 1]
            if ahead is not None:
                target = ahead.worth_charging_to(pieces.price[index])
                add = min(most, max(0, target - energy))
        energy += add - pieces.drain[index] - shares[index]
        charged.append(add)
        stored.append(energy)
    return Course(stored=stored, charged=charged, sold=shares)


def course_cost(pieces: Pieces, course: Course) -> int:
    """Return J without wear: energy bought less what is left at the refill price."""
    bought = sum(price * added for price, added in zip(pieces.price, course.charged, strict=True))
    return bought - pieces.refill * course.stored[-1]


def _at_horizon(pieces: Pieces) -> Curve | None:
    low = max(pieces.need, pieces.low[-1])
    if low > pieces.high:
        return None
    curve = Curve(low, pieces.high, -pieces.refill * low, [], [])
    if pieces.high > low:
        curve.slopes.append(1 - pieces.refill)
        curve.lengths.append(pieces.high - low)
    return curve


def _spread(limits: list[int], edges: list[int], total: int) -> list[int]:
    """Spread `total` over pieces as evenly in time as their limits allow, exactly."""
    shares = [0] * len(limits)
    lengths = [end - start for start, end in pairwise(edges)]
    tightest_first = sorted(
        range(len(limits)), key=lambda index: Fraction(limits[index], lengths[index])
    )
    seconds = sum(lengths)
    for index in tightest_first:
        shares[index] = min(limits[index], total * lengths[index] // seconds)
        total -= shares[index]
        seconds -= lengths[index]
    for index, share in enumerate(shares):  # what whole-unit division left over
        extra = min(total, limits[index] - share)
        shares[index] += extra
        total -= extra
    return shares
