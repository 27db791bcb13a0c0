"""Turn what the API says into an executor's orders: limits of the cars, lease, plan."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from .control_model import CarLimits, Lease, Plan
from .decode import decode
from .instants import utc_text
from .models import Charger, Preferences, Vehicle
from .models_deal import Commitment
from .snapshot import Snapshot
from .trust_consent import Consent

# Of each deal here the owner's yes, where a receipt proves one.
type Consents = Mapping[str, Consent | None]

# No offer's terms may ask for more.
_LONGEST_LEASE_S: Final = 900


def car_limits(snapshot: Snapshot, vehicle_ids: Collection[str]) -> tuple[CarLimits, ...]:
    """Return what the owner allows for each linked car the API knows."""
    return tuple(
        _limits(vehicle, wishes)
        for vehicle_id in sorted(vehicle_ids)
        if (vehicle := snapshot.vehicles.get(vehicle_id)) is not None
        and (wishes := snapshot.preferences.get(vehicle_id)) is not None
    )


def _limits(vehicle: Vehicle, wishes: Preferences) -> CarLimits:
    """Return one car's limits; a prohibiting warranty allows no discharge (design §6)."""
    prohibited = vehicle.warranty_discharge_policy == "prohibited"
    target = wishes.soc_target_departure_pct
    return CarLimits(
        vehicle_id=vehicle.vehicle_id,
        usable_capacity_wh=vehicle.usable_capacity_wh,
        max_charge_w=vehicle.max_charge_w or 0,
        max_discharge_w=vehicle.max_discharge_w or 0,
        charge_efficiency=vehicle.charge_efficiency,
        discharge_efficiency=vehicle.discharge_efficiency,
        soc_floor_pct=wishes.soc_floor_pct,
        soc_ceiling_pct=wishes.soc_ceiling_pct,
        soc_target_pct=wishes.soc_min_departure_pct if target is None else target,
        soc_margin_pct=wishes.soc_margin_pct,
        soc_max_age_s=wishes.soc_max_age_discharge_s,
        departure_buffer_s=wishes.departure_buffer_s,
        discharge_allowed=wishes.discharge_allowed and not prohibited,
    )


def charger_limits(charger: Charger, cars: Collection[CarLimits]) -> tuple[int, int]:
    """Return the most that may flow into and out of a car here (W).

    Of a charger of which nobody told that, as to the API, it is what the cars here can do.
    """
    most_in, most_out = charger.max_charge_w, charger.max_discharge_w
    if most_in is None:
        most_in = max((car.max_charge_w for car in cars), default=0)
    if most_out is None:
        most_out = max((car.max_discharge_w for car in cars), default=0)
    return most_in, most_out


def lease_here(
    snapshot: Snapshot,
    evse_id: str | None,
    known: Lease | None,
    consents: Consents,
    now: datetime,
) -> Lease | None:
    """Return the lease of the deal that runs at this charger; one already known keeps its time."""
    for deal in snapshot.live_commitments:
        offer = snapshot.offers.get(deal.offer_id)
        lease = _lease(deal, evse_id, (offer and offer.terms.lease_s) or _LONGEST_LEASE_S, now)
        if lease is None:
            continue
        lease = _within(lease, deal, consents.get(deal.commitment_id))
        if known is not None and known.commitment_id == lease.commitment_id:
            granted = known.granted or utc_text(known.until)
            if granted == lease.granted:
                until = min(known.until, lease.until)
                return replace(lease, until=until, told_at=known.told_at)
        return lease
    return None


def _within(lease: Lease, deal: Commitment, consent: Consent | None) -> Lease:
    """Return a lease as far as the owner's yes goes, not covered where there is none (promise 3).

    Its times are compared with the agent's own words, whose clock they are by.
    """
    if consent is None or deal.lease_until is None or deal.lease_until <= consent.start_at:
        return replace(lease, covered=False)
    return replace(
        lease,
        power_w=max(lease.power_w, -consent.max_discharge_w),
        until=min(lease.until, consent.end_at),
        consent_id=consent.decision_id,
        energy_wh=consent.energy_wh,
    )


def _lease(deal: Commitment, evse_id: str | None, lease_s: int, now: datetime) -> Lease | None:
    """Return a running deal's lease, None when it has none or is another charger's.

    It ends by our clock as well, where that is behind the agent's: no lease is longer than agreed.
    """
    here = evse_id is not None and deal.evse_id == evse_id
    if not here or deal.state != "active" or deal.stop is not None:
        return None
    if deal.lease_until is None or deal.power_setpoint_w is None or deal.vehicle_id is None:
        return None
    return Lease(
        commitment_id=deal.commitment_id,
        vehicle_id=deal.vehicle_id,
        power_w=min(0, deal.power_setpoint_w),
        until=min(deal.lease_until, now + timedelta(seconds=lease_s)),
        told_at=now,
        granted=utc_text(deal.lease_until),
    )


def read_plan(answer: dict[str, Any]) -> Plan:
    """Return the plan in an answer to GET …/schedule; raises BadAnswerError when it is none."""
    return decode(Plan, answer)


def orders_depend_on(
    snapshot: Snapshot, charger: Charger, vehicle_ids: Collection[str], consents: Consents
) -> tuple[Any, ...]:
    """Return what a charger's orders are made from: every reading of every car brings news."""
    cars = [
        (vehicle and vehicle.revision, wishes and wishes.revision)
        for vehicle_id in vehicle_ids
        for vehicle, wishes in [
            (snapshot.vehicles.get(vehicle_id), snapshot.preferences.get(vehicle_id))
        ]
    ]
    limits = (charger.evse_id, charger.max_charge_w, charger.max_discharge_w)
    return (limits, cars, snapshot.commitments, tuple(consents.items()))


def plan_depends_on(snapshot: Snapshot, vehicle_id: str) -> str:
    """Return what a plan was made from, as text for the disk: when it changes, one is due."""
    vehicle = snapshot.vehicles.get(vehicle_id)
    wishes = snapshot.preferences.get(vehicle_id)
    departures = snapshot.departures.get(vehicle_id)
    leaves = vehicle.next_departure if vehicle else None
    deals = [
        f"{deal.commitment_id} {deal.state}"
        for deal in snapshot.live_commitments
        if deal.vehicle_id == vehicle_id
    ]
    facts = (
        vehicle_id,
        vehicle and vehicle.revision,
        leaves and (leaves.source, utc_text(leaves.departure_at), leaves.soc_min_departure_pct),
        wishes and wishes.revision,
        departures and departures.revision,
        *deals,
    )
    return "; ".join(map(str, facts))
