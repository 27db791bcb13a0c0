"""How far the meter has carried the state of charge since the car last told a new one.

Counted from the last change of the value, not from the last report: a frozen sensor that repeats
itself must not look like a battery that does not empty.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

# A pause of the executor is bridged with the last power, as the worst case, for no longer.
_LONGEST_STEP = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carry:
    """The last state of charge, when it was told, and what has left the battery since it changed.

    ``exported_wh`` is AC energy out of the car; ``counted_at`` is how far it has been counted.
    """

    soc_pct: float | None = None
    soc_at: datetime | None = None
    exported_wh: float = 0.0
    counted_at: datetime | None = None
    restored: bool = False
    restored_at: datetime | None = None
    """When the value was told that may be restored: told at that time it says nothing new."""

    def counted(self, now: datetime, *, measured_w: int | None, commanded_w: int | None) -> Carry:
        """Return the same after what may have flowed since, by meter or command, the stronger."""
        if self.counted_at is None or now <= self.counted_at:
            return replace(self, counted_at=max(now, self.counted_at or now))
        out_w = max(0, -(measured_w or 0), -(commanded_w or 0))
        hours = min(now - self.counted_at, _LONGEST_STEP).total_seconds() / 3600
        return replace(self, exported_wh=self.exported_wh + out_w * hours, counted_at=now)

    def told(self, soc_pct: float, at: datetime) -> Carry:
        """Return the same after a report; only a new value starts the count again.

        The first report after a restart that repeats what is on disk may be restored, not
        measured: it counts as no newer than what is on disk, however often it is looked at.
        """
        if soc_pct != self.soc_pct:
            return replace(self, soc_pct=soc_pct, soc_at=at, exported_wh=0.0, restored=False)
        if self.restored:
            return replace(self, restored=False, restored_at=at)
        if at == self.restored_at:
            return self
        return replace(self, soc_at=max(at, self.soc_at or at))

    def carried_pct(self, capacity_wh: int, discharge_efficiency: float) -> float:
        """Return the points of the battery that have left since the value changed."""
        return self.exported_wh / discharge_efficiency / capacity_wh * 100
