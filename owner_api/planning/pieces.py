"""Time from now to the horizon, cut into pieces in which every limit and price is constant.

Design §5: cuts at every tariff change, charging edge, commitment edge and offer edge, and where
a car below its floor reaches it.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import accumulate, pairwise

from .request import ChargingPromise, QuoteRequest
from .scale import Scale, slope_of
from .span import SECOND, Span, promise_delay_s


@dataclass(frozen=True, kw_only=True, slots=True)
class Pieces:
    """The cut horizon in `Scale` units; piece i lies between edges[i] and edges[i + 1].

    Per piece: `charge_w` and `charge` (most that may be stored), `price` (doubled), `drain`
    (stored units that commitments take), `sellable` (most an offer could take out). Per edge:
    `low`, the lower bound on stored energy. `high` bounds it above.
    """

    origin: datetime
    scale: Scale
    edges: list[int]
    window: tuple[int, int]  # the offer's window clipped to the horizon; empty when equal
    charge_w: list[int]
    charge: list[int]
    price: list[int]
    drain: list[int]
    sellable: list[int]
    low: list[int]
    high: int
    start: int  # stored energy now
    need: int  # stored energy the owner needs at the horizon
    floor: int
    refill: int  # doubled price, even

    @property
    def end(self) -> int:
        """Return the horizon in seconds after `origin`."""
        return self.edges[-1]

    def at(self, second: int) -> datetime:
        """Return the time `second` seconds after the origin."""
        return self.origin + second * SECOND

    def window_pieces(self) -> tuple[int, int]:
        """Return the offer's window as a half-open range of pieces."""
        return bisect_left(self.edges, self.window[0]), bisect_left(self.edges, self.window[1])


def cut(request: QuoteRequest) -> Pieces:
    """Cut the time of `request`, which has passed `check`, into pieces."""
    scale, span = Scale.of(request), Span.of(request)
    vehicle, wishes, offer = request.vehicle, request.preferences, request.offer
    capacity = vehicle.usable_capacity_wh
    start = scale.stored(capacity, vehicle.soc_pct)
    floor = scale.stored(capacity, wishes.soc_floor_pct)
    window = span.clip(offer.start_at, offer.end_at, shrink=True)

    taken = [span.clip(each.start_at, each.end_at, shrink=False) for each in request.commitments]
    charging = _Charging(request, scale, span, taken)
    edges = sorted({0, span.end, *window, *charging.marks()})
    charge_w, price, charge = charging.limits(edges)
    if start < floor:
        reached = _second_of(edges, charge_w, floor - start, scale.per_charged_ws)
        if reached is not None and reached not in edges:
            edges = sorted({*edges, reached})
            charge_w, price, charge = charging.limits(edges)
    drain = _drain(request, scale, span, edges, taken)
    refill = request.later_refill_price_per_kwh
    return Pieces(
        origin=span.origin,
        scale=scale,
        edges=edges,
        window=window,
        charge_w=charge_w,
        charge=charge,
        price=price,
        drain=drain,
        sellable=_sellable(request, scale, edges, drain),
        low=(
            [floor] * len(edges)
            if start >= floor
            else [min(floor, most) for most in accumulate(charge, initial=start)]
        ),
        high=max(scale.stored(capacity, wishes.soc_ceiling_pct), start),
        start=start,
        need=scale.stored(capacity, wishes.soc_min_departure_pct),
        floor=floor,
        refill=slope_of(default_refill_price(request) if refill is None else refill),
    )


def default_refill_price(request: QuoteRequest) -> Decimal:
    """Return the cheapest tariff price from now on."""
    entries = request.tariff
    prices = [
        entry.price_per_kwh for entry, later in pairwise(entries) if later.start_at > request.now
    ]
    return min([*prices, entries[-1].price_per_kwh])


