"""What a restore lost and a receipt proves: a park's claims, and the payment of one.

A claim moves no money until the park says that it has paid it. Then the books gain what they had
lost of it, once for each deal and payer. Where the restored books settle the deal themselves, their
settlement is the one that is paid.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from owner_api.calls import Call, Reply
from owner_api.core.receipt import Entry
from owner_api.problems import Problem, ProblemCode, not_found
from owner_api.store.tx import Tx

from . import rewards
from .edge import Json, instant
from .paging import read_page
from .records import Row

# What the books do by themselves comes before what a receipt says. Payments of before the loss
# count for the deal, each once: a reward of another lost history may have been paid, of which the
# ``already_paid_minor`` of this one knows nothing. Two rewards that one history paid under the same
# reference are two payments, those of two histories are the same one, told again.
_CLAIMS: Final = (
    "SELECT *, CASE WHEN paid_at IS NOT NULL OR earlier IS NOT NULL THEN 'paid'"
    " WHEN corrected IS NOT NULL OR covered_minor > max(already_paid_minor, amount_minor - 1)"
    " OR EXISTS (SELECT 1 FROM claim AS other"
    " WHERE other.commitment_id = found.commitment_id AND other.part = found.part"
    " AND other.reward_id <> found.reward_id"
    " AND (other.version > found.version OR other.paid_at IS NOT NULL)) THEN 'superseded'"
    " WHEN EXISTS (SELECT 1 FROM commitment WHERE commitment.commitment_id = found.commitment_id"
    " AND (started_at IS NOT NULL OR state IN ('pending_award', 'scheduled', 'active')))"
    " THEN 'in_books' ELSE 'open' END AS status"
    " FROM (SELECT claim.*, earlier_payment.reference AS earlier,"
    " earlier_correction.settlement_id AS corrected,"
    " iif(claim.paid_at IS NOT NULL OR earlier_payment.reference IS NOT NULL, already_paid_minor,"
    " max(already_paid_minor, min(amount_minor, (SELECT coalesce(sum(paid_minor), 0) FROM (SELECT"
    " max(told_minor) AS paid_minor FROM (SELECT reference, sum(payment_minor) AS told_minor"
    " FROM earlier_reward AS other JOIN earlier_payment USING (reward_id)"
    " WHERE other.commitment_id = claim.commitment_id AND other.part = claim.part"
    " GROUP BY reference, coalesce(epoch, reward_id)) GROUP BY reference))))) AS covered_minor"
    " FROM claim LEFT JOIN earlier_payment USING (reward_id)"
    " LEFT JOIN earlier_correction USING (settlement_id)) AS found WHERE park_id = ?"
)
_SHOWN: Final = (
    "reward_id",
    "settlement_id",
    "version",
    "commitment_id",
    "delivered_wh",
    "part",
    "payer",
    "kind",
    "currency",
    "amount_minor",
    "status",
    "receipt_id",
)
_WHY_NOT: Final[Mapping[str, str]] = {
    "superseded": "Another version of this settlement counts: read the claims of its deal.",
    "in_books": "The books settle this deal by themselves: correct that settlement, and pay it.",
}


def record(tx: Tx, entry: Entry, receipt_id: str, now: datetime) -> None:
    """Keep what a replayed settlement of an owner's says of each payer; again, only what is new.

    ``receipt_id`` is of the park's own entry about it.
    """
    said, terms = entry.body, entry.body["reward_terms"]
    shares = terms["parts"] or [terms]
    settled_at = datetime.fromisoformat(entry.at)
    for each in said["rewards"]:
        known = tx.one("SELECT * FROM claim WHERE reward_id = ?", each["reward_id"])
        if known is not None:
            tx.run(
                "UPDATE claim SET settled_at = min(settled_at, ?) WHERE reward_id = ?",
                settled_at,
                each["reward_id"],
            )
            continue
        copied = ("reward_id", "part", "payer", "kind", "currency")
        tx.insert(
            "claim",
            **{name: each[name] for name in (*copied, "amount_minor", "already_paid_minor")},
            **{name: said[name] for name in ("settlement_id", "version", "commitment_id")},
            receipt_id=receipt_id,
            owner_id=entry.party_id,
            park_id=said["park_id"],
            price_per_kwh=shares[each["part"]]["price_per_kwh"],
            delivered_wh=said["delivered_wh"],
            settled_at=settled_at,
            claimed_at=now,
        )


def record_rewards(tx: Tx, said: Mapping[str, Any]) -> None:
    """Keep of which deal and payer the rewards of a lost settlement were, whoever shows it."""
    # What a park was told of an owner's claim names none.
    for each in said.get("rewards", ()):
        tx.run(
            "INSERT INTO earlier_reward (reward_id, commitment_id, part, payment_minor)"
            " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            each["reward_id"],
            said["commitment_id"],
            each["part"],
            each["amount_minor"] - each["already_paid_minor"],
        )


def record_payment(tx: Tx, said: Mapping[str, Any], epoch: int) -> None:
    """Keep that a lost reward was paid before the loss, as either side's receipt proves.

    ``epoch`` is the one of the log that the receipt is from.
    """
    tx.run(
        "INSERT INTO earlier_payment (reward_id, reference, epoch) VALUES (?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        said["reward_id"],
        said["reference"],
        epoch,
    )


def record_correction(tx: Tx, said: Mapping[str, Any]) -> None:
    """Keep that a lost settlement was corrected, as either side's receipt proves.

    The park's own says so too: an owner may show the version alone that is worth more.
    """
    tx.run(
        "INSERT INTO earlier_correction (settlement_id) VALUES (?) ON CONFLICT DO NOTHING",
        said["settlement_id"],
    )


def list_for_park(tx: Tx, call: Call) -> Reply:
    """List what owners have proven that the park owed before a loss; one item for each payer."""
    wanted = call.query.get("status")
    return read_page(
        tx,
        call,
        f"{_CLAIMS} AND (?2 IS NULL OR status = ?2)",
        call.principal.party_id,
        wanted,
        key="reward_id",
        view=_view,
    )


def pay(tx: Tx, call: Call) -> Reply:
    """Book that the park paid a claim, under its own reference; the same again changes nothing.

    Promise 10: the energy of a deal is paid once. Raises conflict for what was paid otherwise, for
    a version that does not count, and for a deal that the books settle.
    """
    row = _find(tx, call.params["reward_id"], call.principal.party_id)
    reference = call.body["reference"]
    if row["status"] == "paid":
        if reference != (before := row["reference"] or row["earlier"]):
            raise Problem(ProblemCode.CONFLICT, f"Already paid as {before}.")
        return Reply(body=_view(row))
    if row["status"] in _WHY_NOT:
        raise Problem(ProblemCode.CONFLICT, _WHY_NOT[row["status"]])
    rest = {"already_paid_minor": row["covered_minor"]}
    name = {"reward_id": row["reward_id"]}
    tx.update("claim", name, reference=reference, paid_at=call.now, **rest)
    rewards.pay_claim(tx, row | rest, reference, call.now, call.new_id)
    return Reply(body=_view(_find(tx, row["reward_id"], row["park_id"])))


def _find(tx: Tx, reward_id: str, park_id: str) -> Row:
    row = tx.one(f"{_CLAIMS} AND reward_id = ?", park_id, reward_id)
    if row is None:
        raise not_found()
    return row


def _view(row: Row) -> Json:
    """Return a claim as its park may see it: what it was told when the deal was settled."""
    return {name: row[name] for name in _SHOWN} | {
        "already_paid_minor": row["covered_minor"],
        "payment_minor": row["amount_minor"] - row["covered_minor"],
        "reference": row["reference"] or row["earlier"],
        "claimed_at": instant(row["claimed_at"]),
        "paid_at": instant(row["paid_at"]),
    }
