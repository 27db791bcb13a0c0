"""Writes setpoints to a charger's control entities: the newest wins, a slow call delays none."""

import asyncio
from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta
import logging
from typing import Final

from homeassistant.components.number.const import DATA_COMPONENT
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .charger_actions import async_run_actions
from .charger_control import Call, ChargerControl, Shape
from .charger_range import Native, Range, shows
from .const import DOMAIN, LOGGER
from .control_unrest import EVERY_MINUTE
from .control_watch import STOPPED_BELOW_W, Watch

# A controller that does not answer in this time is asked again, and the owner told to unplug.
_ANSWER_S: Final = 4.0
# A slow cloud may still take what it was asked then: only another power ends that call sooner.
_CALL_TIMEOUT_S: Final = 30.0
# The first zero may be lost and never answered; many an integration makes the next one wait for it.
_FIRST_ZERO_TIMEOUT_S: Final = 8.0
# A park may change its mind fifty times a second; a charger's contactor and its cloud may not.
_PAUSE: Final = timedelta(seconds=5)
# Nobody looks after the last zero. Home Assistant gives its shutdown jobs 20 s in all.
_LAST_TRIES: Final = 3
_LAST_PAUSE_S: Final = 1.0


@callback
def async_range(hass: HomeAssistant, entity_id: str) -> Range:
    """Return what a number takes now."""
    if (state := hass.states.get(entity_id)) is None:
        return Range()
    # The registry takes the unit that the owner chose for the number's own when it is renamed.
    component = hass.data.get(DATA_COMPONENT)
    entity = None if component is None else component.get_entity(entity_id)
    if entity is None:
        return Range.of(state)
    native = Native(
        unit=entity.native_unit_of_measurement,
        low=float(entity.native_min_value),
        high=float(entity.native_max_value),
        whole=isinstance(entity.native_value, int),
    )
    return Range.of(state, native)


