"""The commitment: awarded in time, run inside its window, ended by whoever is first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from .outcome import Moved, Rejection


class CommitmentState(StrEnum):
    """Where an accepted offer stands."""

    PENDING_AWARD = "pending_award"
    LAPSED = "lapsed"
    CANCELLED = "cancelled"
    REVOKED = "revoked"
    SCHEDULED = "scheduled"
    MISSED = "missed"
    ACTIVE = "active"
    COMPLETED = "completed"
    CURTAILED = "curtailed"
    FAILED = "failed"


COMMITMENT_MOVES: Mapping[CommitmentState, frozenset[CommitmentState]] = {
    CommitmentState.PENDING_AWARD: frozenset(
        {
            CommitmentState.SCHEDULED,
            CommitmentState.LAPSED,
            CommitmentState.CANCELLED,
            CommitmentState.REVOKED,
        }
    ),
    CommitmentState.SCHEDULED: frozenset(
        {
            CommitmentState.ACTIVE,
            CommitmentState.MISSED,
            CommitmentState.CANCELLED,
            CommitmentState.REVOKED,
        }
    ),
    CommitmentState.ACTIVE: frozenset(
        {
            CommitmentState.COMPLETED,
            CommitmentState.CURTAILED,
            CommitmentState.REVOKED,
            CommitmentState.FAILED,
        }
    ),
}


LIVE_COMMITMENTS = frozenset(COMMITMENT_MOVES)


ENDED_WITH_DELIVERY = frozenset(
    {
        CommitmentState.COMPLETED,
        CommitmentState.CURTAILED,
        CommitmentState.REVOKED,
        CommitmentState.FAILED,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitmentFacts:
    """What the commitment machine needs to know."""

    state: CommitmentState
    terms_sha256: str
    consented_energy_wh: int
    min_energy_wh: int
    award_by: datetime
    start_at: datetime
    end_at: datetime


@dataclass(frozen=True, slots=True)
class Award:
    """The park orders energy under exactly the terms consented to."""

    terms_sha256: str
    energy_wh: int


@dataclass(frozen=True, slots=True)
class End:
    """An ending and its reason; which endings are legal depends on the state."""

    to: CommitmentState
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """The first instruction inside the window."""


type CommitmentCommand = Award | Start | End


def award_deadline(
    start_at: datetime,
    end_at: datetime,
    decided_at: datetime,
    lead: timedelta = timedelta(seconds=60),
) -> datetime:
    """Return ``max(start_at - lead, decided_at + lead)``, a second before ``end_at`` at the latest.

    The formula is design §4's; an award at the very end could not be delivered any more.
    """
    latest = end_at - timedelta(seconds=1)
    return min(max(start_at - lead, decided_at + lead), latest)


def decide_commitment(  # noqa: PLR0911 - one return per named outcome reads better than nesting
    facts: CommitmentFacts, command: CommitmentCommand, now: datetime
) -> Moved[CommitmentState] | Rejection:
    """Return the commitment's move, or why nothing changes."""
    allowed = COMMITMENT_MOVES.get(facts.state, frozenset())
    match command:
        case Award(terms, energy) if CommitmentState.SCHEDULED in allowed:
            if terms != facts.terms_sha256:
                return Rejection("award_mismatch", "the award's terms are not the consented ones")
            low, high = max(facts.min_energy_wh, 1), facts.consented_energy_wh
            if not low <= energy <= high:
                return Rejection("award_mismatch", f"the owner consented to {low} to {high} Wh")
            if now > facts.award_by:
                return Rejection("offer_expired", "the time to award has passed")
            return Moved(CommitmentState.SCHEDULED)
        case Award():
            return _not_awarded(facts.state)
        case Start() if CommitmentState.ACTIVE in allowed:
            if not facts.start_at <= now < facts.end_at:
                return Rejection("no_lease", "outside the agreed window")
            return Moved(CommitmentState.ACTIVE)
        case End(CommitmentState.LAPSED) if (
            CommitmentState.LAPSED in allowed and now <= facts.award_by
        ):
            return Rejection("conflict", "the time to award has not passed")
        case End(to, reason) if to in allowed and to not in LIVE_COMMITMENTS:
            return Moved(to, reason)
    return _closed(facts.state)


def _not_awarded(state: CommitmentState) -> Rejection:
    """Return why a deal that waits for no award takes none."""
    if state is CommitmentState.LAPSED:
        # The same word whether the timer or the award came first.
        return Rejection("offer_expired", "the time to award has passed")
    if state in LIVE_COMMITMENTS:
        # The word for a deal that has ended would have its charger go to zero.
        return Rejection("conflict", "it is awarded already, by another order")
    return _closed(state)


def _closed(state: CommitmentState) -> Rejection:
    return Rejection("commitment_closed", f"the commitment is already {state}")
