"""Limits that a backup brought back: what they say yes to waits until a person has seen them.

Promises 1 and 2: what an owner tightened or withdrew after the backup is lost. The yes of a rule,
of an automation or of a deal from before may be one that they have taken back since.
"""

from datetime import datetime
from typing import Final

from owner_api.calls import Call, Reply
from owner_api.problems import Problem, ProblemCode
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from . import announce, journal
from .records import CommitmentRecord, OfferRecord, VehicleRecord
from .vehicle_views import preferences_view

# Why an offer waits for a person, as it says it.
UNCONFIRMED: Final = "limits_unconfirmed"
_WAITS: Final = (
    "SELECT * FROM offer WHERE vehicle_id = ? AND state = 'presented' AND state_reason = ?"
)


def hold_all(tx: Tx, now: datetime) -> None:
    """Hold what the limits of every car say yes to by themselves; tells nobody.

    Since now, or the last deal that was agreed to where the clock is behind that.
    """
    held = tx.all(
        "SELECT vehicle_id, (SELECT max(decided_at) FROM commitment WHERE commitment.vehicle_id ="
        " vehicle.vehicle_id AND state IN ('pending_award', 'scheduled', 'active')) AS agreed_at"
        " FROM vehicle WHERE deleted_at IS NULL"
    )
    for row in held:
        since = max(now, decode(row["agreed_at"])) if row["agreed_at"] else now
        tx.update("vehicle", {"vehicle_id": row["vehicle_id"]}, unconfirmed_since=since)


def is_from_before(deal: CommitmentRecord, vehicle: VehicleRecord) -> bool:
    """Return whether a deal was agreed to before a restore that its owner has not looked at since.

    What was agreed to after it a person said yes to, and was shown the limits.
    """
    since = vehicle.unconfirmed_since
    return since is not None and deal.decided_at <= since


def confirm(tx: Tx, call: Call) -> Reply:
    """Take a person's word that a car's limits are theirs: rules and automations speak again.

    A change of one limit says nothing of the others, and an automation may have made it, so it is
    no such word. Where nothing is held there is nothing to say.
    """
    vehicle = VehicleRecord.find(tx, call.params["vehicle_id"], call.principal.party_id)
    shown = preferences_view(vehicle)
    since = vehicle.unconfirmed_since
    if since is None:
        return Reply(body=shown, etag=str(vehicle.preferences_revision))
    if call.body["revision"] != vehicle.preferences_revision:
        detail = "These limits have changed since they were read; look at them again."
        raise Problem(ProblemCode.CONFLICT, detail, current=shown)
    tx.update(
        "vehicle",
        {"vehicle_id": vehicle.vehicle_id},
        unconfirmed_since=None,
        preferences_revision=vehicle.preferences_revision + 1,
    )
    confirmed = VehicleRecord.find(tx, vehicle.vehicle_id)
    journal.limits_confirmed(
        tx,
        confirmed,
        since,
        call.principal.device_id,
        dict(call.body.get("actor", {})),
        call.now,
    )
    for row in tx.all(_WAITS, vehicle.vehicle_id, UNCONFIRMED):
        open_offer = OfferRecord.from_row(row).changed(tx, state_reason=None)
        announce.offer_to_owner(tx, open_offer, call.now)
    shown = preferences_view(confirmed)
    tx.emit(confirmed.owner_id, "preferences.updated", call.now, shown)
    announce.vehicle(tx, confirmed.vehicle_id, call.now)
    return Reply(body=shown, etag=str(confirmed.preferences_revision))
