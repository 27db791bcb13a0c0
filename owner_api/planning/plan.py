"""A course through the horizon as power steps that a charger can follow."""

from itertools import pairwise

from .answer import PlanStep
from .horizon import Course
from .pieces import Pieces


def plan_steps(pieces: Pieces, capacity_wh: int, course: Course) -> tuple[PlanStep, ...]:
    """Return the course as steps of constant power, equal neighbours joined.

    Charging runs at full power from the start of its piece and ends on a whole second, never
    too early; discharge power is rounded down to whole watts.
    """
    steps: list[PlanStep] = []
    now_w: int | None = None

    def step(second: int, power_w: int, stored: int) -> None:
        nonlocal now_w
        if power_w == now_w:
            return
        now_w = power_w
        soc_pct = pieces.scale.percent_down(capacity_wh, stored)
        steps.append(PlanStep(start_at=pieces.at(second), power_w=power_w, soc_pct=soc_pct))

    per_charged, per_sold = pieces.scale.per_charged_ws, pieces.scale.per_sold_ws
    for (begin, end), stored, sold, drained, added, power in zip(
        pairwise(pieces.edges),
        course.stored,
        course.sold,
        pieces.drain,
        course.charged,
        pieces.charge_w,
        strict=False,  # one state more than there are pieces
    ):
        if not added and now_w == 0 and not sold and not drained:
            continue  # most pieces go on idling
        taken = sold + drained
        if taken:
            step(begin, -(taken // (per_sold * (end - begin))), stored)
            continue
        if not added:
            step(begin, 0, stored)
            continue
        step(begin, power, stored)
        if added == power * per_charged * (end - begin):
            continue
        stop = begin - (-added // (power * per_charged))
        if stop < end:
            step(stop, 0, stored + added)
    return tuple(steps)
