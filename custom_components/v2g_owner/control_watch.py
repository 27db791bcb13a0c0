"""Whose hand was it: tell the owner's own change of a charger from its echo of our commands."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from .charger_control import Call
from .charger_range import Range, shows
from .control_unrest import Unrest

# A charger polled through a cloud may show an earlier command of ours for so long.
ECHO: Final = timedelta(seconds=120)
# Promise 4: without a confirmation in this time the owner is told to unplug.
CONFIRM_WITHIN: Final = timedelta(seconds=5)
STOPPED_BELOW_W: Final = 50
# A meter may be wrong by more than that at rest; less than this share of what flowed is none of it.
_REST_SHARE: Final = 0.05
# A meter that says nothing for so long after a zero was taken will not say that it is done.
_REST_UNSEEN: Final = timedelta(seconds=60)
# One that shows something leave for so long may show another's, such as a roof's: the car must be
# ready as well.
_REST_DOUBTED: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One command of ours: what each control entity was told, and when."""

    at: datetime
    setpoint_w: int
    expected: Mapping[str, str | float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The commands given lately, the newest last, and how the last one to stop fares."""

    written: tuple[Written, ...] = ()
    asked_zero_at: datetime | None = None
    accepted_zero_at: datetime | None = None
    taken: bool = True
    """Whether the charger has taken the newest command without an error."""
    out_w: int = 0
    """The strongest discharge (W, never above 0) that a command of ours may have left running."""
    ranges: Mapping[str, Range] = field(default_factory=dict)
    unrest: Unrest = field(default_factory=Unrest)

    @property
    def setpoint_w(self) -> int | None:
        """The power last asked for, None before the first command."""
        return self.written[-1].setpoint_w if self.written else None

    def wrote(
        self, setpoint_w: int, calls: tuple[Call, ...], limits: Mapping[str, Range], now: datetime
    ) -> Watch:
        """Return the same with one more command."""
        expected = {call.entity_id: call.value for call in calls if "entity_id" in call.data}
        kept = tuple(old for old in self.written if now - old.at < ECHO)
        new = Written(at=now, setpoint_w=setpoint_w, expected=expected)
        asked = self.asked_zero_at
        accepted = self.accepted_zero_at
        if setpoint_w != 0:
            asked = accepted = None
        elif asked is None:
            asked = now
        return replace(
            self,
            written=(*kept, new),
            asked_zero_at=asked,
            accepted_zero_at=accepted,
            taken=False,
            out_w=min(self.out_w, setpoint_w),
            ranges={**self.ranges, **limits},
            unrest=self.unrest if setpoint_w == self.setpoint_w else self.unrest.told(setpoint_w),
        )

    def accepted(self, setpoint_w: int, now: datetime) -> Watch:
        """Return the same once the charger's controller has taken the newest command."""
        if setpoint_w != 0:
            return replace(self, taken=True, out_w=min(0, setpoint_w))
        if self.asked_zero_at and self.accepted_zero_at is None:
            return replace(self, taken=True, accepted_zero_at=now)
        return replace(self, taken=True)

    def seen(self, now: datetime, power_w: int | None, power_at: datetime | None) -> Watch:
        """Return the same after a look at the meter: it alone tells that a discharge is over.

        Where it has been silent since zero was taken, or never shows it, that has to do in the end.
        """
        zero_at = self.accepted_zero_at
        if self.out_w == 0 or self.setpoint_w != 0 or zero_at is None:
            return self
        told = power_w is not None and power_at is not None and power_at > zero_at
        if told and (power_w or 0) >= min(-STOPPED_BELOW_W, self.out_w * _REST_SHARE):
            return replace(self, out_w=0)
        patience = _REST_DOUBTED if told else _REST_UNSEEN
        return replace(self, out_w=0) if now - zero_at >= patience else self

    def lost(self, now: datetime) -> Watch:
        """Return the same for a charger that is out of reach: what discharged may still do so."""
        if self.asked_zero_at is None and self.out_w < 0:
            return replace(self, asked_zero_at=now, accepted_zero_at=None)
        return self

    def agrees(self, entity_id: str, state: str) -> bool:
        """Tell whether an entity shows nothing else than our newest command asked of it."""
        expected = self.written[-1].expected if self.written else {}
        limits = self.ranges.get(entity_id, Range())
        return shows(state, expected.get(entity_id), limits)

    def is_echo(self, entity_id: str, state: str, now: datetime) -> bool:
        """Tell whether an entity shows one of our own commands of the last two minutes."""
        limits = self.ranges.get(entity_id, Range())
        newest = self.written[-1:]
        recent = [old for old in self.written if now - old.at < ECHO]
        return any(
            entity_id not in old.expected or shows(state, old.expected[entity_id], limits)
            for old in [*recent, *newest]
        )

    def settling(self, now: datetime) -> bool:
        """Tell whether a charger that answers late or clamps could still be answering us."""
        return bool(self.written) and now - self.written[-1].at < ECHO

    def unplug_hint(self, now: datetime, power_w: int | None, power_at: datetime | None) -> bool:
        """Tell whether zero was asked for and 5 s later nothing says that it was done."""
        if self.asked_zero_at is None or now - self.asked_zero_at < CONFIRM_WITHIN:
            return False
        flowing = power_w is not None and power_w < -STOPPED_BELOW_W
        fresh = power_at is not None and power_at > self.asked_zero_at
        return (flowing and fresh) or self.accepted_zero_at is None
