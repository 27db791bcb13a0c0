"""A simulated car that discharges under a lease, and what it was seen to do."""

from datetime import datetime, timedelta

from owner_api.simulation.battery import Battery, BatterySpec
from owner_api.simulation.charger import Charger
from owner_api.simulation.flow import Flow

SPEC = BatterySpec(usable_capacity_wh=60_000)
POWER_W = -7_000


def plugged(at: datetime, felt: list[Flow], *, ignores_lease: bool = False) -> Charger:
    """Return a charger with a car at 80 % that tells ``felt`` what flows."""
    charger = Charger("E07", at, ignores_lease=ignores_lease)
    charger.plug_in(at, Battery(SPEC, 48_000), Battery(SPEC, 48_000), felt.append)
    return charger


def tell(charger: Charger, at: datetime, lease_until: datetime) -> None:
    """Hand a granted lease on to the charger."""
    charger.discharge(
        at,
        deal="off_1",
        power_w=POWER_W,
        lease_until=lease_until,
        stop_at_export_wh=1_000_000,
    )


def discharging(at: datetime, *, lease_s: float) -> Charger:
    """Return a charger in the middle of a discharge."""
    charger = plugged(at, [])
    tell(charger, at, at + timedelta(seconds=lease_s))
    return charger


def last_power_at(felt: list[Flow]) -> datetime | None:
    """Return when power last flowed out of the car."""
    return max((flow.end_at for flow in felt if flow.power_w < 0), default=None)
