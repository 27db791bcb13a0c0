"""Three small machines: offer, commitment, settlement. Tables of moves, guarded by deadlines.

``decide`` answers what a command does now: either one move or a rejection with a typed code.
Nothing here reads a clock or writes a row; the shell commits what is decided, so of two racing
commands exactly one, the first recorded, wins.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class OfferState(StrEnum):
    """Where an offer stands."""

    RECEIVED = "received"
    REJECTED = "rejected"
    AUTO_DECLINED = "auto_declined"
    PRESENTED = "presented"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    COUNTERED = "countered"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


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


class SettlementState(StrEnum):
    """Where one version of a settlement stands."""

    PROVISIONAL = "provisional"
    FINAL = "final"
    DISPUTED = "disputed"
    CORRECTED = "corrected"


OFFER_MOVES: Mapping[OfferState, frozenset[OfferState]] = {
    OfferState.RECEIVED: frozenset(
        {
            OfferState.REJECTED,
            OfferState.AUTO_DECLINED,
            OfferState.PRESENTED,
            OfferState.ACCEPTED,
        }
    ),
    OfferState.PRESENTED: frozenset(
        {
            OfferState.ACCEPTED,
            OfferState.DECLINED,
            OfferState.COUNTERED,
            OfferState.SUPERSEDED,
            OfferState.EXPIRED,
            OfferState.WITHDRAWN,
        }
    ),
    OfferState.COUNTERED: frozenset(
        {
            OfferState.SUPERSEDED,
            OfferState.DECLINED,
            OfferState.EXPIRED,
            OfferState.WITHDRAWN,
        }
    ),
}
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
SETTLEMENT_MOVES: Mapping[SettlementState, frozenset[SettlementState]] = {
    SettlementState.PROVISIONAL: frozenset(
        {SettlementState.FINAL, SettlementState.DISPUTED, SettlementState.CORRECTED}
    ),
    SettlementState.DISPUTED: frozenset({SettlementState.FINAL, SettlementState.CORRECTED}),
    SettlementState.FINAL: frozenset({SettlementState.CORRECTED}),
}
OPEN_OFFERS = frozenset({OfferState.PRESENTED, OfferState.COUNTERED})
LIVE_COMMITMENTS = frozenset(COMMITMENT_MOVES)
ENDED_WITH_DELIVERY = frozenset(
    {
        CommitmentState.COMPLETED,
        CommitmentState.CURTAILED,
        CommitmentState.REVOKED,
        CommitmentState.FAILED,
    }
)


@dataclass(frozen=True, slots=True)
class Moved[S: StrEnum]:
    """The one event of these machines: the thing is now in ``to``, for ``reason``."""

    to: S
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A command that changes nothing; ``code`` is a problem code of the API."""

    code: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferFacts:
    """What the offer machine needs to know."""

    state: OfferState
    revision: int
    terms_sha256: str
    respond_by: datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """The agent's own verdict on a fresh revision."""

    to: OfferState
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The owner's answer to exactly one revision with exactly these terms."""

    to: OfferState
    revision: int
    terms_sha256: str


@dataclass(frozen=True, slots=True)
class Revise:
    """The park replaces its terms with revision n+1."""

    revision: int


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The park takes its offer back."""


@dataclass(frozen=True, slots=True)
class Expire:
    """The deadline passed without an answer. Promise 1: silence is no."""


type OfferCommand = Judged | Answer | Revise | Withdraw | Expire


_TOO_LATE = Rejection("offer_expired", "the time to answer has passed")


def _decide_answer(
    facts: OfferFacts, answer: Answer, now: datetime
) -> Moved[OfferState] | Rejection:
    """Return the move of the owner's answer; old terms and late answers change nothing."""
    if answer.revision != facts.revision or answer.terms_sha256 != facts.terms_sha256:
        return Rejection("stale_terms", "the park has changed these terms since")
    if facts.state is OfferState.COUNTERED and answer.to is OfferState.ACCEPTED:
        return Rejection(
            "offer_closed", "already countered: only the park's next terms can be accepted"
        )
    if facts.state is OfferState.EXPIRED:
        # The same word whether the timer or the answer came first.
        return _TOO_LATE
    if answer.to not in OFFER_MOVES.get(facts.state, frozenset()):
        return Rejection("offer_closed", f"the offer is already {facts.state}")
    if now >= facts.respond_by:
        return _TOO_LATE
    return Moved(answer.to)


def decide_offer(  # noqa: PLR0911 - one return per named outcome reads better than nesting
    facts: OfferFacts, command: OfferCommand, now: datetime
) -> Moved[OfferState] | Rejection:
    """Return the offer's move, or why nothing changes."""
    allowed = OFFER_MOVES.get(facts.state, frozenset())
    late = now >= facts.respond_by
    match command:
        case Judged(to, reason) if facts.state is OfferState.RECEIVED and to in allowed:
            return Moved(to, reason)
        case Answer() if facts.state is not OfferState.RECEIVED:
            return _decide_answer(facts, command, now)
        case Revise(revision) if OfferState.SUPERSEDED in allowed:
            if revision != facts.revision + 1:
                return Rejection("stale_sequence", f"the next revision is {facts.revision + 1}")
            # What has expired is not brought back, even before the timer has seen it.
            return _TOO_LATE if late else Moved(OfferState.SUPERSEDED)
        case Withdraw() if OfferState.WITHDRAWN in allowed:
            return _TOO_LATE if late else Moved(OfferState.WITHDRAWN)
        case Expire() if OfferState.EXPIRED in allowed and late:
            return Moved(OfferState.EXPIRED)
    return Rejection("offer_closed", f"the offer is already {facts.state}")


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


def award_deadline(start_at: datetime, end_at: datetime, decided_at: datetime) -> datetime:
    """Return ``max(start_at - 60 s, decided_at + 60 s)``, a second before ``end_at`` at the latest.

    The formula is design §4's; an award at the very end could not be delivered any more.
    """
    minute = timedelta(seconds=60)
    latest = end_at - timedelta(seconds=1)
    return min(max(start_at - minute, decided_at + minute), latest)


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
        case Award() if facts.state is CommitmentState.LAPSED:
            # The same word whether the timer or the award came first.
            return Rejection("offer_expired", "the time to award has passed")
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
    return Rejection("commitment_closed", f"the commitment is already {facts.state}")


@dataclass(frozen=True, kw_only=True, slots=True)
class SettlementFacts:
    """What the settlement machine needs to know."""

    state: SettlementState
    dispute_until: datetime
    both_confirmed: bool = False


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
            silence_is_enough = facts.state is SettlementState.PROVISIONAL and not open_window
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
