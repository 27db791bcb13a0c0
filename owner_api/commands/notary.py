"""Seals the log: once per commit batch the tree grows by the new leaves and its head is signed.

The notary runs where commands run, inside the batch's transaction, so no leaf is kept without
the signature over it, and a batch costs one signature however many commands it holds. Only while
the log is not the one that was signed does it sign nothing: a stop must still take effect.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from owner_api.access.keys import RECEIPT_FILE, key_directory, load_ed25519
from owner_api.access.services import Access
from owner_api.core import keyring
from owner_api.core.checkpoint import Checkpoint, origin
from owner_api.core.merkle import EMPTY_ROOT, Frontier, frontier_at
from owner_api.core.receipt import issuer
from owner_api.store import Store, Tx
from owner_api.store.documents import embed, to_json

from . import epochs, leaves
from .nodes import NODES, node_lookup
from .records import Row

BENT: Final = (
    "The kept log is not the one that was signed. Its operator sees where with owner-api ledger"
    " verify, and must restore the newest backup that verifies."
)


# In the writer's lasting memory: the newest checkpoint.
_HEAD: Final = "head"


def _head(tx: Tx) -> Row | None:
    """Return the newest checkpoint; asked once, because only the notary makes any."""
    head: Row | None = tx.lasting.get(_HEAD)
    if head is None:
        head = tx.one("SELECT * FROM ledger_checkpoint ORDER BY number DESC LIMIT 1")
        tx.lasting[_HEAD] = head
    return head


class Notary:
    """The log's signing hand: the key in force, and former ones that may vouch for it."""

    def __init__(
        self,
        *,
        server_id: str,
        private: Ed25519PrivateKey,
        former: Iterable[Ed25519PrivateKey] = (),
    ) -> None:
        self.server_id = server_id
        self.private = private
        self.key_id = keyring.key_id(private.public_key())
        self._former = {keyring.key_id(key.public_key()): key for key in former}
        self._frontier = Frontier()
        # Why nothing is served, a renewed lease least of all: what discharges ends with its lease.
        self.refusing: str | None = None

    def hear(self, refusing: str | None) -> None:
        """Learn why nothing is served from the notary that seals the log in another process."""
        self.refusing = refusing

    def open(self, tx: Tx, now: datetime) -> None:
        """Make sure that the log names this key and is of the epoch it should be.

        A change of key is an entry like any other. The former key vouches for the new one where it
        is still at hand. Where it is not, the entry says so by having no statement, and verifiers
        must pin the new key themselves.
        """
        head = _head(tx)
        if not self._holds(tx, head):
            return
        row = tx.one("SELECT coalesce(max(position) + 1, 0) AS leaves FROM ledger_leaf")
        if head is not None and row is not None and row["leaves"] < head["size"]:
            self.refusing = BENT
            return
        self._open_key(tx, now)
        epochs.open_pending(tx, now)
        if epochs.is_contradicted(tx):
            self.refusing = epochs.WHAT_HELPS

    def _open_key(self, tx: Tx, now: datetime) -> None:
        newest = tx.one("SELECT key_id FROM ledger_key ORDER BY position DESC LIMIT 1")
        if newest is not None and newest["key_id"] == self.key_id:
            return
        old = None if newest is None else self._former.get(newest["key_id"])
        public = self.private.public_key()
        statement = None
        if old is not None:
            at, iss = int(now.timestamp()), issuer(self.server_id)
            statement = keyring.vouch(public, issuer=iss, at=at, old=old)
        x = keyring.public_jwk(public)["x"]
        body = {"key_id": self.key_id, "x": x, "statement": statement}
        position = leaves.append(tx, "key", now, body)
        tx.later("ledger_key", position=position, **body)

    def seal(self, tx: Tx) -> None:
        """Grow the tree by the leaves that are not under a checkpoint yet, and sign its head."""
        head = _head(tx)
        size = head["size"] if head else 0
        fresh = leaves.fresh_from(tx, size)
        if not fresh:
            return
        # A log must not sign what is inconsistent with anything it signed before.
        if self.refusing is not None or not self._holds(tx, head):
            return
        if [leaf.position for leaf in fresh] != list(range(size, size + len(fresh))):
            self.refusing = BENT
            return
        frontier, made = self._frontier.append(*(leaf.hash for leaf in fresh))
        tx.later_made(NODES, made)
        epoch = head["epoch"] if head else epochs.FIRST
        if any(leaf.kind == epochs.KIND for leaf in fresh):
            epoch = epochs.newest(tx)
        checkpoint = Checkpoint(
            origin=origin(self.server_id, epoch), size=frontier.size, root=frontier.root()
        )
        note = checkpoint.sign(self.private)
        signed = {
            "number": head["number"] + 1 if head else 0,
            "epoch": epoch,
            "size": checkpoint.size,
            "root": checkpoint.root,
            "key_id": self.key_id,
            "note": note,
        }
        tx.later("ledger_checkpoint", **signed)
        tx.lasting[_HEAD] = signed
        self._frontier = frontier
        self._announce(tx, fresh, note)

    def _holds(self, tx: Tx, head: Row | None) -> bool:
        """Bring the frontier to the last checkpoint; what is remembered may be of a lost batch.

        Return False, and refuse from then on, when the kept tree is not the signed one.
        """
        size, root = (head["size"], head["root"]) if head else (0, EMPTY_ROOT)
        if self._frontier.size == size and self._frontier.root() == root:
            return True
        try:
            self._frontier = frontier_at(size, node_lookup(tx))
        except LookupError:
            self._frontier = Frontier()
        if self._frontier.size != size or self._frontier.root() != root:
            self.refusing = BENT
        return self.refusing is None

    @staticmethod
    def _announce(tx: Tx, fresh: list[leaves.Leaf], note: str) -> None:
        """Hand the new head, and the names of their new receipts, to those it concerns."""
        told: dict[str, list[dict[str, Any]]] = {}
        for leaf in fresh:
            if leaf.party_id is not None:
                shown = {"receipt_id": leaf.receipt_id, "kind": leaf.kind}
                shown["subject_id"] = leaf.subject_id
                told.setdefault(leaf.party_id, []).append(shown)
        at, told_note = datetime.fromisoformat(fresh[-1].at), embed(to_json(note))
        for party_id, receipts in told.items():
            tx.emit(party_id, "checkpoint.new", at, {"checkpoint": told_note, "receipts": receipts})


def open_notary(database: Path, server_id: str, private: Ed25519PrivateKey) -> Notary:
    """Return the notary of a database; former keys lie beside the present one.

    To change the key, move ``receipt-ed25519.pem`` to ``receipt-ed25519-<date>.pem`` and start
    again: a new key is made, and the former one vouches for it.
    """
    folder = key_directory(database)
    former = [load_ed25519(path) for path in sorted(folder.glob(f"{RECEIPT_FILE}-*.pem"))]
    return Notary(server_id=server_id, private=private, former=former)


async def attach(store: Store, database: Path, access: Access, now: datetime) -> Notary:
    """Let every batch of ``store`` be sealed from now on; raises KeyFileError or StoreError."""
    notary = await asyncio.to_thread(open_notary, database, access.server_id, access.receipt_key)
    store.before_commit(notary.seal)
    await store.write(lambda tx: notary.open(tx, now))
    return notary
