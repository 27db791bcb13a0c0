"""Parks: who may send offers, the secret they prove it with, and the terms owners agree to."""

from dataclasses import dataclass
from datetime import datetime
import hashlib
from typing import Any, Final

from owner_api.access import opaque
from owner_api.calls import Call, NewId, Reply
from owner_api.problems import not_found
from owner_api.store import Tx

from .paging import page

# What an owner agrees to when the park brings no words of its own.
DEFAULT_TERMS: Final = (
    "The park may see that your car is at one of its chargers and may send offers to buy energy "
    "from it. Nothing is discharged without your recorded yes. You can stop at any time and are "
    "paid for what was delivered, and you can withdraw from this agreement at any time."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPark:
    """A park just added, with the secret that is shown this once."""

    park_id: str
    client_secret: str
    terms_version: int
    terms_sha256: str


def add_park(
    tx: Tx, *, now: datetime, new_id: NewId, display_name: str, terms_text: str = DEFAULT_TERMS
) -> NewPark:
    """Create a park under version 1 of its terms."""
    park_id, secret = new_id("prk"), opaque.new_secret(opaque.CLIENT_PREFIX)
    terms_sha256 = hashlib.sha256(terms_text.encode()).hexdigest()
    tx.insert(
        "park",
        park_id=park_id,
        display_name=display_name,
        secret_sha256=opaque.digest(secret),
        token_epoch=0,
        terms_version=1,
        terms_text=terms_text,
        terms_sha256=terms_sha256,
        created_at=now,
    )
    return NewPark(
        park_id=park_id, client_secret=secret, terms_version=1, terms_sha256=terms_sha256
    )


def set_terms(tx: Tx, *, park_id: str, terms_text: str) -> int:
    """Put the next version of a park's terms in force for new agreements; return its number.

    The words that are in force already are no next version: every owner would be asked about them.
    """
    row = tx.one("SELECT terms_version, terms_sha256 FROM park WHERE park_id = ?", park_id)
    if row is None:
        raise not_found()
    digest, version = hashlib.sha256(terms_text.encode()).hexdigest(), int(row["terms_version"])
    if digest == row["terms_sha256"]:
        return version
    version += 1
    tx.update(
        "park",
        {"park_id": park_id},
        terms_version=version,
        terms_text=terms_text,
        terms_sha256=digest,
    )
    return version


def renew_secret(tx: Tx, *, park_id: str) -> str:
    """Give a park a new secret; the old one and every token made with it die at once."""
    secret = opaque.new_secret(opaque.CLIENT_PREFIX)
    changed = tx.run(
        "UPDATE park SET secret_sha256 = ?, token_epoch = token_epoch + 1 WHERE park_id = ?",
        opaque.digest(secret),
        park_id,
    )
    if not changed:
        raise not_found()
    return secret


def all_views(tx: Tx) -> list[dict[str, Any]]:
    """Return every park as owners see it."""
    return tx.all(
        "SELECT park_id, display_name, terms_version, terms_text, terms_sha256 FROM park"
        " WHERE disabled_at IS NULL ORDER BY park_id"
    )


def list_parks(tx: Tx, call: Call) -> Reply:
    """List the parks an owner can join, with the terms in force."""
    return page(call, all_views(tx), "park_id")
