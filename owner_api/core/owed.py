"""What a park still owes a car: every recharge that it guaranteed, each until it was given."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Self

from .model import Recharge

_HOUR_S: Final = 3_600


@dataclass(frozen=True, kw_only=True, slots=True)
class Owed:
    """A guaranteed recharge and what of it is still to come (Wh).

    ``for_deal`` tells whether it was promised for one deal, or for a whole session.
    """

    promise: Recharge
    left_wh: int
    for_deal: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class OwedRecharges:
    """All that is owed at one meter, what is due first at the front.

    A Wh counts for one of them: for the one that is due first, and then for the next. Those that
    are given stay until they are due, so that who says one again is known to have said it before.
    """

    recharges: tuple[Owed, ...] = ()

    @property
    def next(self) -> Recharge | None:
        """The promise that is due first; None where nothing is owed."""
        return self.recharges[0].promise if self.recharges else None

    @property
    def due_at(self) -> datetime | None:
        """When the first of them has to be there; None where nothing is owed."""
        return self.next.by if self.next else None

    @property
    def left_wh(self) -> int:
        """All that is still to come (Wh)."""
        return sum(each.left_wh for each in self.recharges)

    @property
    def after_first(self) -> Self:
        """All but the one that is due first."""
        return replace(self, recharges=self.recharges[1:])

    def besides(self, promise: Recharge, *, for_deal: bool) -> Self:
        """Return these and one more, of which nothing was given yet.

        A deal that repeats what was promised for the whole session is promised no more by that;
        two deals for which the same is promised are both to be given it.
        """
        if for_deal and any(
            each.promise == promise and not each.for_deal for each in self.recharges
        ):
            return self
        more = Owed(promise=promise, left_wh=promise.energy_wh, for_deal=for_deal)
        return self._ordered((*self.recharges, more))

    def joined(self, others: Iterable[Owed]) -> Self:
        """Return these and those of others that are not among them."""
        known = [each.promise for each in self.recharges]
        new = (each for each in others if each.promise not in known)
        return self._ordered((*self.recharges, *new))

    def _ordered(self, recharges: Iterable[Owed]) -> Self:
        return replace(self, recharges=tuple(sorted(recharges, key=lambda each: each.promise.by)))

    def given(self, energy_wh: int) -> Self:
        """Return what is left of each once so much more has entered the car."""
        left = []
        for each in self.recharges:
            part_wh = min(each.left_wh, energy_wh)
            energy_wh -= part_wh
            left.append(replace(each, left_wh=each.left_wh - part_wh))
        return replace(self, recharges=tuple(left))

    def to_come(self, now: datetime) -> Self:
        """Return those that are not due yet."""
        left = tuple(each for each in self.recharges if each.promise.by > now)
        return replace(self, recharges=left)

    def at_the_latest(
        self, power_w: int, slower_by: Callable[[int], timedelta]
    ) -> tuple[Recharge, ...]:
        """Return what binds the park at any time: each one's latest possible stretch.

        All of it by ``by`` at no more than ``max_w`` only binds the park to charge in the last
        ``left / max_w`` before; earlier charging is a gift, not a promise. Two that both take all
        that the car can be charged with, ``power_w``, cannot be given at once: the one that is due
        first is given before the other begins. ``slower_by`` tells how much longer a filling
        battery takes at a power (W).
        """
        stretches, full_from = [], None
        for each in reversed(self.recharges):
            promise = each.promise
            end = promise.by - slower_by(promise.max_w)
            full = promise.max_w >= power_w
            if full and full_from is not None:
                end = min(end, full_from)
            lasts = timedelta(seconds=each.left_wh * _HOUR_S // promise.max_w)
            start = max(promise.start_at, end - lasts)
            if start >= end:
                # Less than a second's worth of charging promises nothing.
                continue
            if full:
                full_from = start
            stretches.append(replace(promise, start_at=start, by=end))
        return tuple(stretches)
