"""Sensors of vehicles; those of the account and of chargers stand in files of their own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import PERCENTAGE, EntityCategory, UnitOfEnergy, UnitOfPower
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .const import (
    DEPARTURE_SOURCES,
    STATUS_REASONS,
    SUBENTRY_CHARGER,
    SUBENTRY_VEHICLE,
    VEHICLE_STATUSES,
)
from .coordinator import V2GConfigEntry
from .entity import VehicleEntity
from .models import Vehicle
from .money import major
from .sensor_charger import (
    CHARGER_SENSORS,
    CONNECTED_VEHICLE,
    ChargerSensor,
    ConnectedVehicleSensor,
)
from .sensor_hub import HUB_SENSORS, HubSensor

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class VehicleSensorDescription(SensorEntityDescription):
    """Describes a sensor of a vehicle."""

    value_fn: Callable[[Vehicle], StateType | datetime]
    attributes_fn: Callable[[Vehicle], Mapping[str, Any]] | None = None


def _known(value: str | None, options: tuple[str, ...]) -> str | None:
    """Return an option we can name, None for one that only a newer API knows."""
    return value if value in options else None


def _departure_attributes(vehicle: Vehicle) -> dict[str, Any]:
    """Say where the leave time comes from and what it asks for."""
    if (departure := vehicle.next_departure) is None:
        return {}
    return {
        "source": _known(departure.source, DEPARTURE_SOURCES),
        "summary": departure.summary,
        "soc_min_departure_pct": departure.soc_min_departure_pct,
    }


VEHICLE_SENSORS: tuple[VehicleSensorDescription, ...] = (
    VehicleSensorDescription(
        key="soc",
        translation_key="soc",
        device_class=SensorDeviceClass.BATTERY,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=PERCENTAGE,
        value_fn=lambda vehicle: vehicle.soc.soc_pct if vehicle.soc else None,
        attributes_fn=lambda vehicle: (
            {"measured_at": vehicle.soc.measured_at.isoformat(), "source": vehicle.soc.source}
            if vehicle.soc
            else {}
        ),
    ),
    VehicleSensorDescription(
        key="available_energy",
        translation_key="available_energy",
        device_class=SensorDeviceClass.ENERGY_STORAGE,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        value_fn=lambda vehicle: vehicle.available_energy_wh,
    ),
    VehicleSensorDescription(
        key="capacity",
        translation_key="capacity",
        device_class=SensorDeviceClass.ENERGY_STORAGE,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda vehicle: vehicle.usable_capacity_wh,
    ),
    VehicleSensorDescription(
        key="next_departure",
        translation_key="next_departure",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda vehicle: (
            vehicle.next_departure.departure_at if vehicle.next_departure else None
        ),
        attributes_fn=_departure_attributes,
    ),
    VehicleSensorDescription(
        key="departure_source",
        translation_key="departure_source",
        device_class=SensorDeviceClass.ENUM,
        options=list(DEPARTURE_SOURCES),
        value_fn=lambda vehicle: (
            _known(vehicle.next_departure.source, DEPARTURE_SOURCES)
            if vehicle.next_departure
            else None
        ),
    ),
    VehicleSensorDescription(
        key="status",
        translation_key="status",
        device_class=SensorDeviceClass.ENUM,
        options=list(VEHICLE_STATUSES),
        value_fn=lambda vehicle: _known(vehicle.status, VEHICLE_STATUSES),
        attributes_fn=lambda vehicle: {"reason": vehicle.status_reason},
    ),
    VehicleSensorDescription(
        key="status_reason",
        translation_key="status_reason",
        device_class=SensorDeviceClass.ENUM,
        options=list(STATUS_REASONS),
        value_fn=lambda vehicle: _known(vehicle.status_reason or "none", STATUS_REASONS),
    ),
    VehicleSensorDescription(
        key="power",
        translation_key="power",
        device_class=SensorDeviceClass.POWER,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_unit_of_measurement=UnitOfPower.KILO_WATT,
        suggested_display_precision=2,
        value_fn=lambda vehicle: vehicle.power_w,
    ),
    VehicleSensorDescription(
        key="energy_charged",
        translation_key="energy_charged",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        value_fn=lambda vehicle: vehicle.charged_wh,
    ),
    VehicleSensorDescription(
        key="energy_discharged",
        translation_key="energy_discharged",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        value_fn=lambda vehicle: vehicle.discharged_wh,
    ),
)
WEAR_COST = SensorEntityDescription(
    key="wear_cost",
    translation_key="wear_cost",
    device_class=SensorDeviceClass.MONETARY,
    state_class=SensorStateClass.TOTAL,
    entity_registry_enabled_default=False,
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: V2GConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of the account, its vehicles and its chargers."""
    coordinator = entry.runtime_data.coordinator
    async_add_entities(HubSensor(coordinator, description) for description in HUB_SENSORS)
    for subentry in entry.get_subentries_of_type(SUBENTRY_VEHICLE):
        async_add_entities(
            [
                *(VehicleSensor(coordinator, each, subentry) for each in VEHICLE_SENSORS),
                WearCostSensor(coordinator, WEAR_COST, subentry),
            ],
            config_subentry_id=subentry.subentry_id,
        )
    for subentry in entry.get_subentries_of_type(SUBENTRY_CHARGER):
        async_add_entities(
            [
                *(ChargerSensor(coordinator, each, subentry) for each in CHARGER_SENSORS),
                ConnectedVehicleSensor(coordinator, CONNECTED_VEHICLE, subentry),
            ],
            config_subentry_id=subentry.subentry_id,
        )


class VehicleSensor(VehicleEntity, SensorEntity):
    """One figure of a vehicle."""

    entity_description: VehicleSensorDescription

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return the figure."""
        return self.entity_description.value_fn(self.vehicle)

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        """Return what explains the figure."""
        explain = self.entity_description.attributes_fn
        return None if explain is None else explain(self.vehicle)


class WearCostSensor(VehicleEntity, SensorEntity):
    """What selling energy has cost the battery so far."""

    @property
    @override
    def native_unit_of_measurement(self) -> str:
        """Return the owner's currency."""
        return self.coordinator.data.owner.currency

    @property
    @override
    def native_value(self) -> float | None:
        """Return the estimated cost."""
        minor = self.vehicle.v2g_wear_minor
        return None if minor is None else major(minor, self.coordinator.data.owner.currency)
