"""What a discharged kWh costs this battery: the owner's own figure, else the published band."""

from decimal import ROUND_UP, Decimal
from functools import cache

from owner_api.core.model import Vehicle
from owner_api.planning.wear_price import wear_price_band

from .records import VehicleRecord

_STEP = Decimal("0.0001")


@cache
def _band(chemistry: str, pack_price: str) -> tuple[Decimal, Decimal, Decimal]:
    band = wear_price_band(chemistry, pack_price)
    return Decimal(band.low), Decimal(band.default), Decimal(band.high)


def wear_band(body: Vehicle) -> dict[str, str]:
    """Return low, default and high wear per AC kWh sold, in the owner's currency.

    The published band is per DC kWh; sold energy is AC, so it is divided by the discharge
    efficiency and rounded up to four decimals.
    """
    prices = _band(body.chemistry, str(body.pack_price_per_kwh))
    names = ("low", "default", "high")
    return {name: str(_per_ac_kwh(price, body)) for name, price in zip(names, prices, strict=True)}


def _per_ac_kwh(price: Decimal, body: Vehicle) -> Decimal:
    return (price / body.discharge_efficiency).quantize(_STEP, rounding=ROUND_UP)


def wear_per_kwh(vehicle: VehicleRecord) -> Decimal:
    """Return the wear price that quotes use, per AC kWh sold."""
    told, body = vehicle.preferences.degradation_cost_per_kwh, vehicle.body
    if told is not None:
        return told
    _, default, _ = _band(body.chemistry, str(body.pack_price_per_kwh))
    return _per_ac_kwh(default, body)
