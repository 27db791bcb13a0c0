"""The body that the sensors of accounts, vehicles and chargers share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
)
from homeassistant.core import callback
from homeassistant.helpers.event import async_track_utc_time_change
from homeassistant.helpers.typing import StateType

from .entity import ChargerEntity, HubEntity, V2GEntity, VehicleEntity
from .models import Charger, Vehicle
from .money import major, minor_digits
from .reward_month import reward_month
from .snapshot import Snapshot


@dataclass(frozen=True, kw_only=True)
class FigureDescription[Subject](SensorEntityDescription):
    """Describes one figure of an account, a vehicle or a charger.

    ``unit_fn`` is for units that depend on a currency; ``resets_monthly`` for sums that start
    again with the owner's month.
    """

    value_fn: Callable[[Subject], StateType | datetime]
    unit_fn: Callable[[Subject], str] | None = None
    attributes_fn: Callable[[Subject], Mapping[str, Any]] | None = None
    resets_monthly: bool = False


def shown_digits(sensor: SensorEntity, told: int | None) -> int | None:
    """Return how many decimals a sensor shows: of money as its currency has, else as ``told``."""
    if sensor.device_class is not SensorDeviceClass.MONETARY:
        return told
    return minor_digits(sensor.native_unit_of_measurement or "")


class FigureSensor[Subject](V2GEntity[Subject], SensorEntity):
    """One figure, read from what its device stands for."""

    entity_description: FigureDescription[Subject]

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return the figure."""
        return self.entity_description.value_fn(self.subject)

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        """Return the unit, which for money follows the currency."""
        unit = self.entity_description.unit_fn
        return super().native_unit_of_measurement if unit is None else unit(self.subject)

    @property
    @override
    def suggested_display_precision(self) -> int | None:
        """Return how many decimals are shown."""
        return shown_digits(self, super().suggested_display_precision)

    @property
    @override
    def last_reset(self) -> datetime | None:
        """Return the start of the month, in the owner's time, for what counts from there."""
        if not self.entity_description.resets_monthly:
            return None
        return reward_month(self.coordinator.data)[0]

    @override
    async def async_added_to_hass(self) -> None:
        """Begin the month when it begins: the API has no news then."""
        await super().async_added_to_hass()
        if self.entity_description.resets_monthly:
            # In whatever zone, a month begins at a quarter of an hour.
            self.async_on_remove(
                async_track_utc_time_change(
                    self.hass, self._async_look_at_month, minute=[0, 15, 30, 45], second=0
                )
            )

    @callback
    def _async_look_at_month(self, _now: datetime) -> None:
        """Show a new month, where one has begun."""
        self.async_show()

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        """Return what explains the figure."""
        explain = self.entity_description.attributes_fn
        return None if explain is None else explain(self.subject)


# The recorder keeps states; what explains an offer or a deal belongs to the API.
EXPLANATIONS: Final = frozenset(
    {
        "available",
        "deals",
        "last_deals",
        "lease_until",
        "lease_s",
        "limit",
        "nearest",
        "needed",
        "plan",
        "quoted_energy_wh",
        "reason",
        "soc_after_pct",
        "soc_at_departure_pct",
        "soc_floor_pct",
        "soc_min_departure_pct",
        "soc_now_pct",
        "unplug_hint",
        "ways",
    }
)


class HubFigure(HubEntity, FigureSensor[Snapshot]):
    """One figure of the account."""

    _unrecorded_attributes = EXPLANATIONS


class VehicleFigure(VehicleEntity, FigureSensor[Vehicle]):
    """One figure of a vehicle."""


class ChargerFigure(ChargerEntity, FigureSensor[Charger]):
    """One figure of a charger."""


class VehicleMoney(VehicleEntity, FigureSensor[Vehicle]):
    """An amount of a vehicle in minor units, shown in the owner's currency."""

    @property
    @override
    def native_unit_of_measurement(self) -> str:
        """Return the owner's currency."""
        return self.coordinator.data.owner.currency

    @property
    @override
    def native_value(self) -> float | None:
        """Return the amount, None while it is not known."""
        minor = self.entity_description.value_fn(self.subject)
        if not isinstance(minor, int):
            return None
        return major(minor, self.coordinator.data.owner.currency)
