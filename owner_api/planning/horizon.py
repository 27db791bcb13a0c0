"""Cost-to-go and cost-to-arrive over a cut horizon, and the courses that follow from them."""

from dataclasses import dataclass
from itertools import pairwise
from math import lcm

from .curves import Curve, merge_drained
from .pieces import Pieces


@dataclass(frozen=True, kw_only=True, slots=True)
class Ahead:
    """Looking ahead without the offer, charging allowed in its window.

    Per edge the cheapest cost from there to the horizon, None where there is none (`[0]` at the
    start gives J0); per piece the energy up to which charging in it pays.
    """

    costs: list[Curve | None]
    targets: list[int]


def look_ahead(pieces: Pieces) -> Ahead:
    """Step back from the horizon to now; a tie charges at once, never for nothing."""
    count = len(pieces.charge)
    costs: list[Curve | None] = [None] * (count + 1)
    targets = [0] * count
    curve = _at_horizon(pieces)
    if curve is None:
        return Ahead(costs=costs, targets=targets)
    costs[-1] = curve
    prices, charges, drains, lows = pieces.price, pieces.charge, pieces.drain, pieces.low
    high = pieces.high
    for index in range(count - 1, -1, -1):
        price, charge = prices[index], charges[index]
        if charge:
            targets[index] = curve.worth_charging_to(price)
        curve = curve.step_back(price, charge, drains[index], lows[index], high)
        if curve is None:
            break
        costs[index] = curve
    return Ahead(costs=costs, targets=targets)


def costs_to_arrive(pieces: Pieces, last: int) -> list[Curve | None]:
    """Return, per edge up to index `last`, the cheapest cost of arriving there from now."""
    arrive: list[Curve | None] = [None] * len(pieces.edges)
    curve: Curve | None = Curve(pieces.start, pieces.start, 0, [], [])
    arrive[0] = curve
    prices, charges, drains, lows = pieces.price, pieces.charge, pieces.drain, pieces.low
    high = pieces.high
    for index in range(last):
        if curve is None:
            break
        curve = curve.step_on(prices[index], charges[index], drains[index], lows[index + 1], high)
        arrive[index + 1] = curve
    return arrive


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """One way through the horizon: stored energy at each edge, charged and sold per piece."""

    stored: list[int]
    charged: list[int]
    sold: list[int]


def course_without(pieces: Pieces, ahead: Ahead) -> Course:
    """Return the cheapest course without the offer; J0 must have a solution."""
    charged: list[int] = []
    stored = _follow(pieces, ahead.targets, [pieces.start], charged)
    return Course(stored=stored, charged=charged, sold=[0] * len(charged))


def course_selling(pieces: Pieces, arrive: list[Curve | None], ahead: Ahead, sold: int) -> Course:
    """Return the cheapest course that sells `sold` units in the window, which must fit."""
    first, last = pieces.window_pieces()
    before, after = arrive[first], ahead.costs[last]
    if before is None or after is None:
        raise ValueError("nothing fits")
    drained = sum(pieces.drain[first:last])
    stored, charged = _arrive_with(pieces, arrive, _energy_at_window(before, after, drained + sold))
    shares = _spread(pieces.sellable[first:last], pieces.edges[first : last + 1], sold)
    for share, taken in zip(shares, pieces.drain[first:last], strict=True):
        charged.append(0)
        stored.append(stored[-1] - share - taken)
    _follow(pieces, ahead.targets, stored, charged)
    count = len(pieces.charge)
    return Course(stored=stored, charged=charged, sold=[0] * first + shares + [0] * (count - last))


def course_cost(pieces: Pieces, course: Course) -> int:
    """Return J without wear: energy bought less what is left at the refill price."""
    bought = sum(price * added for price, added in zip(pieces.price, course.charged, strict=True))
    return bought - pieces.refill * course.stored[-1]


def _energy_at_window(before: Curve, after: Curve, drained: int) -> int:
    """Return the energy at the window's start with the least cost on both sides."""
    at, _, segments = merge_drained(before, after)
    energy = before.left
    for _, later, length in segments:
        step = min(length, drained - at)
        if step <= 0:
            break
        at += step
        if not later:
            energy += step
    return energy


def _arrive_with(
    pieces: Pieces, arrive: list[Curve | None], energy: int
) -> tuple[list[int], list[int]]:
    """Trace the cheapest way to `energy` at the window's start back to now, charging early."""
    first, _ = pieces.window_pieces()
    stored, charged = [energy], []
    for index in range(first - 1, -1, -1):
        behind = arrive[index]
        if behind is None:
            raise ValueError("nothing arrives here")
        energy += pieces.drain[index]
        most, add = pieces.charge[index], 0
        if most:
            spare = energy - behind.worth_having(pieces.price[index])
            add = min(spare, most) if spare > 0 else 0
        energy -= add
        charged.append(add)
        stored.append(energy)
    return stored[::-1], charged[::-1]


def _follow(pieces: Pieces, targets: list[int], stored: list[int], charged: list[int]) -> list[int]:
    """Complete a course from its last edge to the horizon by charging up to the targets."""
    energy, done = stored[-1], len(charged)
    for target, most, drain in zip(
        targets[done:], pieces.charge[done:], pieces.drain[done:], strict=True
    ):
        add = target - energy + drain
        add = 0 if add <= 0 else min(add, most)
        energy += add - drain
        charged.append(add)
        stored.append(energy)
    return stored


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
    common = lcm(*lengths)  # makes the limits per second whole numbers
    tightest_first = sorted(
        range(len(limits)), key=lambda index: limits[index] * (common // lengths[index])
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
