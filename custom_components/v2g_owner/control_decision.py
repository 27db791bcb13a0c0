"""What a home charger does now: one pure function of what is known, for every tick.

Doubt means stop (promises 2 and 3): each way to discharge passes ``refusal``, and what the owner
says by hand, stop or charge now stands above plan and park.
"""

from bisect import bisect_right
from datetime import datetime, timedelta
from typing import Final

from .control_model import (
    LOOK_EVERY,
    CarLimits,
    ChargerLimits,
    Holder,
    Lease,
    Orders,
    OverrideKind,
    Plan,
    Reason,
    Sight,
    Verdict,
)
from .control_watch import STOPPED_BELOW_W

# A meter may carry the state of charge this far from its last reading (promise 3).
CARRY_MAX_PCT: Final = 10.0
# Neither meter nor state of charge for so long: stop (promise 3).
BLIND_AFTER: Final = timedelta(seconds=60)
# What may still flow before the next tick and the charger's answer to it.
_AHEAD_S: Final = 10.0
_PACK_C: Final = (0.0, 45.0)
# A state of charge older than this no longer starts or ends a block; planned times still do.
_CHARGE_ON_SOC: Final = timedelta(minutes=30)
_HYSTERESIS_PCT: Final = 1.0
# This home counts power by time, the deal counts by registers: so far they may differ.
_COUNTS_DIFFER: Final = 1.1
_COUNTS_DIFFER_WH: Final = 100.0


def decide(
    orders: Orders,
    sight: Sight,
    charger: ChargerLimits,
    now: datetime,
    *,
    started_at: datetime,
    charging: bool,
) -> Verdict:
    """Return what the charger is to do at ``now``.

    ``started_at`` is when this executor began: a lease told before it is not obeyed, because a
    stop may have been missed. ``charging`` says whether it charged at the tick before.
    """
    first = _out_of_hand(sight, charger) or _owners_word(orders, sight, charger, now)
    if first is not None:
        return first
    if not sight.unit_fits:
        return Verdict(setpoint_w=0, reason=Reason.WRONG_UNIT)
    car = orders.car(sight.vehicle_id)
    if car is None:
        # A guest gets power when the owner turns on "charge now", and never gives any.
        return Verdict(setpoint_w=0, reason=Reason.UNKNOWN_CAR)
    if orders.lease is not None and now < orders.lease.until:
        return _leased(orders, sight, charger, now, started_at)
    return _charge(orders.plan, car, sight, charger, now, charging=charging)


def _out_of_hand(sight: Sight, charger: ChargerLimits) -> Verdict | None:
    """Return what follows where nothing can or may be controlled; None where it can."""
    if charger.testing:
        return Verdict(setpoint_w=None, reason=Reason.TESTING)
    if not charger.charge_tested:
        return Verdict(setpoint_w=None, reason=Reason.NOT_TESTED)
    if not sight.reachable:
        return Verdict(setpoint_w=0, reason=Reason.UNREACHABLE)
    if sight.plugged is False:
        return Verdict(setpoint_w=0, reason=Reason.UNPLUGGED)
    return None


def _owners_word(
    orders: Orders, sight: Sight, charger: ChargerLimits, now: datetime
) -> Verdict | None:
    """Return what the owner's stop, charge now or own hand demands; None when nothing holds."""
    word = orders.override
    if word is None or now >= word.until:
        return None
    if word.kind == OverrideKind.STOP:
        return Verdict(setpoint_w=0, reason=Reason.STOPPED, holder=Holder.STOP, until=word.until)
    car = orders.car(sight.vehicle_id)
    if word.kind == OverrideKind.CHARGE:
        most = charger.max_charge_w if car is None else min(charger.max_charge_w, car.max_charge_w)
        refused = _too_little(most, charger) if sight.unit_fits else Reason.WRONG_UNIT
        return Verdict(
            setpoint_w=most if refused is None else 0,
            reason=refused or Reason.CHARGE_NOW,
            holder=Holder.CHARGE_NOW,
            until=word.until,
        )
    out_w = _measured_out_w(sight, word.since) if word.power_w is None else word.power_w
    if out_w < 0:
        # The owner's own discharge needs no lease, but floor and freshness hold for it too.
        refused = refusal(orders, sight, charger, now, power_w=out_w)
        if refused is not None:
            return Verdict(setpoint_w=0, reason=refused, holder=Holder.OWNER, until=word.until)
    return Verdict(setpoint_w=None, reason=Reason.BY_HAND, holder=Holder.OWNER, until=word.until)


def _measured_out_w(sight: Sight, since: datetime) -> int:
    """Return what leaves the car by the meter (W, never above 0) since the owner's hand was seen.

    A mode of which nobody told us the direction may discharge.
    """
    told = sight.power_at is not None and sight.power_at > since
    power_w = sight.power_w if told and sight.power_w is not None else 0
    return power_w if power_w < -STOPPED_BELOW_W else 0


def _leased(
    orders: Orders, sight: Sight, charger: ChargerLimits, now: datetime, started_at: datetime
) -> Verdict:
    """Return the park's setpoint as long as every promise holds, zero otherwise."""
    lease = orders.lease
    assert lease is not None
    car = orders.car(sight.vehicle_id)
    refused: Reason | None = None
    if not {lease.commitment_id, lease.consent_id}.isdisjoint(orders.stopped):
        refused = Reason.STOPPED
    elif lease.commitment_id in orders.left:
        refused = Reason.UNPLUGGED
    elif lease.told_at < started_at:
        refused = Reason.RESTARTED
    elif not lease.covered:
        refused = Reason.NO_CONSENT
    elif _is_all_sold(lease, sight):
        refused = Reason.ALL_SOLD
    elif lease.vehicle_id != sight.vehicle_id or car is None:
        refused = Reason.UNKNOWN_CAR
    elif not car.discharge_allowed:
        refused = Reason.DISCHARGE_NOT_ALLOWED
    most = 0 if car is None else -min(charger.max_discharge_w, car.max_discharge_w)
    power = min(0, max(lease.power_w, most))
    refused = refused or refusal(orders, sight, charger, now, power_w=power)
    refused = refused or _too_little(power, charger)
    return Verdict(
        setpoint_w=power if refused is None else 0,
        reason=refused or Reason.DELIVERING,
        holder=Holder.PARK,
        until=lease.until,
    )


