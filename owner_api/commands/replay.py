"""Receipts shown again after a loss: what a restored history lacks is recorded as replayed.

A replayed receipt is a claim that this server's own signature proves. It is recorded openly, for
its party and, where it says what a park owes, for that park; it moves no money by itself, because
the restored books may go on to settle the same deal again. ``claims`` is what the park may do.
"""

import hashlib
from typing import Final

from owner_api.calls import Call, Reply
from owner_api.core import receipt as receipts
from owner_api.core.receipt import Verified
from owner_api.problems import Problem, ProblemCode
from owner_api.store.tx import Tx

from . import claims, ended_before, epochs, leaves, rewards, settlements
from .edge import Json
from .notary import Notary

KIND: Final = "receipt.replayed"
CLAIM: Final = "settlement.claimed"
_CORRECTED: Final = "settlement.corrected"
_PAID: Final = "reward.paid"
# What the park was told when it was settled, and no more.
_CLAIMED: Final = (
    "settlement_id",
    "version",
    "commitment_id",
    "state",
    "delivered_wh",
    "net_minor",
    "currency",
)


def replay(notary: Notary, tx: Tx, call: Call) -> Reply:
    """Take in a receipt of this server's; record it when the log no longer holds its entry.

    The same receipt again is the same record. A log that signed the receipt's checkpoint, does not
    hold it and never said so ends all service, as for any witness. Raises invalid_body for a
    receipt that does not hold, or is not this server's word to the caller.
    """
    document = call.body
    known = epochs.keys(tx)
    try:
        found = receipts.verify(document, known)
    except receipts.ReceiptError as error:
        raise Problem(ProblemCode.INVALID_BODY, str(error)) from error
    ours = found.issuer == receipts.issuer(notary.server_id)
    if not ours or found.entry.party_id != call.principal.party_id:
        detail = "This receipt is not one that this server gave to you."
        raise Problem(ProblemCode.INVALID_BODY, detail)
    # By a key that came and went in the lost part, our own log can say nothing about it.
    holds = found.key_id in known and epochs.witness(tx, document["checkpoint"])
    if epochs.is_contradicted(tx):
        notary.refusing = epochs.WHAT_HELPS
    held, replayed_as = holds or _is_here(tx, found), None
    if not held and notary.refusing is None:
        replayed_as = _record(tx, call, found, document["jws"])
    body = {"held": held, "serving": notary.refusing is None, "receipt_id": replayed_as}
    return Reply(body=body)


def _is_here(tx: Tx, found: Verified) -> bool:
    """Return whether the entry is in the log although the checkpoint over it is not."""
    row = tx.one(
        "SELECT kind, at, content FROM ledger_entry JOIN ledger_leaf USING (position)"
        " WHERE position = ?",
        found.position,
    )
    entry = found.entry
    said = (entry.kind, entry.at, entry.content.decode())
    return row is not None and (row["kind"], row["at"], row["content"]) == said


def _record(tx: Tx, call: Call, found: Verified, jws: str) -> str:
    """Record a receipt once and return the id of the receipt for that."""
    digest, party_id = hashlib.sha256(jws.encode()).hexdigest(), call.principal.party_id
    row = tx.one(
        "SELECT receipt_id FROM receipt WHERE party_id = ? AND kind = ? AND subject_id = ?",
        party_id,
        KIND,
        digest,
    )
    if row is not None:
        return str(row["receipt_id"])
    entry = found.entry
    original: Json = {
        "receipt_id": found.receipt_id,
        "epoch": found.checkpoint.epoch,
        "position": found.position,
        "kind": entry.kind,
        "at": entry.at,
        "subject_id": entry.subject_id,
        "jws_sha256": digest,
    }
    body = original | {"body": entry.body}
    position = leaves.append(tx, KIND, call.now, body, party_id=party_id, subject_id=digest)
    if entry.kind == _CORRECTED:
        claims.record_correction(tx, entry.body)
    if entry.kind.startswith("settlement."):
        settlements.say_again(tx, entry.party_id, entry.kind, entry.body, call)
        _claim(tx, call, original, found)
    elif entry.kind == _PAID:
        claims.record_payment(tx, entry.body, found.checkpoint.epoch)
        rewards.paid_before(tx, entry.body["reward_id"], call.now, call.new_id)
    else:
        ended_before.end_again(tx, party_id, entry, call.now)
    return receipts.receipt_id(position)


def _claim(tx: Tx, call: Call, original: Json, found: Verified) -> None:
    """Let the park's log say what an owner proves that it owes, unless the books know it."""
    said = found.entry.body
    known = tx.one(
        "SELECT 1 AS known FROM settlement WHERE settlement_id = ?", said.get("settlement_id")
    )
    if known is not None:
        return
    claims.record_rewards(tx, said)
    # Only the owner's entry names the park.
    park = tx.one("SELECT park_id FROM park WHERE park_id = ?", said.get("park_id"))
    if park is None:
        return
    body = {name: said.get(name) for name in _CLAIMED}
    body["proven_by"] = {name: original[name] for name in ("epoch", "position", "jws_sha256")}
    about = body["settlement_id"]
    position = leaves.append(tx, CLAIM, call.now, body, party_id=park["park_id"], subject_id=about)
    claims.record(tx, found.entry, receipts.receipt_id(position), call.now)
