"""Integer units for one request, so that the whole computation is exact.

Stored energy is counted in 1/`per_wh` Wh, with `per_wh` chosen so that every power limit, state
of charge and sold Wh of the request is a whole number. Prices are whole numbers of
10^-`price_digits`, doubled (see `curves`).
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import lcm

from .request import QuoteRequest

SECONDS_PER_HOUR = 3600


def decimals(value: Decimal) -> int:
    """Return how many digits follow the decimal point."""
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """Conversions between a request's own units and the integers of the computation."""

    per_wh: int
    per_charged_ws: int  # stored units per AC watt-second charged
    per_sold_ws: int  # stored units per AC watt-second sold
    per_sold_wh: int  # stored units per AC Wh sold
    charge_efficiency: Fraction
    discharge_efficiency: Fraction
    price_digits: int
    price_unit: int  # slope of one currency unit per kWh

    @classmethod
    def of(cls, request: QuoteRequest) -> Scale:
        """Choose the units for `request`."""
        vehicle, wishes = request.vehicle, request.preferences
        charge = Fraction(vehicle.charge_efficiency)
        discharge = Fraction(vehicle.discharge_efficiency)
        percents = (
            vehicle.soc_pct,
            wishes.soc_floor_pct,
            wishes.soc_ceiling_pct,
            wishes.soc_min_departure_pct,
        )
        per_wh = lcm(
            SECONDS_PER_HOUR * charge.denominator,
            SECONDS_PER_HOUR * discharge.numerator,
            10 ** (2 + max(decimals(percent) for percent in percents)),
        )
        prices = {entry.price_per_kwh for entry in request.tariff}
        prices.update(
            promise.price_per_kwh
            for promise in request.charging or ()
            if promise.price_per_kwh is not None
        )
        if request.later_refill_price_per_kwh is not None:
            prices.add(request.later_refill_price_per_kwh)
        digits = max(decimals(price) for price in prices)
        return cls(
            per_wh=per_wh,
            per_charged_ws=per_wh * charge.numerator // (charge.denominator * SECONDS_PER_HOUR),
            per_sold_ws=per_wh * discharge.denominator // (discharge.numerator * SECONDS_PER_HOUR),
            per_sold_wh=per_wh * discharge.denominator // discharge.numerator,
            charge_efficiency=charge,
            discharge_efficiency=discharge,
            price_digits=digits,
            price_unit=2 * int(10**digits),
        )

    def stored(self, capacity_wh: int, percent: Decimal) -> int:
        """Return a state of charge in stored units."""
        numerator, denominator = percent.as_integer_ratio()
        return capacity_wh * numerator * self.per_wh // (100 * denominator)

    def percent(self, capacity_wh: int, stored: int) -> Fraction:
        """Return stored units as a state of charge in percent."""
        return Fraction(100 * stored, capacity_wh * self.per_wh)

    def price(self, price_per_kwh: Decimal) -> int:
        """Return a price per AC kWh bought as a doubled integer slope (even)."""
        return 2 * int(price_per_kwh.scaleb(self.price_digits))

    def charged_wh(self, stored: int) -> Fraction:
        """Return the AC energy that charging `stored` units takes, in Wh."""
        return stored / (self.charge_efficiency * self.per_wh)

    def money(self, cost: int) -> Fraction:
        """Return a cost (slope times stored units) in currency units."""
        return Fraction(cost, self.price_unit * 1000 * self.per_wh) / self.charge_efficiency

    def cost(self, money: Fraction) -> Fraction:
        """Return an amount of money, in currency units, as a cost."""
        return money * self.charge_efficiency * (self.price_unit * 1000 * self.per_wh)

    def sold_price(self, slope: int | Fraction) -> Fraction:
        """Return the price per AC kWh sold that a slope of the supply curve stands for."""
        round_trip = self.charge_efficiency * self.discharge_efficiency
        return Fraction(slope) / (self.price_unit * round_trip)
