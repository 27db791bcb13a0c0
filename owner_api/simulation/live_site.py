"""One car at one bidirectional charger in real time, its meter log, and what the car tells."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from .battery import Battery, BatterySpec, TaperStep
from .charger import Charger
from .flow import Flow
from .world import World

# The event with which the car's own integration would tell Home Assistant what the car says.
CAR_EVENT: Final = "demo_car_report"
_TELL_EVERY: Final = timedelta(seconds=2)
_TELL_TIMEOUT_S: Final = 5.0
_SOC_STEP_PCT: Final = 0.1


class LiveSite:
    """The hardware: a 60 kWh car at a 60 kW charger whose meter is logged register by register."""

    def __init__(
        self, world: World, *, evse_id: str, soc_pct: float, power_w: int, meter_log: Path
    ) -> None:
        spec = BatterySpec(
            usable_capacity_wh=60_000,
            max_charge_w=power_w,
            max_discharge_w=power_w,
            taper=(TaperStep(from_soc_pct=90, max_charge_w=power_w // 4),),
        )
        self.world = world
        self.battery = Battery(spec, spec.usable_capacity_wh * soc_pct / 100)
        self.charger = Charger(evse_id, world.now(), max_power_w=power_w)
        self.plugged_in = False
        self._twin = Battery(spec, self.battery.energy_wh)
        self._meter_log = meter_log

    def plug_in(self) -> None:
        """Connect the car."""
        self.charger.plug_in(self.world.now(), self.battery, self._twin, _unguarded)
        self.plugged_in = True

    def read_meter(self, context: str) -> dict[str, Any]:
        """Let time pass up to now, read the meter and log what it showed."""
        now = self.world.now()
        self.charger.advance(now)
        reading: dict[str, Any] = {
            "measured_at": now.isoformat(),
            "import_register_wh": self.charger.import_register_wh,
            "export_register_wh": self.charger.export_register_wh,
            "power_w": round(self.charger.power_w),
            "context": context,
        }
        with self._meter_log.open("ab") as log:
            log.write(orjson.dumps({"evse_id": self.charger.evse_id} | reading) + b"\n")
        return reading

    def car_says(self) -> dict[str, Any]:
        """Return what the car's gauge shows now."""
        self.charger.advance(self.world.now())
        return {
            "soc_pct": round(self.battery.reported_soc_pct(_SOC_STEP_PCT), 1),
            "plugged_in": self.plugged_in,
            "power_w": round(self.charger.power_w),
        }

    async def tell_home_assistant(self, http: aiohttp.ClientSession, url: str, token: str) -> None:
        """Keep telling the owner's Home Assistant what the car says, whether it listens or not."""
        headers = {"Authorization": f"Bearer {token}"}
        timeout = aiohttp.ClientTimeout(total=_TELL_TIMEOUT_S)
        while True:
            try:
                async with http.post(
                    f"{url}/api/events/{CAR_EVENT}",
                    json=self.car_says(),
                    headers=headers,
                    timeout=timeout,
                ):
                    pass
            except aiohttp.ClientError, TimeoutError:
                # Home Assistant restarts: a car's cloud would go on trying as well.
                pass
            await asyncio.sleep(_TELL_EVERY.total_seconds())


def _unguarded(_flow: Flow) -> None:
    """Let the flow pass: the violation counter belongs to ``owner-api simulate``."""
