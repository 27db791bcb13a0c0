"""The true battery of a simulated car: energy, limits, taper and losses, integrated exactly."""

from dataclasses import dataclass, replace
import math

_FULL_WH = 1e-6
# A car that is charged reports the step it has reached, never one it has not.
_STEP_SLACK = 1e-9


def rounded_down(soc_pct: float, step_pct: float) -> float:
    """Return a state of charge in whole steps of ``step_pct``, 0-100."""
    return min(100.0, max(0.0, math.floor(soc_pct / step_pct + _STEP_SLACK) * step_pct))


@dataclass(frozen=True, slots=True, kw_only=True)
class TaperStep:
    """From this state of charge on (%, 0-100) the car takes at most ``max_charge_w`` (AC W)."""

    from_soc_pct: float
    max_charge_w: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatterySpec:
    """What the maker built: usable Wh, AC limits in W, one-way efficiencies in (0, 1]."""

    usable_capacity_wh: int
    max_charge_w: int = 11_000
    max_discharge_w: int = 11_000
    charge_efficiency: float = 0.93
    discharge_efficiency: float = 0.93
    taper: tuple[TaperStep, ...] = ()

    def with_errors(self, charge: float, discharge: float) -> BatterySpec:
        """Return a pack whose efficiencies differ by these shares, none above 1."""
        return replace(
            self,
            charge_efficiency=min(1.0, self.charge_efficiency * (1 + charge)),
            discharge_efficiency=min(1.0, self.discharge_efficiency * (1 + discharge)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A span of constant AC power: + into the car, - out of it; SoC in % at both ends."""

    seconds: float
    power_w: float
    soc_start_pct: float
    soc_end_pct: float


@dataclass(slots=True)
class Battery:
    """True state of one pack; ``energy_wh`` lies in [0, usable capacity]."""

    spec: BatterySpec
    energy_wh: float

    @property
    def soc_pct(self) -> float:
        """Return the true state of charge in %, 0-100."""
        return 100 * self.energy_wh / self.spec.usable_capacity_wh

    def reported_soc_pct(self, step_pct: float = 1.0) -> float:
        """Return what an honest gauge tells: the truth, rounded down to its step."""
        return rounded_down(self.soc_pct, step_pct)

    def power_now(self, power_w: float, target_soc_pct: float = 100.0) -> float:
        """Return the AC power, W, that would really flow now when ``power_w`` is asked for."""
        return self._flow(power_w, target_soc_pct)[0]

    def run(self, power_w: float, seconds: float, target_soc_pct: float = 100.0) -> list[Stretch]:
        """Ask for an AC power over a span; return what really flowed, in order.

        Charging follows the taper and ends at ``target_soc_pct``; discharging ends when empty.
        Energy: e' = e + ηc·P⁺ - P⁻/ηd (design §5). The stretches cover the whole span.
        """
        stretches: list[Stretch] = []
        left = seconds
        while left > 0:
            power, rate_w, bound_wh = self._flow(power_w, target_soc_pct)
            span = (
                left if rate_w == 0 else min(left, abs((bound_wh - self.energy_wh) / rate_w) * 3600)
            )
            before = self.soc_pct
            if span >= left:
                self.energy_wh += rate_w * left / 3600
                span = left
            else:
                self.energy_wh = bound_wh
            stretches.append(
                Stretch(seconds=span, power_w=power, soc_start_pct=before, soc_end_pct=self.soc_pct)
            )
            left -= span
        return stretches

    def _flow(self, power_w: float, target_soc_pct: float) -> tuple[float, float, float]:
        """Return (AC W, W at the pack, pack energy in Wh at which this flow changes)."""
        spec, capacity = self.spec, self.spec.usable_capacity_wh
        if power_w < 0 and self.energy_wh > _FULL_WH:
            power = max(power_w, -float(spec.max_discharge_w))
            return power, power / spec.discharge_efficiency, 0.0
        ceiling = min(target_soc_pct, 100.0) * capacity / 100
        if power_w > 0 and self.energy_wh < ceiling - _FULL_WH:
            limit, bound = float(spec.max_charge_w), ceiling
            for step in spec.taper:
                edge = step.from_soc_pct * capacity / 100
                if edge <= self.energy_wh + _FULL_WH:
                    limit = min(limit, float(step.max_charge_w))
                else:
                    bound = min(bound, edge)
            power = min(power_w, limit)
            if power > 0:
                return power, power * spec.charge_efficiency, bound
        return 0.0, 0.0, self.energy_wh
