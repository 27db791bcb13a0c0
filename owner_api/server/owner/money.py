"""What an owner is paid, and how they dispute it."""

from typing import Final

from probatio import Optional

from owner_api.commands import (
    rewards,
    settlements,
    statements,
)
from owner_api.problems import ProblemCode
from owner_api.schemas import owner as messages, views
from owner_api.schemas.fields import choice
from owner_api.server.routing import Route

MONEY: Final = (
    Route(
        method="GET",
        path="/v1/rewards",
        role="owner",
        kind="query",
        summary="What was earned, confirmed and paid",
        answer=views.REWARDS,
        handler=rewards.overview,
    ),
    Route(
        method="GET",
        path="/v1/settlements/{settlement_id}",
        role="owner",
        kind="query",
        summary="One settlement with the owner's economics",
        answer=views.SETTLEMENT,
        handler=settlements.get_for_owner,
        few_rows=True,
        timeless=True,
    ),
    Route(
        method="POST",
        path="/v1/settlements/{settlement_id}/confirmation",
        role="owner",
        kind="command",
        summary="Agree with a settlement; takes back a dispute of it",
        request=messages.EMPTY,
        answer=views.SETTLEMENT,
        problems=(ProblemCode.CONFLICT,),
        handler=settlements.confirm_by_owner,
    ),
    Route(
        method="POST",
        path="/v1/settlements/{settlement_id}/dispute",
        role="owner",
        kind="command",
        summary="Disagree with a settlement, with evidence",
        request=messages.DISPUTE,
        answer=views.SETTLEMENT,
        status=201,
        problems=(ProblemCode.CONFLICT,),
        handler=settlements.dispute,
    ),
    Route(
        method="GET",
        path="/v1/statements/{month}",
        role="owner",
        kind="query",
        summary="A month's rewards as JSON or CSV",
        query={Optional("format"): choice("json", "csv")},
        answer=views.STATEMENT,
        problems=(ProblemCode.INVALID_PARAMETER,),
        handler=statements.statement,
    ),
)
