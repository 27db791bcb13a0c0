"""Who is calling: a bearer token becomes a principal, and a revoked one stops being one at once.

Two steps. ``Authenticator`` reads the token without touching the store; a token that
was verified before is not verified again. ``require_live`` runs inside the transaction that does
the caller's work, so a revocation that was committed first wins, whoever committed it.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
import hashlib
from typing import Final

from aiohttp import hdrs, web

from owner_api.access.tokens import AccessToken, TokenError, Tokens
from owner_api.calls import Principal
from owner_api.clock import Clock
from owner_api.problems import Problem, ProblemCode
from owner_api.store import Store, Tx

SCHEME: Final = "Bearer"
CACHED_TOKENS: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Verified:
    """Whom a token that was verified speaks for, and until when."""

    principal: Principal
    until: datetime


class Authenticator:
    """Reads bearer tokens; remembers those it has verified by their digest."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()

    def __call__(self, request: web.BaseRequest, _store: Store, clock: Clock) -> Principal:
        """Return who sent the request; raises Problem ``unauthenticated``.

        The answer still has to pass ``require_live`` in the transaction that serves it.
        """
        authorization = request.headers.getall(hdrs.AUTHORIZATION, [])
        if len(authorization) != 1:
            raise unauthenticated("Send one Authorization header with a Bearer token.")
        scheme, _, token = authorization[0].partition(" ")
        if scheme.lower() != SCHEME.lower() or not token:
            raise unauthenticated("Send the access token as 'Authorization: Bearer …'.")
        return self._read(token, clock.now())

    def _read(self, token: str, now: datetime) -> Principal:
        digest = hashlib.sha256(token.encode(errors="surrogateescape")).digest()
        known = self._verified.get(digest)
        if known is not None and now < known.until:
            self._verified.move_to_end(digest)
            return known.principal
        try:
            read = self._tokens.read(token, now)
        except TokenError as error:
            reason = str(error)
            raise unauthenticated(f"{reason[0].upper()}{reason[1:]}.") from error
        principal = _principal(read)
        self._verified[digest] = _Verified(principal, datetime.fromtimestamp(read.expires_at, UTC))
        if len(self._verified) > CACHED_TOKENS:
            self._verified.popitem(last=False)
        return principal


def _principal(token: AccessToken) -> Principal:
    return Principal(
        kind=token.role,
        party_id=token.party_id,
        device_id=token.client_id if token.role == "owner" else None,
        token_epoch=token.epoch,
        expires_at=token.expires_at,
    )


def unauthenticated(detail: str) -> Problem:
    """Return the one problem that asks for a (new) access token."""
    return Problem(ProblemCode.UNAUTHENTICATED, detail)


def require_live(tx: Tx, principal: Principal) -> None:
    """Raise Problem ``unauthenticated`` unless the principal's device or park is still in force.

    Call it first in every transaction that serves a principal, and when a stream is opened.
    """
    if principal.token_epoch is None:
        return
    if not _in_force(tx, principal):
        raise unauthenticated("The access of this device or park was ended.")


def _in_force(tx: Tx, principal: Principal) -> bool:
    if principal.kind == "owner":
        row = tx.by_key("device", principal.device_id or "")
        mine = row is not None and row["owner_id"] == principal.party_id
        ended = "revoked_at"
    else:
        row = tx.by_key("park", principal.party_id)
        mine, ended = row is not None, "disabled_at"
    if row is None or not mine or row[ended] is not None:
        return False
    return bool(row["token_epoch"] == principal.token_epoch)
