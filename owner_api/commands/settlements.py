"""What both sides may do with a settlement: agree, dispute, correct by reversal, pay."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from owner_api.calls import Call, Reply
from owner_api.core.machine import (
    Correct,
    Dispute,
    SettlementState,
)
from owner_api.core.settlement import claimed
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.store.documents import from_json, to_json
from owner_api.store.tx import Tx

from . import announce, rewards, settling
from .edge import Json
from .owner_views import settlement_view
from .park_views import settlement_view as park_settlement_view
from .records import CommitmentRecord, Row


def confirm_by_owner(tx: Tx, call: Call) -> Reply:
    """Take the owner's yes to the figures; after a dispute, that takes it back."""
    row = settling.find(tx, call.params["settlement_id"], owner_id=call.principal.party_id)
    changed = _confirm(tx, call, row, "owner_confirmed_at")
    return Reply(body=settlement_view(tx, changed))


def confirm_by_park(tx: Tx, call: Call) -> Reply:
    """Take the park's yes to the figures."""
    row = settling.find(tx, call.params["settlement_id"], park_id=call.principal.party_id)
    changed = _confirm(tx, call, row, "park_confirmed_at")
    return Reply(body=park_settlement_view(tx, changed))


def _confirm(tx: Tx, call: Call, row: Row, column: str) -> Row:
    """Note one side's yes; with both, or with a dispute answered by the owner, it is final."""
    if row["state"] not in {"provisional", "disputed"}:
        return row
    if row[column] is None:
        tx.update("settlement", {"settlement_id": row["settlement_id"]}, **{column: call.now})
    changed = settling.find(tx, row["settlement_id"])
    both = bool(changed["owner_confirmed_at"] and changed["park_confirmed_at"])
    if both:
        return settling.finalize(tx, row["settlement_id"], call.now, call.new_id, confirmed=True)
    return changed


def dispute(tx: Tx, call: Call) -> Reply:
    """Record that the owner does not agree, with the evidence the owner has."""
    row = settling.find(tx, call.params["settlement_id"], owner_id=call.principal.party_id)
    to = settling.decide(row, Dispute(), call.now)
    changed = _disputed(tx, row, to, call.body, call.now)
    return Reply(body=settlement_view(tx, changed), status=201)


def _disputed(tx: Tx, row: Row, to: str, words: Json, now: datetime) -> Row:
    name = {"settlement_id": row["settlement_id"]}
    said = to_json(words).decode()
    tx.update("settlement", name, state=to, dispute=said, owner_confirmed_at=None, updated_at=now)
    changed = settling.find(tx, row["settlement_id"])
    announce.settlement(tx, changed, now)
    return changed


def say_again(tx: Tx, owner_id: str | None, kind: str, said: Mapping[str, Any], call: Call) -> None:
    """Let an owner's lost word on a version that the books still have stand again.

    A dispute does, or silence would be taken for a yes; and so does that it was settled later on.
    """
    row = tx.one(
        "SELECT * FROM settlement WHERE settlement_id = ? AND owner_id = ?",
        said["settlement_id"],
        owner_id,
    )
    if row is None:
        return
    silent = row["state"] == SettlementState.PROVISIONAL and row["owner_confirmed_at"] is None
    # Only the dispute that was settled then is taken back: what is disputed since is another.
    same = row["state"] == SettlementState.DISPUTED and from_json(row["dispute"]) == said["dispute"]
    name = {"settlement_id": row["settlement_id"]}
    if kind == "settlement.disputed" and silent:
        _disputed(tx, row, SettlementState.DISPUTED.value, said["dispute"], call.now)
        if _was_taken_back(tx, row, said["dispute"]):
            tx.update("settlement", name, owner_confirmed_at=call.now)
    elif kind == "settlement.final" and same:
        tx.update("settlement", name, owner_confirmed_at=call.now)


