"""What a rule would have done with past offers, before it is allowed to speak."""

from dataclasses import replace
from datetime import datetime

from owner_api.calls import Call, Reply
from owner_api.core.canonical import instant_text
from owner_api.core.model import Rule
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from . import rule_consent
from .edge import Json, build
from .evaluate import worth_it
from .records import OfferRecord, VehicleRecord

_DEFAULT_LAST = 5


def preview(tx: Tx, call: Call) -> Reply:
    """Answer "would have accepted 3 of the last 5": the rule against offers as they were judged."""
    vehicle = VehicleRecord.find(tx, call.params["vehicle_id"], call.principal.party_id)
    rule = build(Rule, {"rule_id": call.new_id("rul"), **call.body["rule"]})
    # What is tried is what it says once it may speak.
    rule = replace(rule, enabled=True)
    rows = tx.all(
        "SELECT offer.*, offer_revision.issued_at AS revised_at FROM offer"
        " JOIN offer_revision USING (offer_id, revision)"
        " WHERE vehicle_id = ? AND owner_id = ? AND evaluation IS NOT NULL"
        " ORDER BY offer_id DESC LIMIT ?",
        vehicle.vehicle_id,
        call.principal.party_id,
        call.body.get("last", _DEFAULT_LAST),
    )
    items = [
        _tried(tx, vehicle, rule, OfferRecord.from_row(row), decode(row["revised_at"]))
        for row in rows
    ]
    accepted = sum(1 for item in items if item["would_accept"])
    return Reply(body={"considered": len(items), "accepted": accepted, "items": items})


def _tried(tx: Tx, vehicle: VehicleRecord, rule: Rule, offer: OfferRecord, at: datetime) -> Json:
    """Return what the rule would have said to one past offer when its terms came, ``at``.

    It is tried on what was known then, with the owner's price and rates of today. An offer that
    was not quoted then, because the owner sold nothing or the car was unknown, stays untaken.
    """
    seen = offer.arrival or {}
    energy: int | None = seen.get("quoted_energy_wh")
    taken = (
        energy is not None
        and worth_it(vehicle, offer.terms.reward, seen)
        and rule_consent.first_of((rule,), tx, vehicle, offer, energy, seen, at)
    )
    return {
        "offer_id": offer.offer_id,
        "issued_at": instant_text(at),
        "would_accept": bool(taken),
        "energy_wh": energy,
        "net_minor": seen.get("net_minor"),
        "state": offer.state.value,
    }
