"""The owner's word at a home charger: stop, charge now, by hand, each for a time that is shown."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from .control_model import KEPT_DEALS, Orders, Override, OverrideKind

# After this the plan goes on; a stopped deal stays stopped.
STOP_HOLDS: Final = timedelta(hours=1)
# Charge now, and what the owner set by hand, end with the stay, and at the latest then.
WORD_HOLDS: Final = timedelta(hours=12)
_HOLDS: Final[Mapping[OverrideKind, timedelta]] = {
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
) -> Orders:
    """Return the orders with the owner's word above them; ``ends`` are deals that it stops.

    ``power_w`` is what was set by hand (W, + into the car), where it can be told.
    """
    word = Override(kind=kind, since=now, until=now + _HOLDS[kind], power_w=power_w)
    stopped = tuple(dict.fromkeys((*orders.stopped, *ends)))[-KEPT_DEALS:]
    return replace(orders, override=word, stopped=stopped)
