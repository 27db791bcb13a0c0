"""An owner's standing agreements: which park may see which vehicle and send offers for it."""

from datetime import datetime

from owner_api.calls import Call, Reply
from owner_api.problems import FieldError, Problem, ProblemCode, not_found
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from . import announce, binding, journal, rejudge
from .edge import Json
from .owner_views import agreement_view
from .paging import page, read_page
from .records import Row, VehicleRecord


def create(tx: Tx, call: Call) -> Reply:
    """Join a park under the terms version the owner has read; replace an agreement in force."""
    owner_id, body = call.principal.party_id, call.body
    park = tx.one("SELECT * FROM park WHERE park_id = ?", body["park_id"])
    if park is None:
        raise not_found()
    if park["terms_version"] != body["terms_version"]:
        raise Problem(
            ProblemCode.STALE_TERMS,
            f"The park's terms are now version {park['terms_version']}; read and name those.",
            errors=(
                FieldError(
                    pointer="/terms_version", code="stale", limit=str(park["terms_version"])
                ),
            ),
        )
    for vehicle_id in body["vehicle_ids"]:
        VehicleRecord.find(tx, vehicle_id, owner_id)
    replaced = _replaced(tx, call)
    agreement_id = call.new_id("agr")
    tx.insert(
        "agreement",
        agreement_id=agreement_id,
        owner_id=owner_id,
        park_id=body["park_id"],
        terms_version=body["terms_version"],
        terms_sha256=park["terms_sha256"],
        state="active",
        created_at=call.now,
    )
    for vehicle_id in dict.fromkeys(body["vehicle_ids"]):
        tx.insert(
            "member",
            member_ref=call.new_id("mbr"),
            agreement_id=agreement_id,
            vehicle_id=vehicle_id,
            owner_id=owner_id,
            park_id=body["park_id"],
        )
    if replaced:
        kept = frozenset(body["vehicle_ids"])
        _end(tx, call.now, replaced["agreement_id"], "replaced", kept=kept)
    journal.agreement(tx, agreement_id, call.now)
    shown = _tell(tx, call.now, agreement_id)
    return Reply(body=shown, status=201, location=f"/v1/agreements/{agreement_id}")


def _in_force(tx: Tx, owner_id: str, park_id: str) -> Row | None:
    return tx.one(
        "SELECT * FROM agreement WHERE owner_id = ? AND park_id = ? AND state = 'active'",
        owner_id,
        park_id,
    )


def _replaced(tx: Tx, call: Call) -> Row | None:
    """Return the agreement in force that a new one replaces; raise when that is not the one named.

    Promise 1: who has left the park since on another device has said no, and who agreed there to
    something else has read that.
    """
    named = call.body.get("replaces")
    active = _in_force(tx, call.principal.party_id, call.body["park_id"])
    in_force = active["agreement_id"] if active else None
    if named == in_force:
        return active
    if named is None:
        detail = f"There already is an agreement: withdraw {in_force}, or name it in replaces."
        reason = "agreed_already"
    else:
        detail = "The agreement named in replaces is not in force with this park."
        reason = "agreement_changed"
    raise Problem(ProblemCode.CONFLICT, detail, reason=reason)


def list_all(tx: Tx, call: Call) -> Reply:
    """List the owner's agreements, past ones too."""
    return page(call, all_views(tx, call.principal.party_id), "agreement_id")


def all_views(tx: Tx, owner_id: str) -> list[Json]:
    """Return every agreement of an owner, oldest first."""
    rows = tx.all("SELECT * FROM agreement WHERE owner_id = ? ORDER BY agreement_id", owner_id)
    return [agreement_view(tx, row) for row in rows]


def withdraw(tx: Tx, call: Call) -> Reply:
    """Withdraw an agreement: no more offers, no car seen; what is scheduled or runs is revoked."""
    row = tx.one(
        "SELECT * FROM agreement WHERE agreement_id = ? AND owner_id = ?",
        call.params["agreement_id"],
        call.principal.party_id,
    )
    if row is None:
        raise not_found()
    if row["state"] == "active":
        return Reply(body=_end(tx, call.now, row["agreement_id"], "withdrawn"), status=200)
    successor = _in_force(tx, row["owner_id"], row["park_id"])
    if row["state"] == "replaced" and successor:
        # Promise 4: a yes to who wants to leave would leave the park where it is.
        detail = f"It was replaced: withdraw {successor['agreement_id']}, which is in force."
        raise Problem(ProblemCode.CONFLICT, detail, reason="agreement_changed")
    return Reply(body=agreement_view(tx, row), status=200)


def withdraw_again(tx: Tx, owner_id: str, left: Json, left_at: datetime, now: datetime) -> None:
    """Withdraw an agreement that its owner had withdrawn before a restore brought it back.

    Also one that was replaced before by the one that they left, of which these books know nothing.
    What was agreed with the park after that is a new word.
    """
    active = _in_force(tx, owner_id, left["park_id"])
    if active is None:
        return
    same = active["agreement_id"] == left["agreement_id"]
    if same or decode(active["created_at"]) <= left_at:
        _end(tx, now, active["agreement_id"], "withdrawn")


def _end(
    tx: Tx, now: datetime, agreement_id: str, state: str, *, kept: frozenset[str] = frozenset()
) -> Json:
    """End an agreement in force, and what is agreed for its cars except those that are kept."""
    tx.update("agreement", {"agreement_id": agreement_id}, state=state, withdrawn_at=now)
    journal.agreement(tx, agreement_id, now)
    members = tx.all(
        "SELECT vehicle_id, park_id, deleted_at FROM member JOIN vehicle USING (vehicle_id)"
        " WHERE agreement_id = ?",
        agreement_id,
    )
    for member in members:
        if member["vehicle_id"] in kept:
            continue
        rejudge.park_left(tx, member["vehicle_id"], member["park_id"], now)
        binding.part(tx, member["vehicle_id"], member["park_id"], now)
        # A car that was deleted since has nothing to tell and keeps no other with the park.
        if member["deleted_at"] is None:
            announce.vehicle(tx, member["vehicle_id"], now)
    return _tell(tx, now, agreement_id)


def _tell(tx: Tx, now: datetime, agreement_id: str) -> Json:
    row = tx.one("SELECT * FROM agreement WHERE agreement_id = ?", agreement_id)
    assert row is not None
    shown = agreement_view(tx, row)
    tx.emit(row["owner_id"], f"agreement.{row['state']}", now, shown)
    tx.emit(
        row["park_id"],
        f"agreement.{row['state']}",
        now,
        {"member_refs": _refs(tx, agreement_id), "state": row["state"]},
    )
    return shown


def _refs(tx: Tx, agreement_id: str) -> list[str]:
    rows = tx.all(
        "SELECT member_ref FROM member WHERE agreement_id = ? ORDER BY member_ref", agreement_id
    )
    return [row["member_ref"] for row in rows]


def members(tx: Tx, call: Call) -> Reply:
    """List the pseudonyms under which a park may open sessions; nothing about who they are."""
    return read_page(
        tx,
        call,
        "SELECT member_ref, terms_version FROM member JOIN agreement USING (agreement_id)"
        " JOIN vehicle USING (vehicle_id) WHERE member.park_id = ?"
        " AND agreement.state = 'active' AND vehicle.deleted_at IS NULL",
        call.principal.party_id,
        key="member_ref",
        view=dict,
    )
