"""A repeated POST gets its first answer again, and has its effect once."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
import hashlib
import re
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.store import Tx
from owner_api.store.documents import from_json, to_json

from .answers import Rendered

HEADER: Final = "Idempotency-Key"
_VISIBLE: Final = re.compile(r"[\x21-\x7e]{1,200}")
_NONCE: Final = 12
_TABLE: Final = "idempotency"
_KEY: Final = "key_sha256"
# In the batch's memory: the places whose answers may still wait to be inserted.
_KEPT: Final = "answers kept"


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """One keyed request: whose, which operation, which key, and what exactly was asked."""

    client: str
    route: str
    key: str
    asked: bytes
    sealed: bool

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
        asked = f"{target}\n".encode() + raw
        return cls(client=client, route=route, key=header, asked=asked, sealed=sealed)

    @cached_property
    def digest(self) -> bytes:
        """The SHA-256 of the key, which itself is not stored."""
        return hashlib.sha256(self.key.encode()).digest()

    @cached_property
    def place(self) -> tuple[str, str, str]:
        """Where the answer is kept."""
        return self.client, self.route, self.digest.hex()

    @cached_property
    def asked_sha256(self) -> str:
        """What must be equal for a repeat to be the same request."""
        return hashlib.sha256(self.asked).hexdigest()

    def recall(self, tx: Tx) -> Rendered | None:
        """Return the stored answer; raises idempotency_key_reused when something else was asked."""
        seen = tx.seen(_TABLE, _KEY)
        if seen is not None and not seen.may_hold(self.digest):
            return None
        look = tx.one if self.place in tx.known.get(_KEPT, ()) else tx.earlier
        row = look(
            "SELECT body_sha256, status, headers, body, sealed FROM idempotency"
            " WHERE client = ? AND route = ? AND key_sha256 = ?",
            *self.place,
        )
        if row is None:
            return None
        if row["body_sha256"] != self.asked_sha256:
            raise Problem(
                ProblemCode.IDEMPOTENCY_KEY_REUSED,
                "This key was used for another request; send a new key for a new intent.",
            )
        body = self._open(row["body"]) if row["sealed"] else bytes(row["body"])
        return Rendered(status=row["status"], headers=from_json(row["headers"]), body=body)

    def keep(self, tx: Tx, rendered: Rendered, now: datetime) -> None:
        """Store the answer in the transaction that has the effect."""
        client, route, key_sha256 = self.place
        tx.known.setdefault(_KEPT, set()).add(self.place)
        if (seen := tx.seen(_TABLE, _KEY)) is not None:
            seen.add(self.digest)
        tx.later(
            _TABLE,
            client=client,
            route=route,
            key_sha256=key_sha256,
            body_sha256=self.asked_sha256,
            status=rendered.status,
            headers=to_json(rendered.headers).decode(),
            body=self._seal(rendered.body) if self.sealed else rendered.body,
            sealed=int(self.sealed),
            created_at=now,
        )

    # An answer with a token or code must not lie readable in the database. Its key is derived
    # from the Idempotency-Key and the body, which are not stored: only a repeat can open it.
    def _cipher(self) -> AESGCM:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"v2g-owner/idempotency")
        secret = hashlib.sha256(self.key.encode() + b"\0" + self.asked).digest()
        return AESGCM(derived.derive(self.key.encode() + secret))

    def _seal(self, body: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher().encrypt(nonce, body, self.route.encode())

    def _open(self, sealed: bytes) -> bytes:
        try:
            return self._cipher().decrypt(sealed[:_NONCE], sealed[_NONCE:], self.route.encode())
        except InvalidTag as error:
            raise Problem(ProblemCode.CONFLICT, "The stored answer cannot be opened.") from error


class InFlight:
    """Which keyed requests are being worked on in this process."""

    def __init__(self) -> None:
        self._places: set[tuple[str, str, str]] = set()

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
