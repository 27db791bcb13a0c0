"""Try the same sale in other windows, exactly to the second and without solving anything again.

Between two edges the charge that a moving window leaves on either side changes linearly, so what
fits is concave and J is convex in the moved second (a linear program in its right-hand side).
That makes the accepted seconds between two edges one interval, found from its ends.
"""

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate

from .curves import Curve, drained_cost
from .evaluation import Evaluation
from .search import below_zero, crossing, fitting

type Path = Callable[[int], tuple[int, int]]


class Windows:
    """Windows in which the whole request could be sold at the offered price.

    Needs an evaluation with a J0 and cost-to-arrive everywhere.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        if evaluation.cost_without is None:
            raise ValueError("without a J0 no window can be judged")
        self._pieces = pieces = evaluation.pieces
        self._edges, self._last = pieces.edges, len(pieces.edges) - 1
        self._arrive, self._go = evaluation.arrive, evaluation.ahead.costs
        energy, rates = evaluation.request.offer.requested_energy_wh, evaluation.rates
        self._sold = energy * pieces.scale.per_sold_wh
        self._rate = [power * pieces.scale.per_charged_ws for power in pieces.charge_w]
        self._sellable = list(accumulate(pieces.sellable, initial=0))
        self._drain = list(accumulate(pieces.drain, initial=0)) if any(pieces.drain) else None
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
        stops = {first, last, *self._edges}
        if offset:
            stops.update([edge - offset for edge in self._edges])
        ordered = sorted([stop for stop in stops if low <= stop <= high], reverse=first > last)
        if len(ordered) == 1:
            ordered *= 2
        return self._search(path, ordered, 0, len(ordered) - 1)

    def _search(self, path: Path, stops: list[int], near: int, far: int) -> int | None:
        """Search from stop `near` to stop `far`, leaving out what cannot hold an accepted one."""
        if self._ruled_out(path(stops[near]), path(stops[far])):
            return None
        if far - near == 1:
            return self._between(path, stops[near], stops[far])
        middle = (near + far) // 2
        found = self._search(path, stops, near, middle)
        return self._search(path, stops, middle, far) if found is None else found

    def _ruled_out(self, one: tuple[int, int], other: tuple[int, int]) -> bool:
        """Say whether no window between these two, ends moving steadily, can be accepted.

        All of them hold the two windows' common core. Not charging in the core alone, with the
        power of the whole stretch, is a relaxation of each.
        """
        begin, stop = max(one[0], other[0]), min(one[1], other[1])
        earliest, latest = min(one[0], other[0]), max(one[1], other[1])
        powered = self._sold_by(latest, self._index(latest)) - self._sold_by(
            earliest, self._index(earliest)
        )
        if powered < self._sold:
            return True
        if begin > stop:
            return False
        return self._stored_room(begin, stop) < 0 or self.cost(begin, stop) > self._limit

    def _between(self, path: Path, near: int, far: int) -> int | None:
        """Search one stretch without edges, from `near` to `far`."""

        def room(second: int) -> int:
            return self.room(*path(second))

        def spare(second: int) -> int:
            return self._limit - self.cost(*path(second))

        stretch = fitting(room, near, far)
        if stretch is None:
            return None
        near, far = stretch
        at_near = spare(near)
        if at_near >= 0:
            return near
        good = below_zero(lambda second: -spare(second), near, far)
        if good is None:
            return None
        return crossing(spare, near, good, bad=at_near, good=spare(good))

    def room(self, start: int, end: int) -> int:
        """Return by how much the request fits into a window (negative: it does not)."""
        before, after = self._index(start), self._index(end)
        powered = self._sold_by(end, after) - self._sold_by(start, before)
        return min(powered - self._sold, self._stored_room(start, end))

    def _stored_room(self, start: int, end: int) -> int:
        """Return by how much more could be taken out of the battery than is requested."""
        before, after = self._index(start), self._index(end)
        stored = self._fullest(start, before) - self._least(end, after)
        drained = self._drained_by(end, after) - self._drained_by(start, before)
        return stored - drained - self._sold

    def cost(self, start: int, end: int) -> int:
        """Return J (without wear) of selling the request in a window that it fits into."""
        before, after = self._index(start), self._index(end)
        drained = self._drained_by(end, after) - self._drained_by(start, before)
        wanted = drained + self._sold
        return drained_cost(self._arriving(start, before), self._going(end, after), wanted)

    def _index(self, second: int) -> int:
        return bisect_right(self._edges, second, 0, self._last) - 1

    def _sold_by(self, second: int, index: int) -> int:
        """Return what an offer could have taken out by `second`, which piece `index` holds."""
        return self._within(self._sellable, second, index)

    def _drained_by(self, second: int, index: int) -> int:
        """Return what commitments have taken out by `second`."""
        return 0 if self._drain is None else self._within(self._drain, second, index)

    def _within(self, sums: list[int], second: int, index: int) -> int:
        edges, done = self._edges, sums[index]
        begin = edges[index]
        return done + (sums[index + 1] - done) * (second - begin) // (edges[index + 1] - begin)

    def _low(self, second: int, index: int) -> int:
        pieces = self._pieces
        added = self._rate[index] * (second - pieces.edges[index])
        return min(pieces.floor, pieces.low[index] + added)

    def _fullest(self, second: int, index: int) -> int:
        """Return the most that can be stored by `second`."""
        pieces = self._pieces
        added = self._rate[index] * (second - pieces.edges[index])
        return min(
            pieces.high, self._curve(self._arrive, index).right + added
        ) - self._drained_since(second, index)

    def _least(self, second: int, index: int) -> int:
        """Return the least that must be stored at `second`."""
        added = self._rate[index] * (self._pieces.edges[index + 1] - second)
        least = self._curve(self._go, index + 1).left - added + self._drained_until(second, index)
        return max(self._low(second, index), least)

    def _drained_since(self, second: int, index: int) -> int:
        if self._drain is None:
            return 0
        return self._drained_by(second, index) - self._drain[index]

    def _drained_until(self, second: int, index: int) -> int:
        if self._drain is None:
            return 0
        return self._drain[index + 1] - self._drained_by(second, index)

    def _arriving(self, second: int, index: int) -> Curve:
        pieces, curve = self._pieces, self._curve(self._arrive, index)
        since = second - pieces.edges[index]
        if not since:
            return curve
        stepped = curve.step_on(
            pieces.price[index],
            self._rate[index] * since,
            self._drained_since(second, index),
            self._low(second, index),
            pieces.high,
        )
        if stepped is None:  # only called where something can be stored
            raise ValueError("no energy will do")
        return stepped

    def _going(self, second: int, index: int) -> Curve:
        pieces, curve = self._pieces, self._curve(self._go, index + 1)
        until = pieces.edges[index + 1] - second
        if not until:
            return curve
        stepped = curve.step_back(
            pieces.price[index],
            self._rate[index] * until,
            self._drained_until(second, index),
            self._low(second, index),
            pieces.high,
        )
        if stepped is None:  # only called where something can be stored
            raise ValueError("no energy will do")
        return stepped

    def _curve(self, curves: list[Curve | None], index: int) -> Curve:
        curve = curves[index]
        if curve is None:  # J0 passes through every edge
            raise ValueError("cost-to-arrive is needed everywhere")
        return curve
