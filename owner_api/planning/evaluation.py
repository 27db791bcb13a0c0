"""The judgement behind a quote: how much fits, what it costs, whether it is accepted."""

from bisect import bisect_left
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from .curves import Curve
from .horizon import costs_to_arrive, costs_to_go
from .money import minor_per_unit
from .pieces import Pieces, cut
from .request import Offer, QuoteRequest
from .supply import Supply, window_supply

type Fits = Literal["all", "part", "none"]
type Block = Literal["temperature", "warranty", "currency"]

COLDEST_PACK_C = Decimal(0)
HOTTEST_PACK_C = Decimal(45)


def gross(offer: Offer, energy_wh: int) -> Fraction:
    """Return what the park pays for `energy_wh` <= requested, in currency units.

    A fixed reward counts pro rata below the request; the cap holds for the sum.
    """
    unit = minor_per_unit(offer.currency)
    share = Fraction(energy_wh, offer.requested_energy_wh)
    paid = Fraction(offer.price_per_kwh) * energy_wh / 1000 + offer.fixed_minor * share / unit
    if offer.cap_minor is None:
        return paid
    return min(paid, Fraction(offer.cap_minor, unit))


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """One request, judged. `cost_without` is J0 less nothing; None when J0 has no solution."""

    request: QuoteRequest
    pieces: Pieces
    go: list[Curve | None]
    arrive: list[Curve | None]
    cost_without: int | None
    supply: Supply | None
    block: Block | None
    max_energy_wh: int

    @property
    def fits(self) -> Fits:
        """Say how much of the request has a solution."""
        offer = self.request.offer
        if self.max_energy_wh >= offer.requested_energy_wh:
            return "all"
        return "part" if self.max_energy_wh >= max(1, offer.min_energy_wh) else "none"

    @property
    def quoted_energy_wh(self) -> int:
        """Return the energy that every figure of the quote is for."""
        return min(self.request.offer.requested_energy_wh, self.max_energy_wh)

    def extra_cost(self, energy_wh: int) -> Fraction:
        """Return J(x) - J0 without wear, in currency units, for x with a solution."""
        if self.supply is None or self.cost_without is None:
            raise ValueError("nothing has a solution")
        sold = energy_wh * self.pieces.scale.per_sold_wh
        return self.pieces.scale.money(self.supply.cost(sold) - self.cost_without)

    def total_cost(self, energy_wh: int) -> Fraction:
        """Return J(x) - J0 with wear, in currency units, for x with a solution."""
        return self.extra_cost(energy_wh) + self.wear(energy_wh)

    def wear(self, energy_wh: int) -> Fraction:
        """Return the wear of selling `energy_wh`, in currency units."""
        return Fraction(self.request.preferences.degradation_cost_per_kwh) * energy_wh / 1000

    def net(self, energy_wh: int) -> Fraction:
        """Return the exact net of design §5 for `energy_wh`, in currency units."""
        return gross(self.request.offer, energy_wh) - self.total_cost(energy_wh)

    @property
    def price_is_enough(self) -> bool:
        """Say whether the offered price reaches the owner's minimum."""
        return self.request.offer.price_per_kwh >= self.request.preferences.min_price_per_kwh

    @property
    def accepted(self) -> bool:
        """Say whether all of the request fits, at the owner's price, without a loss."""
        return (
            self.block != "currency"
            and self.fits == "all"
            and self.price_is_enough
            and self.net(self.request.offer.requested_energy_wh) >= 0
        )


def evaluate(request: QuoteRequest, *, arrive_everywhere: bool = False) -> Evaluation:
    """Judge a checked request.

    Cost-to-arrive is computed up to the offer's window, or everywhere when windows elsewhere
    will be tried.
    """
    pieces = cut(request)
    go = costs_to_go(pieces)
    last = len(pieces.charge) if arrive_everywhere else bisect_left(pieces.edges, pieces.window[0])
    arrive = costs_to_arrive(pieces, last)
    at_start = go[0]
    cost_without = None
    if at_start is not None and at_start.left <= pieces.start <= at_start.right:
        cost_without = at_start.value_at(pieces.start)
    supply = None if cost_without is None else window_supply(pieces, arrive, go)
    block = _block(request)
    most = 0
    if supply is not None and block in (None, "currency"):
        most = min(supply.most // pieces.scale.per_sold_wh, *_allowances(request))
    return Evaluation(
        request=request,
        pieces=pieces,
        go=go,
        arrive=arrive,
        cost_without=cost_without,
        supply=supply,
        block=block,
        max_energy_wh=most,
    )


def warranty_left_wh(request: QuoteRequest) -> int | None:
    """Return what a capped warranty still allows, None when it sets no limit."""
    if request.vehicle.warranty_discharge_policy != "capped":
        return None
    return request.vehicle.warranty_left_wh or 0


def _allowances(request: QuoteRequest) -> list[int]:
    limits = (request.budget_left_wh, warranty_left_wh(request))
    return [10**12, *(limit for limit in limits if limit is not None)]


def _block(request: QuoteRequest) -> Block | None:
    vehicle = request.vehicle
    temperature = vehicle.pack_temperature_c
    if temperature is not None and not COLDEST_PACK_C <= temperature <= HOTTEST_PACK_C:
        return "temperature"
    if vehicle.warranty_discharge_policy == "prohibited":
        return "warranty"
    if request.currency is not None and request.currency != request.offer.currency:
        return "currency"
    return None
