"""What an owner has earned, summed from the postings; the writer goes on from what it has summed.

Nothing is stored: what the writer remembers of an account is the sum of its postings and of nothing
else, forgotten with whatever is undone (decision 41).
"""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from owner_api.core import ledger
from owner_api.core.canonical import instant_text
from owner_api.core.ledger import Posting
from owner_api.store.tx import Tx

from .edge import Json
from .months import Stretch, month_of

# By currency and book, what is on each of an owner's accounts (minor units).
type Balances = dict[tuple[str, str], dict[str, int]]
# What is on one account, by currency (minor units).
type Sums = dict[str, int]

_STATUSES: Final = ("pending", "confirmed", "paid")
_BOOKS: Final = ("", ledger.CREDIT_BOOK)


def book(tx: Tx, posting: Posting, **columns: object) -> None:
    """Write a posting; a sum of its account that is remembered goes on from here."""
    account, currency = posting.account, posting.currency
    before: Sums | None = tx.recall("posting", account)
    tx.insert(
        "posting",
        account=account,
        amount_minor=posting.amount_minor,
        currency=currency,
        **columns,
    )
    if before is not None:
        total = before.get(currency, 0) + posting.amount_minor
        tx.remember("posting", account, {**before, currency: total})


def balances(tx: Tx, owner_id: str) -> Balances:
    """Return the owner's balances of all time."""
    found: Balances = {}
    for account, (name, book) in _accounts(owner_id).items():
        for currency, total in _sums(tx, account).items():
            found.setdefault((currency, book), {})[name] = total
    return found


def _sums(tx: Tx, account: str) -> Sums:
    sums: Sums | None = tx.recall("posting", account)
    if sums is None:
        rows = tx.all(
            "SELECT currency, SUM(amount_minor) AS total FROM posting WHERE account = ?"
            " GROUP BY currency",
            account,
        )
        sums = {row["currency"]: row["total"] for row in rows}
        tx.remember("posting", account, sums)
    return sums


def _accounts(owner_id: str) -> dict[str, tuple[str, str]]:
    """Return the owner's accounts, each with its name and book."""
    names = {ledger.owner_account(owner_id, name): name for name in _STATUSES}
    names[ledger.owner_credit(owner_id)] = "credit"
    return {f"{account}{book}": (name, book) for account, name in names.items() for book in _BOOKS}


# What was settled in a span, and what a correction took back in it: an earlier month has counted
# what is taken back, and a month's statement says the same. What a restore lost was settled before
# it, and has no settlement here. Each by an index of its time: of others there are ever more.
_OF_OWNER: Final = "account IN (?5, ?6, ?7) AND posting.currency = ?4"
_EARNED: Final = (
    # What it is put together from is a constant.
    "SELECT account, SUM(amount_minor) AS total FROM ("  # noqa: S608 - as said
    "SELECT account, amount_minor FROM posting INDEXED BY posting_of_account"
    f" WHERE {_OF_OWNER} AND at >= ?2 AND at < ?3 AND kind = 'reversed'"
    " UNION ALL"
    " SELECT account, amount_minor FROM settlement INDEXED BY settlement_of_time"
    " CROSS JOIN posting INDEXED BY posting_of_settlement USING (settlement_id)"
    " WHERE owner_id = ?1 AND created_at >= ?2 AND created_at < ?3"
    f" AND {_OF_OWNER} AND posting.kind <> 'reversed'"
    " UNION ALL"
    " SELECT account, posting.amount_minor FROM claim"
    " CROSS JOIN posting INDEXED BY posting_of_settlement USING (settlement_id, reward_id)"
    " WHERE owner_id = ?1 AND settled_at >= ?2 AND settled_at < ?3"
    f" AND {_OF_OWNER} AND posting.kind <> 'reversed' AND NOT EXISTS"
    " (SELECT 1 FROM settlement WHERE settlement.settlement_id = posting.settlement_id)"
    ") GROUP BY account"
)


def _earned_in(tx: Tx, owner_id: str, month: list[Stretch], currency: str) -> dict[str, int]:
    """Return the owner's balances of cash in a currency, of what was earned in a month."""
    accounts = {ledger.owner_account(owner_id, name): name for name in _STATUSES}
    found: dict[str, int] = {}
    for stretch in month:
        span = stretch.start_at, stretch.end_at
        for row in tx.all(_EARNED, owner_id, *span, currency, *accounts):
            name = accounts[row["account"]]
            found[name] = found.get(name, 0) + row["total"]
    return found


def totals(tx: Tx, owner_id: str, now: datetime) -> Json:
    """Return what is pending, confirmed, paid and overpaid, in all and of this local month."""
    owner = tx.one("SELECT * FROM owner WHERE owner_id = ?", owner_id)
    assert owner is not None
    zone, currency = ZoneInfo(owner["time_zone"]), owner["currency"]
    month = month_of(tx, owner, now.astimezone(zone).date())
    all_time = balances(tx, owner_id)
    return {
        "currency": currency,
        **_named(all_time.pop((currency, ""), {})),
        "this_month": {
            "start_at": instant_text(month[0].start_at),
            **_by_status(_earned_in(tx, owner_id, month, currency)),
        },
        "others": [
            {"currency": other, "charging_credit": bool(book), **_named(sums)}
            for (other, book), sums in sorted(all_time.items())
        ],
    }


def _by_status(sums: dict[str, int]) -> Json:
    return {f"{status}_minor": sums.get(status, 0) for status in _STATUSES}


def _named(sums: dict[str, int]) -> Json:
    """Return balances under the names that the owner reads, with what was paid beyond claims."""
    return {**_by_status(sums), "overpaid_minor": -sums.get("credit", 0)}
