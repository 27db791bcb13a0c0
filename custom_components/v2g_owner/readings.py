"""Read the states of the owner's entities as the API counts: W, Wh, percent, degrees Celsius.

Each reader returns None for what a state does not say, and never a made-up value. What the API
refuses is not told either: with one such value all that is told beside it would be refused.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from homeassistant.const import (
    PERCENTAGE,
    STATE_OFF,
    STATE_ON,
    UnitOfEnergy,
    UnitOfPower,
    UnitOfTemperature,
)
from homeassistant.core import State
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_conversion import (
    BaseUnitConverter,
    EnergyConverter,
    PowerConverter,
    TemperatureConverter,
)

from .const import CONF_POWER_SIGN, POWER_SIGN_DISCHARGING_POSITIVE

type Read = Callable[[State, Mapping[str, Any]], Any]

# What the API takes. A device that is asleep or lacks its probe shows the ends of its numbers.
_MOST_W: Final = 1_000_000
_MOST_WH: Final = 10**13
_COLDEST_C: Final = -60.0
_HOTTEST_C: Final = 120.0


def told_by_now(state: State | None) -> State | None:
    """Return a state, none where it was told before the clock was set back: it looks ever new."""
    return None if state is None or state.last_reported > dt_util.utcnow() else state


def _number(state: State) -> float | None:
    """Return a state as a finite number, None when it is none."""
    try:
        value = float(state.state)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _converted(
    state: State, converter: type[BaseUnitConverter], to: str, unstated: str
) -> float | None:
    """Return a state as a number of ``to``, None in a unit of another kind: it says nothing here.

    One that tells no unit is taken to count ``unstated``.
    """
    unit = state.attributes.get("unit_of_measurement", unstated)
    value = _number(state)
    if value is None or unit not in converter.VALID_UNITS:
        return None
    return converter.convert(value, unit, to)


def read_percent(state: State, _mapping: Mapping[str, Any]) -> float | None:
    """Return a state of charge within 0 to 100; a range in km, or energy in kWh, is none."""
    unit = state.attributes.get("unit_of_measurement", PERCENTAGE)
    value = _number(state)
    return value if unit == PERCENTAGE and value is not None and 0 <= value <= 100 else None


def read_power(state: State, mapping: Mapping[str, Any]) -> int | None:
    """Return power in W, positive into the car."""
    if (value := _converted(state, PowerConverter, UnitOfPower.WATT, UnitOfPower.WATT)) is None:
        return None
    watts = round(value)
    if abs(watts) > _MOST_W:
        return None
    flipped = mapping.get(CONF_POWER_SIGN) == POWER_SIGN_DISCHARGING_POSITIVE
    return -watts if flipped else watts


def read_energy(state: State, _mapping: Mapping[str, Any]) -> int | None:
    """Return a meter register in Wh; what is below nothing is none."""
    value = _converted(state, EnergyConverter, UnitOfEnergy.WATT_HOUR, UnitOfEnergy.KILO_WATT_HOUR)
    return round(value) if value is not None and 0 <= value <= _MOST_WH else None


def read_temperature(state: State, _mapping: Mapping[str, Any]) -> float | None:
    """Return a temperature in degrees Celsius.

    Promise 3: one that cannot be counts as the hottest or coldest that can, and not as unknown.
    """
    celsius = UnitOfTemperature.CELSIUS
    value = _converted(state, TemperatureConverter, celsius, celsius)
    return None if value is None else min(max(round(value, 1), _COLDEST_C), _HOTTEST_C)


def read_on(state: State, _mapping: Mapping[str, Any]) -> bool | None:
    """Return a yes or no, None for anything else."""
    return {STATE_ON: True, STATE_OFF: False}.get(state.state)
