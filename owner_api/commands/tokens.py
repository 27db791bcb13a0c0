"""The token endpoint (RFC 6749): refresh tokens that rotate, client credentials for parks."""

from base64 import b64decode
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

from owner_api.access import opaque
from owner_api.access.services import Access
from owner_api.calls import Answer, Call, Reply
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.store import Tx
from owner_api.store.times import decode

from . import devices


def grant(access: Access, tx: Tx, call: Call) -> Answer:
    """Answer a token request by its grant type."""
    match call.body["grant_type"]:
        case "refresh_token":
            return _refresh(access, tx, call)
        case "client_credentials":
            return _client_credentials(access, tx, call)
        case _:
            return _no(
                ProblemCode.UNSUPPORTED_GRANT_TYPE,
                "grant_type is refresh_token or client_credentials.",
            )


def first_tokens(
    access: Access, tx: Tx, call: Call, owner_id: str, device_id: str
) -> dict[str, Any]:
    """Return a new device's first access and refresh token as the pairing answer shows them."""
    return {
        "access_token": _device_token(access, call, owner_id, device_id, epoch=0),
        "token_type": "Bearer",
        "expires_in_s": call.config.access_token_s,
        "refresh_token": _new_refresh(tx, call, device_id),
    }


def _refresh(access: Access, tx: Tx, call: Call) -> Answer:
    presented = call.body.get("refresh_token")
    if presented is None:
        return _missing("refresh_token")
    digest = opaque.digest(presented)
    row = tx.one(
        "SELECT refresh_token.*, owner_id, token_epoch, paired_at, last_seen_at FROM refresh_token"
        " JOIN device USING (device_id) WHERE token_sha256 = ? AND revoked_at IS NULL",
        digest,
    )
    if row is None or call.now >= min(decode(row["expires_at"]), _pairing_ends(row, call)):
        return _no(ProblemCode.INVALID_GRANT, "The refresh token is not valid; pair again.")
    device_id, owner_id = row["device_id"], row["owner_id"]
    late = row["used_at"] is not None and _too_late(row["used_at"], call)
    if late and _has_arrived(tx, row):
        # Two hold this token, and one of them is not the owner's device: neither goes on.
        devices.revoke(
            tx, now=call.now, owner_id=owner_id, device_id=device_id, reason="refresh_token_reused"
        )
        return _no(
            ProblemCode.INVALID_GRANT, "The refresh token was used before; the device is shut out."
        )
    successor = _new_refresh(tx, call, device_id)
    if row["used_at"] is None or late:
        # Of several successors that are out whichever comes first ends its siblings, which have
        # none; what was lost on its way is ended by its own repeat.
        tx.run(
            "UPDATE refresh_token SET used_at = ?1, successor_sha256 = iif(token_sha256 = ?2, ?3,"
            " NULL) WHERE device_id = ?4 AND token_sha256 <> ?3"
            " AND (used_at IS NULL OR token_sha256 = ?2)",
            call.now,
            digest,
            opaque.digest(successor),
            device_id,
        )
        tx.update("device", {"device_id": device_id}, last_seen_at=call.now)
    tx.run(
        "DELETE FROM refresh_token WHERE device_id = ? AND used_at < ?",
        device_id,
        # Remembered so that its reuse is seen as theft and not as a stranger.
        call.now - timedelta(seconds=call.config.used_token_keep_s),
    )
    access_token = _device_token(access, call, owner_id, device_id, epoch=row["token_epoch"])
    return _granted(access_token, call.config.access_token_s, refresh_token=successor)


def _has_arrived(tx: Tx, row: dict[str, Any]) -> bool:
    """Return whether somebody has the tokens that a used one was traded for.

    Where nobody does, the answer was lost, however long ago: who waits for ten seconds, as ours
    does, or starts anew, comes back later than any grace.
    """
    successor = tx.one(
        "SELECT used_at FROM refresh_token WHERE token_sha256 = ?", row["successor_sha256"]
    )
    if successor is None or successor["used_at"] is not None:
        return True
    return bool(row["last_seen_at"] > row["used_at"])


def _pairing_ends(row: dict[str, Any], call: Call) -> datetime:
    """Return when the device must be paired anew, however often it refreshed."""
    return decode(row["paired_at"]) + timedelta(seconds=call.config.pairing_life_s)


def _too_late(used_at: str, call: Call) -> bool:
    return call.now - decode(used_at) > timedelta(seconds=call.config.refresh_grace_s)


def _new_refresh(tx: Tx, call: Call, device_id: str) -> str:
    token = opaque.new_secret(opaque.REFRESH_PREFIX)
    tx.insert(
        "refresh_token",
        token_sha256=opaque.digest(token),
        device_id=device_id,
        issued_at=call.now,
        expires_at=call.now + timedelta(seconds=call.config.refresh_token_s),
    )
    return token


def _client_credentials(access: Access, tx: Tx, call: Call) -> Answer:
    credentials = _client(call)
    if isinstance(credentials, Problem):
        return credentials
    client_id, secret = credentials
    row = tx.one("SELECT * FROM park WHERE park_id = ? AND disabled_at IS NULL", client_id)
    stored = row["secret_sha256"] if row else opaque.digest("")
    if not opaque.matches(secret, stored) or row is None:
        return _no(ProblemCode.INVALID_CLIENT, "The client is unknown or its secret is wrong.")
    life_s = call.config.park_token_s
    token = access.tokens.issue(
        role="park",
        party_id=client_id,
        client_id=client_id,
        epoch=row["token_epoch"],
        now=call.now,
        life_s=life_s,
    )
    return _granted(token, life_s)


def _client(call: Call) -> tuple[str, str] | Problem:
    """Return client id and secret from HTTP Basic or from the form, never from both."""
    in_form = "client_id" in call.body or "client_secret" in call.body
    if call.authorization is None:
        for name in ("client_id", "client_secret"):
            if name not in call.body:
                return _missing(name)
        return call.body["client_id"], call.body["client_secret"]
    if in_form:
        return _bad("Send the client's secret in the form or as HTTP Basic, not both ways.")
    scheme, _, encoded = call.authorization.partition(" ")
    try:
        decoded = b64decode(encoded, validate=True).decode()
    except ValueError:
        decoded = ""
    client_id, colon, secret = decoded.partition(":")
    if scheme.lower() != "basic" or not colon:
        return _no(ProblemCode.INVALID_CLIENT, "Authorization is not HTTP Basic.")
    # RFC 6749 §2.3.1: both halves are form-encoded inside Basic.
    return unquote_plus(client_id), unquote_plus(secret)


def _device_token(access: Access, call: Call, owner_id: str, device_id: str, *, epoch: int) -> str:
    return access.tokens.issue(
        role="owner",
        party_id=owner_id,
        client_id=device_id,
        epoch=epoch,
        now=call.now,
        life_s=call.config.access_token_s,
    )


def _granted(token: str, life_s: int, **more: str) -> Reply:
    body = {"access_token": token, "token_type": "Bearer", "expires_in": life_s}
    return Reply(body=body | more)


def _missing(name: str) -> Problem:
    return _bad(
        f"The form needs {name}.",
        errors=(FieldError(pointer=f"/{name}", code="required", limit="present"),),
    )


def _bad(detail: str, errors: tuple[FieldError, ...] = ()) -> Problem:
    return Problem(
        ProblemCode.BAD_REQUEST, detail, errors=errors, members={"error": "invalid_request"}
    )


def _no(code: ProblemCode, detail: str) -> Problem:
    """Return a problem that also carries RFC 6749's own error word."""
    return Problem(code, detail, members={"error": code.value})
