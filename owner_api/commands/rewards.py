"""The reward ledger: earned, confirmed, paid or reversed, each step a balanced transaction."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from owner_api.calls import Call, Reply
from owner_api.core.ledger import Posting
from owner_api.core.model import RewardPart
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.store.tx import Tx

from . import journal
from .balances import book, totals
from .owner_views import settlement_view
from .records import Row
from .reward_views import (
    claim,
    credit_minor,
    lost_reference,
    named,
    references_before,
    rewards_of,
)

type NewId = Callable[[str], str]


def _post(
    tx: Tx, reward: Row, kind: str, postings: Iterable[Posting], now: datetime, new_id: NewId
) -> None:
    """Write one balanced transaction for a reward."""
    txn_id = new_id("txn")
    written = []
    for posting in postings:
        posting_id = new_id("pst")
        written.append((posting_id, posting))
        book(
            tx,
            posting,
            posting_id=posting_id,
            txn_id=txn_id,
            kind=kind,
            settlement_id=reward["settlement_id"],
            reward_id=reward["reward_id"],
            at=now,
        )
    journal.reward(tx, reward, kind, txn_id, written, now)


def earn(
    tx: Tx, settlement: Row, worth: list[tuple[RewardPart, int]], now: datetime, new_id: NewId
) -> None:
    """Book a provisional settlement, each payer's part apart (minor units of its currency).

    What was paid for earlier versions counts, so that only the rest is still to be paid.
    """
    for number, (part, amount_minor) in enumerate(worth):
        reward_id = new_id("rwd")
        tx.insert(
            "reward",
            reward_id=reward_id,
            settlement_id=settlement["settlement_id"],
            owner_id=settlement["owner_id"],
            park_id=settlement["park_id"],
            part=number,
            payer=part.payer,
            kind=part.kind,
            status="pending",
            amount_minor=amount_minor,
            already_paid_minor=min(amount_minor, credit_minor(tx, settlement, number)),
            currency=part.currency,
            earned_at=now,
        )
        reward = tx.one("SELECT * FROM reward WHERE reward_id = ?", reward_id)
        assert reward is not None
        _post(tx, reward, "earned", claim(reward).earned(), now, new_id)


def confirm(tx: Tx, settlement_id: str, now: datetime, new_id: NewId) -> None:
    """Book a final settlement: pending becomes confirmed."""
    for reward in rewards_of(tx, settlement_id):
        _confirm(tx, reward, now, new_id)


def _confirm(tx: Tx, reward: Row, now: datetime, new_id: NewId) -> Row:
    _post(tx, reward, "confirmed", claim(reward).confirmed(), now, new_id)
    return _move(tx, reward, now, status="confirmed", confirmed_at=now)


def pay(
    tx: Tx, settlement: Row, reference: str, part: int | None, now: datetime, new_id: NewId
) -> None:
    """Book one payer's payment of what is still open; the same reference again changes nothing.

    One that a restore lost is booked again, under the reference that its receipt proves alone.
    """
    reward = _part(rewards_of(tx, settlement["settlement_id"]), part)
    told = reward["reference"]
    known = references_before(tx, settlement, reward) if told is None else [told]
    if known and reference not in known:
        raise Problem(ProblemCode.CONFLICT, f"Already paid as {' and '.join(known)}.")
    if reward["status"] != "paid":
        _book_payment(tx, reward, reference, now, new_id)


def _book_payment(tx: Tx, reward: Row, reference: str, now: datetime, new_id: NewId) -> Row:
    """Book what a final reward still has to be paid; return it as it is then."""
    paid = reward | {"reference": reference}
    _post(tx, paid, "paid", claim(reward).paid(), now, new_id)
    return _move(tx, reward, now, status="paid", reference=reference, paid_at=now)


def pay_claim(tx: Tx, of: Row, reference: str, now: datetime, new_id: NewId) -> None:
    """Book a reward that a restore lost, from what it was worth to its payment.

    What had been paid of it before the loss is not moved again.
    """
    rest = {"amount_minor": of["amount_minor"] - of["already_paid_minor"], "already_paid_minor": 0}
    reward = of | rest | {"reference": None}
    owed = claim(reward)
    _post(tx, reward, "earned", owed.earned(), now, new_id)
    _post(tx, reward, "confirmed", owed.confirmed(), now, new_id)
    paid = reward | {"reference": reference}
    _post(tx, paid, "paid", owed.paid(), now, new_id)
    _tell(tx, paid | {"status": "paid"}, now)
    announce_totals(tx, of["owner_id"], now)


def _part(found: list[Row], part: int | None) -> Row:
    """Return the reward that a payment is for; with several payers it must say so."""
    known = [reward for reward in found if part in (reward["part"], None)]
    if len(known) == 1:
        return known[0]
    limit = f"0 to {len(found) - 1}: each payer's payment is marked apart"
    error = FieldError(pointer="/part", code="range", limit=limit)
    raise Problem(ProblemCode.INVALID_BODY, f"part: {limit}", errors=(error,))


def reverse(tx: Tx, settlement_id: str, now: datetime, new_id: NewId) -> None:
    """Take back the claims of a corrected settlement; what was paid for it stays paid.

    Also what was paid before a restore that lost it: nobody could book it any more after this.
    """
    for each in rewards_of(tx, settlement_id):
        reward = each
        lost = lost_reference(tx, reward)
        if lost is not None and reward["status"] != "paid":
            if reward["status"] == "pending":
                reward = _confirm(tx, reward, now, new_id)
            reward = _book_payment(tx, reward, lost, now, new_id)
        _post(tx, reward, "reversed", claim(reward).reversed(reward["status"]), now, new_id)
        _move(tx, reward, now, status="reversed")


def paid_before(tx: Tx, reward_id: str, now: datetime, new_id: NewId) -> None:
    """Book a payment that a receipt proves after its reward was taken back by a correction.

    As ``reverse`` does where the receipt came first: the version in force counts it, unless that
    was paid already; then it was paid too much.
    """
    reward = tx.one(
        "SELECT * FROM reward WHERE reward_id = ? AND status = 'reversed' AND paid_at IS NULL",
        reward_id,
    )
    lost = None if reward is None else lost_reference(tx, reward)
    if reward is None or lost is None:
        return
    paid = reward | {"reference": lost}
    _post(tx, paid, "paid", claim(reward).paid_late(), now, new_id)
    _move(tx, reward, now, reference=lost, paid_at=now)
    settlement = tx.one(
        "SELECT * FROM settlement WHERE commitment_id ="
        " (SELECT commitment_id FROM settlement WHERE settlement_id = ?)"
        " ORDER BY version DESC LIMIT 1",
        reward["settlement_id"],
    )
    assert settlement is not None
    for each in rewards_of(tx, settlement["settlement_id"]):
        if each["part"] == reward["part"] and each["status"] in {"pending", "confirmed"}:
            _count_credit(tx, settlement, each, now, new_id)
    announce_totals(tx, reward["owner_id"], now)


def _count_credit(tx: Tx, settlement: Row, reward: Row, now: datetime, new_id: NewId) -> None:
    """Let what was paid beyond all claims count for a reward that is still to be paid."""
    owed = claim(reward)
    counted = min(owed.payment_minor, credit_minor(tx, settlement, reward["part"]))
    covered = reward["already_paid_minor"] + counted
    changed = reward | {"already_paid_minor": covered}
    postings = owed.covered(reward["status"], counted)
    _post(tx, changed, "covered", postings, now, new_id)
    tx.update("reward", {"reward_id": reward["reward_id"]}, already_paid_minor=covered)
    # Of one that is not final yet nobody was asked to pay anything.
    if reward["status"] == "confirmed":
        _tell(tx, changed, now)


def _move(tx: Tx, reward: Row, now: datetime, **changes: Any) -> Row:  # noqa: ANN401 - columns
    """Change a reward and tell both sides; return it as it is then."""
    tx.update("reward", {"reward_id": reward["reward_id"]}, **changes)
    _tell(tx, reward | changes, now)
    return reward | changes


def _tell(tx: Tx, changed: Row, now: datetime) -> None:
    shown = {"settlement_id": changed["settlement_id"], **named(changed)}
    kind = f"reward.{changed['status']}"
    if journal.is_here(tx, changed["owner_id"]):
        tx.emit(changed["owner_id"], kind, now, shown)
    tx.emit(changed["park_id"], kind, now, shown)


def announce_totals(tx: Tx, owner_id: str, now: datetime) -> None:
    """Tell the owner's devices what has been earned in all; nobody, once the owner is erased."""
    if journal.is_here(tx, owner_id):
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
