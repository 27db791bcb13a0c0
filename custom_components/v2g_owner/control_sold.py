"""What has left a car for a park by this home's own count: no operator's word is needed."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from .control_model import KEPT_DEALS, LOOK_EVERY, Holder, Verdict
from .executor_store import Memory

# A clock that was set forward brings no energy with it.
_LONGEST: Final = 5 * LOOK_EVERY


def count_sold(
    memory: Memory, verdict: Verdict, measured_w: int | None, passed: timedelta
) -> Memory:
    """Return the memory after ``passed`` under a verdict, with what left under the lease's yes.

    ``measured_w`` is what the meter shows (+ into the car); without one what was asked counts.
    """
    lease, asked_w = memory.orders.lease, verdict.setpoint_w or 0
    if lease is None or not lease.consent_id or verdict.holder is not Holder.PARK or asked_w >= 0:
        return memory
    out_w = max(0, -(asked_w if measured_w is None else measured_w))
    hours = min(max(passed, timedelta()), _LONGEST) / timedelta(hours=1)
    known = dict(memory.sold_wh)
    known[lease.consent_id] = known.pop(lease.consent_id, 0.0) + out_w * hours
    return replace(memory, sold_wh=dict(list(known.items())[-KEPT_DEALS:]))
