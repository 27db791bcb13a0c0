"""A simulated car: true battery, a twin that never sells, a gauge, and the guard inside."""

from dataclasses import dataclass, field
from datetime import datetime

from .battery import Battery, BatterySpec
from .charger import Charger
from .flow import Flow
from .gauge import Gauge, Told
from .guard import Guard


@dataclass(slots=True)
class Car:
    """One car; ``twin`` is the same car had no offer ever come since it was plugged in.

    ``spec`` is what its maker built, ``nameplate`` what the owner's papers say (the same if None).
    """

    name: str
    spec: BatterySpec
    guard: Guard
    nameplate: BatterySpec | None = None
    gauge: Gauge = field(default_factory=Gauge)
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
        self.guard.arrives()
        self.gauge.plugged_in(at, soc_pct)
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

    def could_leave(self, at: datetime, minimum_pct: float) -> None:
        """Have the guard judge, at a forecast leave time, whether the car that stays is ready."""
        if self.charger:
            self.charger.advance(at)
            self.guard.could_leave(at, self.battery.soc_pct, minimum_pct, self.twin.soc_pct)

    def feel(self, flow: Flow) -> None:
        """Hear of every span of power through the socket."""
        self.guard.observe(flow)
        self.gauge.follow(flow)

    def tell_soc(self, at: datetime) -> Told:
        """Read the gauge."""
        if self.charger:
            self.charger.advance(at)
        return self.gauge.read(at, self.battery.soc_pct)
