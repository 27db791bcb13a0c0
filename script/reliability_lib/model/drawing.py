"""The three machines as design §4 draws them: what the model believes, written a second time."""

from collections.abc import Mapping
from typing import Final

DRAWING: Final[Mapping[str, Mapping[str, str]]] = {
    "offer": {
        "received": "rejected auto_declined presented accepted",
        "presented": "auto_declined accepted declined countered superseded expired withdrawn",
        "countered": "auto_declined superseded declined expired withdrawn",
    },
    "commitment": {
        "pending_award": "scheduled lapsed cancelled revoked",
        "scheduled": "active missed cancelled revoked",
        "active": "completed curtailed revoked failed",
    },
    "settlement": {
        "provisional": "final disputed corrected",
        "disputed": "final corrected",
        "final": "corrected",
    },
}

type Transition = tuple[str, str, str]

TRANSITIONS: Final[tuple[Transition, ...]] = tuple(
    (machine, before, after)
    for machine, moves in DRAWING.items()
    for before, ends in moves.items()
    for after in ends.split()
)


def another_end(transition: Transition) -> str:
    """Return a state of the same machine that ``transition`` does not lead to."""
    machine, before, after = transition
    states = {end for _, _, end in (t for t in TRANSITIONS if t[0] == machine)}
    return min(states - {before, after})
