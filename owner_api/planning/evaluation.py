"""The judgement behind a quote: how much fits, what it costs, whether it is accepted."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from .check import MAX_ENERGY_WH
from .curves import Curve
from .horizon import Ahead, costs_to_arrive, look_ahead
from .money import minor_per_unit, ratio_up
from .pieces import Pieces, cut
from .request import QuoteRequest
from .scale import PRICE_UNIT, Scale, decimals
from .supply import Supply, window_supply
from .taper import fullest_at_window, least_after_window

type Fits = Literal["all", "part", "none"]
type Block = Literal["temperature", "warranty", "currency"]

COLDEST_PACK_C = Decimal(0)
HOTTEST_PACK_C = Decimal(45)
PRICE_UP_DIGITS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Pay:
    """What one payer pays, as integers: `price` per Wh sold, `fixed` and `cap` amounts."""

    price: int
    fixed: int
    cap: int | None

    def gross(self, energy_wh: int, requested_wh: int) -> int:
        """Return what is paid for an energy; the fixed part pro rata, the sum capped."""
        paid = self.price * energy_wh + self.fixed * energy_wh // requested_wh
        return paid if self.cap is None else min(paid, self.cap)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """Money as integers, so that every comparison of a net with nothing is exact.

    `unit` of them make one currency unit, `minor` a minor one; `wear` is per Wh sold, `cost` per
    unit of a curve's cost, `pays` one for each payer.
    """

    unit: int
    minor: int
    wear: int
    cost: int
    pays: tuple[Pay, ...]

    @classmethod
    def of(cls, request: QuoteRequest, scale: Scale) -> Rates:
        """Choose the integer for `request`."""
        offer, wear = request.offer, request.preferences.degradation_cost_per_kwh
        prices = [share.price_per_kwh for share in offer.shares]
        finer = 1000 * int(10 ** max(decimals(price) for price in (*prices, wear)))
        unit = finer * PRICE_UNIT * 1000 * scale.per_wh * scale.charge[0]
        minor = unit // minor_per_unit(offer.currency)
        return cls(
            unit=unit,
            minor=minor,
            wear=_times(wear, unit // 1000),
            cost=finer * scale.charge[1],
            pays=tuple(
                Pay(
                    price=_times(share.price_per_kwh, unit // 1000),
                    fixed=share.fixed_minor * minor,
                    cap=None if share.cap_minor is None else share.cap_minor * minor,
                )
                for share in offer.shares
            ),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """One request, judged. Money is in integer `rates.unit`s.

    `cost_without` is J0 (as a cost); None when J0 has no solution, then `supply` is None too.
    """

    request: QuoteRequest
    pieces: Pieces
    rates: Rates
    ahead: Ahead
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

    def gross(self, energy_wh: int, requested_wh: int | None = None) -> int:
        """Return what is paid, rounded down to a unit for each payer.

        A fixed reward counts pro rata below the request (the offer's, or another that is
        tried); each payer's cap holds for what that payer pays.
        """
        requested = self.request.offer.requested_energy_wh if requested_wh is None else requested_wh
        return sum(pay.gross(energy_wh, requested) for pay in self.rates.pays)

    def total_cost(self, energy_wh: int) -> int:
        """Return J(x) - J0, wear included, for an energy that has a solution."""
        if self.supply is None or self.cost_without is None:
            raise ValueError("nothing has a solution")
        sold = energy_wh * self.pieces.scale.per_sold_wh
        extra = self.supply.cost(sold) - self.cost_without
        return extra * self.rates.cost + self.rates.wear * energy_wh

    def net(self, energy_wh: int, requested_wh: int | None = None) -> int:
        """Return the net of design §5; its sign is exact."""
        return self.gross(energy_wh, requested_wh) - self.total_cost(energy_wh)

    def price_for(self, money: int, energy_wh: int) -> Decimal:
        """Return the price per kWh that pays `money` for `energy_wh`, rounded up to 0.0001."""
        return ratio_up(money * 1000, energy_wh * self.rates.unit, PRICE_UP_DIGITS)

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
    ahead = look_ahead(pieces)
    last = len(pieces.charge) if arrive_everywhere else pieces.window_pieces()[0]
    arrive = costs_to_arrive(pieces, last)
    at_start = ahead.costs[0]
    cost_without = None
    if at_start is not None and at_start.left <= pieces.start <= at_start.right:
        cost_without = at_start.value_at(pieces.start)
    supply = None if cost_without is None else window_supply(pieces, arrive, ahead)
    block = block_of(request)
    most = 0
    if supply is not None and block in (None, "currency"):
        stored = _most_stored(request, pieces, ahead, supply)
        most = max(0, min(stored // pieces.scale.per_sold_wh, allowance_wh(request)))
    return Evaluation(
        request=request,
        pieces=pieces,
        rates=Rates.of(request, pieces.scale),
        ahead=ahead,
        arrive=arrive,
        cost_without=cost_without,
        supply=supply,
        block=block,
        max_energy_wh=most,
    )


def _most_stored(request: QuoteRequest, pieces: Pieces, ahead: Ahead, supply: Supply) -> int:
    """Return what can be taken out in the window (stored units): with a taper also what it leaves.

    Below nothing where the plan without the offer hangs on charging faster than the car takes it.
    """
    first, last = pieces.window_pieces()
    go = ahead.costs[last]
    if not request.taper or go is None:
        return supply.most
    needed = max(go.left, least_after_window(request, pieces))
    stored = fullest_at_window(request, pieces) - needed - sum(pieces.drain[first:last])
    return min(supply.most, stored)


def warranty_left_wh(request: QuoteRequest) -> int | None:
    """Return what a capped warranty still allows, None when it sets no limit."""
    if request.vehicle.warranty_discharge_policy != "capped":
        return None
    return request.vehicle.warranty_left_wh or 0


def allowance_wh(request: QuoteRequest) -> int:
    """Return what the owner's budget and the warranty still allow to be sold."""
    limits = (MAX_ENERGY_WH, request.budget_left_wh, warranty_left_wh(request))
    return min(limit for limit in limits if limit is not None)


def block_of(request: QuoteRequest) -> Block | None:
    """Return what forbids the sale before anything is computed."""
    vehicle = request.vehicle
    temperature = vehicle.pack_temperature_c
    if temperature is not None and not COLDEST_PACK_C <= temperature <= HOTTEST_PACK_C:
        return "temperature"
    if vehicle.warranty_discharge_policy == "prohibited":
        return "warranty"
    if request.currency is not None and request.currency != request.offer.currency:
        return "currency"
    return None


def _times(value: Decimal, factor: int) -> int:
    numerator, denominator = value.as_integer_ratio()
    return numerator * factor // denominator
