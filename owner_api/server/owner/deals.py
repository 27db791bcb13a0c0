"""An owner's offers, answers, stops and deals."""

from typing import Final

from probatio import Optional

from owner_api.commands import (
    consent,
    deals,
    offers,
    stops,
)
from owner_api.problems import ProblemCode
from owner_api.schemas import owner as messages, views
from owner_api.schemas.fields import choice
from owner_api.server.routing import PAGE, Route

DEALS: Final = (
    Route(
        method="GET",
        path="/v1/offers",
        role="owner",
        kind="query",
        summary="Offers, the open ones or all",
        query={**PAGE, Optional("state"): choice("open", "all")},
        answer=views.listed(views.OFFER),
        handler=offers.list_for_owner,
    ),
    Route(
        method="GET",
        path="/v1/offers/{offer_id}",
        role="owner",
        kind="query",
        summary="One offer with its evaluation",
        answer=views.OFFER,
        handler=offers.get_for_owner,
        few_rows=True,
        timeless=True,
    ),
    Route(
        method="POST",
        path="/v1/decisions",
        role="owner",
        kind="command",
        summary="Accept, decline or counter one revision of one offer",
        request=messages.DECISION,
        answer=views.DECIDED,
        status=201,
        until_stop=True,
        problems=(
            ProblemCode.CONFLICT,
            ProblemCode.STALE_TERMS,
            ProblemCode.OFFER_CLOSED,
            ProblemCode.OFFER_EXPIRED,
            ProblemCode.NOT_FEASIBLE,
            ProblemCode.SOC_UNKNOWN,
            ProblemCode.SOC_STALE,
            ProblemCode.BELOW_FLOOR,
            ProblemCode.DEPARTURE_UNKNOWN,
            ProblemCode.DISCHARGE_NOT_ALLOWED,
            ProblemCode.AGREEMENT_MISSING,
            ProblemCode.NOT_BOUND,
            ProblemCode.FORBIDDEN,
        ),
        handler=consent.decide,
    ),
    Route(
        method="POST",
        path="/v1/stops",
        role="owner",
        kind="command",
        summary="Stop: one deal, one vehicle's or all; no reason needed",
        request=messages.STOP,
        answer=views.STOP,
        status=201,
        at_once=True,
        handler=stops.stop,
    ),
    Route(
        method="GET",
        path="/v1/commitments",
        role="owner",
        kind="query",
        summary="The owner's deals",
        query=PAGE,
        answer=views.listed(views.COMMITMENT),
        handler=deals.list_for_owner,
    ),
    Route(
        method="GET",
        path="/v1/commitments/{commitment_id}",
        role="owner",
        kind="query",
        summary="One deal, live",
        answer=views.COMMITMENT,
        handler=deals.get_for_owner,
    ),
)
