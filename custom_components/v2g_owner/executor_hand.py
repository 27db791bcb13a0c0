"""Judge a change of a charger's control entity that was none of our commands."""

from dataclasses import dataclass
from datetime import datetime

from homeassistant.const import STATE_OFF, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData

from .charger_car import TOGETHER, Parking
from .charger_control import ChargerControl, Shape
from .charger_driver import ChargerDriver


@dataclass(frozen=True, slots=True, kw_only=True)
class HandChange:
    """Whether the owner's hand moved the charger, to what power, and whether to undo it."""

    by_owner: bool = False
    undo: bool = False
    power_w: int | None = None


_NOTHING = HandChange()


def judge_change(
    event: Event[EventStateChangedData],
    driver: ChargerDriver,
    parking: Parking,
    now: datetime,
) -> HandChange:
    """Tell what a change of a control entity means.

    A person or an automation in Home Assistant is the owner's hand at once. From elsewhere it is
    one only when no command of ours can still be echoing, and never when it discharges: nobody's
    yes stands behind that (promise 1).
    """
    old, new = event.data["old_state"], event.data["new_state"]
    absent = {STATE_UNAVAILABLE, STATE_UNKNOWN}
    if old is None or new is None or absent & {old.state, new.state} or old.state == new.state:
        return _NOTHING
    watch = driver.watch
    ours = driver.is_ours(new.context) or watch.is_echo(new.entity_id, new.state, now)
    if ours or not watch.written or parking.charger.plugged is False:
        return _NOTHING
    power_w = set_by_hand_w(driver.control, new.entity_id, new.state)
    if new.context.user_id is not None or new.context.parent_id is not None:
        return HandChange(by_owner=True, power_w=power_w)
    if power_w is not None and power_w < 0:
        return HandChange(undo=True, power_w=power_w)
    # Chargers set defaults of their own when a car is plugged in, and clamp what they are told.
    since = parking.charger.since
    own_default = since is not None and now - since < TOGETHER
    if watch.settling(now) or own_default:
        return _NOTHING
    return HandChange(by_owner=True, power_w=power_w)


def set_by_hand_w(control: ChargerControl, entity_id: str, state: str) -> int | None:
    """Return the power that a control entity's state stands for, None where it tells none.

    Of a mode only the direction is told: -1, 0 or 1 W.
    """
    if entity_id == control.mode_entity:
        signs = {control.discharge_option: -1, control.stop_option: 0, control.charge_option: 1}
        return 0 if state == STATE_OFF else signs.get(state)
    if control.shape is not Shape.SIGNED_NUMBER:
        return None
    try:
        power = float(state) * control.watts_per_unit
    except ValueError:
        return None
    return round(-power if control.inverted else power)
