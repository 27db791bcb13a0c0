"""What an executor sees: the states of the owner's entities, read as they are now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from homeassistant.core import HomeAssistant, State

from .const import (
    CONF_CONNECTED_ENTITY,
    CONF_PLUGGED_ENTITY,
    CONF_POWER_ENTITY,
    CONF_SOC_ENTITY,
    CONF_TEMPERATURE_ENTITY,
)
from .readings import read_on, read_percent, read_power, read_temperature, told_by_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading[Value]:
    """A value with the time its sensor last reported it."""

    value: Value
    at: datetime


class Eyes:
    """Reads one charger's entities and those of the owner's cars by their mapping."""

    def __init__(
        self,
        hass: HomeAssistant,
        charger: Mapping[str, Any],
        cars: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Look through ``charger``'s mapping and each car's, by vehicle id."""
        self._hass = hass
        self._charger = charger
        self._cars = cars
        self._batteries: dict[str, set[str]] = {}
        for vehicle_id, car in cars.items():
            if entity_id := car.get(CONF_SOC_ENTITY):
                self._batteries.setdefault(entity_id, set()).add(vehicle_id)

    @property
    def entities(self) -> list[str]:
        """Every entity that is looked at."""
        mapped = [self._charger.get(CONF_CONNECTED_ENTITY), self._charger.get(CONF_POWER_ENTITY)]
        for car in self._cars.values():
            mapped += [car.get(CONF_SOC_ENTITY), car.get(CONF_PLUGGED_ENTITY)]
        return [entity_id for entity_id in mapped if entity_id]

    def matters(self, entity_id: str, vehicle_id: str | None) -> bool:
        """Tell whether a change is worth a look at once: another car's battery is not."""
        cars = self._batteries.get(entity_id)
        return cars is None or vehicle_id in cars

    def connected(self) -> bool | None:
        """Tell whether a car is plugged in here; None where the charger does not say."""
        state = self._state(self._charger, CONF_CONNECTED_ENTITY)
        return None if state is None else read_on(state, self._charger)

    def plugged(self) -> dict[str, bool | None]:
        """Tell by vehicle whether it is plugged in, somewhere."""
        found: dict[str, bool | None] = {}
        for vehicle_id, car in self._cars.items():
            state = self._state(car, CONF_PLUGGED_ENTITY)
            found[vehicle_id] = None if state is None else read_on(state, car)
        return found

    def power(self) -> Reading[int] | None:
        """Return the power at the charger (W, + into the car)."""
        state = told_by_now(self._state(self._charger, CONF_POWER_ENTITY))
        value = None if state is None else read_power(state, self._charger)
        return (
            None if state is None or value is None else Reading(value=value, at=state.last_reported)
        )

    def soc(self, vehicle_id: str) -> Reading[float] | None:
        """Return a car's state of charge in percent."""
        car = self._cars.get(vehicle_id, {})
        state = told_by_now(self._state(car, CONF_SOC_ENTITY))
        value = None if state is None else read_percent(state, car)
        return (
            None if state is None or value is None else Reading(value=value, at=state.last_reported)
        )

    def pack_temperature_c(self, vehicle_id: str | None) -> float | None:
        """Return a car's pack temperature where it tells one."""
        car = self._cars.get(vehicle_id or "", {})
        state = self._state(car, CONF_TEMPERATURE_ENTITY)
        value: float | None = None if state is None else read_temperature(state, car)
        return value

    def _state(self, mapping: Mapping[str, Any], conf: str) -> State | None:
        """Return the state of a mapped entity."""
        return self._hass.states.get(mapping[conf]) if mapping.get(conf) else None
