"""A repeated POST gets its first answer again, and has its effect once."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
import hashlib
import re
import secrets
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.store import Tx
from owner_api.store.documents import from_json, to_json
from owner_api.store.times import encode

from .answers import Rendered

HEADER: Final = "Idempotency-Key"
_VISIBLE: Final = re.compile(r"[\x21-\x7e]{1,200}")
_NONCE: Final = 12
# Whose key it is, which operation's, and the key's digest.
type Place = tuple[str, str, str]

_TABLE: Final = "idempotency"
_PLACE: Final = ("client", "route", "key_sha256")
_STORED: Final = (
    "SELECT body_sha256, status, headers, body, sealed FROM idempotency"
    " WHERE number = ? AND client = ? AND route = ? AND key_sha256 = ?"
)
# In the batch's memory: the places whose answers may still wait to be inserted.
_KEPT: Final = "answers kept"


def learn(tx: Tx) -> None:
    """Let the writer learn which keys it has answered: two seconds for a million of them."""
    tx.numbers(_TABLE, _PLACE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One keyed request: whose, which operation, which key, and what exactly was asked.

    The key and what was asked are known by their SHA-256 in hex. ``secret`` is what a stored answer
    is sealed with, None where answers may lie open.
    """

    client: str
    route: str
    key_sha256: str
    asked_sha256: str
    secret: bytes | None = None

    @classmethod
    def issue(
        cls, header: str | None, *, client: str, route: str, target: str, raw: bytes, sealed: bool
    ) -> Ticket:
        """Check the header and bind it to the caller, the operation, the target and the body."""
        if header is None:
            raise Problem(
                ProblemCode.IDEMPOTENCY_KEY_MISSING,
                "Send an Idempotency-Key header, a new one for each new intent (a UUID is fine).",
            )
        if not _VISIBLE.fullmatch(header):
            limit = "1 to 200 visible ASCII characters"
            raise Problem(
                ProblemCode.INVALID_PARAMETER,
                f"The Idempotency-Key header needs {limit}.",
                errors=(FieldError(pointer=HEADER, code="format", limit=limit),),
            )
        key, asked = header.encode(), f"{target}\n".encode() + raw
        # An answer with a token or code must not lie readable in the database. Its key is derived
        # from the Idempotency-Key and the body, which are not stored: only a repeat can open it.
        secret = key + hashlib.sha256(key + b"\0" + asked).digest() if sealed else None
        return cls(
            client=client,
            route=route,
            key_sha256=hashlib.sha256(key).hexdigest(),
            asked_sha256=hashlib.sha256(asked).hexdigest(),
            secret=secret,
        )

    @property
    def place(self) -> Place:
        """Where the answer is kept."""
        return self.client, self.route, self.key_sha256

    def recall(self, tx: Tx) -> Rendered | None:
        """Return the stored answer; raises idempotency_key_reused when something else was asked."""
        for number in tx.numbers(_TABLE, _PLACE).of(self.place):
            look = tx.one if self.place in tx.known.get(_KEPT, ()) else tx.earlier
            if (row := look(_STORED, number, *self.place)) is not None:
                return self._read(row)
        return None

    def _read(self, row: dict[str, Any]) -> Rendered:
        if row["body_sha256"] != self.asked_sha256:
            raise Problem(
                ProblemCode.IDEMPOTENCY_KEY_REUSED,
                "This key was used for another request; send a new key for a new intent.",
            )
        body = self._open(row["body"]) if row["sealed"] else bytes(row["body"])
        return Rendered(status=row["status"], headers=from_json(row["headers"]), body=body)

    def keep(self, tx: Tx, rendered: Rendered, now: datetime) -> None:
        """Store the answer in the transaction that has the effect."""
        place = self.place
        tx.known.setdefault(_KEPT, set()).add(place)
        tx.later(
            _TABLE,
            number=tx.numbers(_TABLE, _PLACE).add(place),
            client=self.client,
            route=self.route,
            key_sha256=self.key_sha256,
            body_sha256=self.asked_sha256,
            status=rendered.status,
            headers=_headers(tuple(rendered.headers.items())),
            body=rendered.body if self.secret is None else self._seal(self.secret, rendered.body),
            sealed=int(self.secret is not None),
            created_at=encode(now),
        )

    def _seal(self, secret: bytes, body: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return nonce + _cipher(secret).encrypt(nonce, body, self.route.encode())

    def _open(self, sealed: bytes) -> bytes:
        try:
            cipher = _cipher(self.secret or b"")
            return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self.route.encode())
        except InvalidTag as error:
            raise Problem(ProblemCode.CONFLICT, "The stored answer cannot be opened.") from error


def _cipher(secret: bytes) -> AESGCM:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"v2g-owner/idempotency")
    return AESGCM(derived.derive(secret))


@lru_cache(maxsize=512)
def _headers(items: tuple[tuple[str, str], ...]) -> str:
    """Return headers as they are stored; most answers have the same."""
    return to_json(dict(items)).decode()


class InFlight:
    """Which keyed requests are being worked on in this process."""

    def __init__(self) -> None:
        self._places: set[Place] = set()

    def enter(self, ticket: Ticket) -> None:
        """Mark a request as running or raise idempotency_in_flight."""
        if ticket.place in self._places:
            raise Problem(
                ProblemCode.IDEMPOTENCY_IN_FLIGHT,
                "The first request with this key has not been answered yet; repeat later.",
                retry_after_s=1,
            )
        self._places.add(ticket.place)

    def leave(self, ticket: Ticket) -> None:
        """Mark a request as no longer running."""
        self._places.discard(ticket.place)
