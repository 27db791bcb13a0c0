"""What a reward is worth, what was paid of it before, and what its own payment moves."""

from owner_api.core import ledger
from owner_api.core.ledger import Claim
from owner_api.store.tx import Tx

from .edge import Json
from .records import Row


def claim(reward: Row) -> Claim:
    """Return what a reward's version of a settlement claims."""
    return Claim(
        owner_id=reward["owner_id"],
        park_id=reward["park_id"],
        currency=reward["currency"],
        amount_minor=reward["amount_minor"],
        already_paid_minor=reward["already_paid_minor"],
        book=ledger.book_of(reward["kind"], reward["currency"]),
    )


def amounts(reward: Row) -> dict[str, int]:
    """Return a reward's worth, what earlier payments cover of it, and the rest (minor units)."""
    found = claim(reward)
    return {
        "amount_minor": found.amount_minor,
        "already_paid_minor": found.already_paid_minor,
        "payment_minor": found.payment_minor,
    }


def credit_minor(tx: Tx, settlement: Row, part: int) -> int:
    """Return what a payer has paid for a deal beyond what is claimed now (minor units)."""
    row = tx.one(
        # In this order: an account's postings of all its deals are ever more.
        "SELECT COALESCE(SUM(posting.amount_minor), 0) AS total FROM settlement"
        " JOIN reward USING (settlement_id)"
        " CROSS JOIN posting INDEXED BY posting_of_settlement USING (settlement_id, reward_id)"
        " WHERE settlement.commitment_id = ? AND reward.part = ? AND posting.account IN (?, ?)",
        settlement["commitment_id"],
        part,
        *(ledger.owner_credit(settlement["owner_id"]) + book for book in ("", ledger.CREDIT_BOOK)),
    )
    return -int(row["total"]) if row else 0


def rewards_of(tx: Tx, settlement_id: str) -> list[Row]:
    """Return a settlement's rewards, one for each payer."""
    return tx.all("SELECT * FROM reward WHERE settlement_id = ? ORDER BY part", settlement_id)


def lost_reference(tx: Tx, reward: Row) -> str | None:
    """Return under what a reward was paid before a restore, as far as a receipt proves it."""
    lost = tx.one("SELECT reference FROM earlier_payment WHERE reward_id = ?", reward["reward_id"])
    return None if lost is None else str(lost["reference"])


def references_before(tx: Tx, settlement: Row, reward: Row) -> list[str]:
    """Return under what the payer has paid for the deal before a restore that lost it.

    The books may settle the deal again, as another reward. Once something has been paid for it
    there, the payments of before are booked.
    """
    if (own := lost_reference(tx, reward)) is not None:
        return [own]
    rows = tx.all(
        "SELECT reference, min(reward_id) AS first"
        " FROM earlier_reward JOIN earlier_payment USING (reward_id)"
        " WHERE commitment_id = ?1 AND part = ?2 AND NOT EXISTS ("
        " SELECT 1 FROM settlement JOIN reward USING (settlement_id)"
        " WHERE settlement.commitment_id = ?1 AND reward.part = ?2 AND reward.paid_at IS NOT NULL)"
        " GROUP BY reference ORDER BY first",
        settlement["commitment_id"],
        reward["part"],
    )
    return [row["reference"] for row in rows]


def reward_views(tx: Tx, settlement: Row) -> Json:
    """Return how each payer's reward stands, as both sides may see it.

    ``reward`` is the first of them that the settlement's own figures are about.
    """
    shown = [_view(tx, settlement, row) for row in rewards_of(tx, settlement["settlement_id"])]
    about = [each for each in shown if each["currency"] == settlement["currency"]]
    about.sort(key=lambda each: each["kind"] != "cash")
    return {"reward": about[0] if about else None, "rewards": shown}


def _view(tx: Tx, settlement: Row, reward: Row) -> Json:
    in_force = reward["status"] != "reversed"
    return {
        **named(reward),
        "overpaid_minor": credit_minor(tx, settlement, reward["part"]) if in_force else 0,
    }


def named(reward: Row) -> Json:
    """Return what both sides are told of one reward."""
    names = ("reward_id", "part", "payer", "kind", "status", "currency", "reference")
    return {name: reward[name] for name in names} | amounts(reward)
