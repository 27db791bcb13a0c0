"""What a park owes: settlements, payments, claims from a lost history."""

from typing import Final

from probatio import Optional

from owner_api.commands import (
    claims,
    park_books,
    settlements,
)
from owner_api.problems import ProblemCode
from owner_api.schemas import park as messages, views
from owner_api.schemas.owner import EMPTY
from owner_api.server.routing import PAGE, Route

SETTLEMENT: Final = "/v1/park/settlements/{settlement_id}"
_REWARD: Final = "confirmed: only those whose payment_minor is more than 0, which wait to be paid."
SETTLEMENTS: Final = (
    Route(
        method="GET",
        path="/v1/park/balances",
        role="park",
        kind="query",
        summary="What the park owes and has paid, per currency",
        answer=views.PARK_BALANCES,
        handler=park_books.balances,
    ),
    Route(
        method="GET",
        path="/v1/park/settlements",
        role="park",
        kind="query",
        summary="Settlements, also those in one state or with a reward that waits to be paid",
        query={
            **PAGE,
            Optional("state"): views.SETTLEMENT_STATE,
            Optional("reward", description=_REWARD): views.REWARD_STATUS,
        },
        answer=views.listed(views.PARK_SETTLEMENT),
        handler=park_books.bills,
    ),
    Route(
        method="GET",
        path=SETTLEMENT,
        role="park",
        kind="query",
        summary="One settlement",
        answer=views.PARK_SETTLEMENT,
        handler=settlements.get_for_park,
        few_rows=True,
        timeless=True,
    ),
    Route(
        method="POST",
        path=f"{SETTLEMENT}/confirmation",
        role="park",
        kind="command",
        summary="Agree with a settlement",
        request=EMPTY,
        answer=views.PARK_SETTLEMENT,
        problems=(ProblemCode.CONFLICT,),
        handler=settlements.confirm_by_park,
    ),
    Route(
        method="POST",
        path=f"{SETTLEMENT}/correction",
        role="park",
        kind="command",
        summary="Reverse a settlement and start its next version",
        request=messages.SETTLEMENT_CORRECTION,
        answer=views.PARK_SETTLEMENT,
        status=201,
        problems=(ProblemCode.CONFLICT,),
        handler=settlements.correct,
    ),
    Route(
        method="POST",
        path=f"{SETTLEMENT}/payment",
        role="park",
        kind="command",
        summary="Mark the reward as paid, with the park's reference",
        request=messages.PAYMENT,
        answer=views.PARK_SETTLEMENT,
        problems=(ProblemCode.CONFLICT,),
        handler=settlements.pay,
    ),
)
CLAIMS: Final = (
    Route(
        method="GET",
        path="/v1/park/claims",
        role="park",
        kind="query",
        summary="What owners' receipts prove that a restore lost, one for each payer",
        query={**PAGE, Optional("status"): views.CLAIM_STATUS},
        answer=views.listed(views.PARK_CLAIM),
        handler=claims.list_for_park,
    ),
    Route(
        method="POST",
        path="/v1/park/claims/{reward_id}/payment",
        role="park",
        kind="command",
        summary="Book that a claim was paid, with the park's reference",
        request=messages.CLAIM_PAYMENT,
        answer=views.PARK_CLAIM,
        problems=(ProblemCode.CONFLICT,),
        handler=claims.pay,
    ),
)
