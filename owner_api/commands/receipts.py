"""Reading the log: its head, proofs of it, and a party's own receipts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from zoneinfo import ZoneInfo

from owner_api.calls import Call, Reply
from owner_api.core import receipt as receipts
from owner_api.core.checkpoint import parse
from owner_api.core.merkle import (
    consistency_proof,
    frontier_at,
    inclusion_proof,
    leaf_hash,
    verify_inclusion,
)
from owner_api.core.receipt import Entry
from owner_api.problems import FieldError, Problem, ProblemCode, not_found
from owner_api.schemas.owner import LANGUAGES
from owner_api.store.documents import from_json
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from . import epochs
from .edge import Json
from .languages import preferred
from .nodes import node_lookup
from .notary import Notary
from .paging import read_page
from .receipt_page import render
from .receipt_words import words_for
from .records import Row

# The first checkpoint over a leaf since a key came into force. All since then are by that key or a
# later one, so no more than one row is read however long the log is.
COVERING: Final = (
    "SELECT size, root, note, key_id FROM ledger_checkpoint WHERE size > max(?,"
    " coalesce((SELECT position FROM ledger_key WHERE key_id = ?), 0)) ORDER BY size LIMIT 1"
)

# A party's receipts in the order of their leaves, by an index of these, or those about one thing.
_LISTED: Final = (
    "SELECT receipt_id, receipt.position, receipt.kind, subject_id, at FROM receipt"
    " JOIN ledger_leaf USING (position) WHERE party_id = ?"
)
_ABOUT: Final = " AND subject_id = ?"


def head(tx: Tx) -> Json:
    """Return the newest checkpoint; there is one from the first start on."""
    row = tx.one("SELECT * FROM ledger_checkpoint ORDER BY number DESC LIMIT 1")
    if row is None:
        raise not_found()
    return {
        "origin": parse(row["note"]).origin,
        "epoch": row["epoch"],
        "size": row["size"],
        "root": row["root"].hex(),
        "key_id": row["key_id"],
        "checkpoint": row["note"],
    }


def checkpoint(tx: Tx, _call: Call) -> Reply:
    """Return what the log is now, signed."""
    return Reply(body=head(tx))


def inclusion(tx: Tx, call: Call) -> Reply:
    """Prove that a leaf is in the tree of a size; only hashes, so anybody may ask."""
    position = call.query["position"]
    size = _size(tx, call, "size", least=position + 1)
    lookup = node_lookup(tx)
    with _from_a_whole_tree():
        body = {
            "position": position,
            "size": size,
            "leaf_hash": lookup(0, position).hex(),
            "root": frontier_at(size, lookup).root().hex(),
            "path": [part.hex() for part in inclusion_proof(position, size, lookup)],
        }
    return Reply(body=body)


def consistency(tx: Tx, call: Call) -> Reply:
    """Prove that the log only grew from one size to another."""
    old = call.query["from"]
    new = _size(tx, call, "to", least=old)
    lookup = node_lookup(tx)
    with _from_a_whole_tree():
        body = {
            "from": old,
            "to": new,
            "from_root": frontier_at(old, lookup).root().hex(),
            "to_root": frontier_at(new, lookup).root().hex(),
            "path": [part.hex() for part in consistency_proof(old, new, lookup)],
        }
    return Reply(body=body)


def epochs_view(tx: Tx, _call: Call) -> Reply:
    """Return what each epoch after the first said when it began."""
    return Reply(body={"items": epochs.all_of(tx)})


def keys_view(tx: Tx, _call: Call) -> Reply:
    """Return the log's keys, each with what opens its leaf: a new one counts by its leaf alone."""
    return Reply(body={"items": epochs.all_keys(tx)})


def witness(notary: Notary, tx: Tx, call: Call) -> Reply:
    """Hold a shown checkpoint against the log; one that contradicts it ends all service."""
    holds = epochs.witness(tx, call.body["checkpoint"])
    if epochs.is_contradicted(tx):
        notary.refusing = epochs.WHAT_HELPS
    body = {"holds": holds, "serving": notary.refusing is None, "head": head(tx)["checkpoint"]}
    return Reply(body=body)


@contextmanager
def _from_a_whole_tree() -> Iterator[None]:
    """Turn what a damaged log makes of a proof into unavailable: it is served even then."""
    try:
        yield
    except (LookupError, ValueError) as error:
        raise Problem(
            ProblemCode.UNAVAILABLE,
            "The log is damaged here and this cannot be proven from it; its operator must look:"
            " owner-api ledger verify.",
        ) from error


