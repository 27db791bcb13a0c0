"""Sensors of chargers: power, energy both ways, which vehicle is there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import UnitOfEnergy, UnitOfPower
from homeassistant.helpers.typing import StateType

from .entity import ChargerEntity
from .models import Charger


@dataclass(frozen=True, kw_only=True)
class ChargerSensorDescription(SensorEntityDescription):
    """Describes a sensor of a charger."""

    value_fn: Callable[[Charger], StateType]


CHARGER_SENSORS: tuple[ChargerSensorDescription, ...] = (
    ChargerSensorDescription(
        key="power",
        translation_key="power",
        device_class=SensorDeviceClass.POWER,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_unit_of_measurement=UnitOfPower.KILO_WATT,
        suggested_display_precision=2,
        value_fn=lambda charger: charger.power_w,
    ),
    ChargerSensorDescription(
        key="energy_imported",
        translation_key="energy_to_car",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        value_fn=lambda charger: charger.import_register_wh,
    ),
    ChargerSensorDescription(
        key="energy_exported",
        translation_key="energy_from_car",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        value_fn=lambda charger: charger.export_register_wh,
    ),
)
CONNECTED_VEHICLE = SensorEntityDescription(
    key="connected_vehicle", translation_key="connected_vehicle"
)


class ChargerSensor(ChargerEntity, SensorEntity):
    """One figure of a charger."""

    entity_description: ChargerSensorDescription

    @property
    @override
    def native_value(self) -> StateType:
        """Return the figure."""
        return self.entity_description.value_fn(self.charger)


class ConnectedVehicleSensor(ChargerEntity, SensorEntity):
    """Which of the owner's vehicles is plugged in here."""

    @property
    @override
    def native_value(self) -> str | None:
        """Return the vehicle's name; unknown while none is known to be there."""
        vehicles = self.coordinator.data.vehicles
        vehicle = vehicles.get(self.charger.vehicle_id or "")
        return vehicle.display_name if vehicle else None
