"""Epochs: what a log that goes on as another history says it kept, and what of others it gave up.

Whoever holds a checkpoint that such a log does not contain asks here whether its loss was said
openly. A log that lost its end says so by a lost checkpoint beyond what was kept. One that signed
two histories under one name (a backup restored twice, a disk rolled back and served on) says so by
a lost checkpoint within what was kept: that one alone shows that there was another history.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Self

from . import checkpoint as notes
from .checkpoint import Checkpoint, CheckpointError

# Whether a log begins with what a checkpoint signed; None where it cannot tell.
type Holds = Callable[[Checkpoint], bool | None]


class Standing(Enum):
    """How a log stands to a checkpoint that was signed in its name."""

    HELD = auto()
    GIVEN_UP = auto()
    CONTRADICTED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """What the entry that opens an epoch says; ``lost`` is None when nobody knew how much."""

    position: int
    number: int
    kept: int
    lost: Checkpoint | None

    @classmethod
    def read(cls, position: int, body: Mapping[str, Any]) -> Self:
        """Return what an entry says; raises CheckpointError when it cannot be read."""
        kept, lost = (_named(body.get(part)) for part in ("kept", "lost"))
        number = body.get("epoch")
        if type(number) is not int:
            raise CheckpointError("the epoch has no number")
        size = 0 if kept is None else kept.size
        return cls(position=position, number=number, kept=size, lost=lost)


def _named(part: object) -> Checkpoint | None:
    if part is None:
        return None
    note = part.get("checkpoint") if isinstance(part, dict) else None
    return notes.parse(note if isinstance(note, str) else "")


def after(number: int, epochs: Iterable[Epoch]) -> tuple[Epoch, ...]:
    """Return the epochs that began after the one with this number."""
    return tuple(each for each in epochs if each.number > number)


def common(later: Iterable[Epoch]) -> int | None:
    """Return how much of an epoch these later ones all kept; None, and so all, without any."""
    return min((each.kept for each in later), default=None)


def in_question(shown: Checkpoint, epochs: Sequence[Epoch]) -> tuple[Checkpoint, ...]:
    """Return the checkpoints of which ``judge`` may have to know whether the log holds them."""
    later = after(shown.epoch, epochs)
    size = common(later)
    lost = (each.lost for each in later if each.lost is not None)
    own = (shown, *(each for each in lost if each.epoch == shown.epoch))
    return tuple(each for each in own if size is None or each.size <= size)


def judge(shown: Checkpoint, epochs: Sequence[Epoch], holds: Holds) -> Standing:
    """Judge a checkpoint that was signed in this log's name; any later epoch may give it up."""
    later = after(shown.epoch, epochs)
    size = common(later)
    lost = [each.lost for each in later if each.lost is not None]
    if size is not None and shown.size > size:
        if any(each.lost is None and shown.size > each.kept for each in later):
            return Standing.GIVEN_UP
    elif holds(shown):
        return Standing.HELD
    else:
        lost = _of_a_fork(lost, shown.epoch, size or 0, holds)
    return (
        Standing.GIVEN_UP if any(_covers(each, shown) for each in lost) else Standing.CONTRADICTED
    )


def _of_a_fork(lost: list[Checkpoint], number: int, size: int, holds: Holds) -> list[Checkpoint]:
    """Return what was lost of an epoch's other history; nothing until a log owned up to one."""
    own = [each for each in lost if each.epoch == number]
    forked = any(each.size <= size and holds(each) is False for each in own)
    return own if forked else []


def _covers(lost: Checkpoint, shown: Checkpoint) -> bool:
    """Return whether the loss of one log may well have been the loss of the other."""
    if lost.epoch == shown.epoch and lost.size == shown.size:
        return lost.root == shown.root
    return lost.epoch >= shown.epoch and lost.size >= shown.size
