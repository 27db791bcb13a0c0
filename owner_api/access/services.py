"""What access needs at run time, gathered once at the start of a server or of a command line."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from math import inf
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from owner_api.core.keyring import key_id
from owner_api.store import Store, Tx
from owner_api.store.times import decode, encode

from .keys import Keys, load_ed25519, load_keys, make_receipt_key
from .tokens import MAX_LIFE_S, Tokens

SERVER_ID: Final = "server_id"
PUBLIC_URL: Final = "public_url"
TLS_PIN: Final = "tls_pin"
NEW_KEY: Final = "ledger_new_key"
TOKEN_KEY: Final = "token_key"  # noqa: S105 - the name of a note, no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The server's identity, its keys and the tokens made with them."""

    server_id: str
    keys: Keys
    tokens: Tokens

    @property
    def receipt_key(self) -> Ed25519PrivateKey:
        """The key that signs receipts and checkpoints."""
        private = self.keys.receipt.private
        assert isinstance(private, Ed25519PrivateKey)
        return private


async def open_access(store: Store, database: Path, serves_at: datetime | None = None) -> Access:
    """Read the identity of ``database`` and its keys, which are made at the first start.

    A server says since when it serves: the longest life of a token after its first start with a
    token key, former ones count no more. Raises KeyFileError when a key file cannot be used, or
    the one that the log is signed with is not there.
    """
    accepted = await store.read(lambda tx: read_meta(tx, NEW_KEY))
    keys = load_keys(database, signed_by=await store.read(signed_by), accepted=accepted)
    server_id = await store.read(read_server_id)
    until = -inf
    if serves_at is not None:
        since = await store.write(partial(_in_force_since, keys.token.kid, serves_at))
        until = since.timestamp() + MAX_LIFE_S
    tokens = Tokens(keys, server_id, former_until=until)
    return Access(server_id=server_id, keys=keys, tokens=tokens)


def signed_by(tx: Tx) -> str | None:
    """Return the key that this log names last."""
    row = tx.one("SELECT key_id FROM ledger_key ORDER BY position DESC LIMIT 1")
    return None if row is None else str(row["key_id"])


def accept_new_key(tx: Tx, database: Path) -> Path:
    """Have the next start sign with a key that nobody vouches for; raises KeyFileError, OSError.

    A backup that is put back later knows nothing of it: then it has to be said again.
    """
    path = make_receipt_key(database, signed_by(tx))
    write_meta(tx, NEW_KEY, key_id(load_ed25519(path).public_key()))
    return path


def _in_force_since(kid: str, now: datetime, tx: Tx) -> datetime:
    """Return when the server first started with this token key."""
    known, _, since = (read_meta(tx, TOKEN_KEY) or "").partition(" ")
    if known == kid:
        return decode(since)
    write_meta(tx, TOKEN_KEY, f"{kid} {encode(now)}")
    return now


def read_server_id(tx: Tx) -> str:
    """Return the identity this database was given when it was made."""
    found = read_meta(tx, SERVER_ID)
    assert found is not None
    return found


def read_meta(tx: Tx, key: str) -> str | None:
    """Return one of the server's own notes."""
    row = tx.one("SELECT value FROM meta WHERE key = ?", key)
    return None if row is None else str(row["value"])


def write_meta(tx: Tx, key: str, value: str | None) -> None:
    """Set one of the server's own notes, or forget it."""
    if value is None:
        tx.run("DELETE FROM meta WHERE key = ?", key)
        return
    tx.run(
        "INSERT INTO meta (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        key,
        value,
    )
