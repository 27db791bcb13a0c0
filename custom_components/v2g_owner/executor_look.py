"""One look around a charger: which car stands there, how full it is, what flows."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from .charger_car import Parking
from .control_carry import Carry
from .control_model import KEPT_DEALS, Orders, Sight
from .executor_sight import Eyes
from .executor_store import Memory
from .executor_word import kept_for


def look(
    memory: Memory,
    eyes: Eyes,
    *,
    commanded_w: int | None,
    reachable: bool,
    unit_fits: bool,
    others: Collection[Parking],
    now: datetime,
) -> tuple[Memory, Sight]:
    """Return what is remembered after a look, and what was seen.

    A car that is known to stand at one of the ``others``, another charger, is not plugged in here.
    A car that left takes the owner's word of the moment with it: charge now, stop, by hand. And
    the deal that ran: this home knows that it is over even where the API cannot be told.
    """
    parking = memory.parking
    elsewhere = {other.bound for other in others}
    for each, told in eyes.plugged().items():
        plugged = told and not (each in elsewhere and each != parking.bound)
        parking = parking.car_says(each, plugged=plugged, now=now)
    parking = parking.charger_says(plugged=eyes.connected(), now=now)
    unknown = [other.charger.since for other in others if other.bound is None and not other.guest]
    parking = parking.others_say([since for since in unknown if since is not None])
    vehicle_id = parking.presumed()
    power = eyes.power()
    power_w = None if power is None else power.value
    carry = _carry(memory, eyes, vehicle_id, power_w, commanded_w, now)
    car = memory.orders.car(vehicle_id)
    carried = (
        0.0 if car is None else carry.carried_pct(car.usable_capacity_wh, car.discharge_efficiency)
    )
    orders = kept_for(memory.orders, parking.bound)
    here = _plugged(parking, vehicle_id)
    if _plugged(memory.parking, memory.parking.presumed()) and here is False:
        orders = replace(orders, override=None, left=_ended_by(orders))
    carries = memory.carries if vehicle_id is None else {**memory.carries, vehicle_id: carry}
    sight = Sight(
        reachable=reachable,
        unit_fits=unit_fits,
        plugged=here,
        vehicle_id=vehicle_id,
        certain=vehicle_id is not None and parking.bound == vehicle_id,
        soc_pct=carry.soc_pct,
        soc_at=carry.soc_at,
        carried_pct=carried,
        power_w=power_w,
        power_at=None if power is None else power.at,
        sold_wh=0.0 if orders.lease is None else memory.sold_wh.get(orders.lease.consent_id, 0.0),
        pack_temperature_c=eyes.pack_temperature_c(vehicle_id),
    )
    return replace(memory, orders=orders, parking=parking, carries=carries), sight


def _ended_by(orders: Orders) -> tuple[str, ...]:
    """Return the deals that unplugging has ended, the one that ran now among them."""
    if orders.lease is None:
        return orders.left
    return tuple(dict.fromkeys((*orders.left, orders.lease.commitment_id)))[-KEPT_DEALS:]


def _carry(
    memory: Memory,
    eyes: Eyes,
    vehicle_id: str | None,
    measured_w: int | None,
    commanded_w: int | None,
    now: datetime,
) -> Carry:
    """Return the state of charge of the car here, carried by what has left since."""
    if vehicle_id is None:
        return Carry()
    carry = memory.carries.get(vehicle_id, Carry())
    carry = carry.counted(now, measured_w=measured_w, commanded_w=commanded_w)
    soc = eyes.soc(vehicle_id)
    return carry if soc is None else carry.told(soc.value, soc.at)


def _plugged(parking: Parking, vehicle_id: str | None) -> bool | None:
    """Tell whether a car is plugged in here, by the charger's word or else by the cars'."""
    if parking.charger.plugged is not None:
        return parking.charger.plugged
    if vehicle_id is not None:
        return parking.cars[vehicle_id].plugged
    if parking.guest:
        return None
    told = [plug.plugged for plug in parking.cars.values()]
    return False if told and all(plugged is False for plugged in told) else None
