"""The supply curve: what any amount of energy sold in a window costs the owner."""

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate

from .curves import Curve, merge_drained
from .horizon import Ahead
from .pieces import Pieces


@dataclass(frozen=True, kw_only=True, slots=True)
class Supply:
    """J without wear as a function of the stored energy taken out by the offer.

    `base` is J(0); `slopes` are ascending doubled prices, `edges` the cumulative stored units at
    which each slope ends; `most` is the largest amount that has a solution.
    """

    base: int
    slopes: list[int]
    edges: list[int]
    paid: list[int]  # J at each edge
    most: int

    def cost(self, sold: int) -> int:
        """Return J at `sold` stored units, 0 <= sold <= most."""
        if not self.edges:
            return self.base
        index = bisect_left(self.edges, sold)
        return self.paid[index] - self.slopes[index] * (self.edges[index] - sold)


def supply(arrive: Curve | None, go: Curve | None, *, drain: int, sellable: int) -> Supply | None:
    """Merge cost-to-arrive at a window's start with cost-to-go at its end.

    `drain` is what commitments take inside the window, `sellable` what the power limits let an
    offer take. None when not even selling nothing has a solution.
    """
    if arrive is None or go is None:
        return None
    most = min(sellable, arrive.right - go.left - drain)
    if most < 0:
        return None
    at, base, segments = merge_drained(arrive, go)
    slopes: list[int] = []
    lengths: list[int] = []
    for segment, later, length in segments:
        slope = segment + (segment & 1) if later else segment
        skipped = min(length, max(0, drain - at))
        at += length
        base += slope * skipped
        if length == skipped:
            continue
        if slopes and slopes[-1] == slope:
            lengths[-1] += length - skipped
        else:
            slopes.append(slope)
            lengths.append(length - skipped)
    edges = list(accumulate(lengths))
    used = bisect_left(edges, most) + 1
    del slopes[used:], lengths[used:], edges[used:]
    rises = (slope * length for slope, length in zip(slopes, lengths, strict=True))
    return Supply(
        base=base,
        slopes=slopes,
        edges=edges,
        paid=list(accumulate(rises, initial=base))[1:],
        most=most,
    )


def window_supply(pieces: Pieces, arrive: list[Curve | None], ahead: Ahead) -> Supply | None:
    """Return the supply curve of the offer's own window."""
    first, last = pieces.window_pieces()
    return supply(
        arrive[first],
        ahead.costs[last],
        drain=sum(pieces.drain[first:last]),
        sellable=sum(pieces.sellable[first:last]),
    )
