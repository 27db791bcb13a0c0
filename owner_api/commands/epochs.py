"""Epochs: what a log does when it turns out to be an older, or another, history.

A restored backup lacks what was recorded after it. Its log goes on under the next epoch's name,
which says openly what was kept, what is known to be missing, and why. Until that is done, a
server that is shown a checkpoint of its own that its log does not hold serves nobody.
"""

from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from owner_api.access.services import read_meta, read_server_id, write_meta
from owner_api.core import checkpoint as notes
from owner_api.core.checkpoint import Checkpoint
from owner_api.core.epoch import Epoch, Standing, judge
from owner_api.core.keyring import Keyring, keyring, read_jwk
from owner_api.core.merkle import frontier_at
from owner_api.problems import Problem, ProblemCode
from owner_api.store import outbox
from owner_api.store.documents import from_json, to_json
from owner_api.store.tx import Tx

from . import leaves, unconfirmed
from .nodes import node_lookup

type Json = dict[str, Any]

FIRST: Final = 1
KIND: Final = "epoch"
# Kinds as words and not as parameters: only so are they found by their index.
NEWEST: Final = (
    "SELECT content FROM ledger_leaf JOIN ledger_entry USING (position)"
    " WHERE kind = 'epoch' ORDER BY position DESC LIMIT 1"
)
OPENED: Final = (
    "SELECT position, at, salt, content FROM ledger_leaf JOIN ledger_entry USING (position)"
    " WHERE kind = 'epoch' ORDER BY position"
)
NAMED_KEYS: Final = (
    "SELECT position, at, salt, content FROM ledger_leaf JOIN ledger_entry USING (position)"
    " WHERE kind = 'key' ORDER BY position"
)
_PENDING: Final = "ledger_new_epoch"
_SHOWN: Final = "ledger_contradicted_by"
WHAT_HELPS: Final = (
    "This server's log is not the one that it has signed before. Its operator must restore the"
    " newest backup, or say openly what is lost: owner-api ledger new-epoch."
)


def ask_for(tx: Tx, *, reason: str, lost_note: str | None) -> None:
    """Have the next start open a new epoch; ``lost_note`` is the last checkpoint known."""
    write_meta(tx, _PENDING, to_json({"reason": reason, "lost_note": lost_note}).decode())


def open_pending(tx: Tx, now: datetime) -> None:
    """Open the epoch that was asked for while the database was at rest; tell every party.

    The owners' limits are an older history's too: nothing says yes by them until they have looked.

    One more for each checkpoint that somebody has shown and that what was asked for does not give
    up: whoever showed it will show it again.
    """
    text = read_meta(tx, _PENDING)
    if text is None:
        return
    asked, shown = from_json(text), _shown(tx)
    outbox.begin_anew(tx, _parties(tx), now)
    unconfirmed.hold_all(tx, now)
    first = asked["lost_note"] or (shown.pop(0) if shown else None)
    _open(tx, now, asked["reason"], first)
    for note in shown:
        if _standing(tx, notes.parse(note)) is Standing.CONTRADICTED:
            _open(tx, now, asked["reason"], note)
    write_meta(tx, _PENDING, None)
    write_meta(tx, _SHOWN, None)


def _open(tx: Tx, now: datetime, reason: str, lost_note: str | None) -> None:
    head = tx.one("SELECT * FROM ledger_checkpoint ORDER BY number DESC LIMIT 1")
    lost = None if lost_note is None else notes.parse(lost_note)
    body = {
        "epoch": 1 + max(newest(tx), lost.epoch if lost else FIRST),
        "reason": reason,
        "kept": None if head is None else {"checkpoint": head["note"], "size": head["size"]},
        "lost": None if lost is None else {"checkpoint": lost_note, "size": lost.size},
    }
    leaves.append(tx, KIND, now, body)
    for party_id in _parties(tx):
        tx.emit(party_id, "ledger.epoch", now, body)


def _parties(tx: Tx) -> list[str]:
    """Return everybody who has a stream."""
    rows = tx.all(
        "SELECT owner_id AS id FROM owner WHERE erased_at IS NULL"
        " UNION SELECT park_id FROM park WHERE disabled_at IS NULL"
    )
    return [row["id"] for row in rows]


