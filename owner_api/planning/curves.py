"""Convex piecewise-linear cost curves over stored energy, kept as sorted slope lists.

One curve is the cost-to-go (or cost-to-arrive) of a whole night of charging. A step in time is
an infimal convolution, which on slope lists is one sorted insert (slope trick). All numbers are
integers, so that every comparison is exact: energies in `Scale` units, slopes in doubled price
units. An odd slope is a refill value minus a hair: ties never charge for nothing, and rounding
it to its even neighbour gives the true price back.
"""

from bisect import bisect_left, bisect_right


class Curve:
    """A convex function on [left, right]: its value at `left` and ascending slopes with lengths.

    Never changed once made: a step returns another curve, or the same one where nothing changes.
    """

    __slots__ = ("left", "lengths", "right", "slopes", "value")

    def __init__(
        self, left: int, right: int, value: int, slopes: list[int], lengths: list[int]
    ) -> None:
        self.left = left
        self.right = right
        self.value = value
        self.slopes = slopes
        self.lengths = lengths

    def step_back(self, price: int, charge: int, drain: int, low: int, high: int) -> Curve | None:
        """Step back over a piece (cost-to-go); None when no energy at its start will do.

        The piece may store up to `charge` at `price` and loses `drain`; `low` and `high` bound
        the energy at its start. Charging is an infimal convolution: one sorted insert.
        """
        left, right, value = self.left, self.right, self.value
        slopes, lengths = self.slopes, self.lengths
        if charge:
            at = bisect_left(slopes, -price)
            if not at and left == low and right <= high and not drain:
                return self  # dearer than all that fills the battery later: cut off again
            slopes, lengths = slopes[:], lengths[:]
            if at < len(slopes) and slopes[at] == -price:
                lengths[at] += charge
            else:
                slopes.insert(at, -price)
                lengths.insert(at, charge)
            left -= charge
            value += price * charge
        return _cut(left + drain, right + drain, value, slopes, lengths, low, high)

    def step_on(self, price: int, charge: int, drain: int, low: int, high: int) -> Curve | None:
        """Step forward over a piece (cost-to-arrive); None when no energy at its end will do."""
        left, right = self.left, self.right
        slopes, lengths = self.slopes, self.lengths
        if charge:
            at = bisect_right(slopes, price)
            if at == len(slopes) and right == high and left >= low and not drain:
                return self  # dearer than all that filled the battery before
            slopes, lengths = slopes[:], lengths[:]
            if at and slopes[at - 1] == price:
                lengths[at - 1] += charge
            else:
                slopes.insert(at, price)
                lengths.insert(at, charge)
            right += charge
        return _cut(left - drain, right - drain, self.value, slopes, lengths, low, high)

    def value_at(self, energy: int) -> int:
        """Return the value at `energy`, which lies in the domain."""
        rest = energy - self.left
        total = self.value
        for slope, length in zip(self.slopes, self.lengths, strict=True):
            if rest <= length:
                return total + (slope & -2) * rest
            total += (slope & -2) * length
            rest -= length
        return total

    def worth_charging_to(self, price: int) -> int:
        """Return the energy up to which charging at `price` pays; a tie charges now."""
        return self.left + sum(self.lengths[: bisect_right(self.slopes, -price)])

    def worth_having(self, price: int) -> int:
        """Return the energy up to which arriving costs no more than `price` (cost-to-arrive)."""
        return self.left + sum(self.lengths[: bisect_right(self.slopes, price)])


def _cut(
    left: int, right: int, value: int, slopes: list[int], lengths: list[int], low: int, high: int
) -> Curve | None:
    """Return the curve on [left, right] without what lies outside [low, high], if anything is."""
    if low > right or high < left:
        return None
    if low > left:
        need, left, done = low - left, low, 0
        while need and lengths[done] <= need:
            value += (slopes[done] & -2) * lengths[done]
            need -= lengths[done]
            done += 1
        slopes, lengths = slopes[done:], lengths[done:]
        if need:
            value += (slopes[0] & -2) * need
            lengths[0] -= need
    if high < right:
        excess, right, kept = right - high, high, len(lengths)
        while excess and lengths[kept - 1] <= excess:
            kept -= 1
            excess -= lengths[kept]
        slopes, lengths = slopes[:kept], lengths[:kept]
        if excess:
            lengths[-1] -= excess
    return Curve(left, right, value, slopes, lengths)


def merge_drained(arrive: Curve, go: Curve) -> tuple[int, int, list[tuple[int, bool, int]]]:
    """Return the cheapest cost of taking z out between two curves, as a function of z.

    The result is min over e of arrive(e) + go(e - z): (smallest z, its cost, segments in
    ascending slope). A segment is (slope, whether it is given up later rather than charged
    before, length); at equal price it is charged before. Infimal convolution, hence one merge
    of two sorted lists.
    """
    segments = [
        (slope, False, length) for slope, length in zip(arrive.slopes, arrive.lengths, strict=True)
    ]
    cost = arrive.value + go.value
    for slope, length in zip(go.slopes, go.lengths, strict=True):
        cost += (slope & -2) * length
        segments.append((-slope, True, length))
    segments.sort()
    return arrive.left - go.right, cost, segments


def drained_cost(arrive: Curve, go: Curve, wanted: int) -> int:
    """Return the least cost of taking `wanted` out between two curves, which must be possible.

    Starts where each curve is cheapest to leave: all that was charged before at the least, all
    that may stay later at the most; then buys energy where it is cheapest, before or later.
    """
    before, before_lengths = arrive.slopes, arrive.lengths
    later, later_lengths = go.slopes, go.lengths
    total = arrive.value + go.value
    for slope, length in zip(later, later_lengths, strict=True):
        total += (slope & -2) * length
    missing = wanted - arrive.left + go.right
    done, count, rest = 0, len(before), len(later)
    while missing > 0:
        if done < count and (not rest or before[done] <= -later[rest - 1]):
            slope, length = before[done], before_lengths[done]
            done += 1
        else:
            rest -= 1
            slope, length = -(later[rest] & -2), later_lengths[rest]
        length = min(length, missing)
        total += slope * length
        missing -= length
    return total
