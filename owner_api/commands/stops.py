"""Promise 4: stop works, on any channel, at any time, without a reason."""

from owner_api.calls import Call, Reply
from owner_api.core.canonical import instant_text
from owner_api.core.machine import CommitmentState
from owner_api.core.receipt import receipt_id
from owner_api.store.tx import Tx

from . import deals, journal
from .owner_views import commitment_view
from .records import CommitmentRecord, VehicleRecord


def stop(tx: Tx, call: Call) -> Reply:
    """Revoke the named deal, the vehicle's, or all of the owner's; repeating it is harmless."""
    owner_id, body = call.principal.party_id, call.body
    if "commitment_id" in body:
        found = [CommitmentRecord.find(tx, body["commitment_id"], owner_id=owner_id)]
    elif "vehicle_id" in body:
        vehicle = VehicleRecord.find(tx, body["vehicle_id"], owner_id)
        found = CommitmentRecord.live_of_vehicle(tx, vehicle.vehicle_id)
    else:
        found = [
            deal
            for vehicle in VehicleRecord.of_owner(tx, owner_id)
            for deal in CommitmentRecord.live_of_vehicle(tx, vehicle.vehicle_id)
        ]
    stop_id = call.new_id("stp")
    for deal in found:
        deals.finish(tx, deal, CommitmentState.REVOKED, "owner", call.now)
    said = [deal.commitment_id for deal in found]
    position = journal.stop(tx, owner_id, stop_id, said, call.now)
    shown = [
        commitment_view(tx, CommitmentRecord.find(tx, deal.commitment_id), call.now)
        for deal in found
    ]
    body = {
        "stop_id": stop_id,
        "receipt_id": receipt_id(position),
        "requested_at": instant_text(call.now),
        "commitments": shown,
    }
    return Reply(body=body, status=201)
