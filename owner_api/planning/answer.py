"""The answer `v2g.quote/1` and its JSON."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

SCHEMA = "v2g.quote/1"

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

    `fixed_minor` is null without a fixed reward, `cap_minor` unless the cap cuts the gross.
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
    counter: Counter
    reason: Reason | None
    nearest: tuple[Change, ...]


def answer_to_json(answer: QuoteAnswer) -> dict[str, object]:
    """Return the answer as `v2g.quote/1`: prices as strings, percentages as numbers."""
    breakdown, counter, reason = answer.breakdown, answer.counter, answer.reason
    return {
        "schema": SCHEMA,
        "verdict": answer.verdict,
        "fits": answer.fits,
        "feasible": answer.feasible,
        "max_energy_wh": answer.max_energy_wh,
        "quoted_energy_wh": answer.quoted_energy_wh,
        "break_even_price_per_kwh": _text(answer.break_even_price_per_kwh),
        "net_minor": answer.net_minor,
        "breakdown": None
        if breakdown is None
        else {
            "gross_minor": breakdown.gross_minor,
            "refill_minor": breakdown.refill_minor,
            "losses_minor": breakdown.losses_minor,
            "wear_minor": breakdown.wear_minor,
        },
        "cost_lines": None if answer.cost_lines is None else _cost_lines(answer.cost_lines),
        "window_cost_minor": answer.window_cost_minor,
        "supply_curve": None
        if answer.supply_curve is None
        else [
            {
                "energy_wh": step.energy_wh,
                "marginal_price_per_kwh": _text(step.marginal_price_per_kwh),
            }
            for step in answer.supply_curve
        ],
        "soc_at_departure_pct": _percent(answer.soc_at_departure_pct),
        "soc_lowest_pct": _percent(answer.soc_lowest_pct),
        "plan": None
        if answer.plan is None
        else [
            {
                "start_at": rfc3339(step.start_at),
                "power_w": step.power_w,
                "soc_pct": _percent(step.soc_pct),
            }
            for step in answer.plan
        ],
        "counter": {
            "energy_wh": counter.energy_wh,
            "price_per_kwh": _text(counter.price_per_kwh),
            "start_at": None if counter.start_at is None else rfc3339(counter.start_at),
        },
        "reason": None
        if reason is None
        else {
            "code": reason.code,
            "limit": reason.limit,
            "needed": _quantity(reason.needed, reason.unit),
            "available": _quantity(reason.available, reason.unit),
            "unit": reason.unit,
        },
        "nearest": [
            {"change": change.change, "to": _value(change.to)} for change in answer.nearest
        ],
    }


def _cost_lines(lines: CostLines) -> dict[str, object]:
    return {
        "currency": lines.currency,
        "minor_digits": lines.minor_digits,
        "energy_wh": lines.energy_wh,
        "requested_energy_wh": lines.requested_energy_wh,
        "price_per_kwh": _text(lines.price_per_kwh),
        "fixed_minor": lines.fixed_minor,
        "cap_minor": lines.cap_minor,
        "charge": [
            {
                "price_per_kwh": _text(line.price_per_kwh),
                "with_offer_wh": _text(line.with_offer_wh),
                "without_offer_wh": _text(line.without_offer_wh),
            }
            for line in lines.charge
        ],
        "stored_at_departure": {
            "with_offer_wh": _text(lines.stored_with_offer_wh),
            "without_offer_wh": _text(lines.stored_without_offer_wh),
        },
        "refill_price_per_kwh": _text(lines.refill_price_per_kwh),
        "wear_per_kwh": _text(lines.wear_per_kwh),
        "charge_efficiency": _text(lines.charge_efficiency),
        "discharge_efficiency": _text(lines.discharge_efficiency),
        "before_rounding": {
            "uncapped_minor": _text(lines.uncapped_exact_minor),
            "gross_minor": _text(lines.gross_exact_minor),
            "refill_minor": _text(lines.refill_exact_minor),
            "losses_minor": _text(lines.losses_exact_minor),
            "wear_minor": _text(lines.wear_exact_minor),
        },
    }


def _text(value: Decimal | None) -> str | None:
    """Write a decimal plainly: never an exponent, and zero without a sign."""
    return None if value is None else format(value or abs(value), "f")


def _percent(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _quantity(value: int | Decimal, unit: str) -> int | float | str:
    if isinstance(value, int):
        return value
    return float(value) if unit in ("%", "°C") else format(value, "f")


def _value(value: int | Decimal | datetime) -> int | str:
    if isinstance(value, datetime):
        return rfc3339(value)
    return value if isinstance(value, int) else format(value, "f")


def rfc3339(moment: datetime) -> str:
    """Write a time as RFC 3339 in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
