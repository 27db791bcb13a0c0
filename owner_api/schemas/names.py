"""What the contract calls the schemas that stand in several places, or that a client handles.

Each is written once, as a component; who generates a client gets one type for one thing.
"""

from collections.abc import Mapping
from typing import Any, Final

from . import access, evidence, ledger, owner, park, terms, views
from .fields import choice

NAMES: Final[Mapping[str, Any]] = {
    # An offer and a deal
    "Terms": terms.TERMS,
    "Reward": terms.REWARD,
    "RewardPart": terms.REWARD_PART,
    "Recharge": terms.RECHARGE,
    "RewardKind": choice(*terms.REWARD_KINDS),
    "Purpose": choice(*owner.PURPOSES),
    "OfferState": views.OFFER_STATE,
    "OfferCreate": park.OFFER_CREATE,
    "OfferRevision": park.OFFER_REVISION,
    "ParkOffer": views.PARK_OFFER,
    "OwnerOffer": views.OFFER,
    "OwnerOfferDecided": views.DECIDED,
    "Counter": views.COUNTER,
    "Evaluation": views.EVALUATION,
    "DecisionKind": choice(*owner.DECISIONS),
    "DecisionMethod": choice(*owner.METHODS),
    "DecisionCreate": owner.DECISION,
    "Decision": views.DECISION,
    "CommitmentState": views.COMMITMENT_STATE,
    "ParkCommitment": views.PARK_COMMITMENT,
    "OwnerCommitment": views.COMMITMENT,
    "StopMarks": views.STOP_MARKS,
    "OwnerStop": views.STOP,
    "AvailabilityQuestion": park.AVAILABILITY_QUESTION,
    "Availability": views.AVAILABILITY,
    "Award": park.AWARD,
    "InstructionCreate": park.INSTRUCTION,
    "Instruction": views.INSTRUCTION,
    # A plug and its meter
    "SessionState": views.SESSION_STATE,
    "SessionCreate": park.SESSION_CREATE,
    "ParkSession": views.PARK_SESSION,
    "OwnerSession": views.SESSION,
    "Member": views.MEMBER,
    "Readings": park.READINGS,
    "ReadingSource": choice(*evidence.READING_SOURCES),
    "ReadingQuality": choice(*evidence.READING_QUALITIES),
    # Money
    "SettlementState": views.SETTLEMENT_STATE,
    "ParkSettlement": views.PARK_SETTLEMENT,
    "OwnerSettlement": views.SETTLEMENT,
    "RewardStatus": views.REWARD_STATUS,
    "RewardPayment": views.REWARD,
    "Correction": park.SETTLEMENT_CORRECTION,
    "Payment": park.PAYMENT,
    "ClaimPayment": park.CLAIM_PAYMENT,
    "ParkClaim": views.PARK_CLAIM,
    "ParkBalances": views.PARK_BALANCES,
    # What an owner has
    "Park": views.PARK,
    "Vehicle": views.VEHICLE,
    "VehicleCreate": owner.VEHICLE_CREATE,
    "Preferences": views.PREFERENCES,
    "PreferencesPatch": owner.PREFERENCES_PATCH,
    "Rule": owner.RULE,
    "Departures": views.DEPARTURES,
    "NextDeparture": views.NEXT_DEPARTURE,
    "Charger": views.CHARGER,
    "Agreement": views.AGREEMENT,
    "Device": access.DEVICE,
    "Me": access.ME,
    # Access and the log
    "TokenAnswer": access.TOKEN_ANSWER,
    "Checkpoint": ledger.CHECKPOINT,
    "Receipt": ledger.RECEIPT,
}
# What goes both ways: answered under its own name, and sent under this one.
SENT: Final[Mapping[str, str]] = {
    "Terms": "TermsCreate",
    "Reward": "RewardCreate",
    "RewardPart": "RewardPartCreate",
    "Recharge": "RechargeCreate",
}
