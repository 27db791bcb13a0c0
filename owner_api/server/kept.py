"""Answers that are kept until something is written."""

from typing import Final

from .answers import Rendered

_MOST_ANSWERS: Final = 10_000


class Answers:
    """Answers that hold until the next write, each to one caller and one request."""

    def __init__(self) -> None:
        self._age = -1
        self._kept: dict[object, Rendered] = {}

    def recall(self, age: int, asked: object) -> Rendered | None:
        """Return the answer, None when it was never given or something was written since."""
        return self._kept.get(asked) if age == self._age else None

    def keep(self, age: int, asked: object, rendered: Rendered) -> None:
        """Remember an answer that was read when the store had this age."""
        if age != self._age or len(self._kept) >= _MOST_ANSWERS:
            self._age = age
            self._kept.clear()
        self._kept[asked] = rendered