class _Charging:
    """Where, how strongly and at what price the car may charge, apart from the offer."""

    def __init__(
        self, request: QuoteRequest, scale: Scale, span: Span, taken: list[tuple[int, int]]
    ) -> None:
        self._power = request.vehicle.max_charge_w
        self._everywhere = request.charging is None
        self._scale = scale
        self._tariff_from = [span.seconds(entry.start_at, late=False) for entry in request.tariff]
        self._end = span.end
        self._tariff = [slope_of(entry.price_per_kwh) for entry in request.tariff]
        self._promises = [
            (
                *span.clip(promise.start_at, _full_until(request, promise), shrink=True),
                min(promise.max_w, self._power),
                None if promise.price_per_kwh is None else slope_of(promise.price_per_kwh),
            )
            for promise in request.charging or ()
        ]
        self._taken = taken

    def marks(self) -> set[int]:
        """Return the seconds at which a limit or price may change."""
        marks = {mark for mark in self._tariff_from if 0 < mark < self._end}
        marks.update(mark for first, last, *_ in self._promises for mark in (first, last))
        marks.update(mark for taken in self._taken for mark in taken)
        return marks

    def limits(self, edges: list[int]) -> tuple[list[int], list[int], list[int]]:
        """Return per piece: power in W, doubled price, most stored energy."""
        starts, prices = self._tariff_from, self._tariff
        tariff = [prices[bisect_right(starts, edge) - 1] for edge in edges[:-1]]
        power = [self._power if self._everywhere else 0] * len(tariff)
        price = tariff[:]
        for first, last, most, own in self._promises:
            for index in range(bisect_left(edges, first), bisect_left(edges, last)):
                cost = tariff[index] if own is None else own
                if not power[index] or (most, -cost) > (power[index], -price[index]):
                    power[index], price[index] = most, cost
        for first, last in self._taken:
            for index in range(bisect_left(edges, first), bisect_left(edges, last)):
                power[index] = 0
        rate = self._scale.per_charged_ws
        charge = [
            watts * (end - begin) * rate
            for watts, (begin, end) in zip(power, pairwise(edges), strict=True)
        ]
        return power, price, charge


def _full_until(request: QuoteRequest, promise: ChargingPromise) -> datetime:
    """Return until when a promise charges at full power for as much as the taper lets in."""
    shorter = promise.end_at - promise_delay_s(request, promise.max_w) * SECOND
    return max(promise.start_at, shorter)


def _drain(
    request: QuoteRequest,
    scale: Scale,
    span: Span,
    edges: list[int],
    windows: list[tuple[int, int]],
) -> list[int]:
    """Return what commitments take out per piece, evenly over what is left of each window."""
    drain = [0] * (len(edges) - 1)
    for taken, (first, last) in zip(request.commitments, windows, strict=True):
        if first == last:
            continue
        # Only the end of a window may lie beyond the horizon that both were clipped to.
        lasts = span.seconds(taken.end_at, late=True) - first
        whole = taken.energy_wh * scale.per_sold_wh
        given = 0
        for index in range(bisect_left(edges, first), bisect_left(edges, last)):
            by_then = whole * (edges[index + 1] - first) // lasts
            drain[index] += by_then - given
            given = by_then
    return drain


def _sellable(request: QuoteRequest, scale: Scale, edges: list[int], drain: list[int]) -> list[int]:
    """Return the most an offer could take out per piece, sharing the power with commitments."""
    car_w, offer_w = request.vehicle.max_discharge_w, request.offer.max_discharge_w
    car, both = car_w * scale.per_sold_ws, min(car_w, offer_w) * scale.per_sold_ws
    return [
        max(0, min(car * (end - begin) - taken, both * (end - begin)))
        if taken
        else both * (end - begin)
        for taken, (begin, end) in zip(drain, pairwise(edges), strict=True)
    ]


def _second_of(edges: list[int], charge_w: list[int], missing: int, per_ws: int) -> int | None:
    """Return the first second by which `missing` units could have been charged."""
    for power, (begin, end) in zip(charge_w, pairwise(edges), strict=True):
        rate = power * per_ws
        if rate * (end - begin) >= missing:
            return begin - (-missing // rate)
        missing -= rate * (end - begin)
    return None
