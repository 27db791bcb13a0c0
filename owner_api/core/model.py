"""The owner's world as frozen data: vehicles, preferences, terms, decisions, deals, settlements.

Energy is integer Wh at the charger's AC meter, power integer W, money integer minor units,
prices and percentages ``Decimal``; every instant is an aware UTC ``datetime``.
"""

from dataclasses import dataclass, field
from datetime import datetime, time
from decimal import Decimal
from enum import StrEnum


class WarrantyPolicy(StrEnum):
    """What the car maker's warranty says about discharging, as far as the owner knows."""

    UNKNOWN = "unknown"
    ALLOWED = "allowed"
    CAPPED = "capped"
    PROHIBITED = "prohibited"


class ConsentMode(StrEnum):
    """Who may say yes: a person only, the owner's rules too, or nobody."""

    ASK = "ask"
    RULES = "rules"
    NEVER = "never"


@dataclass(frozen=True, kw_only=True, slots=True)
class TaperStep:
    """From this state of charge up, the car charges at most this fast (W)."""

    from_soc_pct: Decimal
    max_charge_w: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Vehicle:
    """What does not change while the car is parked."""

    display_name: str
    usable_capacity_wh: int
    max_charge_w: int = 11_000
    max_discharge_w: int = 11_000
    charge_efficiency: Decimal = Decimal("0.933")
    discharge_efficiency: Decimal = Decimal("0.933")
    chemistry: str = "unknown"
    pack_price_per_kwh: Decimal = Decimal(600)
    warranty_discharge_policy: WarrantyPolicy = WarrantyPolicy.UNKNOWN
    lifetime_discharge_cap_wh: int | None = None
    identifier_digest: str | None = None
    taper: tuple[TaperStep, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class VehicleLive:
    """What the car last told us, and the counters we keep for it.

    ``anchor_export_wh`` is the charger's export register when the state of charge was read: from
    there the meter carries it. ``carried_wh`` is what has left since through the meters of sessions
    that are over, ``carried_until`` when the last of it may have left. ``unplugged_at`` is when the
    car left the session it was bound in. ``import_read_at`` and ``export_read_at`` are when its own
    registers were read; ``refused_import`` and ``refused_export`` their last readings that could
    not be, by which a later one may be found right; ``metered_charged_wh`` and
    ``metered_discharged_wh`` what chargers' meters have counted since. ``unseen_wh`` is what may
    have left beside ``discharged_wh``, for deals whose meters fell silent, and ``unseen_from``
    since when; ``told_unseen_wh`` is what of it the car's own registers have told, and count.
    """

    soc_pct: Decimal | None = None
    soc_measured_at: datetime | None = None
    soc_source: str | None = None
    plugged_in: bool | None = None
    plugged_in_at: datetime | None = None
    unplugged_at: datetime | None = None
    measured_at: datetime | None = None
    power_w: int | None = None
    import_register_wh: int | None = None
    export_register_wh: int | None = None
    import_read_at: datetime | None = None
    export_read_at: datetime | None = None
    refused_import: tuple[int, datetime] | None = None
    refused_export: tuple[int, datetime] | None = None
    metered_charged_wh: int = 0
    metered_discharged_wh: int = 0
    pack_temperature_c: Decimal | None = None
    anchor_export_wh: int | None = None
    carried_wh: int = 0
    carried_until: datetime | None = None
    charged_wh: int = 0
    discharged_wh: int = 0
    unseen_wh: int = 0
    unseen_from: datetime | None = None
    told_unseen_wh: int = 0
    v2g_wear_minor: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockSpan:
    """A daily span of local clock time; it wraps midnight when end is not after start."""

    start: time
    end: time

    def holds(self, at: time) -> bool:
        """Return whether ``at`` lies inside; start included, end excluded."""
        if self.start < self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A yes that the owner wrote down in advance; every set condition must hold."""

    rule_id: str
    name: str
    enabled: bool = True
    min_price_per_kwh: Decimal | None = None
    min_net_minor: int | None = None
    min_net_per_kwh: Decimal | None = None
    max_energy_wh: int | None = None
    purposes: tuple[str, ...] = ()
    park_ids: tuple[str, ...] = ()
    weekdays: tuple[str, ...] = ()
    between: ClockSpan | None = None
    counter: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TariffBand:
    """From this local clock time on, charging costs this much per kWh."""

    start: time
    price_per_kwh: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Tariff:
    """What charging costs the owner over a local day; the last band wraps midnight."""

    bands: tuple[TariffBand, ...] = (TariffBand(start=time(0), price_per_kwh=Decimal("0.66")),)


@dataclass(frozen=True, kw_only=True, slots=True)
class InKindRate:
    """What one unit of a reward in kind is worth to the owner, in their currency's units."""

    currency: str
    price_per_unit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Preferences:
    """What the owner allows. Nothing is allowed until the owner says so.

    ``soc_margin_pct`` is how much too high a car's reading may be: floor and departure minimum
    are kept as if it were. ``degradation_cost_per_kwh`` None means the published default for the
    car's chemistry. ``cooldown_s`` is the rest between two discharges.
    """

    soc_floor_pct: Decimal = Decimal(20)
    soc_ceiling_pct: Decimal = Decimal(90)
    soc_min_departure_pct: Decimal = Decimal(50)
    soc_target_departure_pct: Decimal = Decimal(80)
    min_price_per_kwh: Decimal = Decimal(0)
    max_discharge_wh_per_event: int | None = None
    max_discharge_wh_per_day: int | None = None
    max_discharge_wh_per_week: int | None = None
    max_discharge_events_per_day: int | None = None
    quiet_hours: tuple[ClockSpan, ...] = ()
    consent_mode: ConsentMode = ConsentMode.ASK
    discharge_allowed: bool = False
    allow_automations: bool = False
    rules: tuple[Rule, ...] = ()
    accepted_reward_kinds: tuple[str, ...] = ("cash",)
    in_kind_rates: tuple[InKindRate, ...] = ()
    tariff: Tariff = field(default_factory=Tariff)
    later_refill_price_per_kwh: Decimal | None = None
    degradation_cost_per_kwh: Decimal | None = None
    cooldown_s: int = 0
    departure_buffer_s: int = 900
    departure_guard: str = "q05"
    soc_margin_pct: Decimal = Decimal("2.5")
    soc_max_age_consent_s: int = 1_800
    soc_max_age_discharge_s: int = 900


@dataclass(frozen=True, kw_only=True, slots=True)
class Departure:
    """One leave time, and what must be in the battery then (the preference when None)."""

    departure_at: datetime
    soc_min_departure_pct: Decimal | None = None
    summary: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarRead:
    """The departures Home Assistant last read from the owner's calendar."""

    read_at: datetime
    events: tuple[Departure, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Departures:
    """All the leave times the owner gave; weekday times are local clock times."""

    weekly: dict[str, time] = field(default_factory=dict)
    one_off: Departure | None = None
    calendar: CalendarRead | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NextDeparture:
    """The leave time in force and where it comes from."""

    departure_at: datetime
    source: str
    soc_min_departure_pct: Decimal
    summary: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Recharge:
    """Energy a park guarantees to put back: at most ``max_w``, all of it by ``by``."""

    guaranteed: bool
    energy_wh: int
    start_at: datetime
    by: datetime
    max_w: int
    price_per_kwh: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class RewardPart:
    """What one payer pays for discharged energy, capped for itself (minor units)."""

    payer: str | None
    kind: str
    currency: str
    price_per_kwh: str
    fixed_minor: int = 0
    cap_minor: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RewardTerms:
    """What is paid for discharged energy, by the park alone or by several payers in ``parts``.

    With parts, kind, currency and price are those of the parts of that kind and currency in sum.
    """

    kind: str
    currency: str
    price_per_kwh: str
    fixed_minor: int = 0
    cap_minor: int | None = None
    payer: str | None = None
    parts: tuple[RewardPart, ...] | None = None

    @property
    def shares(self) -> tuple[RewardPart, ...]:
        """Return what each payer pays; without parts the reward is its own single part."""
        alone = RewardPart(
            payer=self.payer,
            kind=self.kind,
            currency=self.currency,
            price_per_kwh=self.price_per_kwh,
            fixed_minor=self.fixed_minor,
            cap_minor=self.cap_minor,
        )
        return self.parts or (alone,)

    @property
    def head(self) -> tuple[RewardPart, ...]:
        """Return the parts that the reward's own kind, currency and price speak of."""
        about = (self.kind, self.currency)
        return tuple(part for part in self.shares if (part.kind, part.currency) == about)


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What an offer asks and gives; hashed as a whole, so nothing in it can change unseen."""

    start_at: datetime
    end_at: datetime
    requested_energy_wh: int
    min_energy_wh: int
    max_energy_wh: int
    max_discharge_w: int
    reward: RewardTerms
    recharge: Recharge | None = None
    lease_s: int = 60
    early_stop_policy: str = "pro_rata"
    dispute_window_s: int = 604_800


@dataclass(frozen=True, kw_only=True, slots=True)
class CounterTerms:
    """The nearest yes the owner released to the park."""

    energy_wh: int | None = None
    price_per_kwh: str | None = None
    start_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """The owner's recorded answer to one revision of one offer."""

    decision_id: str
    offer_id: str
    revision: int
    terms_sha256: str
    decision: str
    method: str
    decided_at: datetime
    preferences_revision: int
    consented_energy_wh: int | None = None
    counter_terms: CounterTerms | None = None
    rule_id: str | None = None
    device_id: str | None = None
    actor: dict[str, str] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StopMarks:
    """The three moments of a stop that the owner sees."""

    requested_at: datetime
    confirmed_at: datetime | None = None
    stopped_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionLive:
    """What the park's charger last said in one plug-in session (registers in Wh).

    ``refused`` is the last reading that could not be, by which a later one may be found right:
    import and export register, and when it was measured. ``counts_from`` is from when on the
    registers count: what was read before was another's, or not loaded yet. ``unseen`` is what may
    have left (Wh) for a deal that was settled without a last word, and until when. ``bare_power``
    is what was told since then without registers that count: W, and when it was measured.
    """

    measured_at: datetime | None = None
    received_at: datetime | None = None
    import_register_wh: int | None = None
    export_register_wh: int | None = None
    first_import_register_wh: int | None = None
    power_w: int | None = None
    pack_temperature_c: Decimal | None = None
    reading_id: str | None = None
    refused: tuple[int, int, datetime] | None = None
    counts_from: datetime | None = None
    unseen: tuple[int, datetime] | None = None
    bare_power: tuple[int, datetime] | None = None

    def unseen_after(self, at: datetime | None) -> int:
        """Return what may have left unseen (Wh), unless all of it had by then."""
        if self.unseen is None:
            return 0
        wh, until = self.unseen
        return 0 if at is not None and at >= until else wh

    @property
    def newest_power_w(self) -> int | None:
        """The power that was told last, with registers that count or without (W)."""
        return self.power_w if self.bare_power is None else self.bare_power[0]

    @property
    def power_seen_at(self) -> datetime | None:
        """When the power was last known."""
        return self.seen_at if self.bare_power is None else self.bare_power[1]

    @property
    def seen_at(self) -> datetime | None:
        """When the meter was last known: a charger whose clock runs ahead proves no later."""
        if self.measured_at is None or self.received_at is None:
            return self.measured_at
        return min(self.measured_at, self.received_at)
