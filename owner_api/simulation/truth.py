"""What an offer is worth by the true state: the same quote, asked by someone who knows everything.

The quote is the API's own library and the owner's own wishes; state of charge, efficiencies and
leave time are the car's true ones, no margin is kept, and no energy is rounded to what a park may
learn. Only for comparison: nothing here is told to the API or decides anything.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from owner_api.planning.quote import (
    ChargingPromise,
    Offer,
    Preferences,
    QuoteRequest,
    TariffEntry,
    Vehicle,
    quote,
)

from .car import Car
from .wishes import Wishes

# Finer than any meter; the planner reads exact decimals.
_FINEST: Final = Decimal("1e-9")
_AN_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """One offer in the light of the true state when it was made; net in minor units."""

    request: QuoteRequest | None
    net_minor: int

    @property
    def profitable(self) -> bool:
        """Tell whether some of it could be delivered and pays."""
        return self.net_minor > 0

    def net_of(self, energy_wh: int) -> int:
        """Return the true net, minor units, of having delivered just ``energy_wh``."""
        if energy_wh == 0 or self.request is None:
            return 0
        offer = replace(self.request.offer, requested_energy_wh=energy_wh, min_energy_wh=energy_wh)
        asked = replace(self.request, offer=offer)
        net_minor = quote(asked).net_minor
        if net_minor is None:
            # What was delivered was possible, whatever a rounding or a limit says of it.
            generous = replace(
                asked.preferences, soc_floor_pct=Decimal(0), soc_min_departure_pct=Decimal(0)
            )
            net_minor = quote(replace(asked, preferences=generous)).net_minor
        return net_minor or 0


def true_value(
    car: Car,
    wishes: Wishes,
    terms: dict[str, Any],
    *,
    now: datetime,
    leave_at: datetime,
    buffer_s: int,
    prices: list[tuple[datetime, Decimal]],
) -> Truth:
    """Quote an offer on the true state; worth 0 where nothing of it is possible.

    ``prices`` are what the owner told, the first at or before ``now``; beyond the last hour the
    dearest stands in, as in the API. ``buffer_s`` is how long before leaving the owner wants all
    to be over.
    """
    start_at, end_at = (datetime.fromisoformat(terms[key]) for key in ("start_at", "end_at"))
    if start_at >= leave_at - timedelta(seconds=buffer_s):
        return Truth(request=None, net_minor=0)
    spec, reward = car.spec, terms["reward"]
    request = QuoteRequest(
        now=now,
        departure_at=leave_at,
        departure_buffer_s=buffer_s,
        vehicle=Vehicle(
            usable_capacity_wh=spec.usable_capacity_wh,
            soc_pct=_exact(car.battery.soc_pct),
            max_charge_w=spec.max_charge_w,
            max_discharge_w=spec.max_discharge_w,
            charge_efficiency=_exact(spec.charge_efficiency),
            discharge_efficiency=_exact(spec.discharge_efficiency),
        ),
        preferences=Preferences(
            soc_floor_pct=_exact(wishes.floor_pct),
            soc_ceiling_pct=Decimal(100),
            soc_min_departure_pct=_exact(wishes.min_departure_pct),
            degradation_cost_per_kwh=Decimal(wishes.wear_price),
            min_price_per_kwh=Decimal(wishes.min_price),
        ),
        tariff=_tariff(prices, leave_at),
        charging=_promised(terms["recharge"]),
        currency=reward["currency"],
        offer=Offer(
            start_at=start_at,
            end_at=end_at,
            requested_energy_wh=terms["requested_energy_wh"],
            min_energy_wh=terms["min_energy_wh"],
            max_discharge_w=terms["max_discharge_w"],
            price_per_kwh=Decimal(reward["price_per_kwh"]),
            currency=reward["currency"],
        ),
    )
    return Truth(request=request, net_minor=quote(request).net_minor or 0)


def _exact(number: float) -> Decimal:
    return Decimal(repr(number)).quantize(_FINEST)


def _tariff(prices: list[tuple[datetime, Decimal]], until: datetime) -> tuple[TariffEntry, ...]:
    told = [TariffEntry(start_at=at, price_per_kwh=price) for at, price in prices if at < until]
    ends = prices[-1][0] + _AN_HOUR
    if ends < until:
        dearest = max(price for _, price in prices)
        told.append(TariffEntry(start_at=ends, price_per_kwh=dearest))
    return tuple(told)


def _promised(recharge: dict[str, Any] | None) -> tuple[ChargingPromise, ...]:
    """Return the latest stretch in which the park can keep its word: no earlier one is promised."""
    if recharge is None:
        return ()
    by = datetime.fromisoformat(recharge["by"])
    stretch = timedelta(seconds=recharge["energy_wh"] * 3600 // recharge["max_w"])
    return (
        ChargingPromise(
            start_at=max(datetime.fromisoformat(recharge["start_at"]), by - stretch),
            end_at=by,
            max_w=recharge["max_w"],
            price_per_kwh=Decimal(recharge["price_per_kwh"]),
        ),
    )
