"""A park's cars: who may come, who stands where, what meters say, what could be asked for."""

from typing import Final

from owner_api.commands import (
    agreements,
    metering,
    questions,
    sessions,
)
from owner_api.problems import ProblemCode
from owner_api.schemas import park as messages, views
from owner_api.server.routing import PAGE, Route

SESSION: Final = "/v1/park/sessions/{session_id}"
SESSIONS: Final = (
    Route(
        method="GET",
        path="/v1/park/members",
        role="park",
        kind="query",
        summary="Pseudonyms of the vehicles that have an agreement with this park",
        query=PAGE,
        answer=views.listed(views.MEMBER),
        handler=agreements.members,
    ),
    Route(
        method="GET",
        path="/v1/park/sessions",
        role="park",
        kind="query",
        summary="Sessions that have not ended",
        query=PAGE,
        answer=views.listed(views.PARK_SESSION),
        handler=sessions.list_for_park,
    ),
    Route(
        method="POST",
        path="/v1/park/sessions",
        role="park",
        kind="command",
        summary="Open a plug-in session",
        request=messages.SESSION_CREATE,
        answer=views.PARK_SESSION,
        status=201,
        problems=(ProblemCode.WINDOW_INVALID, ProblemCode.BUDGET_USED_UP),
        handler=sessions.open_session,
    ),
    Route(
        method="GET",
        path=SESSION,
        role="park",
        kind="query",
        summary="One session",
        answer=views.PARK_SESSION,
        handler=sessions.get_for_park,
        few_rows=True,
        timeless=True,
    ),
    Route(
        method="POST",
        path=f"{SESSION}/end",
        role="park",
        kind="command",
        summary="End a session: the car was unplugged",
        request=messages.SESSION_END,
        answer=views.PARK_SESSION,
        handler=sessions.end_by_park,
    ),
    Route(
        method="POST",
        path=f"{SESSION}/readings",
        role="park",
        kind="command",
        summary="Report the charger's meter",
        request=messages.READINGS,
        answer=views.READINGS_TAKEN,
        status=201,
        problems=(ProblemCode.CONFLICT,),
        handler=metering.readings,
    ),
    Route(
        method="POST",
        path="/v1/park/availability",
        role="park",
        kind="command",
        summary="Ask how much energy a session could give in a window",
        request=messages.AVAILABILITY_QUESTION,
        answer=views.AVAILABILITY,
        status=201,
        problems=(
            ProblemCode.WINDOW_INVALID,
            ProblemCode.BUDGET_USED_UP,
            ProblemCode.SESSION_ENDED,
        ),
        handler=questions.availability,
    ),
)
