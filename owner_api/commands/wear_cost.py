"""What a discharged kWh costs this battery: the owner's own figure, else the published band."""

from decimal import ROUND_UP, Decimal
from functools import lru_cache

from owner_api.core.model import Vehicle
from owner_api.planning.wear_price import wear_price_band

from .records import VehicleRecord

_STEP = Decimal("0.0001")


# Owners choose the price and the efficiency, so there is no end of keys.
@lru_cache(maxsize=1024)
def _band(chemistry: str, pack_price: Decimal, efficiency: Decimal) -> dict[str, Decimal]:
    """Return low, default and high wear per AC kWh sold.

    The published band is per DC kWh; sold energy is AC, so it is divided by the discharge
    efficiency and rounded up to four decimals.
    """
    band = wear_price_band(chemistry, str(pack_price))
    prices = {"low": band.low, "default": band.default, "high": band.high}
    return {
        name: (Decimal(price) / efficiency).quantize(_STEP, rounding=ROUND_UP)
        for name, price in prices.items()
    }


def _band_of(body: Vehicle) -> dict[str, Decimal]:
    return _band(body.chemistry, body.pack_price_per_kwh, body.discharge_efficiency)


def wear_band(body: Vehicle) -> dict[str, str]:
    """Return low, default and high wear per AC kWh sold, in the owner's currency."""
    return {name: str(price) for name, price in _band_of(body).items()}


def wear_per_kwh(vehicle: VehicleRecord) -> Decimal:
    """Return the wear price that quotes use, per AC kWh sold."""
    told = vehicle.preferences.degradation_cost_per_kwh
    return told if told is not None else _band_of(vehicle.body)["default"]
