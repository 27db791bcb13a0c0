"""The settlement: provisional, agreed or disputed, final, and ended only by reversal."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .outcome import Moved, Rejection


class SettlementState(StrEnum):
    """Where one version of a settlement stands."""

    PROVISIONAL = "provisional"
    FINAL = "final"
    DISPUTED = "disputed"
    CORRECTED = "corrected"


SETTLEMENT_MOVES: Mapping[SettlementState, frozenset[SettlementState]] = {
    SettlementState.PROVISIONAL: frozenset(
        {SettlementState.FINAL, SettlementState.DISPUTED, SettlementState.CORRECTED}
    ),
    SettlementState.DISPUTED: frozenset({SettlementState.FINAL, SettlementState.CORRECTED}),
    SettlementState.FINAL: frozenset({SettlementState.CORRECTED}),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class SettlementFacts:
    """What the settlement machine needs to know."""

    state: SettlementState
    dispute_until: datetime
    both_confirmed: bool = False
    # Said after disputing, it takes the dispute back: then it is as if nobody had objected.
    owner_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Finalize:
    """Nobody objected in time, or both sides said yes."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """One side does not agree with the figures."""


@dataclass(frozen=True, slots=True)
class Correct:
    """This version is reversed; the next one starts provisional."""


type SettlementCommand = Finalize | Dispute | Correct


def decide_settlement(
    facts: SettlementFacts, command: SettlementCommand, now: datetime
) -> Moved[SettlementState] | Rejection:
    """Return the settlement's move, or why nothing changes."""
    allowed = SETTLEMENT_MOVES.get(facts.state, frozenset())
    open_window = now < facts.dispute_until
    match command:
        case Finalize() if SettlementState.FINAL in allowed:
            undisputed = facts.state is SettlementState.PROVISIONAL or facts.owner_confirmed
            silence_is_enough = undisputed and not open_window
            if not (facts.both_confirmed or silence_is_enough):
                return Rejection("conflict", "it takes both sides, or the time to dispute")
            return Moved(SettlementState.FINAL)
        case Dispute() if SettlementState.DISPUTED in allowed:
            if not open_window:
                return Rejection("conflict", "the time to dispute has passed")
            return Moved(SettlementState.DISPUTED)
        case Correct() if SettlementState.CORRECTED in allowed:
            return Moved(SettlementState.CORRECTED)
    return Rejection("conflict", f"the settlement is already {facts.state}")
