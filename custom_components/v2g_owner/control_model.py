"""What the executor of a home charger knows: its orders, what it sees, and what it decides.

Power in W, + into the car, - out of it; state of charge in percent; instants in UTC. The orders
are kept on disk and obeyed with the API gone; what is seen is of this moment only.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

# How often the executor looks, beside every change it hears of.
LOOK_EVERY: Final = timedelta(seconds=2)
# So many ended deals are remembered; a park's lease lives minutes, not months.
KEPT_DEALS: Final = 20


class Reason(StrEnum):
    """Why the charger does what it does."""

    NOT_TESTED = "not_tested"
    TESTING = "testing"
    UNREACHABLE = "unreachable"
    WRONG_UNIT = "wrong_unit"
    SHARED = "shared"
    UNPLUGGED = "unplugged"
    UNKNOWN_CAR = "unknown_car"
    STOPPED = "stopped"
    BY_HAND = "by_hand"
    CHARGE_NOW = "charge_now"
    DELIVERING = "delivering"
    BELOW_MINIMUM = "below_minimum"
    RESTARTED = "restarted"
    NO_CONSENT = "no_consent"
    ALL_SOLD = "all_sold"
    DISCHARGE_NOT_ALLOWED = "discharge_not_allowed"
    SOC_UNKNOWN = "soc_unknown"
    SOC_STALE = "soc_stale"
    BLIND = "blind"
    FLOOR = "floor"
    DEPARTURE_MINIMUM = "departure_minimum"
    TEMPERATURE = "temperature"
    PLAN = "plan"
    WAITING = "waiting"
    NO_PLAN = "no_plan"
    CHARGED = "charged"


class Holder(StrEnum):
    """Who controls the charger: one at a time, until a time that is shown."""

    NOBODY = "nobody"
    PLAN = "plan"
    PARK = "park"
    CHARGE_NOW = "charge_now"
    STOP = "stop"
    OWNER = "owner"


class OverrideKind(StrEnum):
    """What the owner said that stands above plan and park."""

    STOP = "stop"
    CHARGE = "charge"
    BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """The owner's word, and how long it holds at most; unplugging ends it earlier."""

    kind: str
    since: datetime
    until: datetime
    power_w: int | None = None
    """By hand: what the owner set, where it can be told."""

    vehicle_id: str | None = None
    """The car that stood here then, where that was known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnheardStop:
    """A stop that is about deals as well that this home does not know of: its agent may be away."""

    since: datetime
    before: datetime | None = None
    """It ends the deals that begin by then; all of them where it names no time."""
    vehicle_id: str | None = None
    """It is about this car, or about all."""
    commitment_id: str | None = None
    """It is about this deal alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """From ``start_at``: charge at ``power_w`` below one state of charge, stop at the other."""

    start_at: datetime
    power_w: int
    start_below_pct: float
    stop_at_pct: float
    planned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """When to charge before leaving, as the API computed it; it holds until ``end_at``."""

    vehicle_id: str
    made_at: datetime
    end_at: datetime
    soc_min_departure_pct: float
    steps: tuple[PlanStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CarLimits:
    """One car's battery and what its owner allows; capacity in usable Wh."""

    vehicle_id: str
    usable_capacity_wh: int
    max_charge_w: int
    max_discharge_w: int
    charge_efficiency: float
    discharge_efficiency: float
    soc_floor_pct: float
    soc_ceiling_pct: float
    soc_target_pct: float
    soc_margin_pct: float
    soc_max_age_s: int
    departure_buffer_s: int
    discharge_allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A park's leave to draw ``power_w`` (never above 0) until ``until``, and not a second more."""

    commitment_id: str
    vehicle_id: str
    power_w: int
    until: datetime
    told_at: datetime
    granted: str = ""
    """Until when, in the agent's own words: they tell a lease from the next, whatever our clock."""

    covered: bool = True
    """Whether a receipt that this home holds proves the owner's yes to it."""

    consent_id: str = ""
    """That yes: what is sold under it is counted together, whatever the deals are called."""

    energy_wh: int | None = None
    """How much it is for; None where it was not looked up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """All the executor obeys; it survives a restart on disk."""

    cars: tuple[CarLimits, ...] = ()
    max_charge_w: int = 0
    max_discharge_w: int = 0
    plan: Plan | None = None
    lease: Lease | None = None
    override: Override | None = None
    stopped: tuple[str, ...] = ()
    """Commitments the owner stopped here, the newest last: no lease of theirs counts again."""
    unheard: tuple[UnheardStop, ...] = ()
    """What to hold against deals that the agent tells of when it is back, the newest last."""
    left: tuple[str, ...] = ()
    """Commitments whose car was unplugged while they ran: plugged in again it owes nothing."""

    def car(self, vehicle_id: str | None) -> CarLimits | None:
        """Return the limits of one car, None when it is not the owner's."""
        return next((car for car in self.cars if car.vehicle_id == vehicle_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerLimits:
    """What the charger can do and what its guided test has proved."""

    max_charge_w: int
    max_discharge_w: int
    min_power_w: int
    charge_tested: bool
    discharge_tested: bool
    testing: bool = False
    shared: bool = False
    """Whether another charger is set through what this one is set through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What can be seen at this moment.

    ``certain`` says that the car is known to be the one at this charger, not just plugged in
    somewhere; ``carried_pct`` how many points the meter has taken off the last state of charge;
    ``sold_wh`` what has left for the lease's deal, by this home's own count;
    ``unit_fits`` that the charger's number still counts what was mapped and tested.
    """

    reachable: bool
    plugged: bool | None
    unit_fits: bool = True
    vehicle_id: str | None = None
    certain: bool = False
    soc_pct: float | None = None
    soc_at: datetime | None = None
    carried_pct: float = 0.0
    power_w: int | None = None
    power_at: datetime | None = None
    sold_wh: float = 0.0
    pack_temperature_c: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the charger is to do now; ``setpoint_w`` None means hands off."""

    setpoint_w: int | None
    reason: Reason
    holder: Holder = Holder.NOBODY
    until: datetime | None = None
