"""Sensors of vehicles: what the battery holds, what it could sell, what flowed."""

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import PERCENTAGE, EntityCategory, UnitOfEnergy, UnitOfPower

from .const import STATUS_REASONS, VEHICLE_STATUSES
from .models import Vehicle
from .sensor_figure import FigureDescription


def known(value: str | None, options: tuple[str, ...]) -> str | None:
    """Return an option we can name, None for one that only a newer API knows."""
    return value if value in options else None


VEHICLE_SENSORS: tuple[FigureDescription[Vehicle], ...] = (
    FigureDescription(
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
    FigureDescription(
        key="available_energy",
        translation_key="available_energy",
        device_class=SensorDeviceClass.ENERGY_STORAGE,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        value_fn=lambda vehicle: vehicle.available_energy_wh,
    ),
    FigureDescription(
        key="capacity",
        translation_key="capacity",
        device_class=SensorDeviceClass.ENERGY_STORAGE,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda vehicle: vehicle.usable_capacity_wh,
    ),
    FigureDescription(
        key="status",
        translation_key="status",
        device_class=SensorDeviceClass.ENUM,
        options=list(VEHICLE_STATUSES),
        value_fn=lambda vehicle: known(vehicle.status, VEHICLE_STATUSES),
        attributes_fn=lambda vehicle: {"reason": vehicle.status_reason},
    ),
    FigureDescription(
        key="status_reason",
        translation_key="status_reason",
        device_class=SensorDeviceClass.ENUM,
        options=list(STATUS_REASONS),
        value_fn=lambda vehicle: known(vehicle.status_reason or "none", STATUS_REASONS),
    ),
    FigureDescription(
        key="power",
        translation_key="power",
        device_class=SensorDeviceClass.POWER,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_unit_of_measurement=UnitOfPower.KILO_WATT,
        suggested_display_precision=2,
        value_fn=lambda vehicle: vehicle.power_w,
    ),
    FigureDescription(
        key="energy_charged",
        translation_key="energy_charged",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        value_fn=lambda vehicle: vehicle.charged_wh,
    ),
    FigureDescription(
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
WEAR_COST: FigureDescription[Vehicle] = FigureDescription(
    key="wear_cost",
    translation_key="wear_cost",
    device_class=SensorDeviceClass.MONETARY,
    state_class=SensorStateClass.TOTAL,
    entity_category=EntityCategory.DIAGNOSTIC,
    value_fn=lambda vehicle: vehicle.v2g_wear_minor,
)
