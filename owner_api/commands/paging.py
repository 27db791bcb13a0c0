"""Lists with a cursor: the last id seen, nothing a caller could not know already."""

from typing import Any

from owner_api.calls import Call, Reply

_DEFAULT_LIMIT = 50


def page(call: Call, items: list[dict[str, Any]], key: str) -> Reply:
    """Return the items after ``?cursor=`` (an id), at most ``?limit=`` of them, oldest first."""
    limit, cursor = int(call.query.get("limit", _DEFAULT_LIMIT)), call.query.get("cursor", "")
    rest = [item for item in items if item[key] > cursor]
    shown = rest[:limit]
    more = shown[-1][key] if len(rest) > limit else None
    return Reply(body={"items": shown, "next_cursor": more})
