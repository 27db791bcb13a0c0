"""What access needs at run time, gathered once at the start of a server or of a command line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from owner_api.store import Store, Tx

from .keys import Keys, load_keys
from .tokens import Tokens

SERVER_ID: Final = "server_id"
PUBLIC_URL: Final = "public_url"
TLS_PIN: Final = "tls_pin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The server's identity, its keys and the tokens made with them."""

    server_id: str
    keys: Keys
    tokens: Tokens


async def open_access(store: Store, database: Path) -> Access:
    """Read the identity of ``database`` and its keys, which are made at the first start.

    Raises KeyFileError when a key file cannot be used.
    """
    keys = load_keys(database)
    server_id = await store.read(read_server_id)
    return Access(server_id=server_id, keys=keys, tokens=Tokens(keys, server_id))


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
