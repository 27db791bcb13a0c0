"""What a simulated owner wants, and how the owner answers when the phone shows an offer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Answer(StrEnum):
    """What the owner does with an offer on the phone; silence is an answer too."""

    ACCEPT = "accept"
    DECLINE = "decline"
    COUNTER = "counter"
    SILENCE = "silence"


type Policy = Callable[[dict[str, Any]], Answer]


def always(answer: Answer) -> Policy:
    """Return a policy that answers every offer the same way."""
    return lambda _offer: answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """One owner's standing wishes for one car; percentages 0-100, prices decimal strings per kWh.

    ``rule_min_price`` is a rule the owner wrote: it accepts on its own from that price on.
    ``departure_guard`` and ``soc_margin_pct`` None: as the API has them by default.
    """

    floor_pct: float
    min_departure_pct: float
    min_price: str = "0.3"
    refill_price: str | None = "0.5"
    wear_price: str = "0.12"
    rule_min_price: str | None = None
    counter_price: str | None = None
    tariff: tuple[tuple[str, str], ...] = (("00:00", "0.5"),)
    departure_guard: str | None = None
    soc_margin_pct: float | None = None
    policy: Policy = field(default_factory=lambda: always(Answer.ACCEPT))

    def preferences(self) -> dict[str, Any]:
        """Return the PATCH of /v1/vehicles/{id}/preferences that says these wishes."""
        rules: list[dict[str, Any]] = []
        if self.rule_min_price is not None:
            rules = [{"name": "Sell from this price on", "min_price_per_kwh": self.rule_min_price}]
        asked = {
            "departure_guard": self.departure_guard,
            "soc_margin_pct": self.soc_margin_pct,
        }
        return {
            **{key: value for key, value in asked.items() if value is not None},
            "soc_floor_pct": self.floor_pct,
            "soc_ceiling_pct": 100,
            "soc_min_departure_pct": self.min_departure_pct,
            "soc_target_departure_pct": max(80.0, self.min_departure_pct),
            "min_price_per_kwh": self.min_price,
            "later_refill_price_per_kwh": self.refill_price,
            "degradation_cost_per_kwh": self.wear_price,
            "tariff": {
                "bands": [{"start": start, "price_per_kwh": price} for start, price in self.tariff]
            },
            "consent_mode": "rules" if rules else "ask",
            "rules": rules,
            "discharge_allowed": True,
        }
