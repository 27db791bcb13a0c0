"""Judge a change of a charger's control entity that was none of our commands."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from homeassistant.const import (
    ATTR_UNIT_OF_MEASUREMENT,
    STATE_OFF,
    STATE_ON,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import Event, EventStateChangedData, State

from .charger_car import TOGETHER, Parking
from .charger_control import ChargerControl, Shape
from .charger_driver import ChargerDriver
from .charger_range import Range
from .control_model import Orders, OverrideKind
from .control_watch import Watch
from .executor_store import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class HandChange:
    """Whether the owner's hand moved the charger, to what power, and whether to undo it."""

    by_owner: bool = False
    undo: bool = False
    power_w: int | None = None


_NOTHING = HandChange()


def is_new_unit(event: Event[EventStateChangedData]) -> bool:
    """Tell whether a number is shown in another unit: its figure changed, and nobody set it."""
    old, new = event.data["old_state"], event.data["new_state"]
    if old is None or new is None:
        return False
    unit = ATTR_UNIT_OF_MEASUREMENT
    return bool(old.attributes.get(unit) != new.attributes.get(unit))


def judge_change(
    event: Event[EventStateChangedData],
    driver: ChargerDriver,
    parking: Parking,
    now: datetime,
    *,
    others: Iterable[ChargerDriver] = (),
) -> HandChange:
    """Tell what a change of a control entity means.

    A person or an automation in Home Assistant is the owner's hand at once. From elsewhere it is
    one only when no command of ours can still be echoing, and never when it discharges: nobody's
    yes stands behind that (promise 1). A number that goes with a mode has that mode's direction.
    """
    old, new = event.data["old_state"], event.data["new_state"]
    absent = {STATE_UNAVAILABLE, STATE_UNKNOWN}
    if old is None or new is None or absent & {old.state, new.state} or old.state == new.state:
        return _NOTHING
    watch = driver.watch
    by_person = new.context.user_id is not None or new.context.parent_id is not None
    ours = driver.is_ours(new.context) or (
        watch.agrees(new.entity_id, new.state)
        if by_person
        else watch.is_echo(new.entity_id, new.state, now)
    )
    # Two chargers may be set through one entity: what our other hand sets there is no person's.
    ours = ours or any(_set_by(other, new, now, by_person=by_person) for other in others)
    if ours or not watch.written or parking.charger.plugged is False:
        return _NOTHING
    power_w = set_by_hand_w(driver.control, new, driver.mode)
    if by_person:
        return HandChange(by_owner=True, power_w=power_w)
    if power_w is not None and power_w < 0:
        return HandChange(undo=True, power_w=power_w)
    # Chargers set defaults of their own when a car is plugged in, and clamp what they are told.
    since = parking.charger.since
    own_default = since is not None and now - since < TOGETHER
    if watch.settling(now) or own_default:
        return _NOTHING
    return HandChange(by_owner=True, power_w=power_w)


def _set_by(other: ChargerDriver, new: State, now: datetime, *, by_person: bool) -> bool:
    """Tell whether a change was made by our hand on another charger, or is an echo of it."""
    if other.is_ours(new.context):
        return True
    shared = new.entity_id in other.control.entities
    return shared and not by_person and other.watch.is_echo(new.entity_id, new.state, now)


def set_by_hand_w(control: ChargerControl, state: State, mode: str | None) -> int | None:
    """Return the power that a control entity's state stands for, None where it tells none.

    ``mode`` is what the mode entity shows; of a mode, and of a number in a unit of another kind,
    only the direction is told: -1, 0 or 1 W.
    """
    if state.entity_id == control.mode_entity:
        return _direction(control, state.state)
    value = float(state.state)
    factor = control.watts_per(Range.of(state).unit)
    power = (value > 0) - (value < 0) if factor is None else round(value * factor)
    if control.shape is Shape.SIGNED_NUMBER:
        return -power if control.inverted else power
    towards = _direction(control, mode)
    return None if towards is None else towards * abs(power)


def _direction(control: ChargerControl, mode: str | None) -> int | None:
    """Return -1 out of the car, 0 or 1 into it; None for a mode that is none of ours."""
    if not control.has_options:
        return {STATE_ON: 1, STATE_OFF: 0}.get(mode or "")
    signs = {control.discharge_option: -1, control.stop_option: 0, control.charge_option: 1}
    towards = None if mode is None else signs.get(mode)
    return towards if towards is None or not control.inverted else -towards


def may_discharge(orders: Orders, watch: Watch, now: datetime) -> bool:
    """Tell whether energy may leave the car by the owner's hand or by a command of ours.

    A zero that was not taken yet, or not seen yet, is none; what the owner set by hand stands above
    our last command.
    """
    word = orders.override
    if word is not None and word.kind == OverrideKind.BY_HAND and now < word.until:
        return (word.power_w or 0) < 0
    return watch.out_w < 0 or (watch.setpoint_w == 0 and not watch.taken)


def left_running_w(memory: Memory) -> int:
    """Return the discharge (W, never above 0) that may have run when a memory was kept last.

    Where Home Assistant did not end in order nobody has set zero since.
    """
    if memory.left_safe:
        return 0
    orders, seen_at = memory.orders, memory.parking.seen_at
    word, lease = orders.override, orders.lease
    if word is not None and word.kind == OverrideKind.BY_HAND:
        return min(0, word.power_w or 0)
    ran = lease is not None and (seen_at is None or seen_at <= lease.until)
    return min(0, lease.power_w) if lease is not None and ran else 0


def asked_w(orders: Orders, watch: Watch, now: datetime, *, most_w: int, meter: bool) -> int | None:
    """Return the power that was asked of the charger last, by the owner's hand or by us.

    A mode tells only that it discharges: without a ``meter`` that is at most ``most_w``.
    """
    word, setpoint_w = orders.override, watch.setpoint_w
    ours = None if setpoint_w is None else min(setpoint_w, watch.out_w or setpoint_w)
    if word is None or word.kind != OverrideKind.BY_HAND or now >= word.until:
        return ours
    if word.power_w is None or (watch.written and watch.written[-1].at > word.since):
        return ours
    only_direction = word.power_w == -1
    return -most_w if only_direction and not meter else word.power_w
