"""Answers that are remembered for the very object they were made from.

Equal documents would be found by their hash, which for a document of many fields takes longer than
looking: whoever asks again holds the same object, because rows and documents are remembered too.
"""

from collections.abc import Callable
from typing import Final

_MOST: Final = 16_384


class OfTheSame[K, A]:
    """A function with a memory of its answers, by the identity of what it was asked of.

    Only for what never changes. Several threads may ask: whoever finds too many begins anew, which
    none of them can miss.
    """

    __slots__ = ("_function", "_known")

    def __init__(self, function: Callable[[K], A]) -> None:
        self._function = function
        self._known: dict[int, tuple[K, A]] = {}

    def __call__(self, document: K) -> A:
        """Return the function's answer."""
        found = self._known.get(id(document))
        # Its number may be another's now only if it is gone, and what is remembered is not.
        if found is not None:
            return found[1]
        answer = self._function(document)
        self.know(document, answer)
        return answer

    def know(self, document: K, answer: A) -> None:
        """Remember what the function would answer, from somebody who has it at hand."""
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[id(document)] = document, answer
