"""The question a quote answers: one car, its owner's limits, the tariff and one park's offer."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Vehicle:
    """A car's battery and charger limits.

    `usable_capacity_wh` > 0; `soc_pct` 0-100; powers are AC watts at the charger's meter;
    efficiencies are one-way AC/battery, in (0, 1].
    """

    usable_capacity_wh: int
    soc_pct: Decimal
    max_charge_w: int
    max_discharge_w: int
    charge_efficiency: Decimal
    discharge_efficiency: Decimal
    pack_temperature_c: Decimal | None = None
    warranty_discharge_policy: str = "unknown"
    warranty_left_wh: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Preferences:
    """What the owner asked for: state-of-charge limits in percent, prices per AC kWh sold."""

    soc_floor_pct: Decimal
    soc_ceiling_pct: Decimal
    soc_min_departure_pct: Decimal
    degradation_cost_per_kwh: Decimal
    min_price_per_kwh: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class TariffEntry:
    """A buying price per AC kWh that holds from `start_at` until the next entry."""

    start_at: datetime
    price_per_kwh: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class ChargingPromise:
    """Charging that somebody has promised: at most `max_w` between the two times.

    Without a price of its own it costs the tariff. Where promises overlap the strongest one
    counts (at equal power the cheaper), never their sum: they bound the same plug.
    """

    start_at: datetime
    end_at: datetime
    max_w: int
    price_per_kwh: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TaperStep:
    """From `from_soc_pct` upwards the car takes at most `max_charge_w`."""

    from_soc_pct: Decimal
    max_charge_w: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CommittedDischarge:
    """An accepted commitment: `energy_wh` AC still to deliver, spread evenly over its window."""

    start_at: datetime
    end_at: datetime
    energy_wh: int
    max_discharge_w: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What one of several payers pays, capped for itself; money in minor units."""

    price_per_kwh: Decimal
    fixed_minor: int = 0
    cap_minor: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A park's offer to buy energy in a window; energies AC Wh, money in minor units.

    With `parts` the price is theirs in sum, and fixed rewards and caps are theirs alone.
    """

    start_at: datetime
    end_at: datetime
    requested_energy_wh: int
    min_energy_wh: int
    max_discharge_w: int
    price_per_kwh: Decimal
    currency: str
    fixed_minor: int = 0
    cap_minor: int | None = None
    parts: tuple[Share, ...] = ()

    @property
    def shares(self) -> tuple[Share, ...]:
        """Return what each payer pays; without parts there is one, who pays it all."""
        alone = Share(
            price_per_kwh=self.price_per_kwh, fixed_minor=self.fixed_minor, cap_minor=self.cap_minor
        )
        return self.parts or (alone,)


@dataclass(frozen=True, kw_only=True, slots=True)
class QuoteRequest:
    """Everything one quote depends on; equal requests give equal answers, byte for byte.

    `charging` None means a charger we drive (`max_charge_w` throughout, at the tariff);
    an empty tuple means that nobody promised any charging.
    """

    now: datetime
    departure_at: datetime
    vehicle: Vehicle
    preferences: Preferences
    tariff: tuple[TariffEntry, ...]
    offer: Offer
    departure_buffer_s: int = 900
    later_refill_price_per_kwh: Decimal | None = None
    charging: tuple[ChargingPromise, ...] | None = None
    taper: tuple[TaperStep, ...] = ()
    commitments: tuple[CommittedDischarge, ...] = ()
    budget_left_wh: int | None = None
    currency: str | None = None
