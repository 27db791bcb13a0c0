"""The three machines that the model moves, and what it holds of each."""

from collections import Counter

from .drawing import DRAWING, Transition, another_end
from .things import Deal, Offer, Settlement, Stay

type Expected = tuple[int, str | None]
OK: Expected = (200, None)
MADE: Expected = (201, None)


class Machines:
    """What the model knows; ``altered`` is one move that it believes wrongly."""

    def __init__(self, altered: Transition | None = None) -> None:
        self._altered = altered
        self.taken: Counter[Transition] = Counter()
        self.offers: dict[str, Offer] = {}
        self.deals: dict[str, Deal] = {}
        self.settlements: list[Settlement] = []
        self.stays: list[Stay] = []
        self.superseded: dict[tuple[str, int], str] = {}

    def move(self, machine: str, before: str, after: str) -> str:
        """Take one transition and return where it leads."""
        if after not in DRAWING[machine].get(before, "").split():
            raise AssertionError(f"the model itself moved {machine} {before} → {after}")
        self.taken[machine, before, after] += 1
        if (machine, before, after) == self._altered:
            return another_end(self._altered)
        return after
