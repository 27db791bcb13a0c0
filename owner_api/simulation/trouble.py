"""What goes wrong now and then while cars deliver: a stop, a dead link, a car that just leaves."""

from datetime import datetime, timedelta
from enum import StrEnum
import random
from typing import Final

from .deal import Deal
from .visit import Guest
from .world import World


class Trouble(StrEnum):
    """One deal's mishap."""

    NONE = "none"
    STOP = "owner stops"
    LINK = "charger loses its link"
    UNHEARD_STOP = "owner stops while the charger is out of reach"
    GONE = "car leaves unannounced"


_ODDS: Final = {
    Trouble.NONE: 88,
    Trouble.STOP: 5,
    Trouble.LINK: 3,
    Trouble.UNHEARD_STOP: 2,
    Trouble.GONE: 2,
}
_LINK_DOWN: Final = timedelta(minutes=6)
_BEFORE_STOP: Final = timedelta(seconds=20)


def draw(rng: random.Random) -> Trouble:
    """Draw a deal's mishap; most deals have none."""
    return rng.choices(tuple(_ODDS), weights=tuple(_ODDS.values()))[0]


def moment(deal: Deal, rng: random.Random) -> datetime:
    """Return a whole second in the first minutes of the window, when power flows."""
    return deal.start_at + timedelta(seconds=rng.randrange(70, 300))


async def happen(world: World, guest: Guest, deal: Deal, trouble: Trouble, at: datetime) -> None:
    """Let a stop or a dead link happen to a deal that is running at ``at``."""
    session_id, charger = guest.session_id, guest.charger
    await world.until(at)
    if guest.session_id != session_id or charger.lease_until is None:
        return
    if trouble in (Trouble.LINK, Trouble.UNHEARD_STOP):
        charger.reachable = False
        await world.until(at + _BEFORE_STOP)
    running = guest.session_id == session_id and deal.state == "accepted"
    if running and trouble in (Trouble.STOP, Trouble.UNHEARD_STOP):
        await guest.owner.stop(guest.owned, deal.offer_id)
    if not charger.reachable:
        await world.until(at + _LINK_DOWN)
        charger.reachable = True
