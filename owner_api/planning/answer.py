"""The answer to a quote request: figures, plan, verdict, counter and the nearest yes."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from .request import Share

type Verdict = Literal["accept", "counter", "decline"]
type ReasonCode = Literal[
    "below_floor",
    "departure_unreachable",
    "window_blocks_recharge",
    "energy",
    "power",
    "min_energy",
    "price",
    "budget",
    "temperature",
    "warranty",
    "currency",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Breakdown:
    """What the owner gets and what it costs them: gross less the three costs is the net."""

    gross_minor: int
    refill_minor: int
    losses_minor: int
    wear_minor: int

    @property
    def net_minor(self) -> int:
        """Return the net: gross less refill, losses and wear."""
        return self.gross_minor - self.refill_minor - self.losses_minor - self.wear_minor


@dataclass(frozen=True, kw_only=True, slots=True)
class ChargeLine:
    """AC energy charged at one price, with and without the offer."""

    price_per_kwh: Decimal
    with_offer_wh: Decimal
    without_offer_wh: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class CostLines:
    """Everything needed to recompute the breakdown; energies in Wh to nine decimals.

    `fixed_minor` is null without a fixed reward, `cap_minor` unless the cap cuts the gross; with
    several payers each of `parts` is paid and capped for itself.
    The `*_exact_minor` figures are the lines before their one rounding, to nine decimals.
    """

    currency: str
    minor_digits: int
    energy_wh: int
    requested_energy_wh: int | None
    price_per_kwh: Decimal
    fixed_minor: int | None
    cap_minor: int | None
    charge: tuple[ChargeLine, ...]
    stored_with_offer_wh: Decimal
    stored_without_offer_wh: Decimal
    refill_price_per_kwh: Decimal
    wear_per_kwh: Decimal
    charge_efficiency: Decimal
    discharge_efficiency: Decimal
    uncapped_exact_minor: Decimal
    gross_exact_minor: Decimal
    refill_exact_minor: Decimal
    losses_exact_minor: Decimal
    wear_exact_minor: Decimal
    parts: tuple[Share, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SupplyStep:
    """Up to `energy_wh` in all, each further kWh costs `marginal_price_per_kwh`."""

    energy_wh: int
    marginal_price_per_kwh: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanStep:
    """From `start_at` the car takes `power_w` (+ in, - out), starting at `soc_pct`."""

    start_at: datetime
    power_w: int
    soc_pct: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Counter:
    """Terms that would be accepted, each on its own; None where there are none."""

    energy_wh: int | None
    price_per_kwh: Decimal | None
    start_at: datetime | None

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to offer back."""
        return self.energy_wh is None and self.price_per_kwh is None and self.start_at is None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why not: the limit that binds (a JSON pointer into the request), what it needs and has."""

    code: ReasonCode
    limit: str
    needed: int | Decimal
    available: int | Decimal
    unit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One change to the request (a JSON pointer) that is enough for a yes."""

    change: str
    to: int | Decimal | datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class QuoteAnswer:
    """The quote: physics (`fits`), money for `quoted_energy_wh`, verdict and the nearest yes.

    Energies int Wh, percentages rounded down to four decimals, prices per AC kWh sold rounded
    up. The figures are None when nothing fits; the money is None too on a currency mismatch.
    `counter` and `supply_curve` are None where nobody asked for them.
    """

    max_energy_wh: int
    fits: Literal["all", "part", "none"]
    feasible: bool
    quoted_energy_wh: int | None
    break_even_price_per_kwh: Decimal | None
    net_minor: int | None
    breakdown: Breakdown | None
    cost_lines: CostLines | None
    window_cost_minor: int | None
    supply_curve: tuple[SupplyStep, ...] | None
    soc_at_departure_pct: Decimal | None
    soc_lowest_pct: Decimal | None
    plan: tuple[PlanStep, ...] | None
    verdict: Verdict
    counter: Counter | None
    reason: Reason | None
    nearest: tuple[Change, ...]
