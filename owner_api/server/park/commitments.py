"""A park's deals: award, instructions, and stops that it confirms."""

from typing import Final

from probatio import Optional

from owner_api.commands import (
    deals,
    delivery,
    park_books,
)
from owner_api.problems import ProblemCode
from owner_api.schemas import park as messages, views
from owner_api.schemas.fields import choice
from owner_api.server.routing import PAGE, Route

COMMITMENT: Final = "/v1/park/commitments/{commitment_id}"
_STATE: Final = (
    "open, the default: not ended yet. unsettled: ended, waits for the reading at rest by which it"
    " is settled."
)
COMMITMENTS: Final = (
    Route(
        method="GET",
        path="/v1/park/commitments",
        role="park",
        kind="query",
        summary="Deals, those that have not ended or all",
        query={**PAGE, Optional("state", description=_STATE): choice("open", "unsettled", "all")},
        answer=views.listed(views.PARK_COMMITMENT),
        handler=park_books.deals,
    ),
    Route(
        method="GET",
        path=COMMITMENT,
        role="park",
        kind="query",
        summary="One deal",
        answer=views.PARK_COMMITMENT,
        handler=deals.get_for_park,
        few_rows=True,
        timeless=True,
    ),
    Route(
        method="POST",
        path=f"{COMMITMENT}/award",
        role="park",
        kind="command",
        summary="Order energy under exactly the terms consented to",
        request=messages.AWARD,
        answer=views.PARK_COMMITMENT,
        problems=(
            ProblemCode.AWARD_MISMATCH,
            ProblemCode.COMMITMENT_CLOSED,
            ProblemCode.OFFER_EXPIRED,
            ProblemCode.CONFLICT,
        ),
        handler=deals.award,
    ),
    Route(
        method="POST",
        path=f"{COMMITMENT}/cancellation",
        role="park",
        kind="command",
        summary="Cancel a deal or cut it short; what was delivered is paid",
        request=messages.CANCELLATION,
        answer=views.PARK_COMMITMENT,
        problems=(ProblemCode.COMMITMENT_CLOSED,),
        handler=deals.cancel,
    ),
    Route(
        method="POST",
        path=f"{COMMITMENT}/instructions",
        role="park",
        kind="command",
        summary="Ask for a setpoint; the answer says until when it may stand",
        request=messages.INSTRUCTION,
        answer=views.INSTRUCTION,
        status=201,
        problems=(
            ProblemCode.STOP_IN_FORCE,
            ProblemCode.COMMITMENT_CLOSED,
            ProblemCode.STALE_SEQUENCE,
            ProblemCode.NO_LEASE,
            ProblemCode.NOT_FEASIBLE,
            ProblemCode.NOT_BOUND,
        ),
        handler=delivery.instruct,
    ),
    Route(
        method="POST",
        path=f"{COMMITMENT}/stop-confirmation",
        role="park",
        kind="command",
        summary="Confirm that the charger got the stop",
        request=messages.STOP_CONFIRMATION,
        answer=views.PARK_COMMITMENT,
        problems=(ProblemCode.CONFLICT,),
        handler=deals.confirm_stop,
    ),
)
