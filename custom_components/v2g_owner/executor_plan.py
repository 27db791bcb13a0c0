"""The plan of a home charger in words for owners: when it means to charge, how fast, how far."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from .control_model import Plan, PlanStep


def shown_plan(plan: Plan | None, now: datetime) -> list[dict[str, Any]] | None:
    """Return the charging still to come, earliest first; None without a plan in force.

    Each block has ``start`` and ``end`` (RFC 3339, UTC), ``power_w`` and ``up_to_pct``. A block may
    begin earlier or not at all when the car is emptier or fuller than the plan expected.
    """
    if plan is None or now >= plan.end_at:
        return None
    blocks: list[dict[str, Any]] = []
    for step, end in _spans(plan):
        if end <= now or not step.planned or not step.power_w:
            continue
        start = step.start_at.isoformat()
        if blocks and (blocks[-1]["end"], blocks[-1]["power_w"]) == (start, step.power_w):
            blocks[-1] |= {"end": end.isoformat(), "up_to_pct": round(step.stop_at_pct, 1)}
            continue
        blocks.append(
            {
                "start": start,
                "end": end.isoformat(),
                "power_w": step.power_w,
                "up_to_pct": round(step.stop_at_pct, 1),
            }
        )
    return blocks


def _spans(plan: Plan) -> Iterator[tuple[PlanStep, datetime]]:
    """Yield each step with the time it holds until."""
    ends = [step.start_at for step in plan.steps[1:]]
    yield from zip(plan.steps, [*ends, plan.end_at], strict=True)
