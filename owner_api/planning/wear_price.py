"""What cycling wear costs per kWh discharged (DC, at the battery): a published band, levelised.

Only the cycling part is priced. Total wear can be negative, because a battery discharged in the
evening stands at a lower state of charge and ages less; that credit is shown beside the price and
never paid as a negative price. And it is levelised over ten years: the laws are concave, so
today's slope would say that a new battery wears three times faster.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Final

from owner_api.planning.wear import (
    DAYS_PER_YEAR,
    NEW_BATTERY,
    calendar_loss,
    cycling_loss,
)
from owner_api.planning.wear_day import SocDay, WearInputError
from owner_api.planning.wear_models import WearModel

# The pack price, in CNY per kWh, at which the prices below are stated.
REFERENCE_PACK_PRICE: Final = Decimal(600)
# The state of health, in percent, at which a pack is taken to be worth nothing: EoL70.
DEFAULT_END_OF_LIFE_PCT: Final = Decimal(70)
# Laboratory band for V2G against smart charging, kWh of capacity lost per MWh discharged: RWTH
# Aachen ISEA with The Mobility House 2025, three automotive cells, 10 years, 11 kW. At the
# reference price and EoL70: 0.038 to 0.132 CNY per kWh.
LABORATORY_KWH_LOST_PER_MWH: Final = (Decimal("0.019"), Decimal("0.066"))
# The band over all four laws: Kokam at two discharges a day 0.023, Schmalstieg at one 0.245.
_LOW: Final = Decimal("0.02")
_HIGH: Final = Decimal("0.25")
# LFP: the two LFP laws give 0.04 to 0.06. NMC: the upper end of the laboratory band. A chemistry
# nobody stated is priced as the dearer one.
_DEFAULTS: Final = {"lfp": Decimal("0.06"), "nmc": Decimal("0.13"), "unknown": Decimal("0.13")}
_PRICE_STEP: Final = Decimal("0.0001")
_MAX_PACK_PRICE: Final = Decimal(100_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class WearPriceBand:
    """Prices per DC kWh discharged, in the pack price's currency: decimal strings, rounded up."""

    low: str
    default: str
    high: str


def wear_price_band(
    chemistry: str,
    pack_price_per_kwh: str = "600",
    *,
    end_of_life_pct: Decimal = DEFAULT_END_OF_LIFE_PCT,
) -> WearPriceBand:
    """Return the price band of a chemistry (lfp, nmc, unknown) scaled to the owner's pack price.

    Linear in `pack_price_per_kwh` (0 to 100000, any currency) and in the value of a lost percent,
    1 / (100 - `end_of_life_pct`), 0 to 95. Raises WearInputError outside these.
    """
    if chemistry not in _DEFAULTS:
        raise WearInputError(
            f"chemistry {chemistry!r} is not known: one of {', '.join(_DEFAULTS)} is needed"
        )
    try:
        pack_price = Decimal(pack_price_per_kwh)
    except InvalidOperation:
        pack_price = Decimal("NaN")
    if not pack_price.is_finite() or not 0 <= pack_price <= _MAX_PACK_PRICE:
        raise WearInputError(
            f"pack_price_per_kwh is {pack_price_per_kwh!r}: 0 to {_MAX_PACK_PRICE} is needed"
        )
    _check_end_of_life(end_of_life_pct)
    # One division at the end: rounding up must not see what an earlier one left behind.
    over = pack_price * (100 - DEFAULT_END_OF_LIFE_PCT)
    under = REFERENCE_PACK_PRICE * (100 - end_of_life_pct)
    return WearPriceBand(
        low=_price(_LOW * over / under),
        default=_price(_DEFAULTS[chemistry] * over / under),
        high=_price(_HIGH * over / under),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelisedWear:
    """V2G against the same life without it, over `years`: kWh of capacity per MWh discharged (DC).

    `cycling` is 0 or more and is what a price is made of; `calendar` is shown beside it and is
    negative where standing lower saved capacity.
    """

    cycling_kwh_per_mwh: float
    calendar_kwh_per_mwh: float


def levelised_wear(
    model: WearModel, *, with_v2g: SocDay, without_v2g: SocDay, years: float = 10
) -> LevelisedWear:
    """Compare two repeated days over `years`, above 0; WearInputError where V2G moves no energy."""
    days = years * DAYS_PER_YEAR
    used, spared = (
        NEW_BATTERY.after(model.day(day, repeats=True), times=days)
        for day in (with_v2g, without_v2g)
    )
    added_efc = used.efc - spared.efc
    if not added_efc > 0:
        raise WearInputError("the day with V2G moves no more energy than the day without it")
    return LevelisedWear(
        cycling_kwh_per_mwh=1000
        * (cycling_loss(model, used) - cycling_loss(model, spared))
        / added_efc,
        calendar_kwh_per_mwh=1000
        * (calendar_loss(model, used) - calendar_loss(model, spared))
        / added_efc,
    )


def price_per_dc_kwh(
    kwh_lost_per_mwh: Decimal,
    pack_price_per_kwh: Decimal,
    *,
    end_of_life_pct: Decimal = DEFAULT_END_OF_LIFE_PCT,
) -> Decimal:
    """Turn capacity lost into money per DC kWh, unrounded: a pack at end of life is worth 0."""
    return kwh_lost_per_mwh / 1000 * value_of_lost_kwh(pack_price_per_kwh, end_of_life_pct)


def value_of_lost_kwh(pack_price_per_kwh: Decimal, end_of_life_pct: Decimal) -> Decimal:
    """Money per kWh of capacity lost: pack price over the share of it that may be lost."""
    _check_end_of_life(end_of_life_pct)
    return pack_price_per_kwh * 100 / (100 - end_of_life_pct)


def _check_end_of_life(end_of_life_pct: Decimal) -> None:
    if not 0 <= end_of_life_pct <= 95:
        raise WearInputError(f"end_of_life_pct is {end_of_life_pct}: 0 to 95 is needed")


def _price(exact: Decimal) -> str:
    return str(exact.quantize(_PRICE_STEP, rounding=ROUND_CEILING))
