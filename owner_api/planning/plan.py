"""A course through the horizon as power steps that a charger can follow."""

from .answer import PlanStep
from .horizon import Course
from .pieces import Pieces


def plan_steps(pieces: Pieces, capacity_wh: int, course: Course) -> tuple[PlanStep, ...]:
    """Return the course as steps of constant power, equal neighbours joined.

    Charging runs at full power from the start of its piece and ends on a whole second, never
    too early; discharge power is rounded down to whole watts.
    """
    steps: list[PlanStep] = []

    def step(second: int, power_w: int, stored: int) -> None:
        if steps and steps[-1].power_w == power_w:
            return
        soc_pct = pieces.scale.percent_down(capacity_wh, stored)
        steps.append(PlanStep(start_at=pieces.at(second), power_w=power_w, soc_pct=soc_pct))

    per_charged, per_sold = pieces.scale.per_charged_ws, pieces.scale.per_sold_ws
    for index, stored in enumerate(course.stored[:-1]):
        begin, end = pieces.edges[index], pieces.edges[index + 1]
        taken = course.sold[index] + pieces.drain[index]
        if taken:
            step(begin, -(taken // (per_sold * (end - begin))), stored)
            continue
        added, power = course.charged[index], pieces.charge_w[index]
        if not added:
            step(begin, 0, stored)
            continue
        step(begin, power, stored)
        stop = begin - (-added // (power * per_charged))
        if stop < end:
            step(stop, 0, stored + added)
    return tuple(steps)
