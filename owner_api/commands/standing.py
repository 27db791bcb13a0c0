"""What is true of a vehicle besides its own row: where it is bound, when it leaves, its deals."""

from datetime import datetime
from typing import Final, NamedTuple

from owner_api.core.model import NextDeparture
from owner_api.store.tx import Tx

from .leaving import departure_in_force
from .records import SessionRecord, VehicleRecord
from .reserved import LiveDeal, live_deals

# By the cars of owner ?1: of each what counts at a time is found by that, in no other's rows.
OF_CARS: Final = "vehicle_id IN (SELECT vehicle_id FROM vehicle WHERE owner_id = ?1)"
# An owner's sessions that have not ended, which are few.
OPEN_SESSIONS: Final = (
    f"SELECT * FROM session INDEXED BY session_live WHERE {OF_CARS} AND owner_id = ?1"  # noqa: S608 - a constant
    " AND (state = 'bound' OR state = 'claimed')"
)


def open_session(tx: Tx, vehicle_id: str) -> SessionRecord | None:
    """Return the vehicle's bound session that has not ended."""
    row = tx.one(
        "SELECT * FROM session INDEXED BY session_live WHERE vehicle_id = ? AND state = 'bound'"
        " ORDER BY plugged_in_at DESC LIMIT 1",
        vehicle_id,
    )
    return SessionRecord.from_row(row) if row else None


class Standing(NamedTuple):
    """A vehicle's bound session, the leave time in force, and its live deals."""

    session: SessionRecord | None
    departure: NextDeparture | None
    deals: list[LiveDeal]


def standing(tx: Tx, vehicle: VehicleRecord, now: datetime) -> Standing:
    """Return how a vehicle stands now."""
    session = open_session(tx, vehicle.vehicle_id)
    departure = departure_in_force(tx, vehicle, session, now)
    return Standing(session, departure, live_deals(tx, vehicle.vehicle_id))
