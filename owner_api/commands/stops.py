"""Promise 4: stop works, on any channel, at any time, without a reason."""

from datetime import datetime

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
        meant = [CommitmentRecord.find(tx, body["commitment_id"], owner_id=owner_id)]
    else:
        if "vehicle_id" in body:
            cars = [VehicleRecord.find(tx, body["vehicle_id"], owner_id)]
        else:
            cars = VehicleRecord.of_owner(tx, owner_id)
        for car in cars:
            tx.update("vehicle", {"vehicle_id": car.vehicle_id}, owner_stopped_at=call.now)
        # Who presses stop may not have seen yet that a deal has ended by itself.
        meant = [
            deal
            for car in cars
            for deal in CommitmentRecord.live_or_in_time(tx, car.vehicle_id, call.now)
        ]
    stop_id = call.new_id("stp")
    for deal in meant:
        _remember(tx, deal, call.now)
    ended = [
        deal for deal in meant if deals.end(tx, deal, CommitmentState.REVOKED, "owner", call.now)
    ]
    for deal in {each.vehicle_id: each for each in ended}.values():
        deals.leave_to_others(tx, deal, call.now)
    found = meant if "commitment_id" in body else ended
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


def _remember(tx: Tx, deal: CommitmentRecord, now: datetime) -> None:
    """Keep that a person has stopped this, apart from what the deal ended for."""
    if deal.owner_stopped_at is None:
        tx.update("commitment", {"commitment_id": deal.commitment_id}, owner_stopped_at=now)
