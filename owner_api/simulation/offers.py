"""The terms a simulated park writes into its offers."""

from datetime import datetime
from decimal import Decimal
from typing import Any

_POWER_STEP_W = 100
_HEADROOM = 1.15


def terms(
    *,
    start_at: datetime,
    end_at: datetime,
    energy_wh: int,
    price: Decimal,
    min_energy_wh: int = 1_000,
    max_power_w: int = 11_000,
    lease_s: int = 120,
    recharge: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return TERMS that ask for AC ``energy_wh`` in a window, at a power that fits with room."""
    hours = (end_at - start_at).total_seconds() / 3600
    power_w = min(max_power_w, _up(energy_wh / hours * _HEADROOM))
    return {
        "start_at": start_at.isoformat(),
        "end_at": end_at.isoformat(),
        "requested_energy_wh": energy_wh,
        "min_energy_wh": min(min_energy_wh, energy_wh),
        "max_energy_wh": energy_wh,
        "max_discharge_w": power_w,
        "reward": {"kind": "cash", "currency": "CNY", "price_per_kwh": str(price)},
        "lease_s": lease_s,
        "early_stop_policy": "pro_rata",
        "dispute_window_s": 86_400,
        "recharge": recharge,
    }


def _up(power_w: float) -> int:
    return (int(power_w) // _POWER_STEP_W + 1) * _POWER_STEP_W
