"""Write a quote as `v2g.quote/1`: prices as strings, percentages as numbers, times in UTC."""

from datetime import UTC, datetime
from decimal import Decimal

import orjson

from .answer import CostLines, QuoteAnswer

SCHEMA = "v2g.quote/1"


def answer_to_json(answer: QuoteAnswer) -> dict[str, object]:
    """Return the answer as `v2g.quote/1`: prices as strings, percentages as numbers."""
    return {
        "schema": SCHEMA,
        **judgement_to_json(answer),
        "cost_lines": None if answer.cost_lines is None else _cost_lines(answer.cost_lines),
        "supply_curve": None
        if answer.supply_curve is None
        else [
            {
                "energy_wh": step.energy_wh,
                "marginal_price_per_kwh": _text(step.marginal_price_per_kwh),
            }
            for step in answer.supply_curve
        ],
    }


def judgement_to_json(answer: QuoteAnswer) -> dict[str, object]:
    """Return the answer without what it was computed from: neither lines nor curve."""
    breakdown, counter, reason = answer.breakdown, answer.counter, answer.reason
    return {
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
        "window_cost_minor": answer.window_cost_minor,
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
        "counter": None
        if counter is None
        else {
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
    parts = [
        {
            "price_per_kwh": _text(share.price_per_kwh),
            "fixed_minor": share.fixed_minor,
            "cap_minor": share.cap_minor,
        }
        for share in lines.parts
    ]
    return {
        **({"parts": parts} if parts else {}),
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
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    # A quote writes dozens, and isoformat, here for subclasses, takes five times as long.
    return orjson.dumps(utc, _iso, orjson.OPT_UTC_Z)[1:-1].decode()


def _iso(utc: datetime) -> str:
    return utc.isoformat().removesuffix("+00:00") + "Z"
