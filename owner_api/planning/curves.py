"""Convex piecewise-linear cost curves over stored energy, kept as sorted slope lists.

One curve is the cost-to-go (or cost-to-arrive) of a whole night of charging. A step in time is
an infimal convolution, which on slope lists is one sorted insert (slope trick). All numbers are
integers, so that every comparison is exact: energies in `Scale` units, slopes in doubled price
units. An odd slope is a refill value minus a hair: ties never charge for nothing, and rounding
it to its even neighbour gives the true price back.
"""

from bisect import bisect_left, bisect_right


class Curve:
    """A convex function on [left, right]: its value at `left` and ascending slopes with lengths."""

    __slots__ = ("left", "lengths", "right", "slopes", "value")

    def __init__(
        self, left: int, right: int, value: int, slopes: list[int], lengths: list[int]
    ) -> None:
        self.left = left
        self.right = right
        self.value = value
        self.slopes = slopes
        self.lengths = lengths

    def copy(self) -> Curve:
        """Return an independent copy."""
        return Curve(self.left, self.right, self.value, self.slopes[:], self.lengths[:])

    def step_back(self, price: int, charge: int, drain: int, low: int, high: int) -> bool:
        """Step back over a piece (cost-to-go); False when no energy at its start will do.

        The piece may store up to `charge` at `price` and loses `drain`; `low` and `high` bound
        the energy at its start. Charging is an infimal convolution: one sorted insert.
        """
        if charge:
            self.left -= charge
            self.value += price * charge
            _insert(self.slopes, self.lengths, -price, charge)
        if drain:
            self.left += drain
            self.right += drain
        return self._cut(low, high)

    def step_on(self, price: int, charge: int, drain: int, low: int, high: int) -> bool:
        """Step forward over a piece (cost-to-arrive); False when no energy at its end will do."""
        if charge:
            self.right += charge
            _insert(self.slopes, self.lengths, price, charge)
        if drain:
            self.left -= drain
            self.right -= drain
        return self._cut(low, high)

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

    def _cut(self, low: int, high: int) -> bool:
        if low > self.right or high < self.left:
            return False
        if low > self.left:
            self._cut_left(low)
        if high < self.right:
            self._cut_right(high)
        return True

    def _cut_left(self, low: int) -> None:
        need = low - self.left
        slopes, lengths = self.slopes, self.lengths
        done = 0
        while need:
            length = lengths[done]
            if length > need:
                self.value += (slopes[done] & -2) * need
                lengths[done] = length - need
                break
            self.value += (slopes[done] & -2) * length
            need -= length
            done += 1
        del slopes[:done], lengths[:done]
        self.left = low

    def _cut_right(self, high: int) -> None:
        excess = self.right - high
        slopes, lengths = self.slopes, self.lengths
        while excess:
            length = lengths[-1]
            if length > excess:
                lengths[-1] = length - excess
                break
            excess -= length
            del slopes[-1], lengths[-1]
        self.right = high


def _insert(slopes: list[int], lengths: list[int], slope: int, length: int) -> None:
    at = bisect_left(slopes, slope)
    if at < len(slopes) and slopes[at] == slope:
        lengths[at] += length
    else:
        slopes.insert(at, slope)
        lengths.insert(at, length)


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