def _is_all_sold(lease: Lease, sight: Sight) -> bool:
    """Tell whether surely more has left than the owner's yes is for."""
    if lease.energy_wh is None:
        return False
    return sight.sold_wh > lease.energy_wh * _COUNTS_DIFFER + _COUNTS_DIFFER_WH


def refusal(
    orders: Orders, sight: Sight, charger: ChargerLimits, now: datetime, *, power_w: int
) -> Reason | None:
    """Return why no energy may leave the battery now, None when it may (promises 2 and 3)."""
    car = orders.car(sight.vehicle_id)
    if car is None or not sight.certain or sight.plugged is not True:
        return Reason.UNKNOWN_CAR
    if not sight.unit_fits:
        return Reason.WRONG_UNIT
    if charger.shared:
        return Reason.SHARED
    if not charger.discharge_tested:
        return Reason.NOT_TESTED
    pack = sight.pack_temperature_c
    if pack is not None and not _PACK_C[0] <= pack <= _PACK_C[1]:
        return Reason.TEMPERATURE
    return _untrusted(sight, car, now) or _too_low(
        orders.plan, sight, car, charger, now, power_w=power_w
    )


def _untrusted(sight: Sight, car: CarLimits, now: datetime) -> Reason | None:
    """Return why the state of charge cannot be believed, None when it can."""
    if sight.soc_pct is None or sight.soc_at is None:
        return Reason.SOC_UNKNOWN
    # What is believed now must be believable until the next look.
    until = now + LOOK_EVERY
    old = until - sight.soc_at > timedelta(seconds=car.soc_max_age_s)
    if old or sight.carried_pct > CARRY_MAX_PCT:
        return Reason.SOC_STALE
    seen_at = max(sight.soc_at, sight.power_at or sight.soc_at)
    return Reason.BLIND if until - seen_at > BLIND_AFTER else None


def _too_low(
    plan: Plan | None,
    sight: Sight,
    car: CarLimits,
    charger: ChargerLimits,
    now: datetime,
    *,
    power_w: int,
) -> Reason | None:
    """Return the limit that what is surely in the battery no longer clears."""
    ahead_wh = -power_w * _AHEAD_S / 3600 / car.discharge_efficiency
    surely = (sight.soc_pct or 0.0) - sight.carried_pct - car.soc_margin_pct
    surely -= ahead_wh / car.usable_capacity_wh * 100
    if surely <= car.soc_floor_pct:
        return Reason.FLOOR
    if plan is None or plan.vehicle_id != car.vehicle_id:
        return None
    ready = surely + _still_chargeable_pct(plan, car, charger, now)
    return Reason.DEPARTURE_MINIMUM if ready < plan.soc_min_departure_pct else None


def _still_chargeable_pct(
    plan: Plan, car: CarLimits, charger: ChargerLimits, now: datetime
) -> float:
    """Return the points that full power can still put back before the buffer of the leave time."""
    left = plan.end_at - now - timedelta(seconds=car.departure_buffer_s)
    hours = max(0.0, left.total_seconds() / 3600)
    power = min(car.max_charge_w, charger.max_charge_w)
    return power * hours * car.charge_efficiency / car.usable_capacity_wh * 100


def _charge(
    plan: Plan | None,
    car: CarLimits,
    sight: Sight,
    charger: ChargerLimits,
    now: datetime,
    *,
    charging: bool,
) -> Verdict:
    """Return the plan's charging; without a plan the car is charged to its target at once."""
    most = min(car.max_charge_w, charger.max_charge_w)
    known = sight.soc_at is not None and now - sight.soc_at < _CHARGE_ON_SOC
    soc = sight.soc_pct if known else None
    if plan is None or plan.vehicle_id != car.vehicle_id or not plan.steps or now >= plan.end_at:
        if soc is None:
            return Verdict(setpoint_w=0, reason=Reason.SOC_UNKNOWN, holder=Holder.PLAN)
        goal = min(car.soc_target_pct, car.soc_ceiling_pct)
        below = goal if charging else goal - _HYSTERESIS_PCT
        if soc >= below:
            return Verdict(setpoint_w=0, reason=Reason.CHARGED, holder=Holder.PLAN)
        little = _too_little(most, charger)
        power = most if little is None else 0
        return Verdict(setpoint_w=power, reason=little or Reason.NO_PLAN, holder=Holder.PLAN)
    index = max(0, bisect_right(plan.steps, now, key=lambda step: step.start_at) - 1)
    step = plan.steps[index]
    if soc is None:
        on = step.planned
    else:
        on = soc < (step.stop_at_pct if charging else step.start_below_pct)
    power = min(step.power_w, most) if on else 0
    little = _too_little(power, charger)
    return Verdict(
        setpoint_w=power if little is None else 0,
        reason=little or (Reason.PLAN if power else Reason.WAITING),
        holder=Holder.PLAN,
        until=plan.end_at,
    )


def _too_little(power_w: int, charger: ChargerLimits) -> Reason | None:
    """Return why a power other than zero is asked as zero: the charger cannot go so low."""
    return Reason.BELOW_MINIMUM if 0 < abs(power_w) < charger.min_power_w else None
