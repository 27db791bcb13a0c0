"""What selling has cost one vehicle's battery so far, read from the API now and then."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, override

from homeassistant.core import HomeAssistant
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from .const import LOGGER
from .coordinator import V2GConfigEntry, update_failures
from .decode import decode

# The ledger counts full days only; four looks a day show a new one soon enough.
_READ_INTERVAL: Final = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryHealth:
    """The API's battery-health ledger of one vehicle.

    Percent of the new capacity as decimal strings, money in minor units of ``currency``, counted
    over ``days`` full days since ``since``; ``efc`` are equivalent full cycles.
    """

    vehicle_id: str
    model: str
    currency: str
    capacity_left_pct: str
    calendar_pct: str
    driving_cycling_pct: str
    v2g_cycling_pct: str
    v2g_cost_minor: int
    calendar_saved_pct: str
    calendar_saved_minor: int
    days: int = 0
    days_outside_tests: int = 0
    discharged_wh: int = 0
    efc: str = "0"
    v2g_efc: str = "0"
    since: datetime | None = None


def health_path(vehicle_id: str) -> str:
    """Return where the API tells a vehicle's battery health."""
    return f"/v1/vehicles/{vehicle_id}/battery-health"


class BatteryHealthCoordinator(DataUpdateCoordinator[BatteryHealth | None]):
    """Reads one vehicle's ledger, and only while an entity shows it."""

    config_entry: V2GConfigEntry

    def __init__(self, hass: HomeAssistant, entry: V2GConfigEntry, vehicle_id: str) -> None:
        """Prepare; nothing is read before somebody listens."""
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=f"{entry.title} battery health",
            update_interval=_READ_INTERVAL,
            always_update=False,
        )
        self._path = health_path(vehicle_id)

    @override
    async def _async_update_data(self) -> BatteryHealth:
        """Read the ledger."""
        with update_failures():
            answer = await self.config_entry.runtime_data.coordinator.api.get(self._path)
            return decode(BatteryHealth, answer)
