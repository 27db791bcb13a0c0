"""A month's rewards, read from the postings: what was booked in a month stays in that month."""

import csv
from datetime import date
import io
import re
from typing import Final

from owner_api.calls import Call, Reply
from owner_api.core.ledger import CREDIT_BOOK, book_of
from owner_api.core.model import Terms
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.store.documents import load
from owner_api.store.tx import Tx

from .edge import Json, instant
from .months import Stretch, month_of
from .records import Row

_MONTH: Final = re.compile(r"20\d\d-(?:0[1-9]|1[0-2])")
# What a month's parks have booked in a time, and not all that they ever had, in this order.
_OF_PARKS: Final = "park CROSS JOIN posting"
_IN_TIME: Final = (
    "park.park_id IN (SELECT park_id FROM agreement WHERE owner_id = ?1"
    " UNION SELECT park_id FROM claim WHERE owner_id = ?1)"
    " AND posting.account IN (park.park_id || ':payable', park.park_id || ?2)"
    " AND posting.at >= ?3 AND posting.at < ?4"
)
_COLUMNS: Final = (
    "earned_at",
    "park",
    "delivered_wh",
    "price_per_kwh",
    "amount_minor",
    "currency",
    "kind",
    "payer",
    "status",
    "reference",
    "settlement_id",
)


def statement(tx: Tx, call: Call) -> Reply:
    """Return a month's rewards as JSON or CSV; a correction stands as a line that reverses one."""
    owner = tx.one("SELECT * FROM owner WHERE owner_id = ?", call.principal.party_id)
    assert owner is not None
    first = _first_day(call.params["month"])
    month = month_of(tx, owner, first)
    rows = [
        row
        for stretch in month
        for booked in (_booked, _booked_claims)
        for row in booked(tx, owner, stretch)
    ]
    lines = [_line(row) for row in sorted(rows, key=lambda row: str(row["posting_id"]))]
    if call.query.get("format", "json") == "csv":
        return Reply(body=_csv(lines), content_type="text/csv")
    # Charging credit that is counted in money is never added to cash.
    sums: dict[tuple[str, bool], int] = {}
    for line in lines:
        apart = bool(book_of(line["kind"], line["currency"]))
        key = (line["currency"], apart)
        sums[key] = sums.get(key, 0) + line["amount_minor"]
    shown = {
        "month": call.params["month"],
        "time_zone": month[-1].time_zone if month else owner["time_zone"],
        "lines": lines,
        "totals": [
            {"currency": currency, "charging_credit": apart, "amount_minor": total}
            for (currency, apart), total in sums.items()
        ],
    }
    return Reply(body=shown)


def _first_day(month: str) -> date:
    """Return the first day of YYYY-MM; raise invalid_parameter otherwise."""
    if not _MONTH.fullmatch(month):
        limit = "YYYY-MM from 2000-01"
        error = FieldError(pointer="/month", code="format", limit=limit)
        raise Problem(ProblemCode.INVALID_PARAMETER, f"month: {limit}", errors=(error,))
    return date.fromisoformat(f"{month}-01")


def _booked(tx: Tx, owner: Row, stretch: Stretch) -> list[Row]:
    """Return what a park came to owe, or no longer owes, in a stretch of a local month."""
    return tx.all(
        # What it is put together from are constants.
        "SELECT reward.*, posting.posting_id, posting.at, posting.kind AS booked_as,"  # noqa: S608 - as said
        " -posting.amount_minor AS owed, settlement.delivered_wh, commitment.terms,"
        f" park.display_name FROM {_OF_PARKS}"
        " JOIN reward ON reward.settlement_id = posting.settlement_id"
        " AND coalesce(posting.reward_id, reward.reward_id) = reward.reward_id"
        " JOIN settlement ON settlement.settlement_id = posting.settlement_id"
        " JOIN commitment USING (commitment_id)"
        f" WHERE {_IN_TIME} AND posting.kind IN ('earned', 'reversed')"
        " AND reward.owner_id = ?1 AND reward.park_id = park.park_id",
        owner["owner_id"],
        f":payable{CREDIT_BOOK}",
        stretch.start_at,
        stretch.end_at,
    )


def _booked_claims(tx: Tx, owner: Row, stretch: Stretch) -> list[Row]:
    """Return what a restore had lost and a park has paid in a stretch of a local month."""
    return tx.all(
        # What it is put together from are constants.
        "SELECT claim.*, 'paid' AS status, posting.posting_id, posting.at,"  # noqa: S608 - as said
        " posting.kind AS booked_as, -posting.amount_minor AS owed, park.display_name"
        f" FROM {_OF_PARKS} JOIN claim USING (reward_id)"
        f" WHERE {_IN_TIME} AND posting.kind = 'earned'"
        " AND claim.owner_id = ?1 AND claim.park_id = park.park_id",
        owner["owner_id"],
        f":payable{CREDIT_BOOK}",
        stretch.start_at,
        stretch.end_at,
    )


def _line(row: Row) -> Json:
    """Return one line; a reversal takes back energy and money of the line it reverses."""
    reversal = row["booked_as"] == "reversed"
    price = row.get("price_per_kwh")
    if price is None:
        price = load(Terms, row["terms"]).reward.shares[row["part"]].price_per_kwh
    return {key: row[key] for key in _COLUMNS if key in row} | {
        "earned_at": instant(row["at"]),
        "park": row["display_name"],
        "price_per_kwh": price,
        "delivered_wh": -row["delivered_wh"] if reversal else row["delivered_wh"],
        "amount_minor": row["owed"],
    }


def _csv(lines: list[Json]) -> str:
    """Return the lines as CSV; a text that a spreadsheet would run as a formula is quoted."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=_COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for line in lines:
        writer.writerow({key: _safe(line.get(key)) for key in _COLUMNS})
    return out.getvalue()


def _safe(value: object) -> object:
    risky = isinstance(value, str) and value[:1] in {"=", "+", "-", "@"}
    return f"'{value}" if risky else value
