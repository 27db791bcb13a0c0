"""What a rule would have done with past offers, before it is allowed to speak."""

from owner_api.calls import Call, Reply
from owner_api.core.canonical import instant_text
from owner_api.core.model import Rule
from owner_api.core.money import minor_digits
from owner_api.core.rules import Case, matches
from owner_api.store.tx import Tx

from .edge import Json, build
from .records import OfferRecord, VehicleRecord
from .reward_parts import counted_price

_DEFAULT_LAST = 5


def preview(tx: Tx, call: Call) -> Reply:
    """Answer "would have accepted 3 of the last 5": the rule against offers as they were judged."""
    vehicle = VehicleRecord.find(tx, call.params["vehicle_id"], call.principal.party_id)
    rule = build(Rule, {"rule_id": call.new_id("rul"), **call.body["rule"]})
    rows = tx.all(
        "SELECT * FROM offer WHERE vehicle_id = ? AND owner_id = ? AND evaluation IS NOT NULL"
        " ORDER BY offer_id DESC LIMIT ?",
        vehicle.vehicle_id,
        call.principal.party_id,
        call.body.get("last", _DEFAULT_LAST),
    )
    items = [_tried(vehicle, rule, OfferRecord.from_row(row)) for row in rows]
    accepted = sum(1 for item in items if item["would_accept"])
    return Reply(body={"considered": len(items), "accepted": accepted, "items": items})


def _tried(vehicle: VehicleRecord, rule: Rule, offer: OfferRecord) -> Json:
    """Return what the rule would have said to one past offer."""
    evaluation = offer.evaluation or {}
    energy: int | None = evaluation.get("quoted_energy_wh")
    net: int | None = evaluation.get("net_minor")
    reward = offer.terms.reward
    price = counted_price(vehicle.preferences, vehicle.currency, reward)
    possible = energy is not None and net is not None and net >= 0
    known = evaluation.get("departure_at") is not None
    wanted = possible and known and price >= vehicle.preferences.min_price_per_kwh
    case = Case(
        local_now=offer.issued_at.astimezone(vehicle.zone),
        park_id=offer.park_id,
        purpose=offer.purpose,
        price_per_kwh=price,
        energy_wh=energy or 0,
        net_minor=net or 0,
        minor_digits=minor_digits(vehicle.currency),
    )
    return {
        "offer_id": offer.offer_id,
        "issued_at": instant_text(offer.issued_at),
        "would_accept": bool(wanted and matches(rule, case)),
        "energy_wh": energy,
        "net_minor": net,
        "state": offer.state.value,
    }
