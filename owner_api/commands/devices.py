"""An owner's paired devices: adding, listing and shutting one out at once."""

from datetime import datetime
from typing import Any

from owner_api.calls import Call, NewId, Reply
from owner_api.problems import Problem, ProblemCode, not_found
from owner_api.store import Tx
from owner_api.store.times import decode

from .edge import instant
from .paging import page

type Row = dict[str, Any]


def add_device(
    tx: Tx, *, now: datetime, new_id: NewId, owner_id: str, name: str, kind: str, at_most: int
) -> str:
    """Create a device of an owner and tell the owner's other devices; return its id."""
    if len(_live(tx, owner_id)) >= at_most:
        raise Problem(
            ProblemCode.CONFLICT, f"An owner has at most {at_most} devices; revoke one first."
        )
    device_id = new_id("dev")
    tx.insert(
        "device",
        device_id=device_id,
        owner_id=owner_id,
        display_name=name,
        kind=kind,
        token_epoch=0,
        paired_at=now,
    )
    tx.emit(
        owner_id,
        "device.paired",
        now,
        {"device_id": device_id, "display_name": name, "kind": kind, "paired_at": now},
    )
    return device_id


def revoke(tx: Tx, *, now: datetime, owner_id: str, device_id: str, reason: str) -> None:
    """Shut a device out: its tokens and codes are dead from this commit on; raises not_found."""
    changed = tx.run(
        "UPDATE device SET revoked_at = ?, token_epoch = token_epoch + 1"
        " WHERE device_id = ? AND owner_id = ? AND revoked_at IS NULL",
        now,
        device_id,
        owner_id,
    )
    if not changed:
        raise not_found()
    tx.run("DELETE FROM refresh_token WHERE device_id = ?", device_id)
    # Or whoever stole it would come back as another one.
    tx.run(
        "DELETE FROM pairing_code WHERE owner_id = ? AND device_id = ? AND used_at IS NULL",
        owner_id,
        device_id,
    )
    tx.emit(owner_id, "device.revoked", now, {"device_id": device_id, "reason": reason})


def note_seen(tx: Tx, call: Call) -> None:
    """Note, once for each access token, that a device acts on it: so its answer has arrived."""
    principal = call.principal
    if principal.kind != "owner" or principal.token_epoch is None:
        return
    issued_at = principal.expires_at - call.config.access_token_s
    row = tx.by_key("device", principal.device_id or "")
    seen_at: str | None = row["last_seen_at"] if row else None
    # A token's time has whole seconds. One from before the newest trade says nothing of that.
    if seen_at is None or int(decode(seen_at).timestamp()) <= issued_at:
        tx.update("device", {"device_id": principal.device_id}, last_seen_at=call.now)


def list_devices(tx: Tx, call: Call) -> Reply:
    """List the owner's devices that can still call."""
    rows = views(tx, call.principal.party_id)
    items = [row | {"current": row["device_id"] == call.principal.device_id} for row in rows]
    return page(call, items, "device_id")


def revoke_device(tx: Tx, call: Call) -> Reply:
    """Shut out one of the owner's devices, this one included."""
    revoke(
        tx,
        now=call.now,
        owner_id=call.principal.party_id,
        device_id=call.params["device_id"],
        reason="owner",
    )
    return Reply(body=None, status=204)


def views(tx: Tx, owner_id: str) -> list[Row]:
    """Return an owner's live devices, oldest first."""
    return [
        {
            "device_id": row["device_id"],
            "display_name": row["display_name"],
            "kind": row["kind"],
            "paired_at": instant(row["paired_at"]),
            "last_seen_at": instant(row["last_seen_at"]),
        }
        for row in _live(tx, owner_id)
    ]


def _live(tx: Tx, owner_id: str) -> list[Row]:
    return tx.all(
        "SELECT * FROM device WHERE owner_id = ? AND revoked_at IS NULL ORDER BY device_id",
        owner_id,
    )
