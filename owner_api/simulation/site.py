"""The park's own side: sun on the roof, load in the house, and what the grid asks per kWh."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
import math
import random
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
PV_PRICE = Decimal("0.3")
PEAK_PRICE = Decimal("1.2")
_PEAK_FROM_H, _PEAK_TO_H = 14, 22
_DAY_PRICE, _NIGHT_PRICE, _DAY_FROM_H = Decimal("0.7"), Decimal("0.35"), 8
# The roof faces east and the tower beside it takes the afternoon sun.
_SUN_FROM_H, _SUN_TO_H = 5.5, 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A business park; powers in W, hours by the park's own clock, prices in CNY per kWh."""

    pv_peak_w: float = 520_000
    base_load_w: float = 60_000
    office_load_w: float = 180_000
    seed: int = 1

    def pv_w(self, at: datetime) -> float:
        """Return the roof's power: a clear-sky arch, dimmed by passing clouds."""
        hour = local_hour(at)
        if not _SUN_FROM_H < hour < _SUN_TO_H:
            return 0.0
        arch = math.sin(math.pi * (hour - _SUN_FROM_H) / (_SUN_TO_H - _SUN_FROM_H)) ** 1.3
        cloud = random.Random(f"{self.seed}/{at:%Y%m%d%H}{at.minute // 5}").uniform(0.75, 1.0)
        return float(self.pv_peak_w * arch * cloud)

    def load_w(self, at: datetime) -> float:
        """Return what the houses use: a base and an office day."""
        hour = local_hour(at)
        office = max(0.0, math.sin(math.pi * (hour - 7) / 12)) if 7 < hour < 19 else 0.0
        return self.base_load_w + self.office_load_w * office

    def surplus_w(self, at: datetime) -> float:
        """Return the sun that the houses leave over, 0 or more."""
        return max(0.0, self.pv_w(at) - self.load_w(at))

    def grid_price(self, at: datetime) -> Decimal:
        """Return what a kWh from the grid costs the park."""
        hour = local_hour(at)
        if _PEAK_FROM_H <= hour < _PEAK_TO_H:
            return PEAK_PRICE
        return _DAY_PRICE if _DAY_FROM_H <= hour < _PEAK_FROM_H else _NIGHT_PRICE


def local_hour(at: datetime) -> float:
    """Return the park's clock time as hours, 0 to 24."""
    local = at.astimezone(ZONE)
    return local.hour + local.minute / 60 + local.second / 3600
