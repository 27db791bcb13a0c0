"""What may flow at the charger a car is at: the car's bounds, and the owner's charger's at home."""

from typing import Final, NamedTuple

from owner_api.store.tx import Tx

from .records import SessionRecord, VehicleRecord

# What a park can read of the power, by any setpoints: no more than one answered question tells.
_RELEASED_STEP_W: Final = 500


class Bounds(NamedTuple):
    """The most that may flow either way (W), and whether the owner's side drives the charger."""

    max_charge_w: int
    max_discharge_w: int
    driven: bool

    def discharge_w(self, terms_w: int) -> int:
        """Return the most that may be discharged under terms (W).

        Promise 7: where they ask for more than there is, what there is is cut to a step, as energy
        is. It is also what the deal is judged by, so what was agreed can still be given.
        """
        if terms_w <= self.max_discharge_w:
            return terms_w
        return self.max_discharge_w // _RELEASED_STEP_W * _RELEASED_STEP_W


def bounds(tx: Tx, vehicle: VehicleRecord, session: SessionRecord | None) -> Bounds:
    """Return the car's bounds, tighter where the owner's own charger cannot do as much."""
    found = Bounds(vehicle.body.max_charge_w, vehicle.body.max_discharge_w, driven=False)
    if session is None or session.meter != "owner":
        return found
    rows = tx.all(
        "SELECT max_charge_w, max_discharge_w FROM charger WHERE owner_id = ? AND evse_id = ?"
        " AND deleted_at IS NULL",
        vehicle.owner_id,
        session.evse_id,
    )
    for row in rows:
        found = Bounds(
            _least(found.max_charge_w, row["max_charge_w"]),
            _least(found.max_discharge_w, row["max_discharge_w"]),
            driven=True,
        )
    return found


def _least(most_w: int, told_w: int | None) -> int:
    return most_w if told_w is None else min(most_w, told_w)
