"""What the model remembers: cars, sessions, offers, deals and settlements, as plain as they get."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

CAPACITY_WH = 60_000
# Reading the design: energy leaves the battery as AC energy over 0.933.
EFFICIENCY = Fraction(933, 1000)
POWER_W = 7_000
# What an owner asks for who asks for other terms.
COUNTER_WH = 1_000
COUNTER_PRICE = "1.4000"
CURRENCIES = {"cash": "CNY", "points": "XPOINT", "parking": "XHOUR", "charging_credit": "XKWH"}


@dataclass(kw_only=True)
class Party:
    """Who calls: an owner with a device, or a park."""

    kind: str
    party_id: str
    device_id: str | None = None


@dataclass(kw_only=True)
class Stay:
    """One plug-in session and what its meter last said; the charger's own truth beside it."""

    session_id: str
    park: Party
    # Nobody knows whose car it is.
    claimed: bool = False
    ended: bool = False
    measured_at: datetime | None = None
    seen_at: datetime | None = None
    register_wh: int | None = None
    power_w: int = 0
    known: set[datetime] = field(default_factory=set)
    # The charger itself: what it does until its lease is over, whoever knows.
    true_wh: float = 5_000.0
    true_at: datetime | None = None
    setpoint_w: int = 0
    lease_until: datetime | None = None

    @property
    def state(self) -> str:
        """The session's state as the API names it."""
        if self.ended:
            return "ended"
        return "claimed" if self.claimed else "bound"

    def run_until(self, now: datetime) -> None:
        """Let the charger do what its lease allows up to ``now``."""
        if self.true_at is not None and self.lease_until is not None:
            seconds = (min(now, self.lease_until) - self.true_at).total_seconds()
            self.true_wh += max(0.0, seconds) * -self.setpoint_w / 3600
        self.true_at = now

    def power_at(self, now: datetime) -> int:
        """Return the charger's power (W, - out of the car)."""
        return self.setpoint_w if self.lease_until and now < self.lease_until else 0


@dataclass(kw_only=True)
class Car:
    """A vehicle with the owner's word about it."""

    vehicle_id: str
    owner: Party
    allowed: bool = True
    by_rules: bool = False
    # Since when its limits are a backup's that its owner has not looked at.
    held_since: datetime | None = None
    preferences_revision: int = 1
    agreements: dict[str, str | None] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    stay: Stay | None = None
    soc_pct: int = 80
    soc_at: datetime | None = None
    anchor_wh: int | None = None
    # What left through meters of earlier stays since the last reading, and until when.
    carried_wh: int = 0
    carried_until: datetime | None = None


@dataclass(kw_only=True)
class Offer:
    """An offer in its newest revision."""

    offer_id: str
    car: Car
    stay: Stay
    state: str
    revision: int
    terms_sha256: str
    respond_by: datetime
    terms: Wanted
    said: tuple[str, int] | None = None
    deal: Deal | None = None
    # What its owner asked for instead, or declined, whatever the park made of it; of which time.
    asked: Wanted | None = None
    asked_span: tuple[datetime, datetime] | None = None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The part of an offer's terms that the model needs."""

    start_at: datetime
    end_at: datetime
    energy_wh: int
    least_wh: int
    kind: str
    price: str
    fixed_minor: int
    cap_minor: int | None
    lease_s: int
    dispute_s: int


@dataclass(kw_only=True)
class Deal:
    """An accepted offer and how its delivery stands."""

    commitment_id: str
    car: Car
    stay: Stay
    terms: Wanted
    terms_sha256: str
    state: str = "pending_award"
    reason: str | None = None
    committed_wh: int
    decided_at: datetime
    award_by: datetime
    reference: str | None = None
    last_seq: int = 0
    setpoint_w: int = 0
    worst_w: int = 0
    lease_until: datetime | None = None
    instructed_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    # Its owner has pressed stop, whatever it had ended for by then.
    stopped: bool = False
    begin_wh: int | None = None
    last_wh: int | None = None
    settlement: Settlement | None = None
    settled_at: datetime | None = None
    # What the park has paid for all versions together (minor units).
    paid_minor: int = 0

    @property
    def live(self) -> bool:
        """Return whether it has not ended."""
        return self.state in ("pending_award", "scheduled", "active")

    @property
    def rests_from(self) -> datetime | None:
        """Return from when on nothing flows for an ended deal."""
        if self.ended_at is None:
            return None
        return min(self.ended_at, self.terms.end_at, self.lease_until or self.ended_at)

    @property
    def delivered_wh(self) -> int:
        """Return what the meter has seen leave (Wh), at most what was committed."""
        if self.begin_wh is None or self.last_wh is None:
            return 0
        return min(self.committed_wh, max(0, self.last_wh - self.begin_wh))


@dataclass(kw_only=True)
class Settlement:
    """One version of what a deal came to."""

    deal: Deal
    version: int
    state: str = "provisional"
    delivered_wh: int
    net_minor: int
    # What was paid before this version was made and counts for it.
    already_minor: int
    dispute_until: datetime
    reward: str = "pending"
    reference: str | None = None
    disputed: bool = False
    owner_agrees: bool = False
    park_agrees: bool = False
    settlement_id: str = ""


def owed_minor(terms: Wanted, delivered_wh: int) -> int:
    """Return what the park owes (minor units): each line rounded half to even, the sum capped."""
    digits = 100 if CURRENCIES[terms.kind] == "CNY" else 1
    gross = round(Fraction(terms.price) * delivered_wh / 1000 * digits)
    fixed = round(terms.fixed_minor * min(Fraction(1), Fraction(delivered_wh, terms.energy_wh)))
    return gross + fixed if terms.cap_minor is None else min(terms.cap_minor, gross + fixed)


def worth(terms: Wanted, sold_wh: int) -> Fraction:
    """Return what terms pay for energy (minor units), not rounded."""
    digits = 100 if CURRENCIES[terms.kind] == "CNY" else 1
    share = min(Fraction(1), Fraction(sold_wh, terms.energy_wh))
    paid = Fraction(terms.price) * sold_wh / 1000 * digits + terms.fixed_minor * share
    return paid if terms.cap_minor is None else min(paid, Fraction(terms.cap_minor))


def award_by(terms: Wanted, decided_at: datetime) -> datetime:
    """Return the latest moment of an award (design §4)."""
    minute = timedelta(seconds=60)
    latest = terms.end_at - timedelta(seconds=1)
    return min(max(terms.start_at - minute, decided_at + minute), latest)
