"""Tell from what flows whether a sensor still says something true: pure, with the time given.

A battery that takes or gives energy must show it, and a power sensor must agree with the meters
about the direction. Power in W (+ into the car), energy in Wh, state of charge in percent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

# A sensor that shows whole percents would have moved five times by then.
FROZEN_SHARE: Final = 0.05
# Long enough for a car to have been driven, and for its integration to have asked it afterwards.
AWAY: Final = timedelta(minutes=10)
SETTLING: Final = timedelta(minutes=15)
# Below this a meter's last digit could decide.
SIGN_WH: Final = 200.0
SIGN_POINTS: Final = 3.0
# A power that nobody confirmed for so long is not counted on.
LONGEST_GAP: Final = timedelta(minutes=15)


@dataclass(slots=True)
class Flow:
    """The energy that a power sensor's readings add up to."""

    wh: float = 0.0
    _power_w: float | None = None
    _at: datetime | None = None

    def add(self, now: datetime, power_w: float | None) -> float:
        """Count what flowed since the last reading (signed); return it in Wh."""
        moved = 0.0
        if self._at is not None and self._power_w is not None:
            gap = min(now - self._at, LONGEST_GAP)
            moved = self._power_w * max(gap.total_seconds(), 0.0) / 3600
        self.wh += moved
        self._at, self._power_w = now, power_w
        return moved


@dataclass(slots=True)
class SocWatch:
    """Notices a state of charge that stands still while the car charges, discharges or drives."""

    capacity_wh: float
    _flow: Flow
    _soc_pct: float | None = None
    _moved_wh: float = 0.0
    _left_at: datetime | None = None
    _back_at: datetime | None = None

    def is_stale(
        self,
        now: datetime,
        *,
        soc_pct: float | None,
        reported_at: datetime | None,
        power_w: float | None,
        plugged_in: bool | None,
    ) -> bool:
        """Take one look; ``reported_at`` is when the sensor last said anything, also the same."""
        self._moved_wh += abs(self._flow.add(now, power_w))
        if soc_pct != self._soc_pct:
            self._soc_pct, self._moved_wh = soc_pct, 0.0
        if plugged_in is False:
            self._left_at, self._back_at = self._left_at or now, None
        elif plugged_in and self._left_at is not None and self._back_at is None:
            if now - self._left_at < AWAY:
                self._left_at = None
            else:
                self._back_at = now
        if soc_pct is None or reported_at is None:
            return False
        if self._back_at is not None and self._left_at is not None and reported_at > self._left_at:
            self._left_at = self._back_at = None
        frozen = self._moved_wh >= FROZEN_SHARE * self.capacity_wh
        silent = self._back_at is not None and now - self._back_at >= SETTLING
        return frozen or silent


@dataclass(slots=True)
class SignWatch:
    """Notices a power sensor that calls charging what meters or battery call discharging."""

    capacity_wh: float | None
    _flow: Flow
    _first: tuple[float | None, float | None, float | None] | None = None
    is_wrong: bool = False

    def look(
        self,
        now: datetime,
        *,
        power_w: float | None,
        import_wh: float | None,
        export_wh: float | None,
        soc_pct: float | None,
    ) -> bool:
        """Take one look; return whether the direction was wrong when it could last be judged."""
        self._flow.add(now, power_w)
        seen = (import_wh, export_wh, soc_pct)
        if self._first is None or any(
            (old is None) != (new is None) for old, new in zip(self._first, seen, strict=True)
        ):
            self._begin(seen)
            return self.is_wrong
        if (measured := self._measured_wh(seen)) is not None:
            # Half of it would do for losses; anything less says too little either way.
            if abs(self._flow.wh) >= abs(measured) / 2:
                self.is_wrong = (measured > 0) != (self._flow.wh > 0)
            self._begin(seen)
        return self.is_wrong

    def _begin(self, seen: tuple[float | None, float | None, float | None]) -> None:
        """Compare with what is seen now from here on."""
        self._first = seen
        self._flow.wh = 0.0

    def _measured_wh(self, seen: tuple[float | None, float | None, float | None]) -> float | None:
        """Return what went into the car by meters, else by battery; None while too little."""
        assert self._first is not None
        taken, given, points = (
            None if old is None or new is None else new - old
            for old, new in zip(self._first, seen, strict=True)
        )
        if taken is not None or given is not None:
            moved = (taken or 0.0) - (given or 0.0)
            # One register alone says nothing while the other direction may be running.
            only_one = taken is None or given is None
            return moved if abs(moved) >= SIGN_WH and not (only_one and moved == 0) else None
        if points is None or self.capacity_wh is None or abs(points) < SIGN_POINTS:
            return None
        return points / 100 * self.capacity_wh


def soc_watch(capacity_wh: float) -> SocWatch:
    """Return a watch that has seen nothing yet."""
    return SocWatch(capacity_wh, Flow())


def sign_watch(capacity_wh: float | None) -> SignWatch:
    """Return a watch that has seen nothing yet."""
    return SignWatch(capacity_wh, Flow())
