"""What an owner may do with all that is known about them."""

from typing import Final

from probatio import Required

from owner_api.commands import privacy
from owner_api.schemas.fields import AnyJson, ListOf, boolean, choice, text, timestamp, typed_id
from owner_api.schemas.views import required

from .routing import Route

_LINES: Final = ListOf(text(1, 500), 0, 100)

ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/export",
        role="owner",
        kind="query",
        summary="Everything this server holds about the owner",
        answer=required(
            {
                "format": text(1, 100),
                "exported_at": timestamp(),
                "owner_id": typed_id("own"),
                "park_names": AnyJson(),
                "tables": AnyJson(),
            }
        ),
        handler=privacy.take_along,
    ),
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
