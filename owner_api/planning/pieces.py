"""Time from now to the horizon, cut into pieces in which every limit and price is constant.

Design §5: cuts at every tariff change, charging edge, commitment edge and offer edge, and where
a car below its floor reaches it. Times are whole seconds after `origin`; fractions of a second
are dropped on the cautious side.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from .request import QuoteRequest
from .scale import Scale

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pieces:
    """The cut horizon in `Scale` units; piece i lies between edges[i] and edges[i + 1].

    Per piece: `charge_w` and `charge` (most that may be stored), `price` (doubled), `drain`
    (stored units that commitments take), `sellable` (most an offer could take out). Per edge:
    `low`, the lower bound on stored energy.
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
        """The horizon in seconds after `origin`."""
        return self.edges[-1]

    def at(self, second: int) -> datetime:
        """Return the time `second` seconds after the origin."""
        return self.origin + second * SECOND


def seconds_until(origin: datetime, moment: datetime, *, late: bool) -> int:
    """Return whole seconds from `origin` to `moment`, rounded up when `late`, else down."""
    gap = moment - origin
    return -((-gap) // SECOND) if late else gap // SECOND


def taper_delay_s(request: QuoteRequest) -> int:
    """Return how much longer charging to the departure minimum takes because of the taper."""
    vehicle = request.vehicle
    target = request.preferences.soc_min_departure_pct
    if not vehicle.max_charge_w:
        return 0
    delay = Fraction(0)
    ends = [*(step.from_soc_pct for step in request.taper[1:]), Decimal(100)]
    for step, end_pct in zip(request.taper, ends, strict=bool(request.taper)):
        span = min(end_pct, target) - step.from_soc_pct
        if span > 0 and step.max_charge_w < vehicle.max_charge_w:
            slower = Fraction(1, step.max_charge_w) - Fraction(1, vehicle.max_charge_w)
            stored_wh = Fraction(span) * vehicle.usable_capacity_wh / 100
            delay += stored_wh / Fraction(vehicle.charge_efficiency) * slower * 3600
    return -(-delay.numerator // delay.denominator)


def default_refill_price(request: QuoteRequest) -> Decimal:
    """Return the cheapest tariff price from now on."""
    entries = request.tariff
    ends = [entry.start_at for entry in entries[1:]]
    return min(
        entry.price_per_kwh
        for index, entry in enumerate(entries)
        if index == len(ends) or ends[index] > request.now
    )


def cut(request: QuoteRequest) -> Pieces:
    """Cut the time of `request`, which has passed `check`, into pieces."""
    scale = Scale.of(request)
    vehicle, wishes, offer = request.vehicle, request.preferences, request.offer
    capacity = vehicle.usable_capacity_wh
    origin = request.now
    if origin.microsecond:
        origin = origin.replace(microsecond=0) + SECOND
    end = seconds_until(origin, request.departure_at, late=False)
    end = max(0, end - request.departure_buffer_s - taper_delay_s(request))

    def clipped(start_at: datetime, end_at: datetime, *, late: bool) -> tuple[int, int]:
        start = min(max(seconds_until(origin, start_at, late=late), 0), end)
        return start, max(start, min(seconds_until(origin, end_at, late=not late), end))

    window = clipped(offer.start_at, offer.end_at, late=True)
    tariff_from = [seconds_until(origin, entry.start_at, late=False) for entry in request.tariff]
    promises = [
        (*clipped(promise.start_at, promise.end_at, late=True), promise)
        for promise in request.charging or ()
    ]
    commitments = [
        (*clipped(taken.start_at, taken.end_at, late=False), taken) for taken in request.commitments
    ]
    marks = {0, end, *window, *(mark for mark in tariff_from if 0 < mark < end)}
    marks.update(mark for item in promises for mark in item[:2])
    marks.update(mark for item in commitments for mark in item[:2])
    edges = sorted(marks)

    start = scale.stored(capacity, vehicle.soc_pct)
    floor = scale.stored(capacity, wishes.soc_floor_pct)
    prices = [scale.price(entry.price_per_kwh) for entry in request.tariff]

    def limits(edges: list[int]) -> tuple[list[int], list[int], list[int]]:
        """Return charge limit, price and stored energy per piece."""
        count = len(edges) - 1
        places = [bisect_right(tariff_from, edge) - 1 for edge in edges[:-1]]
        price = [prices[place] for place in places]
        charge_w = [vehicle.max_charge_w if request.charging is None else 0] * count
        for first, last, promise in promises:
            power = min(promise.max_w, vehicle.max_charge_w)
            for index in range(bisect_left(edges, first), bisect_left(edges, last)):
                own = promise.price_per_kwh
                cost = prices[places[index]] if own is None else scale.price(own)
                if (power, -cost) > (charge_w[index], -price[index]) or not charge_w[index]:
                    charge_w[index], price[index] = power, cost
        for first, last, _ in commitments:
            for index in range(bisect_left(edges, first), bisect_left(edges, last)):
                charge_w[index] = 0
        charge = [
            power * (edges[index + 1] - edges[index]) * scale.per_charged_ws
            for index, power in enumerate(charge_w)
        ]
        return charge_w, price, charge

    charge_w, price, charge = limits(edges)
    if start < floor:
        reached = _second_at(edges, charge_w, floor - start, scale.per_charged_ws)
        if reached is not None and reached not in marks:
            edges = sorted({*edges, reached})
            charge_w, price, charge = limits(edges)
    low = [min(floor, start)]
    added = start
    for energy in charge:
        added += energy
        low.append(min(floor, added))

    drain = [0] * (len(edges) - 1)
    for first, last, taken in commitments:
        begins = max(0, seconds_until(origin, taken.start_at, late=False))
        lasts = seconds_until(origin, taken.end_at, late=True) - begins
        whole = taken.energy_wh * scale.per_sold_wh
        for index in range(bisect_left(edges, first), bisect_left(edges, last)):
            before = whole * (edges[index] - begins) // lasts
            drain[index] += whole * (edges[index + 1] - begins) // lasts - before
    sellable = []
    for index, taken_out in enumerate(drain):
        second_units = (edges[index + 1] - edges[index]) * scale.per_sold_ws
        room = vehicle.max_discharge_w * second_units - taken_out
        sellable.append(max(0, min(room, offer.max_discharge_w * second_units)))

    refill = request.later_refill_price_per_kwh
    return Pieces(
        origin=origin,
        scale=scale,
        edges=edges,
        window=window,
        charge_w=charge_w,
        charge=charge,
        price=price,
        drain=drain,
        sellable=sellable,
        low=low,
        high=max(scale.stored(capacity, wishes.soc_ceiling_pct), start),
        start=start,
        need=scale.stored(capacity, wishes.soc_min_departure_pct),
        floor=floor,
        refill=scale.price(default_refill_price(request) if refill is None else refill),
    )


def _second_at(edges: list[int], charge_w: list[int], missing: int, per_ws: int) -> int | None:
    """Return the first second by which `missing` units could have been charged."""
    for index, power in enumerate(charge_w):
        rate = power * per_ws
        length = edges[index + 1] - edges[index]
        if rate * length >= missing:
            return edges[index] - (-missing // rate)
        missing -= rate * length
    return None
