"""An owner's parks: agreements with them, and cars at their chargers."""

from typing import Final

from owner_api.commands import (
    agreements,
    check_in,
    sessions,
)
from owner_api.problems import ProblemCode
from owner_api.schemas import owner as messages, views
from owner_api.server.routing import PAGE, Route

AGREEMENTS: Final = (
    Route(
        method="GET",
        path="/v1/agreements",
        role="owner",
        kind="query",
        summary="The owner's agreements with parks",
        query=PAGE,
        answer=views.listed(views.AGREEMENT),
        handler=agreements.list_all,
    ),
    Route(
        method="POST",
        path="/v1/agreements",
        role="owner",
        kind="command",
        summary="Join a park under its terms, or replace the agreement with it",
        request=messages.AGREEMENT_CREATE,
        answer=views.AGREEMENT,
        status=201,
        problems=(ProblemCode.STALE_TERMS, ProblemCode.CONFLICT),
        handler=agreements.create,
    ),
    Route(
        method="POST",
        path="/v1/agreements/{agreement_id}/withdrawal",
        role="owner",
        kind="command",
        summary="Withdraw an agreement; its live deals are revoked",
        request=messages.EMPTY,
        answer=views.AGREEMENT,
        problems=(ProblemCode.CONFLICT,),
        handler=agreements.withdraw,
    ),
    Route(
        method="POST",
        path="/v1/check-ins",
        role="owner",
        kind="command",
        summary="Say by the charger's code which car stands there",
        request=messages.CHECK_IN,
        answer=views.SESSION,
        status=201,
        problems=(ProblemCode.CONFLICT,),
        handler=check_in.check_in,
    ),
    Route(
        method="GET",
        path="/v1/sessions",
        role="owner",
        kind="query",
        summary="The owner's plug-in sessions",
        query=PAGE,
        answer=views.listed(views.SESSION),
        handler=sessions.list_for_owner,
    ),
)
