"""The owner's word at a home charger: stop, charge now, by hand, each for a time that is shown."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from .control_model import KEPT_DEALS, Orders, Override, OverrideKind, UnheardStop
from .models_deal import Commitment

# After this the plan goes on; a stopped deal stays stopped.
STOP_HOLDS: Final = timedelta(hours=1)
# Stop discharging says nothing about charging. So long the charger rests, that a late one can show
# that it obeys and the longest usual lease has run out.
DISCHARGE_STOP_HOLDS: Final = timedelta(minutes=2)
# Charge now, and what the owner set by hand, end with the stay, and at the latest then.
WORD_HOLDS: Final = timedelta(hours=12)
HOLDS: Final[Mapping[OverrideKind, timedelta]] = {
    OverrideKind.STOP: STOP_HOLDS,
    OverrideKind.CHARGE: WORD_HOLDS,
    OverrideKind.BY_HAND: WORD_HOLDS,
}


def owner_says(
    orders: Orders,
    kind: OverrideKind,
    now: datetime,
    *,
    ends: Iterable[str] = (),
    power_w: int | None = None,
    vehicle_id: str | None = None,
) -> Orders:
    """Return the orders with the owner's word above them; ``ends`` are deals that it stops.

    ``power_w`` is what was set by hand (W, + into the car), where it can be told; ``vehicle_id``
    the car that is known to stand here.
    """
    until = now + HOLDS[kind]
    word = Override(kind=kind, since=now, until=until, power_w=power_w, vehicle_id=vehicle_id)
    return replace(orders, override=word, stopped=_with(orders.stopped, ends))


def discharge_stopped(orders: Orders, now: datetime, *, ends: Iterable[str], rest: bool) -> Orders:
    """Return the orders after deals were stopped; with ``rest`` the charger rests for a moment.

    A stop of the charger itself that holds for longer goes on.
    """
    ended, word = replace(orders, stopped=_with(orders.stopped, ends)), orders.override
    until = now + DISCHARGE_STOP_HOLDS
    longer = word is not None and word.kind == OverrideKind.STOP and word.until >= until
    if longer or not rest:
        return ended
    return replace(ended, override=Override(kind=OverrideKind.STOP, since=now, until=until))


def said_of(orders: Orders, vehicle_id: str | None) -> Orders:
    """Return the orders with the owner's word meant for the car that the owner now names."""
    word = orders.override
    return (
        orders if word is None else replace(orders, override=replace(word, vehicle_id=vehicle_id))
    )


def kept_for(orders: Orders, vehicle_id: str | None) -> Orders:
    """Return the orders without a word that was meant for a car whose place another has taken.

    A charger that is asked seldom shows no gap between two cars. A stop stands all the same.
    """
    word = orders.override
    if word is None or word.kind == OverrideKind.STOP or None in {vehicle_id, word.vehicle_id}:
        return orders
    return orders if word.vehicle_id == vehicle_id else replace(orders, override=None)


def stop_kept(orders: Orders, stop: UnheardStop) -> Orders:
    """Return the orders with a stop to hold against deals that the agent tells of later."""
    return replace(orders, unheard=(*orders.unheard, stop)[-KEPT_DEALS:])


def is_stopped_unheard(orders: Orders, deal: Commitment) -> bool:
    """Tell whether a stop that was kept is about a deal: one that was agreed before."""
    said = deal.decision.decided_at if deal.decision else None
    return any(
        stop.vehicle_id in {None, deal.vehicle_id}
        and stop.commitment_id in {None, deal.commitment_id}
        and (said is None or said <= stop.since)
        and (stop.before is None or deal.start_at < stop.before)
        for stop in orders.unheard
    )


def deals_ended(orders: Orders, ends: Iterable[str]) -> Orders:
    """Return the orders after some deals were stopped, each named with its yes."""
    return replace(orders, stopped=_with(orders.stopped, ends))


def _with(stopped: tuple[str, ...], ends: Iterable[str]) -> tuple[str, ...]:
    """Return the deals stopped so far and some more, each with its yes, the newest last."""
    return tuple(dict.fromkeys((*stopped, *ends)))[-2 * KEPT_DEALS :]
