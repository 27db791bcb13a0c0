"""An energy meter with two registers, whole Wh each, that do not know how often they are read."""

from dataclasses import dataclass, field
from datetime import datetime

# What floating point loses in one multiplication must not hide a whole Wh.
_ROUNDING_WH = 1e-6


@dataclass(slots=True)
class Meter:
    """Counts power over time: ``import_wh`` into the car, ``export_wh`` out of it, never falling.

    As long as the same power flows, energy is that power times all of its time, in one
    multiplication: a sum of the pieces between looks would depend on how often one looks.
    """

    import_wh: float = 0.0
    export_wh: float = 0.0
    _power_w: float = 0.0
    _since: datetime | None = None
    _until: datetime | None = None
    _before: tuple[float, float] = field(default=(0.0, 0.0))

    @property
    def import_register_wh(self) -> int:
        """Return the import register, whole Wh."""
        return int(self.import_wh + _ROUNDING_WH)

    @property
    def export_register_wh(self) -> int:
        """Return the export register, whole Wh."""
        return int(self.export_wh + _ROUNDING_WH)

    def count(self, start: datetime, end: datetime, power_w: float) -> None:
        """Count a span of constant AC power, W, + into the car."""
        if start != self._until or power_w != self._power_w or self._since is None:
            self._since, self._power_w = start, power_w
            self._before = (self.import_wh, self.export_wh)
        self._until = end
        moved_wh = power_w * (end - self._since).total_seconds() / 3600
        self.import_wh = self._before[0] + max(0.0, moved_wh)
        self.export_wh = self._before[1] + max(0.0, -moved_wh)

    def export_reaches(self, wh: float) -> None:
        """Set the export register to what a charger that ends by itself has counted to."""
        if wh > self.export_wh:
            self.export_wh = wh
            self._since = None
