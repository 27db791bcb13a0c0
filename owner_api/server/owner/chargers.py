"""An owner's chargers at home."""

from typing import Final

from owner_api.commands import (
    chargers,
)
from owner_api.problems import ProblemCode
from owner_api.schemas import owner as messages, views
from owner_api.server.routing import PAGE, Route

CHARGER: Final = "/v1/chargers/{charger_id}"
CHARGERS: Final = (
    Route(
        method="GET",
        path="/v1/chargers",
        role="owner",
        kind="query",
        summary="The owner's chargers",
        query=PAGE,
        answer=views.listed(views.CHARGER),
        handler=chargers.list_all,
    ),
    Route(
        method="POST",
        path="/v1/chargers",
        role="owner",
        kind="command",
        summary="Add a charger",
        request=messages.CHARGER_CREATE,
        answer=views.CHARGER,
        status=201,
        problems=(ProblemCode.CONFLICT,),
        handler=chargers.create,
    ),
    Route(
        method="GET",
        path=CHARGER,
        role="owner",
        kind="query",
        summary="One charger",
        answer=views.CHARGER,
        handler=chargers.get,
    ),
    Route(
        method="PATCH",
        path=CHARGER,
        role="owner",
        kind="command",
        summary="Change a charger",
        request=messages.CHARGER_PATCH,
        answer=views.CHARGER,
        needs_if_match=True,
        handler=chargers.patch,
    ),
    Route(
        method="DELETE",
        path=CHARGER,
        role="owner",
        kind="command",
        summary="Delete a charger; its history stays",
        status=204,
        needs_if_match=True,
        handler=chargers.delete,
    ),
    Route(
        method="POST",
        path=f"{CHARGER}/telemetry",
        role="owner",
        kind="command",
        summary="Report a charger's power and registers",
        request=messages.CHARGER_TELEMETRY,
        answer=views.CHARGER,
        status=201,
        handler=chargers.telemetry,
    ),
)
