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
    )


def amounts(reward: Row) -> dict[str, int]:
    """Return a reward's worth, what earlier payments cover of it, and the rest (minor units)."""
    found = claim(reward)
    return {
        "amount_minor": found.amount_minor,
        "already_paid_minor": found.already_paid_minor,
        "payment_minor": found.payment_minor,
    }


def credit_minor(tx: Tx, commitment_id: str, owner_id: str) -> int:
    """Return what a park has paid for a deal beyond what is claimed for it now (minor units)."""
    row = tx.one(
        "SELECT COALESCE(SUM(posting.amount_minor), 0) AS total FROM settlement"
        " JOIN posting USING (settlement_id)"
        " WHERE settlement.commitment_id = ? AND posting.account = ?",
        commitment_id,
        ledger.owner_credit(owner_id),
    )
    return -int(row["total"]) if row else 0


def reward_view(tx: Tx, settlement: Row) -> Json | None:
    """Return how a settlement's reward stands, as both sides may see it."""
    reward = tx.one("SELECT * FROM reward WHERE settlement_id = ?", settlement["settlement_id"])
    if reward is None:
        return None
    in_force = reward["status"] != "reversed"
    credit = credit_minor(tx, settlement["commitment_id"], reward["owner_id"]) if in_force else 0
    return {
        "reward_id": reward["reward_id"],
        "status": reward["status"],
        **amounts(reward),
        "overpaid_minor": credit,
        "currency": reward["currency"],
        "reference": reward["reference"],
    }
