"""What a simulated car feels: who let how much through, from when to when."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One span of constant AC power (W, + into the car) and the true SoC (%) at both ends.

    ``deal`` names the accepted offer the charger says it discharges for; ``lease_until`` is the
    instant, in true time, at which the charger was told to fall silent.
    """

    start_at: datetime
    end_at: datetime
    power_w: float
    soc_start_pct: float
    soc_end_pct: float
    deal: str | None = None
    lease_until: datetime | None = None

    @property
    def discharged_wh(self) -> float:
        """Return the AC energy that left the car, Wh, 0 or more."""
        return max(0.0, -self.power_w) * (self.end_at - self.start_at).total_seconds() / 3600
