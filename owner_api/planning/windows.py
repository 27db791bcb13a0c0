"""Try the same sale in other windows, exactly to the second and without solving anything again.

Between two edges the charge that a moving window leaves on either side changes linearly, so what
fits is concave and J is convex in the moved second (a linear program in its right-hand side).
That makes the accepted seconds between two edges one interval, found from its ends.
"""

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate, pairwise

from .curves import Curve, merge_drained
from .evaluation import Evaluation
from .search import below_zero, boundary, fitting

type Path = Callable[[int], tuple[int, int]]


class Windows:
    """Windows in which the whole request could be sold at the offered price.

    Needs an evaluation with a J0 and cost-to-arrive everywhere.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        if evaluation.cost_without is None:
            raise ValueError("without a J0 no window can be judged")
        self._pieces = pieces = evaluation.pieces
        self._arrive, self._go = evaluation.arrive, evaluation.ahead.costs
        energy, rates = evaluation.request.offer.requested_energy_wh, evaluation.rates
        self._sold = energy * pieces.scale.per_sold_wh
        self._sellable = list(accumulate(pieces.sellable, initial=0))
        self._drain = list(accumulate(pieces.drain, initial=0))
        self._affordable = (evaluation.gross(energy) - rates.wear * energy) // rates.cost
        self._limit = evaluation.cost_without + self._affordable

    @property
    def hopeless(self) -> bool:
        """Say whether the price is below the cheapest way to replace what is sold, anywhere."""
        pieces = self._pieces
        prices = [price for price, most in zip(pieces.price, pieces.charge, strict=True) if most]
        return self._affordable < min([pieces.refill, *prices]) * self._sold

    def latest_start(self, length: int) -> int | None:
        """Return the latest second at which a window of `length` seconds is accepted."""
        end = self._pieces.end
        return self.first_accepted(
            lambda start: (start, min(start + length, end)), end - 1, 0, offset=length
        )

    def first_accepted(self, path: Path, first: int, last: int, offset: int = 0) -> int | None:
        """Return the accepted second nearest to `first` on the way to `last`, None without one.

        `path` maps a second to a window whose ends are that second, that second plus `offset`
        (cut to the horizon), or fixed.
        """
        low, high = min(first, last), max(first, last)
        if low < 0 or self.hopeless:
            return None
        edges = self._pieces.edges
        stops = {first, last, *edges, *(edge - offset for edge in edges)}
        ordered = sorted((stop for stop in stops if low <= stop <= high), reverse=first > last)
        if len(ordered) == 1:
            ordered *= 2
        for near, far in pairwise(ordered):
            found = self._between(path, near, far)
            if found is not None:
                return found
        return None

    def _between(self, path: Path, near: int, far: int) -> int | None:
        """Search one stretch without edges, from `near` to `far`."""

        def room(second: int) -> int:
            return self.room(*path(second))

        def excess(second: int) -> int:
            return self.cost(*path(second)) - self._limit

        stretch = fitting(room, near, far)
        if stretch is None:
            return None
        near, far = stretch
        if excess(near) <= 0:
            return near
        good = below_zero(excess, near, far)
        return None if good is None else boundary(lambda at: excess(at) <= 0, near, good)

    def room(self, start: int, end: int) -> int:
        """Return by how much the request fits into a window (negative: it does not)."""
        before, after = self._index(start), self._index(end)
        powered = self._sum(self._sellable, end, after) - self._sum(self._sellable, start, before)
        drained = self._sum(self._drain, end, after) - self._sum(self._drain, start, before)
        stored = self._fullest(start, before) - drained - self._least(end, after)
        return min(powered, stored) - self._sold

    def cost(self, start: int, end: int) -> int:
        """Return J (without wear) of selling the request in a window that it fits into."""
        before, after = self._index(start), self._index(end)
        drained = self._sum(self._drain, end, after) - self._sum(self._drain, start, before)
        wanted = drained + self._sold
        at, total, segments = merge_drained(self._arriving(start, before), self._going(end, after))
        for segment, later, length in segments:
            slope = segment + (segment & 1) if later else segment
            if at + length >= wanted:
                return total + slope * (wanted - at)
            at += length
            total += slope * length
        return total

    def _index(self, second: int) -> int:
        return min(bisect_right(self._pieces.edges, second), len(self._pieces.edges) - 1) - 1

    def _sum(self, sums: list[int], second: int, index: int) -> int:
        begin, end = self._pieces.edges[index : index + 2]
        return sums[index] + (sums[index + 1] - sums[index]) * (second - begin) // (end - begin)

    def _low(self, second: int, index: int) -> int:
        pieces = self._pieces
        rate = pieces.charge_w[index] * pieces.scale.per_charged_ws
        return min(pieces.floor, pieces.low[index] + rate * (second - pieces.edges[index]))

    def _fullest(self, second: int, index: int) -> int:
        pieces, arriving = self._pieces, self._curve(self._arrive, index)
        since = second - pieces.edges[index]
        added = pieces.charge_w[index] * pieces.scale.per_charged_ws * since
        drained = self._sum(self._drain, second, index) - self._drain[index]
        return min(pieces.high, arriving.right + added) - drained

    def _least(self, second: int, index: int) -> int:
        pieces, going = self._pieces, self._curve(self._go, index + 1)
        until = pieces.edges[index + 1] - second
        added = pieces.charge_w[index] * pieces.scale.per_charged_ws * until
        drained = self._drain[index + 1] - self._sum(self._drain, second, index)
        return max(self._low(second, index), going.left - added + drained)

    def _arriving(self, second: int, index: int) -> Curve:
        pieces, curve = self._pieces, self._curve(self._arrive, index)
        since = second - pieces.edges[index]
        if not since:
            return curve
        curve = curve.copy()
        added = pieces.charge_w[index] * pieces.scale.per_charged_ws * since
        drained = self._sum(self._drain, second, index) - self._drain[index]
        low = self._low(second, index)
        curve.step_on(pieces.price[index], added, drained, low, pieces.high)
        return curve

    def _going(self, second: int, index: int) -> Curve:
        pieces, curve = self._pieces, self._curve(self._go, index + 1)
        until = pieces.edges[index + 1] - second
        if not until:
            return curve
        curve = curve.copy()
        added = pieces.charge_w[index] * pieces.scale.per_charged_ws * until
        drained = self._drain[index + 1] - self._sum(self._drain, second, index)
        low = self._low(second, index)
        curve.step_back(pieces.price[index], added, drained, low, pieces.high)
        return curve

    def _curve(self, curves: list[Curve | None], index: int) -> Curve:
        curve = curves[index]
        if curve is None:  # J0 passes through every edge
            raise ValueError("cost-to-arrive is needed everywhere")
        return curve
