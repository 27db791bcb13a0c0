"""Sensors of chargers: power, energy both ways, which vehicle is there."""

from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import UnitOfEnergy, UnitOfPower

from .entity import ChargerEntity
from .models import Charger
from .sensor_figure import FigureDescription

CHARGER_SENSORS: tuple[FigureDescription[Charger], ...] = (
    FigureDescription(
        key="power",
        translation_key="power",
        device_class=SensorDeviceClass.POWER,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_unit_of_measurement=UnitOfPower.KILO_WATT,
        suggested_display_precision=2,
        value_fn=lambda charger: charger.power_w,
    ),
    FigureDescription(
        key="energy_imported",
        translation_key="energy_to_car",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        value_fn=lambda charger: charger.import_register_wh,
    ),
    FigureDescription(
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


class ConnectedVehicleSensor(ChargerEntity, SensorEntity):
    """Which of the owner's vehicles is plugged in here."""

    @property
    @override
    def _made_from(self) -> tuple[object, ...] | None:
        """The vehicle's name."""
        return (self.available, self.native_value if self.available else None)

    @property
    @override
    def native_value(self) -> str | None:
        """Return the vehicle's name; unknown while none is known to be there."""
        vehicles = self.coordinator.data.vehicles
        vehicle = vehicles.get(self.subject.vehicle_id or "")
        return vehicle.display_name if vehicle else None
