"""Lists with a cursor: the last id seen, nothing a caller could not know already."""

from collections.abc import Callable
from typing import Any

from owner_api.calls import Call, Reply
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.store.tx import Tx

type Row = dict[str, Any]

DEFAULT_LIMIT = 50
_ID_BEGINS = {
    "agreement_id": "agr_",
    "charger_id": "chg_",
    "commitment_id": "com_",
    "device_id": "dev_",
    "member_ref": "mbr_",
    "offer_id": "off_",
    "park_id": "prk_",
    "receipt_id": "rcp_",
    "reward_id": "rwd_",
    "session_id": "ses_",
    "settlement_id": "stl_",
    "vehicle_id": "veh_",
}


def read_page(
    tx: Tx,
    call: Call,
    selected: str,
    *params: object,
    key: str,
    view: Callable[[Row], Row],
    place: tuple[str, Callable[[str], int | None]] | None = None,
) -> Reply:
    """Return one page of what ``selected`` finds, reading no more rows than the page needs.

    ``selected`` is a constant SELECT up to its last condition, ``key`` the id its rows go by.
    ``place`` is the column that an id is made from, and how it is read from the id (None for what
    is no id), where rows are found by that.
    """
    limit, cursor = _wanted(call, key)
    column: str = key
    after: str | int | None = cursor
    if place is not None:
        column, read = place
        after = read(cursor) if cursor else -1
        if after is None:
            raise _wrong_cursor()
    rows = tx.all(
        f"{selected} AND {column} > ? ORDER BY {column} LIMIT ?", *params, after, limit + 1
    )
    shown = [view(row) for row in rows[:limit]]
    more = rows[limit - 1][key] if len(rows) > limit else None
    return Reply(body={"items": shown, "next_cursor": more})


def page(call: Call, items: list[dict[str, Any]], key: str) -> Reply:
    """Return the items after ``?cursor=`` (an id), at most ``?limit=`` of them, oldest first.

    For what one person has a handful of; a list that grows with time takes ``read_page``.
    """
    limit, cursor = _wanted(call, key)
    rest = [item for item in items if item[key] > cursor]
    shown = rest[:limit]
    more = shown[-1][key] if len(rest) > limit else None
    return Reply(body={"items": shown, "next_cursor": more})


def _wanted(call: Call, key: str) -> tuple[int, str]:
    """Return limit and cursor; another list's would pass over all there is, and say nothing."""
    cursor = str(call.query.get("cursor", ""))
    if cursor and not cursor.startswith(_ID_BEGINS[key]):
        raise _wrong_cursor()
    return int(call.query.get("limit", DEFAULT_LIMIT)), cursor


def _wrong_cursor() -> Problem:
    wanted = "the next_cursor of a page of this list"
    error = FieldError(pointer="?cursor", code="format", limit=wanted)
    return Problem(ProblemCode.INVALID_PARAMETER, f"cursor: {wanted}", errors=(error,))
