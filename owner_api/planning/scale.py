"""Integer units for one request, so that the whole computation is exact.

Stored energy is counted in 1/`per_wh` Wh, with `per_wh` chosen so that every power limit, state
of charge and sold Wh of the request is a whole number. Only a commitment's energy, spread over
its window, is rounded to that unit, then under a billionth of a Wh. Prices are whole numbers of
1e-8, doubled (see `curves`).
"""

from dataclasses import dataclass
from decimal import Decimal
from math import lcm

from .money import ratio_down, ratio_near, ratio_up
from .request import QuoteRequest

SECONDS_PER_HOUR = 3600
FINER_FOR_SPREADING = 10**9
PRICE_DIGITS = 8
PRICE_UNIT = 2 * 10**PRICE_DIGITS  # slope of one currency unit per kWh
SHOWN_PRICE = Decimal("0.0001")
FINER_THAN_SHOWN = 10**4


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
    charge: tuple[int, int]  # the charge efficiency as numerator and denominator
    discharge: tuple[int, int]

    @classmethod
    def of(cls, request: QuoteRequest) -> Scale:
        """Choose the units for `request`."""
        vehicle, wishes = request.vehicle, request.preferences
        charge = vehicle.charge_efficiency.as_integer_ratio()
        discharge = vehicle.discharge_efficiency.as_integer_ratio()
        percents = (
            vehicle.soc_pct,
            wishes.soc_floor_pct,
            wishes.soc_ceiling_pct,
            wishes.soc_min_departure_pct,
        )
        per_wh = lcm(
            SECONDS_PER_HOUR * charge[1],
            SECONDS_PER_HOUR * discharge[0],
            10 ** (2 + max(decimals(percent) for percent in percents)),
        )
        if request.commitments:
            # Spread evenly over seconds, their energy is no whole number of any short unit.
            per_wh *= FINER_FOR_SPREADING
        return cls(
            per_wh=per_wh,
            per_charged_ws=per_wh * charge[0] // (charge[1] * SECONDS_PER_HOUR),
            per_sold_ws=per_wh * discharge[1] // (discharge[0] * SECONDS_PER_HOUR),
            per_sold_wh=per_wh * discharge[1] // discharge[0],
            charge=charge,
            discharge=discharge,
        )

    def stored(self, capacity_wh: int, percent: Decimal) -> int:
        """Return a state of charge in stored units."""
        numerator, denominator = percent.as_integer_ratio()
        return capacity_wh * numerator * self.per_wh // (100 * denominator)

    def percent_down(self, capacity_wh: int, stored: int, digits: int = 4) -> Decimal:
        """Return stored units as a state of charge in percent, rounded down."""
        return ratio_down(100 * stored, capacity_wh * self.per_wh, digits)

    def charged_wh(self, stored: int, digits: int) -> Decimal:
        """Return the AC energy that charging `stored` units takes, in Wh."""
        return ratio_near(stored * self.charge[1], self.per_wh * self.charge[0], digits)

    def stored_wh(self, stored: int, digits: int) -> Decimal:
        """Return stored units in Wh."""
        return ratio_near(stored, self.per_wh, digits)

    def sold_price_up(self, cost: int, energy_wh: int, wear: Decimal, digits: int) -> Decimal:
        """Return what a Wh sold costs, per kWh with wear, when `energy_wh` of them cost `cost`."""
        wear_over, wear_under = wear.as_integer_ratio()
        over = cost * self.charge[1]
        under = PRICE_UNIT * self.per_wh * energy_wh * self.charge[0]
        return ratio_up(over * wear_under + wear_over * under, under * wear_under, digits)


def slope_of(price_per_kwh: Decimal) -> int:
    """Return a price per AC kWh bought as a doubled integer slope (even)."""
    slope = price_per_kwh * PRICE_UNIT
    whole = int(slope)
    if whole & 1 or whole != slope:
        raise ValueError(f"{price_per_kwh} has more than {PRICE_DIGITS} decimals")
    return whole


def price_of(slope: int) -> Decimal:
    """Return the price that an even slope stands for, with four decimals, or all eight."""
    price = Decimal(slope // 2).scaleb(-PRICE_DIGITS)
    return price if slope // 2 % FINER_THAN_SHOWN else price.quantize(SHOWN_PRICE)
