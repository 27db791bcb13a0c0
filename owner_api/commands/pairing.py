"""Pairing: an owner shows a one-time code, a device trades it for access."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from math import ceil
from typing import Any, Final

from owner_api.access import codes
from owner_api.access.services import PUBLIC_URL, TLS_PIN, Access, read_meta
from owner_api.calls import Answer, Call, NewId, Reply
from owner_api.config import Config
from owner_api.problems import Problem, ProblemCode
from owner_api.store import Tx
from owner_api.store.times import decode

from . import devices, tokens
from .owners import find_owner

# Long enough that nobody asks after it, short enough that public ids stay free.
_FORGET_AFTER: Final = timedelta(days=1)
# Of one owner; many more than anybody pairs in the life of a code.
_MOST_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class MintedCode:
    """A code to show once; ``uri`` is None while the server does not know its own address."""

    code_id: str
    code: str
    expires_at: datetime
    uri: str | None


def mint(
    tx: Tx,
    *,
    access: Access,
    config: Config,
    now: datetime,
    new_id: NewId,
    owner_id: str,
    label: str = "",
    made_by: str | None = None,
    new_code: Callable[[], codes.PairingCode] = codes.new_code,
) -> MintedCode:
    """Make a code for one device of an owner; raises not_found.

    ``made_by`` is the device that asks for it, None for the operator.
    """
    find_owner(tx, owner_id)
    tx.run("DELETE FROM pairing_code WHERE expires_at < ?", now - _FORGET_AFTER)
    code = new_code()
    while tx.one("SELECT 1 FROM pairing_code WHERE public_id = ?", code.public_id):
        code = new_code()
    code_id, expires_at = new_id("cod"), now + timedelta(seconds=config.pairing_code_s)
    tx.insert(
        "pairing_code",
        code_id=code_id,
        owner_id=owner_id,
        public_id=code.public_id,
        secret_sha256=codes.secret_digest(access.keys.pairing, code_id, code.secret),
        label=label,
        created_at=now,
        expires_at=expires_at,
        tries=0,
        device_id=made_by,
    )
    url = config.public_url or read_meta(tx, PUBLIC_URL)
    uri = url and str(codes.PairingUri(url=url, code=str(code), pin=read_meta(tx, TLS_PIN)))
    return MintedCode(code_id=code_id, code=str(code), expires_at=expires_at, uri=uri or None)


def create_code(access: Access, tx: Tx, call: Call) -> Reply:
    """Let a paired device make the code for the owner's next one."""
    _check_room(tx, call)
    minted = mint(
        tx,
        access=access,
        config=call.config,
        now=call.now,
        new_id=call.new_id,
        owner_id=call.principal.party_id,
        label=call.body.get("label", ""),
        made_by=call.principal.device_id,
    )
    body = {
        "code_id": minted.code_id,
        "code": minted.code,
        "expires_at": minted.expires_at,
        "uri": minted.uri,
    }
    return Reply(body=body, status=201)


def _check_room(tx: Tx, call: Call) -> None:
    """Refuse a code too many: all owners share the public ids, and a code holds its own for a day.

    One that was used counts until it would have expired, as what it paired may be gone already.
    """
    row = tx.one(
        "SELECT COUNT(*) AS made, MIN(expires_at) AS first FROM pairing_code"
        " WHERE owner_id = ? AND expires_at > ?",
        call.principal.party_id,
        call.now,
    )
    if row is not None and row["made"] >= _MOST_AT_ONCE:
        raise Problem(
            ProblemCode.RATE_LIMITED,
            f"At most {_MOST_AT_ONCE} codes in {call.config.pairing_code_s} s; let one expire.",
            retry_after_s=ceil((decode(row["first"]) - call.now).total_seconds()),
        )


def pair(access: Access, tx: Tx, call: Call) -> Answer:
    """Trade a code for a device with tokens; a wrong try is kept although the answer is no."""
    row = _claim(access, tx, call)
    if isinstance(row, Problem):
        return row
    device_id = devices.add_device(
        tx,
        now=call.now,
        new_id=call.new_id,
        owner_id=row["owner_id"],
        name=call.body["device_name"],
        kind=call.body["kind"],
        at_most=call.config.max_devices_per_owner,
    )
    tx.update("pairing_code", {"code_id": row["code_id"]}, used_at=call.now, device_id=device_id)
    pair_of_tokens = tokens.first_tokens(access, tx, call, row["owner_id"], device_id)
    identity = {
        "device_id": device_id,
        "owner_id": row["owner_id"],
        "server_id": access.server_id,
        "receipt_key": access.keys.receipt.public_jwk,
    }
    return Reply(body=identity | pair_of_tokens, status=201)


def _claim(access: Access, tx: Tx, call: Call) -> dict[str, Any] | Problem:
    """Return the row of the code in the body if it opens now, or the problem to answer."""
    code = codes.parse(call.body["code"])
    row = code and tx.one("SELECT * FROM pairing_code WHERE public_id = ?", code.public_id)
    if not code or not row:
        return _invalid()
    at_most = call.config.pairing_code_tries
    if row["tries"] >= at_most:
        return _exhausted(at_most)
    digest = codes.secret_digest(access.keys.pairing, row["code_id"], code.secret)
    if not compare_digest(digest, row["secret_sha256"]):
        tx.update("pairing_code", {"code_id": row["code_id"]}, tries=row["tries"] + 1)
        return _exhausted(at_most) if row["tries"] + 1 >= at_most else _invalid()
    if row["used_at"] is not None:
        return _invalid()
    if call.now >= decode(row["expires_at"]):
        return Problem(
            ProblemCode.PAIRING_CODE_EXPIRED,
            f"A code is good for {call.config.pairing_code_s} s; make a new one.",
        )
    return row


# One answer for no code, no such code, a wrong secret and a used code: a guesser learns nothing.
def _invalid() -> Problem:
    return Problem(
        ProblemCode.PAIRING_CODE_INVALID,
        "The code is wrong or was used; check it, or make a new one.",
    )


def _exhausted(at_most: int) -> Problem:
    return Problem(
        ProblemCode.PAIRING_CODE_EXHAUSTED,
        f"The code was tried {at_most} times and is dead; make a new one.",
    )
