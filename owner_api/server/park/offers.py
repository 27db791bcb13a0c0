"""A park's offers, revised and withdrawn."""

from typing import Final

from probatio import Optional

from owner_api.commands import (
    offers,
)
from owner_api.problems import ProblemCode
from owner_api.schemas import park as messages, views
from owner_api.schemas.fields import choice
from owner_api.schemas.owner import EMPTY
from owner_api.server.routing import PAGE, Route

OFFER: Final = "/v1/park/offers/{offer_id}"
_TERMS_PROBLEMS: Final = (
    ProblemCode.WINDOW_IN_PAST,
    ProblemCode.WINDOW_INVALID,
    ProblemCode.RESPOND_BY_INVALID,
    ProblemCode.BUDGET_USED_UP,
    ProblemCode.SESSION_ENDED,
)
OFFERS: Final = (
    Route(
        method="GET",
        path="/v1/park/offers",
        role="park",
        kind="query",
        summary="Offers, the open ones or all",
        query={**PAGE, Optional("state"): choice("open", "all")},
        answer=views.listed(views.PARK_OFFER),
        handler=offers.list_for_park,
    ),
    Route(
        method="POST",
        path="/v1/park/offers",
        role="park",
        kind="command",
        summary="Ask to buy energy from a parked car",
        request=messages.OFFER_CREATE,
        answer=views.PARK_OFFER,
        status=201,
        problems=_TERMS_PROBLEMS,
        handler=offers.create,
    ),
    Route(
        method="GET",
        path=OFFER,
        role="park",
        kind="query",
        summary="One offer and its answer",
        answer=views.PARK_OFFER,
        handler=offers.get_for_park,
        few_rows=True,
        timeless=True,
    ),
    Route(
        method="POST",
        path=f"{OFFER}/revisions",
        role="park",
        kind="command",
        summary="Replace an open offer's terms by the next revision",
        request=messages.OFFER_REVISION,
        answer=views.PARK_OFFER,
        status=201,
        problems=(*_TERMS_PROBLEMS, ProblemCode.OFFER_CLOSED, ProblemCode.STALE_SEQUENCE),
        handler=offers.revise,
    ),
    Route(
        method="POST",
        path=f"{OFFER}/withdrawal",
        role="park",
        kind="command",
        summary="Take back an open offer",
        request=EMPTY,
        answer=views.PARK_OFFER,
        problems=(ProblemCode.OFFER_CLOSED,),
        handler=offers.withdraw,
    ),
)
