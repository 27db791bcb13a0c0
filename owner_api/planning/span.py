"""From now to the horizon in whole seconds, rounded on the cautious side."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from .request import QuoteRequest

SECOND = timedelta(seconds=1)
DAY_S = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Whole seconds from `origin` (now, rounded up) to `end` (the horizon)."""

    origin: datetime
    end: int

    @classmethod
    def of(cls, request: QuoteRequest) -> Span:
        """Return the span that a request may plan in (design §5: buffer and taper taken off)."""
        origin = request.now
        if origin.microsecond:
            origin = origin.replace(microsecond=0) + SECOND
        end = (request.departure_at - origin) // SECOND
        return cls(
            origin=origin, end=max(0, end - request.departure_buffer_s - taper_delay_s(request))
        )

    @property
    def horizon(self) -> datetime:
        """The moment that every plan ends at."""
        return self.origin + self.end * SECOND

    def seconds(self, moment: datetime, *, late: bool) -> int:
        """Return whole seconds from the origin to `moment`, rounded up when `late`, else down."""
        gap = moment - self.origin
        whole = gap.days * DAY_S + gap.seconds  # a timedelta keeps both rounded down
        return whole + 1 if late and gap.microseconds else whole

    def clip(self, start_at: datetime, end_at: datetime, *, shrink: bool) -> tuple[int, int]:
        """Return an interval cut to the span; fractions of a second `shrink` or widen it."""
        start = min(max(self.seconds(start_at, late=shrink), 0), self.end)
        return start, max(start, min(self.seconds(end_at, late=not shrink), self.end))


def taper_delay_s(request: QuoteRequest) -> int:
    """Return how much longer charging to the departure minimum takes because of the taper.

    Per taper step below the minimum: its stored energy, charged at the step's power instead of
    the car's (design §5). Rounded up to a second. Where nobody charges nothing takes longer.
    """
    vehicle = request.vehicle
    if not vehicle.max_charge_w or not request.taper or request.charging == ():
        return 0
    target = request.preferences.soc_min_departure_pct
    delay = Fraction(0)
    ends = [*(step.from_soc_pct for step in request.taper[1:]), Decimal(100)]
    for step, end_pct in zip(request.taper, ends, strict=True):
        span = min(end_pct, target) - step.from_soc_pct
        if span > 0 and step.max_charge_w < vehicle.max_charge_w:
            slower = Fraction(1, step.max_charge_w) - Fraction(1, vehicle.max_charge_w)
            stored_wh = Fraction(span) * vehicle.usable_capacity_wh / 100
            delay += stored_wh / Fraction(vehicle.charge_efficiency) * slower * 3600
    return -(-delay.numerator // delay.denominator)


def promise_delay_s(request: QuoteRequest, max_w: int) -> int:
    """Return what of a promise's end the taper takes: charging at its power takes so much longer.

    A promise may end long before the horizon, where nothing is taken off that.
    """
    most_w = min(max_w, request.vehicle.max_charge_w)
    vehicle = replace(request.vehicle, max_charge_w=most_w)
    return taper_delay_s(replace(request, charging=None, vehicle=vehicle))
