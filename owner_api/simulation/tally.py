"""What a run adds up to, per car and in all, in the units of the contract."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_MONEY = ("gross_minor", "refill_minor", "losses_minor", "wear_minor", "net_minor")


@dataclass(slots=True)
class CarTally:
    """One car's row: energy in Wh, money in minor units, states of charge in %."""

    car: str
    scene: str
    offers: int = 0
    accepted: int = 0
    delivered: int = 0
    delivered_wh: int = 0
    soc_leaving_pct: float | None = None
    soc_leaving_lowest_pct: float | None = None
    gross_minor: int = 0
    refill_minor: int = 0
    losses_minor: int = 0
    wear_minor: int = 0
    net_minor: int = 0
    note: str = ""
    violations: dict[str, int] = field(default_factory=dict)

    def add_settlement(self, settlement: dict[str, Any]) -> None:
        """Add one deal as the owner's settlement shows it."""
        self.delivered += settlement["delivered_wh"] > 0
        self.delivered_wh += settlement["delivered_wh"]
        for key in _MONEY:
            setattr(self, key, getattr(self, key) + settlement["breakdown"][key])

    def document(self) -> dict[str, Any]:
        """Return the row as JSON; percentages rounded to 2 decimals."""
        return {
            "car": self.car,
            "scene": self.scene,
            "offers": self.offers,
            "accepted": self.accepted,
            "delivered": self.delivered,
            "delivered_wh": self.delivered_wh,
            "soc_leaving_pct": _rounded(self.soc_leaving_pct),
            "soc_leaving_lowest_pct": _rounded(self.soc_leaving_lowest_pct),
            **{key: getattr(self, key) for key in _MONEY},
            "note": self.note,
            "violations": self.violations,
        }


@dataclass(slots=True)
class Result:
    """The whole run; ``notes`` are sentences for people, ``disagreements`` broken books."""

    seed: int
    cars: list[CarTally] = field(default_factory=list)
    sessions: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    violations: Counter[int] = field(default_factory=Counter)
    details: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)
    requests: int = 0

    @property
    def violations_total(self) -> int:
        """Return the number of violations of all four promises."""
        return self.violations.total()

    def total(self, key: str) -> int:
        """Return the sum of one of the cars' whole-number columns."""
        return sum(int(getattr(row, key)) for row in self.cars)

    def absorb(self, other: Result) -> None:
        """Add another scene's result to this one."""
        self.cars += other.cars
        self.sessions += other.sessions
        self.skipped += other.skipped
        self.violations += other.violations
        self.details += other.details
        self.notes += other.notes
        self.disagreements += other.disagreements
        self.requests += other.requests

    def document(self) -> dict[str, Any]:
        """Return the JSON of ``owner-api simulate --json``."""
        return {
            "seed": self.seed,
            "sessions": self.sessions,
            "skipped": dict(self.skipped),
            "offers": self.total("offers"),
            "accepted": self.total("accepted"),
            "delivered_wh": self.total("delivered_wh"),
            "net_minor": self.total("net_minor"),
            "violations": {str(n): self.violations[n] for n in (1, 2, 3, 4)},
            "violations_total": self.violations_total,
            "cars": [row.document() for row in self.cars],
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
