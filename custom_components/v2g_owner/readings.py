"""Read the states of the owner's entities as the API counts: W, Wh, percent, degrees Celsius.

Each reader returns None for what a state does not say, and never a made-up value.
"""

from collections.abc import Callable, Mapping
from typing import Any

from homeassistant.const import STATE_OFF, STATE_ON, UnitOfEnergy, UnitOfPower, UnitOfTemperature
from homeassistant.core import State
from homeassistant.util.unit_conversion import EnergyConverter, PowerConverter, TemperatureConverter

from .const import CONF_POWER_SIGN, POWER_SIGN_DISCHARGING_POSITIVE

type Read = Callable[[State, Mapping[str, Any]], Any]


def _number(state: State) -> float | None:
    """Return a state as a finite number, None when it is none."""
    try:
        value = float(state.state)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def read_percent(state: State, _mapping: Mapping[str, Any]) -> float | None:
    """Return a state of charge within 0 to 100."""
    value = _number(state)
    return value if value is not None and 0 <= value <= 100 else None


def read_power(state: State, mapping: Mapping[str, Any]) -> int | None:
    """Return power in W, positive into the car."""
    if (value := _number(state)) is None:
        return None
    unit = state.attributes.get("unit_of_measurement", UnitOfPower.WATT)
    watts = round(PowerConverter.convert(value, unit, UnitOfPower.WATT))
    flipped = mapping.get(CONF_POWER_SIGN) == POWER_SIGN_DISCHARGING_POSITIVE
    return -watts if flipped else watts


def read_energy(state: State, _mapping: Mapping[str, Any]) -> int | None:
    """Return a meter register in Wh."""
    if (value := _number(state)) is None:
        return None
    unit = state.attributes.get("unit_of_measurement", UnitOfEnergy.KILO_WATT_HOUR)
    return round(EnergyConverter.convert(value, unit, UnitOfEnergy.WATT_HOUR))


def read_temperature(state: State, _mapping: Mapping[str, Any]) -> float | None:
    """Return a temperature in degrees Celsius."""
    if (value := _number(state)) is None:
        return None
    unit = state.attributes.get("unit_of_measurement", UnitOfTemperature.CELSIUS)
    return round(TemperatureConverter.convert(value, unit, UnitOfTemperature.CELSIUS), 1)


def read_on(state: State, _mapping: Mapping[str, Any]) -> bool | None:
    """Return a yes or no, None for anything else."""
    return {STATE_ON: True, STATE_OFF: False}.get(state.state)
