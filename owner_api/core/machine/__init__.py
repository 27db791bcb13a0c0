"""Three small machines: offer, commitment, settlement. Tables of moves, guarded by deadlines.

``decide`` answers what a command does now: either one move or a rejection with a typed code.
Nothing here reads a clock or writes a row; the shell commits what is decided, so of two racing
commands exactly one, the first recorded, wins.
"""

from .commitment import (
    COMMITMENT_MOVES,
    ENDED_WITH_DELIVERY,
    LIVE_COMMITMENTS,
    Award,
    CommitmentCommand,
    CommitmentFacts,
    CommitmentState,
    End,
    Start,
    award_deadline,
    decide_commitment,
)
from .offer import (
    OFFER_MOVES,
    OPEN_OFFERS,
    Answer,
    Expire,
    Forbid,
    Judged,
    OfferCommand,
    OfferFacts,
    OfferState,
    Revise,
    Withdraw,
    decide_offer,
)
from .outcome import (
    Moved,
    Rejection,
)
from .settlement import (
    SETTLEMENT_MOVES,
    Correct,
    Dispute,
    Finalize,
    SettlementCommand,
    SettlementFacts,
    SettlementState,
    decide_settlement,
)

__all__ = [
    "COMMITMENT_MOVES",
    "ENDED_WITH_DELIVERY",
    "LIVE_COMMITMENTS",
    "OFFER_MOVES",
    "OPEN_OFFERS",
    "SETTLEMENT_MOVES",
    "Answer",
    "Award",
    "CommitmentCommand",
    "CommitmentFacts",
    "CommitmentState",
    "Correct",
    "Dispute",
    "End",
    "Expire",
    "Finalize",
    "Forbid",
    "Judged",
    "Moved",
    "OfferCommand",
    "OfferFacts",
    "OfferState",
    "Rejection",
    "Revise",
    "SettlementCommand",
    "SettlementFacts",
    "SettlementState",
    "Start",
    "Withdraw",
    "award_deadline",
    "decide_commitment",
    "decide_offer",
    "decide_settlement",
]
