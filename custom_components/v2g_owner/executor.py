"""Drives one home charger: looks, decides, sets, every two seconds and whenever something moves.

A thin shell around ``control_decision.decide``: what it obeys is on disk and holds with the API
gone; stopping asks nobody.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.event import (
    async_track_state_change_event,
    async_track_time_interval,
)
from homeassistant.util import dt as dt_util

from .control_decision import decide
from .control_model import LOOK_EVERY, Orders, OverrideKind, Plan, Reason, UnheardStop
from .control_sold import count_sold
from .control_watch import STOPPED_BELOW_W
from .executor_alarm import Alarm
from .executor_hand import is_new_unit, judge_change, may_discharge
from .executor_look import look
from .executor_state import ExecutorState
from .executor_word import HOLDS, owner_says, said_of, stop_kept

TICK: Final = LOOK_EVERY
# While a car is bound, so often the disk learns that it still stands here.
HEARTBEAT: Final = timedelta(minutes=4)


class ChargerExecutor(ExecutorState):
    """The one hand of ours on one charger."""

    def __init__(
        self,
        hass: HomeAssistant,
        subentry: ConfigSubentry,
        cars: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Prepare for a charger's subentry; ``cars`` are the linked vehicles' mappings by id."""
        super().__init__(hass, subentry, cars)
        self._wanted: Callable[[], bool] = lambda: True
        self._unsubscribes: list[CALLBACK_TYPE] = []
        self._looked_at: datetime | None = None
        self._lease_ends = Alarm(hass, self.async_tick)

    async def async_start(self, wanted: Callable[[], bool] = lambda: True) -> None:
        """Load what is on disk and begin to look, for as long as ``wanted`` says yes."""
        self._wanted = wanted
        await self.async_load()
        if self.ended or not self._tested[0]:
            return
        watched = [*self.eyes.entities, *self.driver.control.entities]
        self._unsubscribes = [
            async_track_time_interval(self._hass, self._async_timer, TICK),
            async_track_state_change_event(self._hass, watched, self._async_changed),
        ]
        self._async_watch_lease()
        self.async_tick()

    async def async_shut_down(self) -> None:
        """Leave the charger safe: nothing of ours discharges while nobody looks."""
        if self.ended:
            return
        # What the API still says while zero is on its way is not obeyed any more.
        self.ended = True
        for unsubscribe in self._unsubscribes:
            unsubscribe()
        self._unsubscribes = []
        self._lease_ends.async_set(None)
        # Home Assistant may end while it begins: what was not read yet must not be written over.
        await self.async_load()
        if may_discharge(self.memory.orders, self.driver.watch, dt_util.utcnow()):
            await self.driver.async_leave()
            self.memory = replace(self.memory, left_safe=self.driver.watch.taken)
        else:
            self.driver.async_cancel()
            self.memory = replace(self.memory, left_safe=True)
        if self._tested[0]:
            await self._async_save()

    @callback
    def async_tick(self) -> None:
        """Look, decide, set."""
        if self.ended:
            return
        now = dt_util.utcnow()
        if self._looked_at is not None and now < self._looked_at:
            self._date_back(self._looked_at - now)
            self._async_watch_lease()
            self.async_save_soon()
        power = self.eyes.power()
        passed = timedelta() if self._looked_at is None else now - self._looked_at
        measured_w = None if power is None else power.value
        self.memory = count_sold(self.memory, self.verdict, measured_w, passed)
        self._looked_at = now
        seen, sight = look(
            self.memory,
            self.eyes,
            commanded_w=self._asked_w(now),
            reachable=self.driver.reachable,
            unit_fits=self.driver.unit_fits,
            others=[other.memory.parking for other in self.others],
            now=now,
        )
        if max(sight.power_w or 0, self.driver.watch.setpoint_w or 0) > STOPPED_BELOW_W:
            seen = replace(seen, charged_at=now)
        news = seen.to_keep != self.memory.to_keep
        self.memory = seen
        charging = (self.verdict.setpoint_w or 0) > 0
        since = self.started_at
        limits = self.limits
        verdict = decide(seen.orders, sight, limits, now, started_at=since, charging=charging)
        if not sight.reachable:
            # It may come back with an old setpoint of ours: then zero is written again first.
            self.driver.async_lose(now)
        elif verdict.reason is Reason.TESTING:
            # The test sets it by a hand of its own, and actions do not show what they left.
            self.driver.async_force()
        elif limits.shared and verdict.setpoint_w == 0 and self.driver.is_at_rest(sight.power_w):
            # Whoever has set nothing else keeps off, or the other could not even charge.
            self.driver.watch = self.driver.watch.seen(now, sight.power_w, sight.power_at)
        elif verdict.setpoint_w is not None:
            self.driver.async_drive(verdict.setpoint_w, now, sight.power_w, sight.power_at)
        hint = self.driver.watch.unplug_hint(now, sight.power_w, sight.power_at)
        shown = (verdict, hint, self.driver.watch.unrest.to_say)
        if news or shown != (self.verdict, self.unplug_hint, self.restless):
            self.verdict, self.unplug_hint, self.restless = shown
            self._async_tell()
        bound = seen.parking.bound is not None
        if news or (bound and now - (self._saved_at or self.started_at) >= HEARTBEAT):
            self.async_save_soon()

    @callback
    def _async_watch_lease(self) -> None:
        """Look again at the very second the lease ends."""
        lease = self.memory.orders.lease
        self._lease_ends.async_set(None if lease is None else lease.until)

    @callback
    def async_take(self, orders: Orders) -> None:
        """Obey new orders, from now on and after a restart."""
        if self.ended or orders == self.memory.orders:
            return
        planned = orders.plan != self.memory.orders.plan
        self.memory = replace(self.memory, orders=orders)
        self._async_watch_lease()
        self.async_save_soon()
        self.async_tick()
        if planned:
            self._async_tell()

    @callback
    def async_take_plan(self, plan: Plan | None, made_from: str) -> None:
        """Charge by a plan, or without one, until it has to be made anew."""
        self.memory = replace(self.memory, plan_from=made_from)
        self.async_take(replace(self.memory.orders, plan=plan))

    async def async_stop_now(self) -> None:
        """Come to zero at once, asking nobody, and stay there until shown otherwise."""
        self._async_override(OverrideKind.STOP)
        # Asked again even when zero was asked before: the owner sees a reason to stop.
        await self.driver.async_put(0)
        self.async_tick()

    @callback
    def async_charge_now(self) -> None:
        """Charge with all the charger and the car can do, whatever plan and park say."""
        self._async_override(OverrideKind.CHARGE)
        self.async_tick()

    @callback
    def async_resume(self) -> None:
        """Go back to plan and park."""
        self.async_take(replace(self.memory.orders, override=None))

    @callback
    def async_name_car(self, vehicle_id: str | None) -> None:
        """Take the owner's word for which car stands here."""
        self.memory = replace(
            self.memory,
            parking=self.memory.parking.owner_says(vehicle_id),
            orders=said_of(self.memory.orders, vehicle_id),
        )
        self.async_save_soon()
        self.async_tick()
        self._async_tell()

    @callback
    def _async_override(self, kind: OverrideKind, power_w: int | None = None) -> None:
        """Note the owner's word; it stops the deals that begin while it may hold.

        What the owner sets by hand stops none.
        """
        orders, now = self.memory.orders, dt_util.utcnow()
        leased = (orders.lease.commitment_id,) if orders.lease else ()
        due = [each for each in self.deals if self.begins.get(each, now) < now + HOLDS[kind]]
        ends = () if kind is OverrideKind.BY_HAND else self.with_yeses((*due, *leased))
        here = self.memory.parking.bound
        orders = owner_says(orders, kind, now, ends=ends, power_w=power_w, vehicle_id=here)
        if kind is not OverrideKind.BY_HAND:
            orders = stop_kept(orders, UnheardStop(since=now, before=now + HOLDS[kind]))
        self.memory = replace(self.memory, orders=orders)
        self.async_save_soon()

    @callback
    def _async_timer(self, _now: datetime) -> None:
        """Tick, or end where the account was switched off while the API was away."""
        if self._wanted():
            self.async_tick()
        else:
            self._hass.async_create_task(self.async_shut_down(), f"end {self.charger_id}")

    @callback
    def _async_changed(self, event: Event[EventStateChangedData]) -> None:
        """Notice the owner's hand, and look at once."""
        entity_id = event.data["entity_id"]
        if entity_id in self.driver.control.entities:
            self._async_notice_hand(event)
        if self.eyes.matters(entity_id, self.memory.parking.presumed()):
            self.async_tick()

    @callback
    def _async_notice_hand(self, event: Event[EventStateChangedData]) -> None:
        """Step back when the owner changed the charger; undo a discharge and the hand before it."""
        if self.limits.testing:
            return
        if is_new_unit(event):
            self.driver.async_force()
            return
        others, parking = [each.driver for each in self.others], self.memory.parking
        found = judge_change(event, self.driver, parking, dt_util.utcnow(), others=others)
        if found.by_owner:
            self._async_override(OverrideKind.BY_HAND, found.power_w)
            if self.limits.shared and (found.power_w or 0) < 0:
                # The meter may never show it.
                self.driver.async_force()
        elif found.undo:
            self.driver.async_force()
            if (word := self.memory.orders.override) and word.kind == OverrideKind.BY_HAND:
                self.async_resume()
