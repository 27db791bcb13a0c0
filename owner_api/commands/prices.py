"""What Home Assistant reports of a price plan, and what it changes at once."""

from owner_api.calls import Call, Reply
from owner_api.core.canonical import instant_text
from owner_api.store.tx import Tx

from . import evaluations
from .records import VehicleRecord
from .tariffs import LAST_HOLDS, told_before


def report(tx: Tx, call: Call) -> Reply:
    """Take the prices Home Assistant knows for this vehicle's charging, replacing what was told.

    What went straight before them stays for a day: a sensor may know one hour at a time, and the
    dearest known stands in for those to come.
    """
    vehicle = VehicleRecord.find(tx, call.params["vehicle_id"], call.principal.party_id)
    entries = call.body["entries"]
    unique = {entry["start_at"]: entry["price_per_kwh"] for entry in entries}
    before = told_before(tx, vehicle.vehicle_id, min(unique), max(unique)) if unique else []
    tx.run("DELETE FROM vehicle_price WHERE vehicle_id = ?", vehicle.vehicle_id)
    for start_at, price in [*before, *sorted(unique.items())]:
        tx.insert(
            "vehicle_price",
            vehicle_id=vehicle.vehicle_id,
            start_at=start_at,
            price_per_kwh=price,
        )
    # What an open offer earns hangs on them, and a yes would be judged by them.
    evaluations.refresh(tx, vehicle.vehicle_id, call.now)
    last = max(unique) + LAST_HOLDS if unique else None
    shown = {"entries": len(unique), "known_until": last and instant_text(last)}
    return Reply(body=shown, status=201)
