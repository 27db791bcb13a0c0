"""How often zero is told again to a charger that does not come to rest, and when that is said.

A lost command is made good within seconds. What goes on for longer is a charger that does not obey,
or a meter that is wrong at rest or measures a roof as well: told every few seconds for ever, its
memory would wear out, or its cloud refuse us.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

# No charger discharges so little for long; less than this is rather the meter's fault.
MUCH_W: Final = 300
QUICKLY: Final = timedelta(seconds=5)
EVERY_MINUTE: Final = timedelta(seconds=60)
_SELDOM: Final = timedelta(minutes=15)
# A spell is over when nothing has been seen of it for so long: clouds over a roof begin no new one.
_OVER_AFTER: Final = timedelta(minutes=10)
_TAKEN_FOR: Final = timedelta(minutes=1)
_QUICK_MUCH: Final = timedelta(minutes=10)
_QUICK_LITTLE: Final = timedelta(minutes=1)
_LITTLE_FOR: Final = timedelta(hours=1)
_SAID_MUCH: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """Since when something has been seen, and when last."""

    since: datetime
    seen_at: datetime

    def lasts(self, now: datetime) -> timedelta:
        """Return for how long it has gone on."""
        return now - self.since


def _spell(
    known: Spell | None, now: datetime, over_after: timedelta, *, seen: bool
) -> Spell | None:
    """Return a spell after a look, None where there is none or it is over."""
    if seen:
        return Spell(since=now, seen_at=now) if known is None else replace(known, seen_at=now)
    return None if known is None or now - known.seen_at >= over_after else known


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrest:
    """What was seen of a charger of which nothing should flow out."""

    amiss: Spell | None = None
    """The charger has not taken, or does not show, what it was told last."""
    much: Spell | None = None
    """As much flows out as of a car that is discharged."""
    little: Spell | None = None
    """Anything flows out at all."""

    def told(self, setpoint_w: int) -> Unrest:
        """Return the same after another power was told: a new command is a new beginning."""
        return Unrest() if setpoint_w < 0 else replace(self, amiss=None)

    def seen(self, now: datetime, *, out_w: int, amiss: bool) -> Unrest:
        """Return the same after a look; ``out_w`` is what flows out by the meter, 0 or below."""
        return Unrest(
            amiss=_spell(self.amiss, now, _TAKEN_FOR, seen=amiss),
            much=_spell(self.much, now, _OVER_AFTER, seen=out_w <= -MUCH_W),
            little=_spell(self.little, now, _OVER_AFTER, seen=out_w < 0),
        )

    def pause(self, now: datetime) -> timedelta:
        """Return how long to wait before the charger is told again."""
        grave = [
            each.lasts(now) for each in (self.amiss, self.much) if each and each.seen_at == now
        ]
        if grave:
            return QUICKLY if min(grave) < _QUICK_MUCH else EVERY_MINUTE
        lasts = timedelta() if self.little is None else self.little.lasts(now)
        if lasts < _QUICK_LITTLE:
            return QUICKLY
        return EVERY_MINUTE if lasts < _LITTLE_FOR else _SELDOM

    @property
    def to_say(self) -> bool:
        """Tell whether the owner has to hear that this charger does not come to rest."""
        waits = ((self.much, _SAID_MUCH), (self.little, _LITTLE_FOR))
        return any(each is not None and each.seen_at - each.since >= wait for each, wait in waits)
