"""The violation counter inside a simulated car: promises 1 to 4, judged from the true state.

It sees the flow through the socket, the car's own record of what its owner decided, and nothing
of the API: this file imports no other part of the repository but the flow it is shown.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .flow import Flow

SOC_TOLERANCE_PCT = 0.1
STOP_WITHIN = timedelta(seconds=5)
# A lease of 120 s on a clock that drifts by 100 ppm ends 12 ms off; a second is generous.
LEASE_TOLERANCE = timedelta(seconds=1)
# Registers count whole Wh at both ends of a delivery; the rest is a second of switching off.
ENERGY_TOLERANCE_WH = 5.0
LONGEST_LEASE = timedelta(seconds=120)
LONGEST_BACKUP_LEASE = timedelta(seconds=900)


@dataclass(frozen=True, slots=True, kw_only=True)
class Yes:
    """An owner's recorded yes to one deal: energy (AC Wh), window, and the leave time in force.

    ``leave_at`` None: what the owner told; an instant: a forecast nobody has confirmed.
    """

    deal: str
    energy_wh: int
    start_at: datetime
    end_at: datetime
    backup: bool = False
    leave_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """A car left before its forecast leave time with too little: points below the minimum."""

    at: datetime
    missing_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A stop the owner pressed, and when power must be zero at the latest."""

    deal: str
    pressed_at: datetime
    zero_by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One broken promise (1-4), when, for which deal, in words."""

    promise: int
    at: datetime
    deal: str | None
    detail: str


@dataclass(slots=True)
class Guard:
    """Counts broken promises of one car; a fault that lasts counts once for its deal."""

    floor_pct: float
    soc_max_age: timedelta = timedelta(minutes=15)
    last_soc_at: datetime | None = None
    violations: list[Violation] = field(default_factory=list)
    shortfalls: list[Shortfall] = field(default_factory=list)
    stays_sold: int = 0
    left_early: int = 0
    _here: list[str] = field(default_factory=list)
    _yeses: dict[str, Yes] = field(default_factory=dict)
    _stops: dict[str, Stop] = field(default_factory=dict)
    _sold_wh: dict[str, float] = field(default_factory=dict)
    _seen: set[tuple[int, str | None, str]] = field(default_factory=set)

    def arrives(self) -> None:
        """Begin a stay: no reading holds of a battery that was driven since, no deal is made."""
        self.last_soc_at = None
        self._here.clear()

    def said_yes(self, yes: Yes) -> None:
        """Record the owner's own yes, or the yes of a rule the owner wrote."""
        self._yeses[yes.deal] = yes
        self._here.append(yes.deal)

    def pressed_stop(
        self, deal: str, at: datetime, *, reachable: bool, lease_until: datetime | None
    ) -> None:
        """Record a stop: zero within 5 s when the controller is reachable, else at lease end."""
        zero_by = at + STOP_WITHIN
        if not reachable and lease_until is not None:
            zero_by = max(zero_by, lease_until + LEASE_TOLERANCE)
        self._stops[deal] = Stop(deal=deal, pressed_at=at, zero_by=zero_by)

    def observe(self, flow: Flow) -> None:
        """Judge one span of flow; charging is never a violation of promises 1 to 4."""
        if flow.power_w >= 0:
            return
        deal = flow.deal or ""
        sold_wh = self._sold_wh.get(deal, 0.0) + flow.discharged_wh
        self._sold_wh[deal] = sold_wh
        self._judge_consent(flow, self._yeses.get(deal), sold_wh)
        self._judge_floor(flow)
        self._judge_sight(flow)
        self._judge_lease(flow)
        stop = self._stops.get(deal)
        if stop and flow.end_at > stop.zero_by:
            self._count(4, flow, "stop", f"discharging after {stop.zero_by:%H:%M:%S}")

    def leaves(self, at: datetime, soc_pct: float, minimum_pct: float, twin_pct: float) -> None:
        """Judge a departure: too empty counts only if the car without offers had made it.

        Before a forecast leave time it is a shortfall, for which nobody had given a word. After it
        the forecast's promise has been judged when it fell due.
        """
        forecasts = [yes.leave_at for yes in self._sold_here()]
        self.stays_sold += bool(forecasts)
        early = any(leave_at and at < leave_at for leave_at in forecasts)
        self.left_early += early
        if not _short(soc_pct, minimum_pct, twin_pct):
            return
        if early:
            self.shortfalls.append(Shortfall(at=at, missing_pct=minimum_pct - soc_pct))
        elif not forecasts or None in forecasts:
            self._not_ready(at, soc_pct, minimum_pct)

    def could_leave(
        self, at: datetime, soc_pct: float, minimum_pct: float, twin_pct: float
    ) -> None:
        """Judge a car that is still there at the forecast leave time of one of its deals."""
        due = any(yes.leave_at and yes.leave_at <= at for yes in self._sold_here())
        if due and _short(soc_pct, minimum_pct, twin_pct):
            self._not_ready(at, soc_pct, minimum_pct)

    def forecast_of(self, deal: str) -> datetime | None:
        """Return the forecast leave time in force when the deal was consented to, if any."""
        yes = self._yeses.get(deal)
        return yes.leave_at if yes else None

    def _sold_here(self) -> list[Yes]:
        """Return the yeses of this stay on which power has flowed."""
        return [self._yeses[deal] for deal in self._here if self._sold_wh.get(deal)]

    def _not_ready(self, at: datetime, soc_pct: float, minimum_pct: float) -> None:
        detail = f"left with {soc_pct:.2f} %, needs {minimum_pct:g} %"
        self._add(2, at, None, f"departure {at.isoformat()}", detail)

    def counts(self) -> dict[int, int]:
        """Return how many violations of each promise, 1 to 4."""
        return {n: sum(v.promise == n for v in self.violations) for n in (1, 2, 3, 4)}

    def _judge_consent(self, flow: Flow, yes: Yes | None, sold_wh: float) -> None:
        if yes is None:
            self._count(1, flow, "no yes", "discharging without a recorded yes")
            return
        if flow.start_at < yes.start_at or flow.end_at > yes.end_at + STOP_WITHIN:
            self._count(3, flow, "window", "discharging outside the consented window")
        if sold_wh > yes.energy_wh + ENERGY_TOLERANCE_WH:
            self._count(3, flow, "energy", f"{sold_wh:.0f} Wh sold, {yes.energy_wh} Wh consented")

    def _judge_floor(self, flow: Flow) -> None:
        if flow.soc_end_pct < self.floor_pct - SOC_TOLERANCE_PCT:
            detail = f"{flow.soc_end_pct:.2f} % is below the floor of {self.floor_pct:g} %"
            self._count(2, flow, "floor", detail)

    def _judge_sight(self, flow: Flow) -> None:
        if self.last_soc_at is None:
            self._count(3, flow, "blind", "discharging on an unknown state of charge")
        elif flow.end_at > self.last_soc_at + self.soc_max_age + STOP_WITHIN:
            detail = f"state of charge last told at {self.last_soc_at:%H:%M:%S}"
            self._count(3, flow, "blind", detail)

    def _judge_lease(self, flow: Flow) -> None:
        if flow.lease_until is None:
            self._count(3, flow, "lease", "discharging without a lease")
            return
        if flow.end_at > flow.lease_until + LEASE_TOLERANCE:
            self._count(3, flow, "lease", f"the lease ended at {flow.lease_until:%H:%M:%S}")
        yes = self._yeses.get(flow.deal or "")
        longest = LONGEST_BACKUP_LEASE if yes and yes.backup else LONGEST_LEASE
        if flow.lease_until > flow.start_at + longest + LEASE_TOLERANCE:
            self._count(3, flow, "long lease", f"lease beyond {longest.total_seconds():.0f} s")

    def _count(self, promise: int, flow: Flow, kind: str, detail: str) -> None:
        self._add(promise, flow.end_at, flow.deal, kind, detail)

    def _add(self, promise: int, at: datetime, deal: str | None, kind: str, detail: str) -> None:
        key = (promise, deal, kind)
        if key not in self._seen:
            self._seen.add(key)
            self.violations.append(Violation(promise=promise, at=at, deal=deal, detail=detail))


def _short(soc_pct: float, minimum_pct: float, twin_pct: float) -> bool:
    """Tell whether a car lacks what it would have without any offer (percent, all three)."""
    return soc_pct < minimum_pct - SOC_TOLERANCE_PCT <= twin_pct