def _was_taken_back(tx: Tx, row: Row, dispute: Json) -> bool:
    """Tell whether its owner has shown that a lost dispute was settled later, in any order."""
    shown = tx.all(
        "SELECT content ->> '$.body.body.dispute' AS dispute FROM receipt"
        " JOIN ledger_entry USING (position)"
        " WHERE receipt.party_id = ? AND receipt.kind = 'receipt.replayed'"
        " AND content ->> '$.body.kind' = 'settlement.final'"
        " AND content ->> '$.body.subject_id' = ?",
        row["owner_id"],
        row["settlement_id"],
    )
    return any(each["dispute"] and from_json(each["dispute"]) == dispute for each in shown)


def correct(tx: Tx, call: Call) -> Reply:
    """Reverse this version and start the next; nothing that was written is changed.

    The new energy is the park's claim: what the meter said stays beside it.
    """
    row = settling.find(tx, call.params["settlement_id"], park_id=call.principal.party_id)
    deal = CommitmentRecord.find(tx, row["commitment_id"])
    delivered = call.body["delivered_wh"]
    if delivered > row["ordered_wh"]:
        limit = f"at most the ordered {row['ordered_wh']} Wh"
        error = FieldError(pointer="/delivered_wh", code="range", limit=limit)
        raise Problem(ProblemCode.INVALID_BODY, limit, errors=(error,))
    to = settling.decide(row, Correct(), call.now)
    tx.update("settlement", {"settlement_id": row["settlement_id"]}, state=to, updated_at=call.now)
    rewards.reverse(tx, row["settlement_id"], call.now, call.new_id)
    settling.add_wear(tx, deal.vehicle_id, -from_json(row["breakdown"])["wear_minor"])
    announce.settlement(tx, settling.find(tx, row["settlement_id"]), call.now)
    delivery = claimed(
        ordered_wh=row["ordered_wh"], actual_wh=row["actual_wh"], delivered_wh=delivered
    )
    meter = {name: row[name] for name in settling.METER} | {"basis": "claimed"}
    made = settling.write(
        tx,
        deal,
        delivery,
        call.now,
        call.new_id,
        meter=meter,
        version=row["version"] + 1,
        supersedes=row["settlement_id"],
        reason=call.body["reason"],
    )
    if _is_no_answer(tx, row, delivered):
        words, again = from_json(row["dispute"]), settling.find(tx, made)
        _disputed(tx, again, SettlementState.DISPUTED.value, words, call.now)
    shown = park_settlement_view(tx, settling.find(tx, made))
    return Reply(body=shown, status=201, location=f"/v1/park/settlements/{made}")


def _is_no_answer(tx: Tx, disputed: Row, delivered_wh: int) -> bool:
    """Return whether a correction gives the owner who has said no nothing more.

    Their no stands against it too: else a park had only to say the same once more, or first less
    and then the same, and silence would make it final.
    """
    if disputed["state"] != SettlementState.DISPUTED or disputed["owner_confirmed_at"]:
        return False
    row = tx.one(
        "SELECT max(delivered_wh) AS wh FROM settlement WHERE commitment_id = ?"
        " AND dispute IS NOT NULL AND owner_confirmed_at IS NULL",
        disputed["commitment_id"],
    )
    return row is not None and bool(delivered_wh <= row["wh"])


def pay(tx: Tx, call: Call) -> Reply:
    """Mark the reward as paid, with the park's own reference."""
    row = settling.find(tx, call.params["settlement_id"], park_id=call.principal.party_id)
    if row["state"] != SettlementState.FINAL:
        raise Problem(ProblemCode.CONFLICT, "Only a final settlement can be paid.")
    reference, part = call.body["reference"], call.body.get("part")
    rewards.pay(tx, row, reference, part, call.now, call.new_id)
    rewards.announce_totals(tx, row["owner_id"], call.now)
    return Reply(body=park_settlement_view(tx, row))


def get_for_owner(tx: Tx, call: Call) -> Reply:
    """Return one of the owner's settlements."""
    row = settling.find(tx, call.params["settlement_id"], owner_id=call.principal.party_id)
    return Reply(body=settlement_view(tx, row))


def get_for_park(tx: Tx, call: Call) -> Reply:
    """Return one of the park's settlements."""
    row = settling.find(tx, call.params["settlement_id"], park_id=call.principal.party_id)
    return Reply(body=park_settlement_view(tx, row))
