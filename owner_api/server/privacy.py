"""How an owner is forgotten; ``exporting`` is how they take along what is known of them."""

from typing import Final

from probatio import Required

from owner_api.commands import privacy
from owner_api.schemas.fields import ListOf, boolean, choice, text
from owner_api.schemas.views import required

from .routing import Route

_LINES: Final = ListOf(text(1, 500), 0, 100)

ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/erasure",
        role="owner",
        kind="query",
        summary="What an erasure takes and what it leaves",
        answer=required({"goes": _LINES, "stays": _LINES}),
        handler=privacy.explain,
    ),
    Route(
        method="POST",
        path="/v1/erasure",
        role="owner",
        kind="command",
        summary="Forget the owner, for good",
        request={Required("confirm"): choice("erase")},
        answer=required(
            {"erased": boolean(), "waits_for": ListOf(text(1, 64), 0, 10_000), "stays": _LINES}
        ),
        status=201,
        handler=privacy.forget,
    ),
)
