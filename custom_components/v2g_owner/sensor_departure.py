"""Sensors of when a car leaves, and who says so: with a calendar, which one."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.config_entries import ConfigSubentry

from .const import CONF_CALENDAR_ENTITY, DEPARTURE_SOURCES
from .coordinator import V2GCoordinator
from .models import Vehicle
from .sensor_figure import FigureDescription, VehicleFigure
from .sensor_vehicle import known


def _source(vehicle: Vehicle) -> str | None:
    """Return where the leave time that counts comes from, None for what a newer API names."""
    departure = vehicle.next_departure
    return None if departure is None else known(departure.source, DEPARTURE_SOURCES)


def _attributes(vehicle: Vehicle) -> dict[str, Any]:
    """Say where the leave time comes from and what it asks for."""
    if (departure := vehicle.next_departure) is None:
        return {}
    return {
        "source": _source(vehicle),
        "summary": departure.summary,
        "soc_min_departure_pct": departure.soc_min_departure_pct,
    }


DEPARTURE_SENSORS: tuple[FigureDescription[Vehicle], ...] = (
    FigureDescription(
        key="next_departure",
        translation_key="next_departure",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda vehicle: (
            vehicle.next_departure.departure_at if vehicle.next_departure else None
        ),
        attributes_fn=_attributes,
    ),
    FigureDescription(
        key="departure_source",
        translation_key="departure_source",
        device_class=SensorDeviceClass.ENUM,
        options=list(DEPARTURE_SOURCES),
        value_fn=_source,
    ),
)


class DepartureSensor(VehicleFigure):
    """A figure of the next departure; the API knows its event, only we know its calendar."""

    def __init__(
        self,
        coordinator: V2GCoordinator,
        description: FigureDescription[Vehicle],
        subentry: ConfigSubentry,
    ) -> None:
        """Note which calendar is mirrored."""
        super().__init__(coordinator, description, subentry)
        self._calendar: str | None = subentry.data.get(CONF_CALENDAR_ENTITY)

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        """Return what explains the figure, and the calendar by the name its owner gave it."""
        explained = super().extra_state_attributes or {}
        if _source(self.subject) != "calendar" or self._calendar is None:
            return explained
        state = self.hass.states.get(self._calendar)
        return {**explained, "calendar": self._calendar if state is None else state.name}
