"""Battery wear over a life: the state a battery has reached, and the years of one repeated day."""

from collections.abc import Sequence
from dataclasses import dataclass
import math
from typing import Final

from owner_api.planning.wear_day import SocDay, WearInputError
from owner_api.planning.wear_models import DayWear, WearModel

DAYS_PER_YEAR: Final = 365
MAX_YEARS: Final = 50
# A repeated day must close; a car's own reading is no finer than this.
MAX_GAP_AT_MIDNIGHT: Final = 0.01
# The Kokam cell starts with 1 % more electrode material than lithium (Smith et al. 2017).
_MATERIAL_RESERVE: Final = 1.01
# Steepness of its material loss, a sigmoid (Smith et al. 2017).
_MATERIAL_EXPONENT: Final = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class WearState:
    """Where a battery has got to: sums of what its days added (see DayWear), from new."""

    calendar: float = 0.0
    cycling: float = 0.0
    efc: float = 0.0
    material: float = 0.0

    def after(self, day: DayWear, *, times: float = 1.0) -> WearState:
        """Return the state once `day` was lived `times` times, in days, 0 or more."""
        return WearState(
            calendar=self.calendar + day.calendar * times,
            cycling=self.cycling + day.cycling * times,
            efc=self.efc + day.efc * times,
            material=self.material + day.material * times,
        )


NEW_BATTERY: Final = WearState()


@dataclass(frozen=True, kw_only=True, slots=True)
class LifeWear:
    """Answer for each year asked: capacity left as a fraction 0..1, equivalent full cycles."""

    capacity_left: tuple[float, ...]
    efc: tuple[float, ...]


def calendar_loss(model: WearModel, state: WearState) -> float:
    """Fraction of the new capacity lost to age alone."""
    return float(state.calendar**model.calendar_exponent)


def cycling_loss(model: WearModel, state: WearState) -> float:
    """Fraction of the new capacity lost to charging and discharging."""
    return float(state.cycling**model.cycling_exponent)


def capacity_left(model: WearModel, state: WearState) -> float:
    """Fraction 0..1 of the new capacity left: the scarcer of lithium and electrode material."""
    lithium = 1 - calendar_loss(model, state) - cycling_loss(model, state)
    # tanh(u / 2) is the sigmoid 1 - 2 / (1 + exp(u)) without its overflow.
    lost_material = math.tanh(min(state.material, 10.0) ** _MATERIAL_EXPONENT / 2)
    return max(0.0, min(lithium, _MATERIAL_RESERVE - lost_material))


def life(model: WearModel, day: SocDay, years: Sequence[float]) -> LifeWear:
    """Repeat `day` from new and answer at each of `years` (365 days each, 0 to 50).

    Raises WearInputError when a year is out of range or the day does not end where it began.
    """
    gap = abs(float(day.soc[-1] - day.soc[0]))
    if gap > MAX_GAP_AT_MIDNIGHT:
        raise WearInputError(
            f"soc ends {gap:.3f} away from where it began: at most {MAX_GAP_AT_MIDNIGHT} is needed "
            "for a day that repeats"
        )
    for year in years:
        if not 0 <= year <= MAX_YEARS:
            raise WearInputError(f"years has {year}: 0 to {MAX_YEARS} is needed")
    added = model.day(day, repeats=True)
    states = [NEW_BATTERY.after(added, times=year * DAYS_PER_YEAR) for year in years]
    return LifeWear(
        capacity_left=tuple(capacity_left(model, state) for state in states),
        efc=tuple(state.efc for state in states),
    )
