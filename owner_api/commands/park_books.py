"""What a park finds again by itself: its deals, its bills, and what it owes in all."""

from typing import Final

from owner_api.calls import Call, Reply
from owner_api.core import ledger
from owner_api.store.tx import Tx

from .edge import Json
from .paging import read_page
from .park_views import commitment_view, settlement_view
from .records import CommitmentRecord

_DEALS: Final = {
    "all": "SELECT * FROM commitment WHERE park_id = ?",
    # By an index of these alone: of a park's others there are ever more.
    "open": "SELECT * FROM commitment INDEXED BY commitment_due WHERE park_id = ?"
    " AND (state = 'active' OR state = 'pending_award' OR state = 'scheduled')",
    "unsettled": "SELECT * FROM commitment INDEXED BY commitment_unsettled WHERE park_id = ?"
    " AND settlement_id IS NULL AND ended_at IS NOT NULL AND started_at IS NOT NULL",
}
# Each by an index that has no others in it: of what is settled and paid there is ever more.
_BILLS: Final = "SELECT * FROM settlement WHERE park_id = ?"
_OF_STATE: Final = " AND state = ?"
_OF_REWARD: Final = (
    " AND settlement_id IN (SELECT settlement_id FROM reward WHERE park_id = ? AND status = ?{})"
)
# What nothing was delivered for, or payments of earlier versions cover, waits for no payment.
_TO_PAY: Final = {"confirmed": " AND amount_minor > already_paid_minor"}
_OPEN: Final = (
    "SELECT currency, kind, status, SUM(amount_minor - already_paid_minor) AS total FROM reward"
    " WHERE park_id = ? AND status IN ('pending', 'confirmed') GROUP BY currency, kind, status"
)
_BOOKED: Final = (
    "SELECT account, currency, SUM(amount_minor) AS total FROM posting"
    " WHERE account IN (?, ?, ?, ?) GROUP BY account, currency"
)
_NAMES: Final = ("pending_minor", "confirmed_minor", "paid_minor", "overpaid_minor")


def deals(tx: Tx, call: Call) -> Reply:
    """List the park's deals: those that have not ended, or all with ``?state=all``.

    ``?state=unsettled`` are those that ended after their delivery began and wait for a reading.
    """
    return read_page(
        tx,
        call,
        _DEALS[call.query.get("state", "open")],
        call.principal.party_id,
        key="commitment_id",
        view=lambda row: commitment_view(CommitmentRecord.from_row(row)),
    )


def bills(tx: Tx, call: Call) -> Reply:
    """List the park's settlements; ``?reward=confirmed`` are those with something left to pay."""
    park_id = call.principal.party_id
    selected, params = _BILLS, [park_id]
    if state := call.query.get("state"):
        selected, params = selected + _OF_STATE, [*params, state]
    if reward := call.query.get("reward"):
        selected += _OF_REWARD.format(_TO_PAY.get(reward, ""))
        params += [park_id, reward]
    return read_page(
        tx,
        call,
        selected,
        *params,
        key="settlement_id",
        view=lambda row: settlement_view(tx, row),
    )


def balances(tx: Tx, call: Call) -> Reply:
    """Return what the park owes and has paid, per currency; credit in money is never added to cash.

    Pending becomes confirmed when a settlement is final, and is to be paid from then on (minor
    units). What was paid beyond the claims in force is what payments left of the debt.
    """
    park_id = call.principal.party_id
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in tx.all(_OPEN, park_id):
        book = ledger.book_of(row["kind"], row["currency"])
        sums = found.setdefault((row["currency"], book), dict.fromkeys(_NAMES, 0))
        sums[f"{row['status']}_minor"] += row["total"]
        sums["overpaid_minor"] += row["total"]
    books = ("", ledger.CREDIT_BOOK)
    payable = {f"{ledger.park_payable(park_id)}{book}": book for book in books}
    money = {f"{ledger.park_money(park_id)}{book}": book for book in books}
    for row in tx.all(_BOOKED, *payable, *money):
        book = (payable | money)[row["account"]]
        sums = found.setdefault((row["currency"], book), dict.fromkeys(_NAMES, 0))
        if row["account"] in payable:
            sums["overpaid_minor"] += row["total"]
        else:
            sums["paid_minor"] -= row["total"]
    shown: list[Json] = [
        {"currency": currency, "charging_credit": bool(book), **sums}
        for (currency, book), sums in sorted(found.items())
    ]
    return Reply(body={"park_id": park_id, "items": shown})
