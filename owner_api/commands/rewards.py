"""The reward ledger: earned, confirmed, paid or reversed, each step a balanced transaction."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from owner_api.calls import Call, Reply
from owner_api.core import ledger
from owner_api.problems import Problem, ProblemCode
from owner_api.store.tx import Tx

from . import journal
from .edge import Json
from .owner_views import settlement_view
from .records import Row

type NewId = Callable[[str], str]

STATUSES: Final = ("pending", "confirmed", "paid")


def _post(
    tx: Tx, reward: Row, kind: str, source: str, target: str, now: datetime, new_id: NewId
) -> None:
    """Write one balanced transaction for a reward."""
    txn_id = new_id("txn")
    amount, currency = reward["amount_minor"], reward["currency"]
    written = []
    for posting in ledger.balanced(ledger.transfer(source, target, amount, currency)):
        posting_id = new_id("pst")
        written.append((posting_id, posting))
        tx.insert(
            "posting",
            posting_id=posting_id,
            txn_id=txn_id,
            kind=kind,
            account=posting.account,
            amount_minor=posting.amount_minor,
            currency=posting.currency,
            settlement_id=reward["settlement_id"],
            at=now,
        )
    journal.reward(tx, reward, kind, txn_id, written, now)


def _accounts(reward: Row) -> dict[str, str]:
    """Return the accounts a reward passes through, by status."""
    owned = {status: ledger.owner_account(reward["owner_id"], status) for status in STATUSES}
    return owned | {"owed": ledger.park_payable(reward["park_id"])}


def earn(tx: Tx, settlement: Row, kind: str, now: datetime, new_id: NewId) -> None:
    """Book a provisional settlement: the park owes it, the owner sees it as pending."""
    tx.insert(
        "reward",
        reward_id=new_id("rwd"),
        settlement_id=settlement["settlement_id"],
        owner_id=settlement["owner_id"],
        park_id=settlement["park_id"],
        kind=kind,
        status="pending",
        amount_minor=settlement["net_minor"],
        currency=settlement["currency"],
        earned_at=now,
    )
    reward = _reward(tx, settlement["settlement_id"])
    accounts = _accounts(reward)
    _post(tx, reward, "earned", accounts["owed"], accounts["pending"], now, new_id)


def _reward(tx: Tx, settlement_id: str) -> Row:
    row = tx.one("SELECT * FROM reward WHERE settlement_id = ?", settlement_id)
    assert row is not None
    return row


def confirm(tx: Tx, settlement_id: str, now: datetime, new_id: NewId) -> None:
    """Book a final settlement: pending becomes confirmed."""
    reward = _reward(tx, settlement_id)
    accounts = _accounts(reward)
    _post(tx, reward, "confirmed", accounts["pending"], accounts["confirmed"], now, new_id)
    tx.update("reward", {"reward_id": reward["reward_id"]}, status="confirmed", confirmed_at=now)
    _tell(tx, reward["settlement_id"], now)


def pay(tx: Tx, settlement: Row, reference: str, now: datetime, new_id: NewId) -> None:
    """Book the park's payment; the same reference again changes nothing."""
    reward = _reward(tx, settlement["settlement_id"])
    if reward["status"] == "paid":
        if reward["reference"] != reference:
            raise Problem(ProblemCode.CONFLICT, f"Already paid as {reward['reference']}.")
        return
    accounts = _accounts(reward)
    paid = reward | {"reference": reference}
    _post(tx, paid, "paid", accounts["confirmed"], accounts["paid"], now, new_id)
    tx.update(
        "reward",
        {"reward_id": reward["reward_id"]},
        status="paid",
        reference=reference,
        paid_at=now,
    )
    _tell(tx, settlement["settlement_id"], now)


def reverse(tx: Tx, settlement_id: str, now: datetime, new_id: NewId) -> None:
    """Book the reversal of a corrected settlement from wherever its reward stands."""
    reward = _reward(tx, settlement_id)
    accounts = _accounts(reward)
    _post(tx, reward, "reversed", accounts[reward["status"]], accounts["owed"], now, new_id)
    tx.update("reward", {"reward_id": reward["reward_id"]}, status="reversed")
    _tell(tx, settlement_id, now)


def _tell(tx: Tx, settlement_id: str, now: datetime) -> None:
    reward = _reward(tx, settlement_id)
    shown = {
        key: reward[key]
        for key in ("reward_id", "settlement_id", "status", "amount_minor", "currency", "reference")
    }
    kind = f"reward.{reward['status']}"
    tx.emit(reward["owner_id"], kind, now, shown)
    tx.emit(reward["park_id"], kind, now, shown)


def balances(tx: Tx, owner_id: str) -> dict[str, dict[str, int]]:
    """Return the owner's balances per currency and status, summed from the postings."""
    accounts = {ledger.owner_account(owner_id, status): status for status in STATUSES}
    rows = tx.all(
        "SELECT account, currency, SUM(amount_minor) AS total FROM posting"
        " WHERE account IN (?, ?, ?) GROUP BY account, currency",
        *accounts,
    )
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["currency"], dict.fromkeys(STATUSES, 0))[accounts[row["account"]]] = (
            row["total"]
        )
    return found


def month_span(first: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the local midnights that begin and end the month of ``first``."""
    after = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    start, end = (datetime(day.year, day.month, 1, tzinfo=zone) for day in (first, after))
    return start, end


def totals(tx: Tx, owner_id: str, now: datetime) -> Json:
    """Return what is pending, confirmed and paid, in all and this local month."""
    owner = tx.one("SELECT * FROM owner WHERE owner_id = ?", owner_id)
    assert owner is not None
    zone, currency = ZoneInfo(owner["time_zone"]), owner["currency"]
    start, end = month_span(now.astimezone(zone).date(), zone)
    month = tx.all(
        "SELECT status, currency, amount_minor FROM reward"
        " WHERE owner_id = ? AND earned_at >= ? AND earned_at < ?",
        owner_id,
        start,
        end,
    )
    all_time = balances(tx, owner_id)
    this_month = {
        f"{status}_minor": sum(
            row["amount_minor"]
            for row in month
            if row["status"] == status and row["currency"] == currency
        )
        for status in STATUSES
    }
    return {
        "currency": currency,
        **_named(all_time.pop(currency, dict.fromkeys(STATUSES, 0))),
        "this_month": this_month,
        "others": [{"currency": other, **_named(sums)} for other, sums in all_time.items()],
    }


def _named(sums: dict[str, int]) -> Json:
    return {f"{status}_minor": sums[status] for status in STATUSES}


def announce_totals(tx: Tx, owner_id: str, now: datetime) -> None:
    """Tell the owner's devices what has been earned in all."""
    tx.emit(owner_id, "rewards.updated", now, totals(tx, owner_id, now))


def overview(tx: Tx, call: Call) -> Reply:
    """Return the totals and the newest settlements."""
    owner_id = call.principal.party_id
    rows = tx.all(
        "SELECT * FROM settlement WHERE owner_id = ? ORDER BY settlement_id DESC LIMIT 200",
        owner_id,
    )
    items = [settlement_view(tx, row) for row in rows]
    return Reply(body={**totals(tx, owner_id, call.now), "items": items})
