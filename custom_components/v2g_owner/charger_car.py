"""Which car stands at a home charger: known for certain, presumed, or a stranger's.

A car is certain when it and the charger were plugged in within two minutes of each other, and no
other charger was, or when the owner says so. A plugged-in car alone may as well stand at work while
a guest charges here.
"""

from collections.abc import Collection, Container
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

TOGETHER: Final = timedelta(seconds=120)
# A restart in which a car was exchanged would go unseen if it took longer than this.
UNSEEN_AT_MOST: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plug:
    """Something with a plug: what it last said and when, and when we saw it being plugged in."""

    plugged: bool | None = None
    since: datetime | None = None
    told_at: datetime | None = None

    def says(self, *, plugged: bool | None, now: datetime) -> Plug:
        """Return the same after a report; only a change from unplugged to plugged has a time."""
        if plugged is None:
            return self
        edge = plugged and self.plugged is False
        since = now if edge else (self.since if plugged else None)
        return Plug(plugged=plugged, since=since, told_at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parking:
    """One charger's plug, the plugs of the owner's cars, and which of them is bound to it."""

    charger: Plug = field(default_factory=Plug)
    cars: dict[str, Plug] = field(default_factory=dict)
    bound: str | None = None
    guest: bool = False
    """The owner said that this car is a stranger's: no plug says otherwise until it leaves."""
    named: str | None = None
    """The car that the owner said stands here: no other charger's plug makes that doubtful."""
    seen_at: datetime | None = None

    def charger_says(self, *, plugged: bool | None, now: datetime) -> Parking:
        """Return the same after the charger's word; a car that left is bound no more."""
        changed = replace(self, charger=self.charger.says(plugged=plugged, now=now), seen_at=now)
        if changed.charger.plugged is False:
            return replace(changed, bound=None, guest=False, named=None)
        if _unwatched(changed, now):
            # Nor does it say anything any more that both were plugged in together then.
            return replace(changed, bound=None, charger=replace(changed.charger, since=None))
        return _bound_together(changed)

    def car_says(self, vehicle_id: str, *, plugged: bool | None, now: datetime) -> Parking:
        """Return the same after a car's word."""
        plug = self.cars.get(vehicle_id, Plug()).says(plugged=plugged, now=now)
        changed = replace(self, cars={**self.cars, vehicle_id: plug}, seen_at=now)
        if plug.plugged is False and self.bound == vehicle_id:
            return replace(changed, bound=None)
        return _bound_together(changed)

    def owner_says(self, vehicle_id: str | None) -> Parking:
        """Return the same after the owner named the car; None is a guest's."""
        return replace(self, bound=vehicle_id, guest=vehicle_id is None, named=vehicle_id)

    def others_say(self, elsewhere: Collection[datetime]) -> Parking:
        """Return the same beside the chargers of this home at which nobody knows the car.

        ``elsewhere`` tells when a car was seen being plugged in at each: a car that was plugged in
        just then may as well be that one, whichever sensor spoke first, and until it leaves.
        """
        doubted = {
            vehicle_id: replace(plug, since=None)
            for vehicle_id, plug in self.cars.items()
            if plug.since is not None
            and any(abs(plug.since - there) <= TOGETHER for there in elsewhere)
        }
        lost = self.bound in doubted and self.bound != self.named
        return replace(self, cars={**self.cars, **doubted}, bound=None if lost else self.bound)

    def after_restart(self, now: datetime, linked: Container[str]) -> Parking:
        """Return what is still true, of the ``linked`` cars, after a time in which none was seen.

        After a long one not even when the plugs went in: it could be another car's by now. Only a
        guest stays one: doubt gives a stranger nothing, and the owner can name the car.
        """
        if self.seen_at is None or now - self.seen_at > UNSEEN_AT_MOST:
            return Parking(guest=self.guest)
        cars = {vehicle_id: plug for vehicle_id, plug in self.cars.items() if vehicle_id in linked}
        return replace(self, cars=cars, bound=self.bound if self.bound in cars else None)

    def presumed(self) -> str | None:
        """Return the car that most likely stands here: the bound one, else the only one plugged."""
        if self.bound is not None:
            return self.bound
        if self.guest or self.charger.plugged is False:
            return None
        plugged = [vehicle_id for vehicle_id, plug in self.cars.items() if plug.plugged]
        return plugged[0] if len(plugged) == 1 else None


def _unwatched(parking: Parking, now: datetime) -> bool:
    """Tell whether the bound car may have been exchanged: both plugs were silent for too long."""
    if parking.bound is None:
        return False
    plugs = (parking.charger, parking.cars.get(parking.bound, Plug()))
    told = [plug.told_at for plug in plugs if plug.told_at is not None]
    return bool(told) and now - max(told) > UNSEEN_AT_MOST


def _bound_together(parking: Parking) -> Parking:
    """Bind the one car that was plugged in together with the charger."""
    here = parking.charger.since
    if parking.guest or parking.bound is not None or here is None:
        return parking
    together = [
        vehicle_id
        for vehicle_id, plug in parking.cars.items()
        if plug.since is not None and abs(plug.since - here) <= TOGETHER
    ]
    return replace(parking, bound=together[0]) if len(together) == 1 else parking
