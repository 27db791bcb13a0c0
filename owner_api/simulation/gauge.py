"""What a car's gauge tells: the truth, biased, in whole steps, and some minutes old."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
import random
from typing import Final

from .battery import rounded_down
from .flow import Flow

BIAS_PCT: Final = 1.0
EFFICIENCY_ERROR: Final = 0.03
OLDEST: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How one car's word differs from its state, for good.

    ``bias_pct`` in points; ``nearest`` rounds to the nearest step where others round down;
    ``stamped``: the reading carries the time it was taken, otherwise that of its sending.
    ``*_error`` is the true efficiency over that on the nameplate, less one.
    """

    step_pct: float = 1.0
    bias_pct: float = 0.0
    nearest: bool = False
    oldest: timedelta = timedelta(0)
    stamped: bool = True
    charge_error: float = 0.0
    discharge_error: float = 0.0


EXACT: Final = Noise()
# Everything that makes a battery look fuller than it is, at once.
WORST: Final = Noise(
    bias_pct=BIAS_PCT,
    nearest=True,
    oldest=OLDEST,
    stamped=False,
    charge_error=-EFFICIENCY_ERROR,
    discharge_error=-EFFICIENCY_ERROR,
)


def draw_noise(rng: random.Random) -> Noise:
    """Draw one car: bias and both errors evenly within their bounds, a coin for each habit."""
    return Noise(
        bias_pct=rng.uniform(-BIAS_PCT, BIAS_PCT),
        nearest=rng.random() < 0.5,
        oldest=OLDEST,
        stamped=rng.random() < 0.5,
        charge_error=rng.uniform(-EFFICIENCY_ERROR, EFFICIENCY_ERROR),
        discharge_error=rng.uniform(-EFFICIENCY_ERROR, EFFICIENCY_ERROR),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One reading: state of charge in %, the time it claims, and when it was true."""

    soc_pct: float
    measured_at: datetime
    taken_at: datetime


class Gauge:
    """Remembers the last minutes of the true state, to tell them late.

    ``rng`` draws how old each reading is, from new to ``noise.oldest``; none is older than the one
    before or than the plug-in, which wakes a car up.
    """

    def __init__(self, noise: Noise = EXACT, rng: random.Random | None = None) -> None:
        self.noise = noise
        self._rng = rng or random.Random(0)
        self._trace: deque[tuple[datetime, float]] = deque()
        self._taken_at: datetime | None = None

    def plugged_in(self, at: datetime, soc_pct: float) -> None:
        """Start anew with the true state of charge in %."""
        self._trace = deque([(at, soc_pct)])
        self._taken_at = at

    def follow(self, flow: Flow) -> None:
        """Hear of a span of power; forget what no reading can reach any more."""
        if not self.noise.oldest:
            return
        self._trace.append((flow.end_at, flow.soc_end_pct))
        while len(self._trace) > 2 and self._trace[1][0] <= flow.end_at - self.noise.oldest:
            self._trace.popleft()

    def read(self, at: datetime, soc_pct: float) -> Told:
        """Return what the car tells at ``at``, when its true state of charge is ``soc_pct``."""
        taken_at = at
        if self.noise.oldest and self._taken_at is not None:
            taken_at = max(self._taken_at, at - self._rng.random() * self.noise.oldest)
            soc_pct = self._true_at(taken_at, at, soc_pct)
        self._taken_at = taken_at
        step_pct = self.noise.step_pct
        shown = soc_pct + self.noise.bias_pct + (step_pct / 2 if self.noise.nearest else 0.0)
        return Told(
            soc_pct=rounded_down(shown, step_pct),
            measured_at=taken_at if self.noise.stamped else at,
            taken_at=taken_at,
        )

    def _true_at(self, moment: datetime, now: datetime, soc_pct: float) -> float:
        """Return the true state at ``moment``: between two ends of spans it changed evenly."""
        later_at, later_pct = now, soc_pct
        for at, pct in reversed(self._trace):
            if at <= moment:
                span = (later_at - at).total_seconds()
                share = (moment - at).total_seconds() / span if span > 0 else 0.0
                return pct + share * (later_pct - pct)
            later_at, later_pct = at, pct
        return later_pct
