"""What a charger's number takes: its unit, its range, and what it shows once it was set."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
import math
from typing import Final

from homeassistant.components.number.const import DEVICE_CLASS_UNITS
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, UnitOfElectricCurrent, UnitOfPower
from homeassistant.core import State
from homeassistant.util.unit_conversion import (
    BaseUnitConverter,
    ElectricCurrentConverter,
    PowerConverter,
)


class Unit(StrEnum):
    """What the charger's number counts."""

    WATT = "w"
    KILOWATT = "kw"
    AMPERE = "a"


UNITS: Final[Mapping[Unit, tuple[type[BaseUnitConverter], str]]] = {
    Unit.WATT: (PowerConverter, UnitOfPower.WATT),
    Unit.KILOWATT: (PowerConverter, UnitOfPower.KILO_WATT),
    Unit.AMPERE: (ElectricCurrentConverter, UnitOfElectricCurrent.AMPERE),
}
# Any other text is the maker's own word for a unit, which nobody converts.
_KNOWN_UNITS: Final = frozenset(unit for units in DEVICE_CLASS_UNITS.values() for unit in units)


def unit_shown(shown: str | None) -> Unit | None:
    """Return what a number counts by the unit it is shown in, None where it is none of ours."""
    same = [unit for unit, (_, name) in UNITS.items() if name == shown]
    alike = [unit for unit, (converter, _) in UNITS.items() if shown in converter.VALID_UNITS]
    return next(iter([*same, *alike]), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """What a number's own integration says of it, before Home Assistant converts and rounds."""

    unit: str | None
    low: float
    high: float
    whole: bool = False
    """Whether its value has no decimals; Home Assistant then shows none in another unit too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What a number entity takes, in the unit it is shown in now."""

    low: float = -math.inf
    high: float = math.inf
    step: float = 1.0
    unit: str | None = None
    """The unit it is shown in, which its owner may choose; None where it tells none."""
    converted: bool = False
    """Whether Home Assistant converts it, and so shows it rounded."""
    whole: bool = False
    """Whether it is then rounded to whole ones, shown as 3.0."""

    @classmethod
    def of(cls, state: State, native: Native | None = None) -> Range:
        """Return the range that an entity's state tells, or ``native`` where it is converted."""
        attributes = state.attributes
        # The unit of an input_number is a text beside it that nobody computes with.
        told = attributes.get(ATTR_UNIT_OF_MEASUREMENT) if state.domain == "number" else None
        unit = told if told in _KNOWN_UNITS or unit_shown(told) else None
        as_shown = cls(
            low=float(attributes.get("min", -math.inf)),
            high=float(attributes.get("max", math.inf)),
            step=float(attributes.get("step") or 1.0),
            unit=unit,
        )
        found = unit_shown(unit)
        if found is None or native is None or native.unit == unit:
            return as_shown
        converter = UNITS[found][0]
        if native.unit not in converter.VALID_UNITS:
            return as_shown
        # Home Assistant shows a least of 1,840 W as 1 kW, takes 1.5 kW, and sets 1,840 W. It
        # leaves the step as it is.
        shown = converter.converter_factory(native.unit, unit)
        return replace(
            as_shown,
            low=round(shown(native.low), 9),
            high=round(shown(native.high), 9),
            step=shown(as_shown.step),
            converted=True,
            whole=native.whole,
        )

    @property
    def least(self) -> float:
        """The least amount above zero that can be set, in whole steps."""
        return self.step * max(1, math.ceil(self.begins / self.step - 1e-9))

    @property
    def begins(self) -> float:
        """The least amount within it: zero, unless zero lies outside."""
        return max(0.0, self.low, -self.high)

    def slack(self, shown: str) -> float:
        """Return how far what is shown may be from what was set and still be the same."""
        if not self.converted:
            return self.step / 2
        fraction = shown.partition(".")[2]
        decimals = 0 if self.whole and fraction == "0" else len(fraction)
        return max(self.step, 10.0**-decimals) / 2


def shows(state: str, expected: str | float | None, limits: Range) -> bool:
    """Tell whether an entity shows what it was told; half a step of a number is rounding."""
    if expected is None:
        return True
    if isinstance(expected, str):
        return state == expected
    try:
        return abs(float(state) - expected) <= limits.slack(state)
    except ValueError:
        return False
