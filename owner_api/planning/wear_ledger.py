"""The battery-health ledger: what V2G cost so far, beside age and what standing lower saved.

Two batteries are followed from the same start: the one that lived, and the one that would have
lived had no V2G discharge happened. Their difference in cycling is the cost of V2G; their
difference in calendar ageing is what parking lower saved. The two are never mixed into one sum.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from owner_api.planning.wear import (
    NEW_BATTERY,
    WearState,
    calendar_loss,
    capacity_left,
    cycling_loss,
)
from owner_api.planning.wear_day import SocDay, WearInputError
from owner_api.planning.wear_models import WearModel
from owner_api.planning.wear_price import DEFAULT_END_OF_LIFE_PCT, value_of_lost_kwh

_PERCENT_STEP: Final = Decimal("0.0001")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LedgerDay:
    """One day as it was and as it would have been without V2G."""

    with_v2g: SocDay
    without_v2g: SocDay


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthState:
    """What the ledger carries from day to day; starts equal for both batteries."""

    with_v2g: WearState = NEW_BATTERY
    without_v2g: WearState = NEW_BATTERY
    days: int = 0
    days_outside_tests: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthLedger:
    """The health view. Percent of the new capacity, decimal strings; money in minor units.

    `v2g_cycling_pct` and `v2g_cost_minor` are what V2G cost. `calendar_pct` is ageing by standing,
    V2G or not; `calendar_saved_pct` and `calendar_saved_minor` are what V2G spared of it by
    parking lower, negative where it stood higher. `days_outside_tests` counts days at a
    temperature the law was not tested at.
    """

    days: int
    days_outside_tests: int
    capacity_left_pct: str
    calendar_pct: str
    driving_cycling_pct: str
    v2g_cycling_pct: str
    v2g_cost_minor: int
    calendar_saved_pct: str
    calendar_saved_minor: int
    efc: str
    v2g_efc: str
    currency: str


def live_day(model: WearModel, state: HealthState, day: LedgerDay) -> HealthState:
    """Return the ledger's state after one more day."""
    low, high = model.tested_temperature_c
    tested = low <= day.with_v2g.temperature_c <= high
    return HealthState(
        with_v2g=state.with_v2g.after(model.day(day.with_v2g, repeats=False)),
        without_v2g=state.without_v2g.after(model.day(day.without_v2g, repeats=False)),
        days=state.days + 1,
        days_outside_tests=state.days_outside_tests + (not tested),
    )


def live_days(
    model: WearModel, days: Iterable[LedgerDay], state: HealthState | None = None
) -> HealthState:
    """Return the ledger's state after `days`, from `state` or from a new battery."""
    reached = state or HealthState()
    for day in days:
        reached = live_day(model, reached, day)
    return reached


def health_ledger(
    model: WearModel,
    state: HealthState,
    *,
    new_capacity_wh: int,
    pack_price_per_kwh: str,
    currency: str,
    minor_per_unit: int = 100,
    end_of_life_pct: Decimal = DEFAULT_END_OF_LIFE_PCT,
) -> HealthLedger:
    """Show a state in percent and money, `pack_price_per_kwh` in `currency`, rounded half-even.

    A lost kWh of capacity is worth the pack price over the share that may be lost before the pack
    is worth nothing (`end_of_life_pct`, 70 by default). Raises WearInputError for a capacity or a
    price that is not above or at 0.
    """
    price = Decimal(pack_price_per_kwh)
    if new_capacity_wh <= 0 or not price.is_finite() or price < 0:
        raise WearInputError(
            f"new_capacity_wh is {new_capacity_wh}, pack_price_per_kwh {pack_price_per_kwh!r}: "
            "a capacity above 0 and a price of 0 or more are needed"
        )
    pack_minor = (
        Decimal(new_capacity_wh) / 1000 * value_of_lost_kwh(price, end_of_life_pct) * minor_per_unit
    )
    driving = cycling_loss(model, state.without_v2g)
    v2g = cycling_loss(model, state.with_v2g) - driving
    aged = calendar_loss(model, state.with_v2g)
    saved = calendar_loss(model, state.without_v2g) - aged
    return HealthLedger(
        days=state.days,
        days_outside_tests=state.days_outside_tests,
        capacity_left_pct=_percent(capacity_left(model, state.with_v2g)),
        calendar_pct=_percent(aged),
        driving_cycling_pct=_percent(driving),
        v2g_cycling_pct=_percent(v2g),
        v2g_cost_minor=_minor(v2g, pack_minor),
        calendar_saved_pct=_percent(saved),
        calendar_saved_minor=_minor(saved, pack_minor),
        efc=_plain(state.with_v2g.efc),
        v2g_efc=_plain(state.with_v2g.efc - state.without_v2g.efc),
        currency=currency,
    )


def _plain(value: float) -> str:
    return str(Decimal(value).quantize(_PERCENT_STEP, rounding=ROUND_HALF_EVEN))


def _percent(fraction: float) -> str:
    return _plain(fraction * 100)


def _minor(fraction: float, pack_minor: Decimal) -> int:
    return int((Decimal(fraction) * pack_minor).to_integral_value(rounding=ROUND_HALF_EVEN))