class ChargerDriver:
    """The hand on one charger's control entities."""

    def __init__(self, hass: HomeAssistant, control: ChargerControl, name: str) -> None:
        """Prepare; nothing is written yet."""
        self._hass = hass
        self.control = control
        self._name = name
        self.watch = Watch()
        self._tasks: dict[asyncio.Task[None], None] = {}
        # A state change that carries one of these is our own doing.
        self._contexts: deque[str] = deque(maxlen=50)
        self._forced = False
        self._failing = False

    @property
    def reachable(self) -> bool:
        """Tell whether every control entity is there; actions can always be tried."""
        return all(
            (state := self._hass.states.get(entity_id)) is not None
            and state.state != STATE_UNAVAILABLE
            for entity_id in self.control.entities
        )

    @property
    def unit_fits(self) -> bool:
        """Tell whether the number still counts what was mapped and tested."""
        return self.control.watts_per(self._range(self.control.setpoint_entity).unit) is not None

    @property
    def least_w(self) -> int:
        """The least power that can be asked for now."""
        return self.control.least_in(self._range(self.control.setpoint_entity))

    @property
    def most_into_w(self) -> float:
        """The most power into the car that can be asked for now, as far as its number says."""
        return self.control.most_into(self._range(self.control.setpoint_entity))

    @property
    def mode(self) -> str | None:
        """What the mode entity shows, None where there is none."""
        state = self._hass.states.get(self.control.mode_entity or "")
        return None if state is None else state.state

    def is_at_rest(self, power_w: int | None) -> bool:
        """Tell whether nothing of ours runs or has to be undone, and nothing flows out."""
        watch = self.watch
        ours = self._forced or (bool(watch.written) and not (watch.setpoint_w == 0 and watch.taken))
        return not ours and watch.out_w == 0 and (power_w or 0) >= -STOPPED_BELOW_W

    @callback
    def async_force(self) -> None:
        """Write again at the next tick, whatever was written before."""
        self._forced = True

    def is_ours(self, context: Context) -> bool:
        """Tell whether a change was made by one of our calls."""
        return context.id in self._contexts or (context.parent_id or "") in self._contexts

    @callback
    def async_drive(
        self, setpoint_w: int, now: datetime, power_w: int | None, power_at: datetime | None
    ) -> None:
        """Set a power unless it is set already and nothing contradicts that.

        From a discharge to charging the way is through zero, until the meter shows that it is one:
        a command to charge that failed would leave the car discharging, with nobody told.
        """
        self.watch = self.watch.seen(now, power_w, power_at)
        if setpoint_w > 0 and self.watch.out_w < 0:
            setpoint_w = 0
        if self._due(setpoint_w, now, power_w, power_at):
            self.async_set(setpoint_w, now)

    @callback
    def async_set(self, setpoint_w: int, now: datetime) -> asyncio.Task[None]:
        """Set a power now; an older command to set another that is on its way is given up."""
        patience_s = _CALL_TIMEOUT_S
        if setpoint_w != self.watch.setpoint_w:
            self.async_cancel()
            patience_s = _CALL_TIMEOUT_S if setpoint_w else _FIRST_ZERO_TIMEOUT_S
        limits = {entity_id: self._range(entity_id) for entity_id in self.control.entities}
        calls = self.control.calls(setpoint_w, self._range(self.control.setpoint_entity))
        self.watch = self.watch.wrote(setpoint_w, calls, limits, now)
        self._forced = False
        task = self._hass.async_create_task(
            self._async_make(setpoint_w, calls, patience_s), f"{DOMAIN} drive {self._name}"
        )
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)
        return task

    async def async_leave(self) -> None:
        """Set zero for the last time: what fails is tried again until it is taken.

        One that is out of reach says so at once, and is waited for as long as one that is slow: its
        network may only be starting anew, and it goes on as it was told.
        """
        left_s = _LAST_TRIES * (_LAST_PAUSE_S + _ANSWER_S)
        while True:
            away = not self.reachable and self.watch.out_w < 0
            left_s -= _LAST_PAUSE_S if away else _LAST_PAUSE_S + _ANSWER_S
            await self.async_put(0)
            if self.watch.taken or left_s <= 0:
                return
            await asyncio.sleep(_LAST_PAUSE_S)

    async def async_put(self, setpoint_w: int) -> None:
        """Set a power and wait for the charger's answer, not for long."""
        self.async_set(setpoint_w, dt_util.utcnow())
        await self.async_wait()

    async def async_wait(self) -> None:
        """Wait for the answer to the newest command, not for long."""
        if self._tasks:
            await asyncio.wait([next(reversed(self._tasks))], timeout=_ANSWER_S)

    @callback
    def async_lose(self, now: datetime) -> None:
        """Note that the charger is out of reach: zero is written once it is back.

        A discharge on its way there is given up: it could arrive after the owner's stop.
        """
        if (self.watch.setpoint_w or 0) < 0:
            self.async_cancel()
        self.watch = self.watch.lost(now)
        self._forced = True

    @callback
    def async_cancel(self) -> None:
        """Give up what is on its way."""
        for task in self._tasks:
            task.cancel()

    def _due(
        self, setpoint_w: int, now: datetime, power_w: int | None, power_at: datetime | None
    ) -> bool:
        """Tell whether to write: something new, or something that was not obeyed."""
        if not self.watch.written:
            return True
        last = self.watch.written[-1]
        if self._forced or setpoint_w != last.setpoint_w:
            return setpoint_w == 0 or now - last.at >= _PAUSE
        # More may flow out than is asked for until that is taken.
        less_out = setpoint_w > self.watch.out_w and not self.watch.taken
        fresh_w = power_w if power_at is not None and power_at > last.at else None
        flows_out = setpoint_w >= 0 and fresh_w is not None and fresh_w < -STOPPED_BELOW_W
        # The charger's own doing, within the five seconds in which Home Assistant takes what an
        # entity shows for our command's.
        more_out = setpoint_w < 0 and fresh_w is not None and fresh_w < setpoint_w - STOPPED_BELOW_W
        differs = any(
            (state := self._hass.states.get(entity_id)) is not None
            and state.state not in {STATE_UNAVAILABLE, STATE_UNKNOWN}
            and not shows(state.state, expected, self._range(entity_id))
            for entity_id, expected in last.expected.items()
        )
        # Not every charger shows what it was told: the call's own failure counts as well.
        unheard = self.watch.asked_zero_at is not None and self.watch.accepted_zero_at is None
        amiss = unheard or not self.watch.taken or differs
        out_w = power_w or 0 if flows_out else 0
        self.watch = replace(
            self.watch, unrest=self.watch.unrest.seen(now, out_w=out_w, amiss=amiss)
        )
        # A command given up may arrive late. Where the charger shows nothing else than it was told,
        # and has been at rest, what flows out is a roof's, on the same meter.
        turned = (flows_out and (differs or not last.expected)) or (more_out and differs)
        unrest = setpoint_w == 0 and (amiss or self.watch.out_w < 0)
        pause = self.watch.unrest.pause(now)
        if not (less_out or turned or unrest):
            pause = max(pause, EVERY_MINUTE)
        return now - last.at >= pause and (amiss or flows_out)

    def _range(self, entity_id: str | None) -> Range:
        """Return what a number takes now."""
        return Range() if entity_id is None else async_range(self._hass, entity_id)

    async def _async_make(
        self, setpoint_w: int, calls: tuple[Call, ...], patience_s: float
    ) -> None:
        """Make the calls; what fails is tried again by the next ticks."""
        context = Context()
        self._contexts.append(context.id)
        try:
            async with asyncio.timeout(patience_s):
                await self._async_call(setpoint_w, calls, context)
        except Exception as error:  # noqa: BLE001 - whatever a charger's integration raises
            # Tried again every few seconds; said once until it works again.
            level = logging.DEBUG if self._failing else logging.WARNING
            LOGGER.log(level, "%s did not take %s W: %r", self._name, setpoint_w, error)
            self._failing = True
        else:
            if self._failing:
                LOGGER.info("%s takes commands again", self._name)
            self._failing = False
            self.watch = self.watch.accepted(setpoint_w, dt_util.utcnow())

    async def _async_call(self, setpoint_w: int, calls: tuple[Call, ...], context: Context) -> None:
        """Run the owner's actions, or call the control entities' own; raises what they raise."""
        if self.control.shape is Shape.ACTIONS:
            await async_run_actions(self._hass, self.control, setpoint_w, self._name, context)
            return
        if not self.reachable:
            # Home Assistant passes over an entity that is not there, and calls it done.
            raise ConnectionError("it cannot be reached")
        for call in calls:
            await self._hass.services.async_call(
                call.domain, call.service, dict(call.data), blocking=True, context=context
            )
