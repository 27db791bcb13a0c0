"""What the owner API says about vehicles, chargers and departures.

Energy in Wh, power in W (+ into the car), state of charge in percent, instants in UTC.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The owner API we talk to."""

    server_id: str
    version: str = ""
    name: str = "V2G Owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The person whose vehicles these are."""

    owner_id: str
    display_name: str = ""
    time_zone: str = "UTC"
    currency: str = "CNY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Soc:
    """A state of charge with the time it was measured."""

    soc_pct: float
    measured_at: datetime
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """When a vehicle leaves and what it must hold by then."""

    departure_at: datetime
    source: str | None = None
    soc_min_departure_pct: float | None = None
    summary: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaperStep:
    """From this state of charge on, the car charges at most this fast (W)."""

    from_soc_pct: float
    max_charge_w: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """A vehicle as the API sees it; counters only grow."""

    vehicle_id: str
    revision: int
    display_name: str
    usable_capacity_wh: int
    max_charge_w: int | None = None
    max_discharge_w: int | None = None
    charge_efficiency: float = 0.933
    discharge_efficiency: float = 0.933
    taper: tuple[TaperStep, ...] = ()
    chemistry: str = "unknown"
    pack_price_per_kwh: str | None = None
    warranty_discharge_policy: str = "unknown"
    lifetime_discharge_cap_wh: int | None = None
    soc: Soc | None = None
    plugged_in: bool | None = None
    power_w: int | None = None
    charged_wh: int = 0
    discharged_wh: int = 0
    available_energy_wh: int | None = None
    status: str = "unknown"
    status_reason: str | None = None
    next_departure: Departure | None = None
    session_id: str | None = None
    v2g_wear_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffBand:
    """From this local clock time (HH:MM) on, charging costs this much per kWh."""

    start: str
    price_per_kwh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What charging costs over a day; the last band goes on past midnight."""

    bands: tuple[TariffBand, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """A span of the owner's day (HH:MM) in which nobody is asked; it may go past midnight."""

    start: str
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InKindRate:
    """What one unit of a reward in kind is worth to the owner, in their currency."""

    currency: str
    price_per_unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What the owner asks of every offer for one vehicle; None means no limit."""

    vehicle_id: str
    revision: int
    soc_floor_pct: float
    soc_ceiling_pct: float
    soc_min_departure_pct: float
    unconfirmed_since: datetime | None = None
    """Since when they are those of a restored backup, and no person has confirmed them."""
    soc_target_departure_pct: float | None = None
    min_price_per_kwh: str | None = None
    max_discharge_wh_per_event: int | None = None
    max_discharge_wh_per_day: int | None = None
    max_discharge_wh_per_week: int | None = None
    max_discharge_events_per_day: int | None = None
    consent_mode: str = "ask"
    discharge_allowed: bool = False
    allow_automations: bool = False
    quiet_hours: tuple[QuietHours, ...] = ()
    rules: tuple[dict[str, Any], ...] = ()
    """As the API tells them: the whole list is written back, with what only it knows of."""
    accepted_reward_kinds: tuple[str, ...] = ("cash",)
    in_kind_rates: tuple[InKindRate, ...] = ()
    tariff: Tariff = Tariff()
    later_refill_price_per_kwh: str | None = None
    degradation_cost_per_kwh: str | None = None
    soc_margin_pct: float = 2.5
    soc_max_age_consent_s: int = 1_800
    soc_max_age_discharge_s: int = 900
    departure_buffer_s: int = 900
    departure_guard: str = "q05"
    cooldown_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Departures:
    """Leave times of one vehicle: clock times per weekday (HH:MM or None) and one exception."""

    vehicle_id: str
    revision: int
    time_zone: str = "UTC"
    weekly: dict[str, str | None] = field(default_factory=dict)
    one_off: Departure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charger:
    """A charger with its meter registers."""

    charger_id: str
    revision: int
    display_name: str
    evse_id: str | None = None
    max_charge_w: int | None = None
    max_discharge_w: int | None = None
    online: bool | None = None
    power_w: int | None = None
    import_register_wh: int | None = None
    export_register_wh: int | None = None
    vehicle_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """A park that may send offers."""

    park_id: str
    display_name: str = ""
    terms_version: int = 1
    """The terms in force; told with the list of parks alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The owner's standing consent that a park may send offers."""

    agreement_id: str
    park: Park
    state: str
    terms_version: int = 1
    vehicle_ids: tuple[str, ...] = ()
    recharge_broken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A vehicle standing at a park's charger."""

    session_id: str
    state: str
    evse_id: str | None = None
    vehicle_id: str | None = None
    recharge_broken: bool = False
