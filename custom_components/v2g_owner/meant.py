"""Which offer an answer that names none has meant lately: who presses may have seen another one."""

from typing import Final

from .models_deal import Offer

# Longer than it takes to read a figure and to press, shorter than anybody waits to press again.
_MAY_BE_UNSEEN_S: Final = 5.0

type _Terms = tuple[str, int]


class MeantLately:
    """Remembers the one offer that waited, in its revision, and until when it did.

    What takes its place comes with the same news, or a moment later: a park may withdraw an offer
    and send another.
    """

    def __init__(self) -> None:
        """Begin before anything was shown."""
        self._now: _Terms | None = None
        self._before: _Terms | None = None
        self._until = 0.0
        self._answered: str | None = None

    def note(self, meant: list[Offer], at: float) -> None:
        """Note what is meant from now on (seconds of the loop's clock)."""
        now = _terms(meant[0]) if len(meant) == 1 and meant[0].waits else None
        if now == self._now:
            return
        if self._now is not None and self._now[0] != self._answered:
            self._before, self._until = self._now, at
        self._now = now

    def answer(self, offer: Offer) -> None:
        """Note that an offer was answered from here: who did so waits for the next one."""
        self._answered = offer.offer_id
        # The news of it may have been quicker than the answer.
        if self._before is not None and self._before[0] == offer.offer_id:
            self._before = None

    def may_be_unseen(self, offer: Offer, at: float) -> bool:
        """Tell whether an offer took the place of other terms only a moment ago."""
        replaced = self._before is not None and self._before != _terms(offer)
        return replaced and at - self._until < _MAY_BE_UNSEEN_S


def _terms(offer: Offer) -> _Terms:
    return offer.offer_id, offer.revision
