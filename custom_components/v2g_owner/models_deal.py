"""What the owner API says about a deal: offer, commitment, settlement, reward.

Money is an integer in minor units of its currency; prices are decimal strings per kWh.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .const import LIVE_COMMITMENT_STATES, OPEN_OFFER_STATES
from .models import Park
from .money import own_unit


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardTerms:
    """What a park pays."""

    kind: str
    currency: str
    price_per_kwh: str
    fixed_minor: int | None = None
    cap_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a park asks for and what it promises in return."""

    start_at: datetime
    end_at: datetime
    requested_energy_wh: int
    min_energy_wh: int
    max_energy_wh: int
    max_discharge_w: int
    reward: RewardTerms
    lease_s: int | None = None
    early_stop_policy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """Terms the owner could ask for instead."""

    energy_wh: int | None = None
    price_per_kwh: str | None = None
    start_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """Where a reward goes: each line rounded once, net their sum."""

    gross_minor: int | None = None
    refill_minor: int | None = None
    losses_minor: int | None = None
    wear_minor: int | None = None
    net_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """What a plan does from an instant on: power in W (+ into the car), percent at its start."""

    start_at: datetime
    power_w: int
    soc_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The API's judgement of an offer against the owner's limits."""

    verdict: str | None = None
    fits: str | None = None
    max_energy_wh: int | None = None
    quoted_energy_wh: int | None = None
    break_even_price_per_kwh: str | None = None
    net_minor: int | None = None
    breakdown: Breakdown | None = None
    soc_now_pct: float | None = None
    soc_after_pct: float | None = None
    soc_at_departure_pct: float | None = None
    soc_floor_pct: float | None = None
    soc_min_departure_pct: float | None = None
    departure_at: datetime | None = None
    counter: Counter | None = None
    reason: dict[str, Any] | None = None
    nearest: tuple[Any, ...] | None = None
    plan: tuple[PlanStep, ...] | None = None
    prices_assumed_from: datetime | None = None
    lease_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The owner's answer to an offer."""

    decision: str
    method: str | None = None
    decision_id: str | None = None
    decided_at: datetime | None = None
    consented_energy_wh: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A park's request to buy energy, with everything the owner needs to answer."""

    offer_id: str
    revision: int
    park: Park
    state: str
    respond_by: datetime
    terms: Terms
    terms_sha256: str
    issued_at: datetime | None = None
    vehicle_id: str | None = None
    session_id: str | None = None
    evse_id: str | None = None
    purpose: str | None = None
    state_reason: str | None = None
    evaluation: Evaluation | None = None
    decision: Decision | None = None
    commitment_id: str | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether the owner can still answer."""
        return self.state in OPEN_OFFER_STATES

    @property
    def waits(self) -> bool:
        """Tell whether it is the owner's turn to answer."""
        return self.state == "presented"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """What is owed for one settled commitment."""

    status: str
    amount_minor: int
    currency: str
    reward_id: str | None = None
    reference: str | None = None
    kind: str = "cash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The measured result of a commitment."""

    settlement_id: str
    commitment_id: str
    state: str
    version: int = 1
    delivered_wh: int = 0
    price_per_kwh: str | None = None
    net_minor: int = 0
    currency: str = ""
    breakdown: Breakdown | None = None
    reward: Reward | None = None
    rewards: tuple[Reward, ...] = ()
    dispute_until: datetime | None = None
    reason: str | None = None

    @property
    def paid_in(self) -> dict[str, int]:
        """What all payers owe, in minor units by currency or unit; credit in money is no cash."""
        sums = {self.currency: 0}
        for reward in self.rewards:
            if reward.kind != "charging_credit" or own_unit(reward.currency):
                sums[reward.currency] = sums.get(reward.currency, 0) + reward.amount_minor
        return sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """How far the owner's stop has come."""

    requested_at: datetime | None = None
    confirmed_at: datetime | None = None
    stopped_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """An accepted offer, from waiting for the park's award to its end."""

    commitment_id: str
    offer_id: str
    park: Park
    state: str
    start_at: datetime
    end_at: datetime
    committed_energy_wh: int
    ended_at: datetime | None = None
    vehicle_id: str | None = None
    evse_id: str | None = None
    state_reason: str | None = None
    max_discharge_w: int | None = None
    lease_until: datetime | None = None
    power_setpoint_w: int | None = None
    delivered_wh: int = 0
    power_w: int | None = None
    soc_pct: float | None = None
    soc_floor_pct: float | None = None
    earned_minor: int = 0
    currency: str = ""
    price_per_kwh: str | None = None
    stop: Stop | None = None
    unplug_hint: bool = False
    settlement: Settlement | None = None
    decision: Decision | None = None

    @property
    def is_live(self) -> bool:
        """Tell whether energy may still flow under this commitment."""
        return self.state in LIVE_COMMITMENT_STATES

    @property
    def is_stopping(self) -> bool:
        """Tell whether the owner's stop has been asked for and power is not known to be zero."""
        return self.stop is not None and self.stop.stopped_at is None and self.settlement is None


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardSums:
    """Rewards by how certain they are: pending, confirmed, paid."""

    pending_minor: int = 0
    confirmed_minor: int = 0
    paid_minor: int = 0
    start_at: datetime | None = None
    """When the month that they are of began; an older API does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewards:
    """All rewards in the owner's currency, in total and this month."""

    currency: str
    pending_minor: int = 0
    confirmed_minor: int = 0
    paid_minor: int = 0
    overpaid_minor: int = 0
    this_month: RewardSums = RewardSums()

    @property
    def earned_minor(self) -> int:
        """What was earned for good; what was paid too much is the owner's money, and not earned."""
        return self.confirmed_minor + self.paid_minor - self.overpaid_minor