def newest(tx: Tx) -> int:
    """Return the epoch the log is in."""
    row = tx.one(NEWEST)
    return FIRST if row is None else int(from_json(row["content"])["body"]["epoch"])


def all_of(tx: Tx) -> list[Json]:
    """Return what each new epoch said, with the salt that opens its leaf."""
    return _said(tx, OPENED)


def all_keys(tx: Tx) -> list[Json]:
    """Return every key the log was signed with, with the salt that opens its leaf."""
    return _said(tx, NAMED_KEYS)


def _said(tx: Tx, sql: str) -> list[Json]:
    return [
        {"position": row["position"], "at": row["at"], "salt": row["salt"]}
        | from_json(row["content"])["body"]
        for row in tx.all(sql)
    ]


def is_contradicted(tx: Tx) -> bool:
    """Return whether a checkpoint was shown that stands against this log."""
    return bool(_shown(tx))


def _shown(tx: Tx) -> list[str]:
    """Return the checkpoints that stand against this log, the largest first."""
    text = read_meta(tx, _SHOWN)
    if text is None:
        return []
    # An earlier version kept one, as it was shown.
    return list(from_json(text)) if text.startswith("[") else [text]


def keys(tx: Tx) -> Keyring:
    """Return every key this log was ever signed with."""
    rows = tx.all("SELECT x FROM ledger_key")
    jwks = ({"kty": "OKP", "crv": "Ed25519", "x": row["x"]} for row in rows)
    return keyring(*(read_jwk(jwk) for jwk in jwks))


def read_own(tx: Tx, note: str, more: Keyring = MappingProxyType({})) -> notes.Checkpoint:
    """Return a checkpoint that this log, or one of the keys in ``more``, signed as this server's.

    Raises CheckpointError. Two servers may sign with one key, as after a copied key directory.
    """
    shown, _ = notes.verify(note, {**keys(tx), **more})
    if shown.server_id != (mine := read_server_id(tx)):
        raise notes.CheckpointError(f"it is of the log of {shown.server_id}, and this is {mine}")
    return shown


def witness(tx: Tx, note: str) -> bool:
    """Hold a checkpoint that somebody kept against the log; return whether it holds.

    One that this log signed and does not hold is remembered: from then on nothing is served.
    What an epoch has given up openly is no contradiction, but does not hold either. Raises
    invalid_body for anything that none of the log's keys signed as this server's.
    """
    try:
        shown = read_own(tx, note)
    except notes.CheckpointError as error:
        raise Problem(ProblemCode.INVALID_BODY, str(error)) from error
    standing = _standing(tx, shown)
    if standing is Standing.CONTRADICTED:
        _remember(tx, note, shown)
    return standing is Standing.HELD


def _standing(tx: Tx, shown: Checkpoint) -> Standing:
    size = _size(tx)

    def holds(each: Checkpoint) -> bool | None:
        if each.size > size:
            return False
        try:
            return frontier_at(each.size, node_lookup(tx)).root() == each.root
        except LookupError:
            # The tree is damaged here.
            return None

    opened = [Epoch.read(each["position"], each) for each in all_of(tx)]
    return judge(shown, opened, holds)


def _size(tx: Tx) -> int:
    head = tx.one("SELECT size FROM ledger_checkpoint ORDER BY number DESC LIMIT 1")
    return head["size"] if head else 0


def _remember(tx: Tx, note: str, shown: Checkpoint) -> None:
    """Note what stands against this log: of each epoch the largest of a fork, and of a lost end."""
    size = _size(tx)
    largest: dict[tuple[int, bool], tuple[int, str]] = {}
    for each, text in (*((notes.parse(text), text) for text in _shown(tx)), (shown, note)):
        kind = (each.epoch, each.size > size)
        largest[kind] = max(largest.get(kind, (0, "")), (each.size, text))
    kept = [text for _, text in sorted(largest.values(), reverse=True)]
    write_meta(tx, _SHOWN, to_json(kept).decode())
