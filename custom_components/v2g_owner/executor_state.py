"""What the hand on one home charger knows and can do, who is told of it, and what is on disk."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .charger_control import (
    CONF_CHARGE_TESTED,
    CONF_CONTROL,
    CONF_DISCHARGE_TESTED,
    ChargerControl,
)
from .charger_driver import ChargerDriver
from .charger_sharing import is_shared
from .charger_tests import is_tested_now
from .const import CONF_CHARGER_ID
from .control_decision import BLIND_AFTER
from .control_model import LOOK_EVERY, ChargerLimits, Reason, Verdict
from .executor_clock import memory_dated_back, watch_dated_back
from .executor_hand import asked_w, left_running_w
from .executor_sight import Eyes
from .executor_store import ExecutorStore, Memory


class ExecutorState:
    """All that one executor goes by."""

    def __init__(
        self,
        hass: HomeAssistant,
        subentry: ConfigSubentry,
        cars: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Prepare for a charger's subentry; ``cars`` are the linked vehicles' mappings by id."""
        mapping = subentry.data[CONF_CONTROL]
        self._hass = hass
        self.title = subentry.title
        self.charger_id: str = subentry.data[CONF_CHARGER_ID]
        self.driver = ChargerDriver(hass, ChargerControl.read(mapping), subentry.title)
        self.mapping: Mapping[str, Any] = subentry.data
        self._subentry_id = subentry.subentry_id
        self.eyes = Eyes(hass, subentry.data, cars)
        self.cars = cars
        self._tested = (
            mapping.get(CONF_CHARGE_TESTED) is not None,
            mapping.get(CONF_DISCHARGE_TESTED) is not None and self.driver.control.can_discharge,
        )
        self._store = ExecutorStore(hass, self.charger_id)
        self._loading, self._loaded = asyncio.Lock(), False
        self._saving = asyncio.Lock()
        self.memory = Memory()
        self.started_at = dt_util.utcnow()
        self.verdict = Verdict(setpoint_w=None, reason=Reason.NOT_TESTED)
        self.unplug_hint = False
        self.restless = False
        """Whether something has flowed out for long though zero was told, by the meter."""
        self.deals: Mapping[str, str | None] = {}
        """Live commitments at this charger and their cars, as the API last told."""
        self.begins: Mapping[str, datetime] = {}
        """When each of them begins."""
        self.yeses: Mapping[str, str] = {}
        """The owner's decision that each of them rests on, whether or not it is proven."""
        self._saved_at: datetime | None = None
        self._listeners: list[Callable[[], None]] = []
        self.others: Sequence[ExecutorState] = ()
        """The hands on this home's other chargers."""
        self.ended = False
        """Whether it was shut down: it looks no more, and sets nothing."""

    @property
    def limits(self) -> ChargerLimits:
        """What the charger can do and may do."""
        orders = self.memory.orders
        return ChargerLimits(
            # What its papers say is of no use to a car that must be ready.
            max_charge_w=round(min(orders.max_charge_w, self.driver.most_into_w)),
            max_discharge_w=orders.max_discharge_w,
            min_power_w=self.driver.least_w,
            charge_tested=self._tested[0],
            discharge_tested=self._tested[1],
            testing=is_tested_now(self._hass, self.charger_id),
            shared=is_shared(self._hass, self._subentry_id),
        )

    def with_yeses(self, deals: Iterable[str]) -> tuple[str, ...]:
        """Return deals and the yes to each: with the deal it is spent, no other is made of it.

        That of the deal that runs is known here also where the agent has not told its deals yet.
        """
        named, lease = tuple(deals), self.memory.orders.lease
        yeses = [self.yeses[each] for each in named if each in self.yeses]
        if lease is not None and lease.consent_id and lease.commitment_id in named:
            yeses.append(lease.consent_id)
        return (*named, *yeses)

    def _asked_w(self, now: datetime) -> int | None:
        """Return the power that was asked of the charger last, by whoever may."""
        orders, meter = self.memory.orders, self.eyes.power()
        return asked_w(
            orders,
            self.driver.watch,
            now,
            most_w=orders.max_discharge_w,
            meter=meter is not None and now - meter.at < BLIND_AFTER,
        )

    async def async_load(self) -> None:
        """Take up what is on disk, once: a stop may come before the start has read it."""
        async with self._loading:
            if self._loaded:
                return
            loaded = await self._store.async_load()
            self.started_at = now = dt_util.utcnow()
            if (seen_at := loaded.parking.seen_at) is not None and seen_at > now:
                # It was kept before now, whatever the clock says since.
                loaded = memory_dated_back(loaded, seen_at - now + LOOK_EVERY)
            carries = {key: replace(carry, restored=True) for key, carry in loaded.carries.items()}
            parking = loaded.parking.after_restart(now, self.cars)
            self.memory = replace(loaded, parking=parking, carries=carries, left_safe=False)
            self.driver.watch = replace(self.driver.watch, out_w=left_running_w(loaded))
            self._loaded = True

    @callback
    def async_listen(self, listener: Callable[[], None]) -> CALLBACK_TYPE:
        """Call ``listener`` whenever what is shown has changed; returns the way out."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @callback
    def _async_tell(self) -> None:
        """Let what is shown be looked at again."""
        for listener in tuple(self._listeners):
            listener()

    @callback
    def async_save_soon(self) -> None:
        """Write to disk in the background."""
        self._saved_at = dt_util.utcnow()
        self._hass.async_create_task(self._async_save(), f"save {self.charger_id}")

    async def _async_save(self) -> None:
        """Write what holds now; one at a time, so that the newest is the last."""
        async with self._saving:
            parking = replace(self.memory.parking, seen_at=dt_util.utcnow())
            await self._store.async_save(replace(self.memory, parking=parking))

    def _date_back(self, by: timedelta) -> None:
        """Date all that is known back, as the clock was: nothing grows younger or lasts longer."""
        self.memory = memory_dated_back(self.memory, by)
        self.driver.watch = watch_dated_back(self.driver.watch, by)
        self.started_at -= by
        self._saved_at = None if self._saved_at is None else self._saved_at - by
