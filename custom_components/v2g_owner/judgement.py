"""What the API's judgement of an offer says to a person: why not, the nearest yes, the plan."""

from collections.abc import Mapping
from typing import Any, Final

from .models_deal import Evaluation, Offer
from .money import major

# What may stand against an offer; the API's own codes, "none" where nothing does.
OFFER_REASONS: Final = (
    "none",
    "agreement_missing",
    "below_floor",
    "budget",
    "consent_never",
    "cooldown",
    "currency",
    "departure_unknown",
    "departure_unreachable",
    "discharge_not_allowed",
    "energy",
    "limits_unconfirmed",
    "min_energy",
    "not_plugged_in",
    "person_asked_for_more",
    "person_declined",
    "person_stopped",
    "power",
    "price",
    "reward_kind",
    "soc_stale",
    "soc_unknown",
    "temperature",
    "unbound_session",
    "warranty",
    "window_blocks_recharge",
)
# The API names what would have to change by its place in the quote's request.
WAYS: Final[Mapping[str, str]] = {
    "/offer/price_per_kwh": "higher_price",
    "/preferences/min_price_per_kwh": "lower_minimum",
    "/offer/requested_energy_wh": "other_energy",
    "/budget_left_wh": "larger_budget",
    "/departure_at": "later_departure",
    "/offer/start_at": "other_start",
    "/offer/end_at": "other_end",
}
_DETAILS: Final = ("limit", "needed", "available", "unit")


def reason_code(found: Evaluation | None) -> str | None:
    """Return the limit that binds, "none" where none does, None while nothing was judged.

    A code that only a newer API knows is None as well: it has no words here.
    """
    if found is None:
        return None
    code = found.reason.get("code") if found.reason else "none"
    return code if code in OFFER_REASONS else None


def why_not(offer: Offer) -> str | None:
    """Return what stands against an offer, or why it waits for a person where a rule would do."""
    code = reason_code(offer.evaluation)
    waits = code == "none" and offer.waits and offer.state_reason in OFFER_REASONS
    return offer.state_reason if waits else code


def reason_details(found: Evaluation | None) -> dict[str, Any]:
    """Return the limit, what it needs, what there is, and the unit of both."""
    told = (found.reason if found else None) or {}
    return {key: told.get(key) for key in _DETAILS}


def ways_to_yes(found: Evaluation | None) -> list[dict[str, Any]]:
    """Return the single changes of which each is enough for a yes, the API's first one first.

    Each is ``{"way": one of WAYS, "to": Wh, a price per kWh or an instant}``.
    """
    told = (found.nearest if found else None) or ()
    return [
        {"way": WAYS[change["change"]], "to": change["to"]}
        for change in told
        if isinstance(change, dict) and change.get("change") in WAYS
    ]


def quoted_energy(found: Evaluation | None) -> int | None:
    """Return the energy (Wh) that a yes would sell, and that every figure is for; None for none."""
    return found.quoted_energy_wh if found else None


def plan_steps(found: Evaluation | None) -> list[dict[str, Any]]:
    """Return the plan: from each instant on, the power (W, + into the car) and percent then."""
    return [
        {
            "start_at": step.start_at.isoformat(),
            "power_w": step.power_w,
            "soc_pct": step.soc_pct,
        }
        for step in (found.plan if found else None) or ()
    ]


def money_lines(found: Evaluation | None, currency: str) -> dict[str, float | None]:
    """Return where the reward goes, in major units: paid, recharged, lost on the way, worn."""
    lines = found.breakdown if found else None
    minor = {
        "gross": lines.gross_minor if lines else None,
        "refill": lines.refill_minor if lines else None,
        "losses": lines.losses_minor if lines else None,
        "wear": lines.wear_minor if lines else None,
    }
    return {key: None if value is None else major(value, currency) for key, value in minor.items()}