def _size(tx: Tx, call: Call, name: str, *, least: int) -> int:
    """Return the size asked for, by default the newest; raises invalid_parameter outside."""
    newest = int(head(tx)["size"])
    size = int(call.query.get(name, newest))
    if not least <= size <= newest:
        limit = f"{least} to {newest}" if least <= newest else f"the log has {newest} leaves"
        error = FieldError(pointer=name, code="range", limit=limit)
        raise Problem(ProblemCode.INVALID_PARAMETER, f"{name}: {limit}", errors=(error,))
    return size


def list_all(tx: Tx, call: Call) -> Reply:
    """List the caller's receipts, oldest first; all, or those about one thing."""
    selected, params = _LISTED, [call.principal.party_id]
    if subject_id := call.query.get("subject_id"):
        selected, params = selected + _ABOUT, [*params, subject_id]
    return read_page(
        tx,
        call,
        selected,
        *params,
        key="receipt_id",
        view=dict,
        place=("receipt.position", receipts.position_of),
    )


def get(notary: Notary, tx: Tx, call: Call) -> Reply:
    """Return a receipt of the caller's with all that is needed to check it; a page if asked so."""
    row = tx.one(
        "SELECT position FROM receipt WHERE position = ? AND party_id = ?",
        receipts.position_of(call.params["receipt_id"]),
        call.principal.party_id,
    )
    if row is None:
        raise not_found()
    document = write(notary, tx, row["position"])
    if "text/html" in call.accept:
        return _page(tx, call, document)
    return Reply(body=document)


def _page(tx: Tx, call: Call, document: Json) -> Reply:
    """Return a receipt to read: a park's clock is UTC, an owner's their own, as is the language."""
    owner = tx.by_key("owner", call.principal.party_id) or {"language": "en", "time_zone": "UTC"}
    language = call.query.get("lang") or preferred(call.accept_language, owner["language"])
    others = (each for each in LANGUAGES if each != language)
    words = [words_for(each) for each in (language, *others)]
    page = render(document, words, ZoneInfo(owner["time_zone"]))
    return Reply(body=page, content_type="text/html", language=language)


def _covering(notary: Notary, tx: Tx, position: int) -> Row | None:
    """Return the checkpoint that a receipt is under: of the batch that wrote the leaf.

    For a leaf from before a change of key it is the first one by the key in force, or whoever has
    pinned that key alone could not check the receipt. Where that key has signed none yet, the
    leaf's own has to do.
    """
    by_present_key = tx.one(COVERING, position, notary.key_id)
    if by_present_key is not None and by_present_key["key_id"] == notary.key_id:
        return by_present_key
    # No key has this name, so none began later.
    return tx.one(COVERING, position, None)


def write(notary: Notary, tx: Tx, position: int) -> Json:
    """Return the receipt for a leaf, all of it signed by the key in force.

    Signed when it is read: its content has been under a signed checkpoint since the commit, and
    Ed25519 gives the same bytes each time. Raises unavailable for what was written while the log
    refuses service, and for what is not any more as it was when its checkpoint was signed.
    """
    row = tx.one(
        "SELECT kind, at, content, salt FROM ledger_entry JOIN ledger_leaf USING (position)"
        " WHERE position = ?",
        position,
    )
    covering = _covering(notary, tx, position)
    assert row is not None
    if covering is None:
        raise Problem(
            ProblemCode.UNAVAILABLE,
            "No signed checkpoint covers this receipt yet; one will when the log serves again.",
        )
    with _from_a_whole_tree():
        entry = Entry(kind=row["kind"], at=row["at"], **from_json(row["content"]))
        salt = bytes.fromhex(row["salt"])
        path = inclusion_proof(position, covering["size"], node_lookup(tx))
        # Nothing is signed that a log which is not itself any more does not hold.
        if notary.refusing is not None:
            digest = receipts.content_digest(salt, entry.content)
            leaf = leaf_hash(receipts.leaf_bytes(entry.kind, entry.at, digest))
            verify_inclusion(leaf, position, covering["size"], path, covering["root"])
    jws = receipts.sign(
        entry,
        position=position,
        salt=salt,
        iss=receipts.issuer(notary.server_id),
        iat=int(decode(row["at"]).timestamp()),
        private=notary.private,
    )
    statements = tx.all(
        "SELECT statement FROM ledger_key WHERE statement IS NOT NULL ORDER BY position"
    )
    return {
        "receipt_id": receipts.receipt_id(position),
        "position": position,
        "kind": entry.kind,
        "subject_id": entry.subject_id,
        "at": entry.at,
        "jws": jws,
        "content": entry.body,
        "proof": {"size": covering["size"], "path": [part.hex() for part in path]},
        "checkpoint": covering["note"],
        "key_statements": [each["statement"] for each in statements],
    }
