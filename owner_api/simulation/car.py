"""A simulated car: true battery, a twin that never sells, a gauge, and the guard inside."""

from dataclasses import dataclass, field
from datetime import datetime

from .battery import Battery, BatterySpec
from .charger import Charger
from .flow import Flow
from .guard import Guard


@dataclass(slots=True)
class Car:
    """One car; ``twin`` is the same car had no offer ever come since it was plugged in."""

    name: str
    spec: BatterySpec
    guard: Guard
    soc_step_pct: float = 1.0
    soc_bias_pct: float = 0.0
    charger: Charger | None = None
    battery: Battery = field(init=False)
    twin: Battery = field(init=False)
    soc_leaving_pct: float | None = None
    soc_leaving_lowest_pct: float | None = None

    def __post_init__(self) -> None:
        self.battery = Battery(self.spec, self.spec.usable_capacity_wh * 0.5)
        self.twin = Battery(self.spec, self.battery.energy_wh)

    def arrive(self, at: datetime, charger: Charger, soc_pct: float) -> None:
        """Plug in with a true state of charge in %, 0-100."""
        energy_wh = self.spec.usable_capacity_wh * soc_pct / 100
        self.battery.energy_wh = self.twin.energy_wh = energy_wh
        self.charger = charger
        # Yesterday's report tells nothing about a battery that was driven since.
        self.guard.last_soc_at = None
        charger.plug_in(at, self.battery, self.twin, self.feel)

    def leave(self, at: datetime, minimum_pct: float) -> None:
        """Unplug and drive off; the guard judges whether the car was ready."""
        assert self.charger is not None
        self.charger.unplug(at)
        self.charger = None
        soc_pct = self.battery.soc_pct
        self.guard.leaves(at, soc_pct, minimum_pct, self.twin.soc_pct)
        self.soc_leaving_pct = soc_pct
        lowest = self.soc_leaving_lowest_pct
        self.soc_leaving_lowest_pct = soc_pct if lowest is None else min(lowest, soc_pct)

    def feel(self, flow: Flow) -> None:
        """Hear of every span of power through the socket."""
        self.guard.observe(flow)

    def tell_soc(self, at: datetime) -> float:
        """Read the gauge: truth plus bias, rounded down to its step, in %."""
        if self.charger:
            self.charger.advance(at)
        return self.battery.reported_soc_pct(self.soc_step_pct, self.soc_bias_pct)
