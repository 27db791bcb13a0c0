"""A park's own record of one offer: what it asked, what became of it, what its meter counted."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from .charger import Charger
from .world import Bell

ENDED = frozenset(("lapsed", "cancelled", "revoked", "missed", "completed", "curtailed", "failed"))


@dataclass(slots=True)
class Deal:
    """One offer and what follows; registers in Wh, ``power_w`` the setpoint wanted (0 or less)."""

    offer_id: str
    session_id: str
    charger: Charger
    purpose: str
    terms: dict[str, Any]
    terms_sha256: str
    respond_by: datetime
    state: str
    revision: int = 1
    reason: str | None = None
    counter: dict[str, Any] | None = None
    best_price: Decimal | None = None
    commitment_id: str | None = None
    consented_wh: int = 0
    commitment_state: str | None = None
    commitment_reason: str | None = None
    asked_to_stop: bool = False
    begin_register_wh: int | None = None
    end_register_wh: int | None = None
    settlement: dict[str, Any] | None = None
    power_w: float = 0.0
    seq: int = 0
    unsent: list[dict[str, Any]] = field(default_factory=list)
    bell: Bell = field(default_factory=Bell)

    @property
    def start_at(self) -> datetime:
        """Return when the window opens."""
        return datetime.fromisoformat(self.terms["start_at"])

    @property
    def end_at(self) -> datetime:
        """Return when the window closes."""
        return datetime.fromisoformat(self.terms["end_at"])

    @property
    def over(self) -> bool:
        """Tell whether the deal must not discharge any more."""
        return self.asked_to_stop or self.commitment_state in ENDED

    @property
    def delivered_wh(self) -> int:
        """Return what the park's own meter counted, Wh."""
        if self.begin_register_wh is None:
            return 0
        end = self.end_register_wh
        return (self.charger.export_register_wh if end is None else end) - self.begin_register_wh

    @property
    def owed_minor(self) -> int:
        """Return what the park owes by its own books: price x delivered, half-even, in minor."""
        price = Decimal(self.terms["reward"]["price_per_kwh"])
        owed = price * self.delivered_wh / 1000 * 100
        return int(owed.to_integral_value(rounding=ROUND_HALF_EVEN))
