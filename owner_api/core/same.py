"""Answers that are remembered for the very object they were made from.

Equal documents would be found by their hash, which for a document of many fields takes longer than
looking: whoever asks again holds the same object, because rows and documents are remembered too.
"""

from collections.abc import Callable
from typing import Final

_MOST: Final = 16_384


def of_the_same[K, A](function: Callable[[K], A]) -> Callable[[K], A]:
    """Return ``function`` with a memory of its answers, by identity; for what never changes."""
    known: dict[int, tuple[K, A]] = {}

    def asked(document: K) -> A:
        found = known.get(id(document))
        # Its number may be another's now only if it is gone, and what is remembered is not.
        if found is not None:
            return found[1]
        # Several threads do this: whoever finds too many begins anew, which none of them can miss.
        if len(known) >= _MOST:
            known.clear()
        answer = function(document)
        known[id(document)] = document, answer
        return answer

    return asked
