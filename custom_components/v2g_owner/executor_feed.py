"""Brings an executor its orders from the API, and tells the API what was stopped at home."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util import dt as dt_util

from .api_errors import OwnerApiError, OwnerApiProblem
from .const import DOMAIN, LOGGER
from .control_model import Plan, UnheardStop
from .coordinator import V2GCoordinator
from .decode import BadAnswerError
from .executor import ChargerExecutor
from .executor_orders import (
    car_limits,
    charger_limits,
    lease_here,
    orders_depend_on,
    plan_depends_on,
    read_plan,
)
from .executor_word import deals_ended, is_stopped_unheard
from .models_deal import Commitment
from .trust_issues import async_tell_unproven, unproven_id
from .trust_watch import LogWatch
from .unsubscribing import together

# Thresholds stay right while the state of charge moves, so a plan need not be young.
PLAN_EVERY: Final = timedelta(minutes=15)
_LOOK_EVERY: Final = timedelta(minutes=1)
# By then the stream or a full read has shown what became of a stop.
_SHOWN_WITHIN: Final = timedelta(minutes=1)
_NO_PLAN: Final = frozenset({"departure_unknown", "soc_unknown"})


class ExecutorFeed:
    """Ties one executor to the API for as long as the account is loaded."""

    def __init__(
        self,
        hass: HomeAssistant,
        coordinator: V2GCoordinator,
        log: LogWatch,
        executor: ChargerExecutor,
    ) -> None:
        """Prepare; nothing is asked yet."""
        self._hass = hass
        self._coordinator = coordinator
        self._log = log
        self._executor = executor
        self._plan_at: datetime | None = None
        self._orders_from: tuple[Any, ...] | None = None
        self._busy = False
        self._told: dict[str, datetime] = {}
        self._known_left: tuple[str, ...] = ()
        self._unproven: tuple[str, datetime] | None = None
        self._unheard: dict[UnheardStop, int] = {}
        """Stops that are kept, and how many full reads had been begun when each was seen."""

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Follow the coordinator and the executor; returns the way to stop."""
        unsubscribes = [
            self._coordinator.async_add_listener(self._async_news),
            self._log.async_listen(self._async_news),
            self._executor.async_listen(self._async_work_soon),
            async_track_time_interval(self._hass, self._async_timer, _LOOK_EVERY),
        ]
        self._async_news()

        return together(unsubscribes)

    @callback
    def _async_timer(self, _now: datetime) -> None:
        # By now the car itself has told the API that it left, unless nobody heard it.
        self._known_left = self._executor.memory.orders.left
        self._async_look_for_proof()
        self._async_forget_heard()
        self._async_work_soon()

    @callback
    def _async_forget_heard(self) -> None:
        """Forget a stop once all that the agent had by then has been held against it.

        A network that is cut says nothing of it: only a full read that was begun after the stop
        shows that no deal is still to be told.
        """
        coordinator, orders = self._coordinator, self._executor.memory.orders
        begun = coordinator.reads_begun
        self._unheard = {stop: self._unheard.get(stop, begun) for stop in orders.unheard}
        if self._executor.charger_id not in coordinator.data.chargers:
            return
        left = tuple(
            stop for stop, seen in self._unheard.items() if coordinator.newest_read <= seen
        )
        self._executor.async_take(replace(orders, unheard=left))

    @callback
    def _async_look_for_proof(self) -> None:
        """Tell the owner of a deal that goes on without a yes: a receipt may be a moment late."""
        lease, now = self._executor.memory.orders.lease, dt_util.utcnow()
        if lease is None or lease.covered or now >= lease.until:
            self._unproven = None
        elif self._unproven is None or self._unproven[0] != lease.commitment_id:
            self._unproven = lease.commitment_id, now
        elif now - self._unproven[1] >= _LOOK_EVERY:
            entry, charger = self._coordinator.config_entry, self._executor.title
            async_tell_unproven(self._hass, entry, charger, lease.commitment_id)

    @callback
    def _async_forget_proven(self, deals: Iterable[Commitment]) -> None:
        """End the repair of a deal whose receipt came in the end, be it over by then."""
        issues = ir.async_get(self._hass)
        for deal in deals:
            issue_id = unproven_id(deal.commitment_id)
            if issues.async_get_issue(DOMAIN, issue_id) and self._log.consent(deal):
                ir.async_delete_issue(self._hass, DOMAIN, issue_id)

    @callback
    def _async_news(self) -> None:
        """Take what the API says about cars, charger and deals.

        Also where the last full read has failed: the stream may go on, and with it a stop.
        """
        snapshot, executor = self._coordinator.data, self._executor
        self._async_forget_proven(snapshot.commitments.values())
        charger = snapshot.chargers.get(executor.charger_id)
        if charger is None:
            return
        deals = [
            deal
            for deal in snapshot.live_commitments
            if charger.evse_id is not None and deal.evse_id == charger.evse_id
        ]
        consents = {deal.commitment_id: self._log.consent(deal) for deal in deals}
        depends = orders_depend_on(snapshot, charger, executor.cars.keys(), consents)
        if depends == self._orders_from:
            self._async_work_soon()
            return
        self._orders_from = depends
        orders = executor.memory.orders
        executor.deals = {deal.commitment_id: deal.vehicle_id for deal in deals}
        executor.begins = {deal.commitment_id: deal.start_at for deal in deals}
        executor.yeses = {
            deal.commitment_id: deal.decision.decision_id
            for deal in deals
            if deal.decision and deal.decision.decision_id
        }
        ends = [each.commitment_id for each in deals if is_stopped_unheard(orders, each)]
        orders = deals_ended(orders, executor.with_yeses(ends))
        cars = car_limits(snapshot, executor.cars.keys())
        most_in, most_out = charger_limits(charger, cars)
        executor.async_take(
            replace(
                orders,
                cars=cars,
                max_charge_w=most_in,
                max_discharge_w=most_out,
                lease=lease_here(
                    snapshot, charger.evse_id, orders.lease, consents, dt_util.utcnow()
                ),
            )
        )
        self._async_work_soon()

    @callback
    def _async_work_soon(self) -> None:
        """Ask for a plan or tell a stop in the background, where one is due."""
        if self._busy or not self._coordinator.last_update_success:
            return
        if self._due_plan() is None and not self._untold():
            return
        self._busy = True
        self._coordinator.config_entry.async_create_background_task(
            self._hass, self._async_work(), f"feed {self._executor.charger_id}"
        )

    async def _async_work(self) -> None:
        """Tell stops first; then renew the plan."""
        try:
            for commitment_id in self._untold():
                await self._coordinator.api.post("/v1/stops", {"commitment_id": commitment_id})
                self._told[commitment_id] = dt_util.utcnow()
            if (vehicle_id := self._due_plan()) is not None:
                await self._async_plan(vehicle_id)
        except OwnerApiError as error:
            # The next look tries again; until then the orders on disk hold.
            LOGGER.debug("%s: the API is not told or asked: %s", self._executor.charger_id, error)
        finally:
            self._busy = False

    def _untold(self) -> list[str]:
        """Return the deals ended at home that the API still holds for live.

        One that was told is told again where it lives on: an agent may lose what it has answered,
        as when a backup is put back.
        """
        live = {deal.commitment_id for deal in self._coordinator.data.live_commitments}
        stopped = (*self._executor.memory.orders.stopped, *self._known_left)
        return [each for each in stopped if each in live and not self._told_lately(each)]

    def _told_lately(self, commitment_id: str) -> bool:
        """Tell whether the API has been told of a stop, and may not have shown it yet."""
        told_at = self._told.get(commitment_id)
        return told_at is not None and timedelta() <= dt_util.utcnow() - told_at < _SHOWN_WITHIN

    def _due_plan(self) -> str | None:
        """Return the car that needs a new plan, None while the plan is good."""
        vehicle_id = self._executor.memory.parking.presumed()
        if vehicle_id is None or vehicle_id not in self._coordinator.data.vehicles:
            return None
        now = dt_util.utcnow()
        source = plan_depends_on(self._coordinator.data, vehicle_id)
        same = source == self._executor.memory.plan_from
        # One that was asked for after now was asked for before the clock was set back.
        asked = self._plan_at
        young = asked is not None and timedelta() <= now - asked < PLAN_EVERY
        return None if same and (young or self._charged_unseen(vehicle_id, now)) else vehicle_id

    def _charged_unseen(self, vehicle_id: str, now: datetime) -> bool:
        """Tell whether the plan in force is better than one made from what the car said last.

        It has been silent since it was charged: a new plan would charge the same energy again.
        """
        memory = self._executor.memory
        charged_at, plan = memory.charged_at, memory.orders.plan
        carry = memory.carries.get(vehicle_id)
        if plan is None or plan.vehicle_id != vehicle_id or now >= plan.end_at:
            return False
        if carry is None or carry.soc_at is None or charged_at is None:
            return False
        return now - carry.soc_at >= PLAN_EVERY and charged_at > carry.soc_at

    async def _async_plan(self, vehicle_id: str) -> None:
        """Ask for the schedule; without one the executor charges to the target."""
        executor, source = self._executor, plan_depends_on(self._coordinator.data, vehicle_id)
        query = f"charger_id={executor.charger_id}&min_power_w={executor.driver.least_w}"
        self._plan_at = dt_util.utcnow()
        plan: Plan | None = None
        try:
            answer: Mapping[str, Any] = await self._coordinator.api.get(
                f"/v1/vehicles/{vehicle_id}/schedule?{query}"
            )
            plan = read_plan(dict(answer))
        except OwnerApiProblem as error:
            if error.code not in _NO_PLAN:
                raise
        except BadAnswerError as error:
            LOGGER.warning("The schedule cannot be read: %s", error)
        executor.async_take_plan(plan, source)
