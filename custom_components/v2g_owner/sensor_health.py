"""Sensors of a vehicle's battery: what selling cost it, beside age and what parking lower saved."""

from collections.abc import Callable, Mapping
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorStateClass
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import PERCENTAGE, EntityCategory
from homeassistant.helpers.typing import StateType

from .battery_health import BatteryHealth, BatteryHealthCoordinator
from .coordinator import V2GCoordinator
from .entity import VehicleEntity
from .money import major
from .sensor_figure import FigureDescription, shown_digits


def _percent(
    key: str,
    read: Callable[[BatteryHealth], str],
    explain: Callable[[BatteryHealth], Mapping[str, Any]] | None = None,
) -> FigureDescription[BatteryHealth]:
    """Describe a share of the new capacity; some are thousandths of a percent a day."""
    return FigureDescription(
        key=key,
        translation_key=key,
        native_unit_of_measurement=PERCENTAGE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=3,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda health: float(read(health)),
        attributes_fn=explain,
    )


def _money(
    key: str,
    read: Callable[[BatteryHealth], int],
    explain: Callable[[BatteryHealth], Mapping[str, Any]],
) -> FigureDescription[BatteryHealth]:
    """Describe an amount since the first day recorded."""
    return FigureDescription(
        key=key,
        translation_key=key,
        device_class=SensorDeviceClass.MONETARY,
        state_class=SensorStateClass.TOTAL,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda health: major(read(health), health.currency),
        unit_fn=lambda health: health.currency,
        attributes_fn=explain,
    )


def _basis(health: BatteryHealth) -> dict[str, Any]:
    """Return what the figures rest on."""
    return {
        "model": health.model,
        "since": health.since.isoformat() if health.since else None,
        "days": health.days,
        "days_outside_tests": health.days_outside_tests,
        "full_cycles": float(health.efc),
        "full_cycles_sold": float(health.v2g_efc),
    }


HEALTH_SENSORS: tuple[FigureDescription[BatteryHealth], ...] = (
    _percent("capacity_left", lambda health: health.capacity_left_pct, _basis),
    _percent("capacity_lost_selling", lambda health: health.v2g_cycling_pct),
    _percent("capacity_lost_driving", lambda health: health.driving_cycling_pct),
    _percent("capacity_lost_age", lambda health: health.calendar_pct),
    _money(
        "wear_cost_modelled",
        lambda health: health.v2g_cost_minor,
        lambda health: {"capacity_pct": float(health.v2g_cycling_pct)},
    ),
    _money(
        "saved_parking_lower",
        lambda health: health.calendar_saved_minor,
        lambda health: {"capacity_pct": float(health.calendar_saved_pct)},
    ),
)


class HealthSensor(VehicleEntity, SensorEntity):
    """One figure of a vehicle's battery-health ledger."""

    entity_description: FigureDescription[BatteryHealth]

    def __init__(
        self,
        coordinator: V2GCoordinator,
        health: BatteryHealthCoordinator,
        description: FigureDescription[BatteryHealth],
        subentry: ConfigSubentry,
    ) -> None:
        """Tie the entity to the vehicle and to its ledger."""
        super().__init__(coordinator, description, subentry)
        self._health = health

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the ledger, and read it now when nobody did before."""
        await super().async_added_to_hass()
        self.async_on_remove(self._health.async_add_listener(self.async_show))
        if self._health.data is None:
            await self._health.async_request_refresh()

    @override
    async def async_update(self) -> None:
        """Read the ledger now, because somebody asked for it."""
        await self._health.async_refresh()

    @property
    @override
    def available(self) -> bool:
        """Tell whether the ledger could be read last time."""
        return super().available and self._health.last_update_success

    @property
    @override
    def native_value(self) -> StateType:
        """Return the figure, None until the ledger has been read."""
        health = self._health.data
        value = health and self.entity_description.value_fn(health)
        return value if isinstance(value, float) else None

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        """Return the unit, for money the ledger's currency."""
        unit, health = self.entity_description.unit_fn, self._health.data
        if unit is None:
            return super().native_unit_of_measurement
        return self.coordinator.data.owner.currency if health is None else unit(health)

    @property
    @override
    def suggested_display_precision(self) -> int | None:
        """Return how many decimals are shown."""
        return shown_digits(self, super().suggested_display_precision)

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        """Return what explains the figure."""
        explain, health = self.entity_description.attributes_fn, self._health.data
        return None if explain is None or health is None else explain(health)
