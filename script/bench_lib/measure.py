"""Time both sides of a case in turn, on the same instances, in the same run."""

from collections.abc import Callable
from dataclasses import dataclass, field
import gc
import os
import random
import statistics
import time

from .cases import Case

NS_PER_MS = 1e6


@dataclass(slots=True)
class Times:
    """Times of one side in ms: the wall's, and the processor's in all threads."""

    wall: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    def run(self, call: Callable[[], object]) -> None:
        """Time one call."""
        busy, wall = time.process_time_ns(), time.perf_counter_ns()
        call()
        self.wall.append((time.perf_counter_ns() - wall) / NS_PER_MS)
        self.busy.append((time.process_time_ns() - busy) / NS_PER_MS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """What one case took; `gap` is the largest relative difference of the objectives.

    `quiet` says whether the machine had a core free while measuring.
    """

    case: Case
    ours: Times
    theirs: Times
    others: dict[str, Times]
    gap: float
    worst_seed: int
    quiet: bool

    def ratios(self, theirs: Times | None = None) -> tuple[float, float]:
        """Return by what factor our median is smaller: on the wall's clock, on the processor's."""
        other = theirs or self.theirs
        return (
            statistics.median(other.wall) / statistics.median(self.ours.wall),
            statistics.median(other.busy) / statistics.median(self.ours.busy),
        )

    def missed(self) -> list[str]:
        """Return the goals this measurement misses.

        Processor time counts, and wall time too where a core was free: on a busy machine the wall
        shows the neighbours.
        """
        missed = []
        wall, busy = self.ratios()
        slower = min(wall, busy) if self.quiet else busy
        if not slower >= self.case.goal:
            missed.append(f"{self.case.name}: {slower:.2f}x is under the goal of {self.case.goal}x")
        if not self.gap <= self.case.max_gap:
            missed.append(
                f"{self.case.name}: objectives differ by {self.gap:.1e} (seed {self.worst_seed}),"
                f" more than {self.case.max_gap:.0e}"
            )
        return missed


def measure(case: Case, repeats: int) -> Measurement:
    """Run each instance of `case` `repeats` times on every side, in an order drawn anew."""
    others = {name: Times() for name in case.instances[0].others}
    times = {"ours": Times(), "theirs": Times()} | others
    draw = random.Random(repeats)  # noqa: S311 - the order, seeded on purpose
    gaps = [
        (gap(instance.ours_objective(), instance.theirs()), instance.seed)
        for instance in case.instances
    ]
    for _ in range(repeats):
        for instance in case.instances:
            sides = {"ours": instance.ours, "theirs": instance.theirs} | instance.others
            names = list(sides)
            draw.shuffle(names)
            for name in names:
                gc.collect(0)  # nobody pays for what another left behind
                times[name].run(sides[name])
    widest, worst_seed = max(gaps)
    return Measurement(
        case=case,
        ours=times["ours"],
        theirs=times["theirs"],
        others=others,
        gap=widest,
        worst_seed=worst_seed,
        quiet=is_quiet(),
    )


def is_quiet() -> bool:
    """Say whether fewer processes wanted to run in the last minute than there are cores."""
    return os.getloadavg()[0] < (os.cpu_count() or 1)


def gap(ours: float, theirs: float) -> float:
    """Return by how much two objectives differ, as a fraction of their size."""
    return abs(ours - theirs) / max(abs(ours), abs(theirs))
