"""An owner stands in front of a charger and says by its code which car is plugged in there."""

from typing import Final

from owner_api.calls import Call, Reply
from owner_api.problems import FieldError, Problem, ProblemCode, not_found
from owner_api.store.tx import Tx

from . import announce, binding
from .owner_views import session_view
from .records import Row, SessionRecord, VehicleRecord

_CLAIMED: Final = (
    "SELECT session.*, park.display_name AS park_name FROM session"
    " JOIN member ON member.park_id = session.park_id"
    " JOIN agreement USING (agreement_id) JOIN park ON park.park_id = session.park_id"
    " WHERE session.evse_code = ?1 AND session.state = 'claimed' AND member.vehicle_id = ?2"
    " AND agreement.state = 'active' AND (?3 IS NULL OR session.park_id = ?3)"
    # What the park claims for another car is not taken over by a code anybody can read.
    " AND (session.vehicle_id IS NULL OR session.vehicle_id = ?2)"
    " ORDER BY session.session_id"
)


def check_in(tx: Tx, call: Call) -> Reply:
    """Bind a session by the code on the EVSE, where that says which session is meant."""
    vehicle = VehicleRecord.find(tx, call.body["vehicle_id"], call.principal.party_id)
    digest = binding.code_digest(call.body["evse_code"])
    found = tx.all(_CLAIMED, digest, vehicle.vehicle_id, call.body.get("park_id"))
    if not found:
        raise not_found()
    # Promise 1: a code is no secret, and numbers repeat. Of two sessions one is another's car, or
    # another park's guess, and the owner's yes would count for it.
    if len(found) > 1:
        raise _unclear(found)
    row = found[0]
    binding.bind(tx, row["session_id"], vehicle, "check_in", call.now)
    announce.session(tx, row["session_id"], call.now)
    announce.vehicle(tx, vehicle.vehicle_id, call.now)
    shown = session_view(tx, SessionRecord.find(tx, row["session_id"]))
    return Reply(body=shown, status=201)


def _unclear(found: list[Row]) -> Problem:
    """Return why a code binds nothing, with the parks that would make it clear."""
    parks = {row["park_id"]: row["park_name"] for row in found}
    if len(parks) == 1:
        return Problem(
            ProblemCode.CONFLICT,
            "This code stands at more than one charger of the park where a car is plugged in;"
            " only the park can tell them apart.",
            reason="code_unclear",
        )
    named = ", ".join(f"{name} ({park_id})" for park_id, name in parks.items())
    return Problem(
        ProblemCode.CONFLICT,
        f"This code stands at chargers of several of your parks. Name the park: {named}.",
        errors=(FieldError(pointer="/park_id", code="required", limit=" | ".join(parks)),),
        reason="code_of_several_parks",
        members={"parks": [{"park_id": each, "display_name": parks[each]} for each in parks]},
    )
