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

    def charge_before(self, price: int, energy: int) -> None:
        """Step back over a piece that may store `energy` at `price` (cost-to-go)."""
        self.left -= energy
        self.value += price * energy
        self._insert(-price, energy)

    def charge_after(self, price: int, energy: int) -> None:
        """Step forward over a piece that may store `energy` at `price` (cost-to-arrive)."""
        self.right += energy
        self._insert(price, energy)

    def shift(self, energy: int) -> None:
        """Move the whole curve by `energy`: a fixed drain, back (+) or forward (-) in time."""
        self.left += energy
        self.right += energy

    def cut(self, low: int, high: int) -> bool:
        """Restrict the domain to [low, high]; False when nothing is left."""
        if low > self.right or high < self.left:
            return False
        if low > self.left:
            self._cut_left(low)
        if high < self.right:
            self._cut_right(high)
        return True

    def value_at_right(self) -> int:
        """Return the value at the right end of the domain."""
        total = self.value
        for slope, length in zip(self.slopes, self.lengths, strict=True):
            total += (slope & -2) * length
        return total

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

    def _insert(self, slope: int, length: int) -> None:
        if not length:
            return
        slopes = self.slopes
        at = bisect_left(slopes, slope)
        if at < len(slopes) and slopes[at] == slope:
            self.lengths[at] += length
        else:
            slopes.insert(at, slope)
            self.lengths.insert(at, length)

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


def merge_drained(arrive: Curve, go: Curve) -> tuple[int, int, list[tuple[int, int]]]:
    """Return the cheapest cost of taking z out between two curves, as a function of z.

    The result is min over e of arrive(e) + go(e - z): (smallest z, its cost, [(slope, length)]
    ascending, slopes true doubled prices). Infimal convolution, hence one merge of two sorted
    lists.
    """
    segments = [*zip(arrive.slopes, arrive.lengths, strict=True)]
    segments += [
        (-slope + (slope & 1), length)
        for slope, length in zip(reversed(go.slopes), reversed(go.lengths), strict=True)
    ]
    segments.sort()
    return arrive.left - go.right, arrive.value + go.value_at_right(), segments
