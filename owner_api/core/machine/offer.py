"""The offer: received, judged, shown, answered once or left to expire."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .outcome import Moved, Rejection


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
            OfferState.AUTO_DECLINED,
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
            OfferState.AUTO_DECLINED,
            OfferState.SUPERSEDED,
            OfferState.DECLINED,
            OfferState.EXPIRED,
            OfferState.WITHDRAWN,
        }
    ),
}


OPEN_OFFERS = frozenset({OfferState.PRESENTED, OfferState.COUNTERED})


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
class Forbid:
    """The owner allows nothing any more: no answer but no is left to an open offer."""

    reason: str


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


type OfferCommand = Judged | Answer | Forbid | Revise | Withdraw | Expire


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
        case Forbid(reason) if facts.state in OPEN_OFFERS:
            # The timer says what has expired, whoever looks first.
            return _TOO_LATE if late else Moved(OfferState.AUTO_DECLINED, reason)
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
