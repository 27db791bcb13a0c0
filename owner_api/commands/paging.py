"""Lists with a cursor: the last id seen, nothing a caller could not know already."""

from collections.abc import Callable
from typing import Any

from owner_api.calls import Call, Reply
from owner_api.store.tx import Tx

type Row = dict[str, Any]

_DEFAULT_LIMIT = 50


def read_page(
    tx: Tx, call: Call, selected: str, *params: object, key: str, view: Callable[[Row], Row]
) -> Reply:
    """Return one page of what ``selected`` finds, reading no more rows than the page needs.

    ``selected`` is a constant SELECT up to its last condition, ``key`` the id its rows go by.
    """
    limit, cursor = _wanted(call)
    rows = tx.all(f"{selected} AND {key} > ? ORDER BY {key} LIMIT ?", *params, cursor, limit + 1)
    shown = [view(row) for row in rows[:limit]]
    more = rows[limit - 1][key] if len(rows) > limit else None
    return Reply(body={"items": shown, "next_cursor": more})


def page(call: Call, items: list[dict[str, Any]], key: str) -> Reply:
    """Return the items after ``?cursor=`` (an id), at most ``?limit=`` of them, oldest first.

    For what one person has a handful of; a list that grows with time takes ``read_page``.
    """
    limit, cursor = _wanted(call)
    rest = [item for item in items if item[key] > cursor]
    shown = rest[:limit]
    more = shown[-1][key] if len(rest) > limit else None
    return Reply(body={"items": shown, "next_cursor": more})


def _wanted(call: Call) -> tuple[int, str]:
    return int(call.query.get("limit", _DEFAULT_LIMIT)), str(call.query.get("cursor", ""))
