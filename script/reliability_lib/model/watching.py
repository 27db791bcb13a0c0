"""Promise 3 as the model understands it: when a running discharge must end, and how."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from math import ceil, floor

from .things import CAPACITY_WH, EFFICIENCY, Deal

OLDEST_SOC = timedelta(seconds=900)
BLIND = timedelta(seconds=60)
SECOND = timedelta(seconds=1)
CARRY_MAX = Fraction(10)


@dataclass(frozen=True, kw_only=True)
class View:
    """What may still leave, and as what the deal ends when that is gone."""

    ends: tuple[str, str] | None
    energy_wh: int = 0
    later: tuple[str, str] = ("", "")
    sure_until: datetime | None = None


def watch(deal: Deal, at: datetime) -> View:
    """Judge a running deal at ``at``, as if its charger had done the most it was allowed."""
    car, stay = deal.car, deal.stay
    exported = worst_export(deal, at)
    anchor = car.anchor_wh if car.anchor_wh is not None else (deal.begin_wh or 0)
    if car.soc_at is None or at - car.soc_at >= OLDEST_SOC:
        return View(ends=("curtailed", "soc_stale"))
    gone = Fraction(car.carried_wh + max(0, exported - anchor)) / EFFICIENCY / CAPACITY_WH * 100
    carried = Fraction(ceil(gone * 10), 10)
    if carried > CARRY_MAX:
        return View(ends=("curtailed", "soc_stale"))
    if at - max(car.soc_at, stay.seen_at or car.soc_at) > BLIND:
        return View(ends=("failed", "blind"))
    left = deal.committed_wh - (exported - (deal.begin_wh or 0))
    room = max(0, floor((CARRY_MAX - carried) / 100 * CAPACITY_WH * EFFICIENCY))
    ending = ("completed", "delivered") if left <= room else ("curtailed", "soc_stale")
    energy = min(left, room)
    # Less than two seconds and one step of the meter is nothing: leases have whole seconds.
    if energy <= 0 or 0 <= (energy - 1) * 3600 < -2 * deal.setpoint_w:
        return View(ends=ending)
    return View(ends=None, energy_wh=energy, later=ending, sure_until=car.soc_at + OLDEST_SOC)


def worst_export(deal: Deal, at: datetime) -> int:
    """Return the register if the charger did the most it was allowed until ``at``."""
    stay = deal.stay
    seen = stay.register_wh or deal.last_wh or 0
    since = stay.seen_at or deal.instructed_at
    if not deal.worst_w or since is None or deal.lease_until is None:
        return seen
    seconds = max(0.0, (min(at, deal.lease_until) - since).total_seconds())
    return seen + int(-deal.worst_w * seconds / 3600) + 1


def lease(deal: Deal, view: View, now: datetime, power_w: int) -> datetime:
    """Return when a lease for ``power_w`` (>= 0) must end."""
    assert view.sure_until is not None
    until = min(now + timedelta(seconds=deal.terms.lease_s), deal.terms.end_at, view.sure_until)
    if power_w:
        until = min(until, now + timedelta(seconds=view.energy_wh * 3600 // power_w))
    return until
