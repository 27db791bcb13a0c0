"""Stop discharging at one home charger: its deals end, what flows out stops, charging goes on."""

from collections.abc import Mapping
from datetime import datetime

from homeassistant.util import dt as dt_util

from .control_model import Lease, OverrideKind, UnheardStop
from .control_watch import STOPPED_BELOW_W
from .executor import ChargerExecutor
from .executor_word import discharge_stopped, stop_kept


async def async_stop_discharging(executor: ChargerExecutor, what: Mapping[str, str]) -> None:
    """Stop all that discharges here, or what ``what`` names: a vehicle_id or a commitment_id.

    A charger from which nothing flows, and has no leave to, goes on charging.
    """
    await executor.async_load()
    now = dt_util.utcnow()
    orders = executor.memory.orders
    lease = _open_lease(executor, now)
    deals = dict(executor.deals)
    if orders.lease is not None:
        deals[orders.lease.commitment_id] = orders.lease.vehicle_id
    commitment_id, vehicle_id = what.get("commitment_id"), what.get("vehicle_id")
    if commitment_id is not None:
        ends = [each for each in deals if each == commitment_id]
        out = lease is not None and lease.commitment_id == commitment_id
    elif vehicle_id is not None:
        ends = [each for each, car in deals.items() if car == vehicle_id]
        here = executor.memory.parking.presumed() == vehicle_id
        out = (here and _flows_out(executor)) or (
            lease is not None and lease.vehicle_id == vehicle_id
        )
    else:
        ends = [*deals]
        out = lease is not None or _flows_out(executor)
    if out:
        # Asked again even when zero was asked before: the owner sees a reason to stop.
        executor.driver.async_force()
    stopped = discharge_stopped(orders, now, ends=executor.with_yeses(ends), rest=out)
    unheard = UnheardStop(since=now, vehicle_id=vehicle_id, commitment_id=commitment_id)
    executor.async_take(stop_kept(stopped, unheard))
    if out:
        executor.async_tick()
        await executor.driver.async_wait()


def _open_lease(executor: ChargerExecutor, now: datetime) -> Lease | None:
    """Return the lease that lives here, None where none does or its deal was stopped before."""
    orders = executor.memory.orders
    lease = orders.lease
    if lease is None or now >= lease.until or lease.commitment_id in orders.stopped:
        return None
    return lease


def _flows_out(executor: ChargerExecutor) -> bool:
    """Tell whether energy leaves the car, by our command, by the meter or by the owner's hand."""
    word, power = executor.memory.orders.override, executor.eyes.power()
    by_hand = word is not None and word.kind == OverrideKind.BY_HAND and (word.power_w or 0) < 0
    commanded = (executor.driver.watch.setpoint_w or 0) < 0
    return by_hand or commanded or (power is not None and power.value < -STOPPED_BELOW_W)
