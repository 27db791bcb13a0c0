"""A bidirectional charger with its own clock, its own lease and a meter that counts whole Wh."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .battery import Battery
from .flow import Flow
from .meter import Meter


class UnreachableError(Exception):
    """The link between dispatcher and charger is down; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setpoint:
    """A discharge the charger was told: AC W (negative), for which deal, until when.

    ``lease_until`` is the API's instant, ``falls_silent_at`` the same by the charger's own clock;
    at ``stop_at_export_wh`` on the export register it ends by itself.
    """

    deal: str
    power_w: float
    lease_until: datetime
    falls_silent_at: datetime
    stop_at_export_wh: float


class Charger:
    """One EVSE with at most one car; time passes for it only through ``advance``.

    ``planned_w`` up to ``planned_target_pct`` is the charging the car would get without any offer;
    the car's twin (same battery, no offers) gets exactly that. ``pause`` withholds it from the
    real car while a deal runs, ``refill_w`` adds charging that only the real car gets.
    """

    def __init__(
        self,
        evse_id: str,
        at: datetime,
        *,
        max_power_w: int = 11_000,
        drift_ppm: float = 0.0,
        ignores_lease: bool = False,
    ) -> None:
        self.evse_id = evse_id
        self.max_power_w = max_power_w
        self.reachable = True
        self._at = at
        self._drift = drift_ppm * 1e-6
        self._ignores_lease = ignores_lease
        self._meter = Meter()
        self._battery: Battery | None = None
        self._twin: Battery | None = None
        self._feel: Callable[[Flow], None] | None = None
        self._setpoint: Setpoint | None = None
        self._paused = False
        self._planned = (0.0, 100.0)
        self._refill = (0.0, 100.0)

    @property
    def import_register_wh(self) -> int:
        """Return the import register, whole Wh, never falling."""
        return self._meter.import_register_wh

    @property
    def export_register_wh(self) -> int:
        """Return the export register, whole Wh, never falling."""
        return self._meter.export_register_wh

    @property
    def lease_until(self) -> datetime | None:
        """Return when the lease in force ends, None without one."""
        return self._setpoint.lease_until if self._setpoint else None

    @property
    def power_w(self) -> float:
        """Return the AC power flowing now, + into the car."""
        if self._battery is None:
            return 0.0
        if self._setpoint:
            return self._battery.power_now(self._setpoint.power_w)
        return self._battery.power_now(*self._charging())

    def plug_in(
        self, at: datetime, battery: Battery, twin: Battery, feel: Callable[[Flow], None]
    ) -> None:
        """Connect a car; ``feel`` hears of every span of power from now on."""
        self.advance(at)
        self._battery, self._twin, self._feel = battery, twin, feel
        self._setpoint, self._paused = None, False
        self._planned = self._refill = (0.0, 100.0)

    def unplug(self, at: datetime) -> None:
        """Disconnect: power is zero from here on, whatever was told before."""
        self.advance(at)
        self._battery = self._twin = self._feel = self._setpoint = None

    def plan_charging(self, at: datetime, power_w: float, target_pct: float) -> None:
        """Set what the car gets without any offer (W, up to a SoC in %)."""
        self.advance(at)
        self._planned = (power_w, target_pct)

    def refill(self, at: datetime, power_w: float, target_pct: float) -> None:
        """Set charging that only the real car gets, to make up for what it sold."""
        self.advance(at)
        self._refill = (power_w, target_pct)

    def pause(self, at: datetime, *, paused: bool) -> None:
        """Withhold charging from the real car, or give it back."""
        self.advance(at)
        self._paused = paused

    def discharge(
        self,
        at: datetime,
        *,
        deal: str,
        power_w: float,
        lease_until: datetime,
        stop_at_export_wh: int,
    ) -> None:
        """Discharge at ``power_w`` (negative AC W) until the lease ends by the charger's clock.

        Raises UnreachableError when the link is down.
        """
        self._need_link()
        self.advance(at)
        lease_s = (lease_until - at).total_seconds() * (1 + self._drift)
        self._setpoint = Setpoint(
            deal=deal,
            power_w=max(power_w, -float(self.max_power_w)),
            lease_until=lease_until,
            falls_silent_at=at + timedelta(seconds=lease_s),
            stop_at_export_wh=float(stop_at_export_wh),
        )

    def zero(self, at: datetime) -> None:
        """Stop discharging now; UnreachableError when the link is down."""
        self._need_link()
        self.advance(at)
        self._setpoint = None

    def advance(self, to: datetime) -> None:
        """Let time pass: move energy, count it, and let the car feel it."""
        if self._battery is None:
            self._at = max(self._at, to)
            return
        while self._at < to:
            if self._setpoint:
                self._discharge_until(to, self._setpoint, self._battery)
            else:
                power_w, target_pct = self._charging()
                self._pass(to, self._battery, power_w, target_pct, None)

    def _need_link(self) -> None:
        if not self.reachable:
            raise UnreachableError(self.evse_id)

    def _charging(self) -> tuple[float, float]:
        if self._paused:
            return 0.0, 100.0
        return max(self._planned, self._refill)

    def _discharge_until(self, to: datetime, told: Setpoint, battery: Battery) -> None:
        end = to if self._ignores_lease else min(to, told.falls_silent_at)
        power_w = battery.power_now(told.power_w)
        left_wh = told.stop_at_export_wh - self._meter.export_wh
        if power_w < 0:
            seconds = left_wh / -power_w * 3600
            if seconds < (end - self._at).total_seconds():
                end = self._at + timedelta(seconds=max(0.0, seconds))
        if end > self._at:
            self._pass(end, battery, told.power_w, 100.0, told)
        done = told.stop_at_export_wh - self._meter.export_wh <= 1e-3
        if done:
            self._meter.export_reaches(told.stop_at_export_wh)
        if done or end < to or end == told.falls_silent_at:
            self._setpoint = None

    def _pass(
        self,
        to: datetime,
        battery: Battery,
        power_w: float,
        target_pct: float,
        told: Setpoint | None,
    ) -> None:
        assert self._feel is not None
        assert self._twin is not None
        self._twin.run(self._planned[0], (to - self._at).total_seconds(), self._planned[1])
        stretches = battery.run(power_w, (to - self._at).total_seconds(), target_pct)
        for number, stretch in enumerate(stretches, start=1):
            last = number == len(stretches)
            end = to if last else min(to, self._at + timedelta(seconds=stretch.seconds))
            self._meter.count(self._at, end, stretch.power_w)
            self._feel(
                Flow(
                    start_at=self._at,
                    end_at=end,
                    power_w=stretch.power_w,
                    soc_start_pct=stretch.soc_start_pct,
                    soc_end_pct=stretch.soc_end_pct,
                    deal=told.deal if told else None,
                    lease_until=told.lease_until if told else None,
                )
            )
            self._at = end
