"""The limits an owner sets as numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any, override

from homeassistant.components.number import (
    NumberDeviceClass,
    NumberEntity,
    NumberEntityDescription,
    NumberMode,
)
from homeassistant.const import PERCENTAGE, EntityCategory, UnitOfEnergy, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN, SUBENTRY_VEHICLE
from .coordinator import V2GConfigEntry
from .entity import VehicleEntity, async_add_in_turns
from .models import Preferences
from .price import price_text

# Writes to one vehicle queue in the coordinator; Home Assistant need not hold them back.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class PreferenceNumberDescription(NumberEntityDescription):
    """Describes a number among the preferences; its key is the API's own name."""

    value_fn: Callable[[Preferences], float | None]
    change_fn: Callable[[float], Any] = float
    is_price: bool = False


def _percent(
    key: str, value_fn: Callable[[Preferences], float | None]
) -> PreferenceNumberDescription:
    """Describe a state-of-charge limit."""
    return PreferenceNumberDescription(
        key=key,
        translation_key=key,
        device_class=NumberDeviceClass.BATTERY,
        native_unit_of_measurement=PERCENTAGE,
        native_min_value=0,
        native_max_value=100,
        native_step=1,
        mode=NumberMode.SLIDER,
        entity_category=EntityCategory.CONFIG,
        value_fn=value_fn,
    )


def _energy(
    key: str,
    value_fn: Callable[[Preferences], int | None],
    *,
    most_kwh: float,
    enabled: bool = True,
) -> PreferenceNumberDescription:
    """Describe an energy budget, shown in kWh and kept in Wh."""

    def kwh(preferences: Preferences) -> float | None:
        limit = value_fn(preferences)
        return None if limit is None else limit / 1000

    return PreferenceNumberDescription(
        key=key,
        translation_key=key,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        native_min_value=0,
        native_max_value=most_kwh,
        native_step=0.5,
        mode=NumberMode.BOX,
        entity_category=EntityCategory.CONFIG,
        entity_registry_enabled_default=enabled,
        value_fn=kwh,
        change_fn=lambda value: round(value * 1000),
    )


def _price(
    key: str,
    value_fn: Callable[[Preferences], str | None],
    *,
    least: float = 0,
    enabled: bool = True,
) -> PreferenceNumberDescription:
    """Describe a price per kWh in the owner's currency."""

    def price(preferences: Preferences) -> float | None:
        told = value_fn(preferences)
        return None if told is None else float(told)

    return PreferenceNumberDescription(
        key=key,
        translation_key=key,
        native_min_value=least,
        native_max_value=10_000,
        native_step=0.01,
        mode=NumberMode.BOX,
        entity_category=EntityCategory.CONFIG,
        entity_registry_enabled_default=enabled,
        value_fn=price,
        change_fn=price_text,
        is_price=True,
    )


def _time(
    key: str,
    value_fn: Callable[[Preferences], int],
    *,
    least: float,
    most: float,
    step: float = 1,
    unit: UnitOfTime = UnitOfTime.MINUTES,
) -> PreferenceNumberDescription:
    """Describe a length of time, shown in minutes or hours and kept in seconds."""
    seconds = 3_600 if unit is UnitOfTime.HOURS else 60
    return PreferenceNumberDescription(
        key=key,
        translation_key=key,
        device_class=NumberDeviceClass.DURATION,
        native_unit_of_measurement=unit,
        native_min_value=least,
        native_max_value=most,
        native_step=step,
        mode=NumberMode.BOX,
        entity_category=EntityCategory.CONFIG,
        # Few change it, and what it is by itself is careful.
        entity_registry_enabled_default=False,
        value_fn=lambda wishes: value_fn(wishes) / seconds,
        change_fn=lambda value: round(value * seconds),
    )


NUMBERS: tuple[PreferenceNumberDescription, ...] = (
    _percent("soc_floor_pct", lambda wishes: wishes.soc_floor_pct),
    _percent("soc_ceiling_pct", lambda wishes: wishes.soc_ceiling_pct),
    _percent("soc_min_departure_pct", lambda wishes: wishes.soc_min_departure_pct),
    _percent("soc_target_departure_pct", lambda wishes: wishes.soc_target_departure_pct),
    _price("min_price_per_kwh", lambda wishes: wishes.min_price_per_kwh),
    _energy(
        "max_discharge_wh_per_event",
        lambda wishes: wishes.max_discharge_wh_per_event,
        most_kwh=500,
        enabled=False,
    ),
    _energy(
        "max_discharge_wh_per_day", lambda wishes: wishes.max_discharge_wh_per_day, most_kwh=500
    ),
    _energy(
        "max_discharge_wh_per_week",
        lambda wishes: wishes.max_discharge_wh_per_week,
        most_kwh=2000,
        enabled=False,
    ),
    PreferenceNumberDescription(
        key="max_discharge_events_per_day",
        translation_key="max_discharge_events_per_day",
        native_min_value=0,
        native_max_value=100,
        native_step=1,
        mode=NumberMode.BOX,
        entity_category=EntityCategory.CONFIG,
        value_fn=lambda wishes: wishes.max_discharge_events_per_day,
        change_fn=int,
    ),
    PreferenceNumberDescription(
        key="soc_margin_pct",
        translation_key="soc_margin_pct",
        native_unit_of_measurement=PERCENTAGE,
        native_min_value=0,
        native_max_value=10,
        native_step=0.5,
        mode=NumberMode.BOX,
        entity_category=EntityCategory.CONFIG,
        entity_registry_enabled_default=False,
        value_fn=lambda wishes: wishes.soc_margin_pct,
    ),
    _time("departure_buffer_s", lambda wishes: wishes.departure_buffer_s, least=0, most=120),
    _time("soc_max_age_consent_s", lambda wishes: wishes.soc_max_age_consent_s, least=1, most=60),
    _time(
        "soc_max_age_discharge_s", lambda wishes: wishes.soc_max_age_discharge_s, least=1, most=60
    ),
    _time(
        "cooldown_s",
        lambda wishes: wishes.cooldown_s,
        least=0,
        most=168,
        step=0.5,
        unit=UnitOfTime.HOURS,
    ),
    # Few know better than the price of charging and the battery's published wear.
    _price(
        "later_refill_price_per_kwh",
        lambda wishes: wishes.later_refill_price_per_kwh,
        least=-100,
        enabled=False,
    ),
    _price(
        "degradation_cost_per_kwh", lambda wishes: wishes.degradation_cost_per_kwh, enabled=False
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: V2GConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the numbers of each vehicle."""
    coordinator = entry.runtime_data.coordinator
    for subentry in entry.get_subentries_of_type(SUBENTRY_VEHICLE):
        await async_add_in_turns(
            async_add_entities,
            (PreferenceNumber(coordinator, description, subentry) for description in NUMBERS),
            subentry,
        )


class PreferenceNumber(VehicleEntity, NumberEntity):
    """One limit of one vehicle."""

    entity_description: PreferenceNumberDescription

    @property
    @override
    def native_value(self) -> float | None:
        """Return the limit; unknown means that there is none."""
        return self.entity_description.value_fn(self.preferences)

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        """Return the unit, which for a price follows the owner's currency."""
        if self.entity_description.is_price:
            return f"{self.coordinator.data.owner.currency}/kWh"
        return super().native_unit_of_measurement

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Change the limit at the API."""
        # What is no number is neither below the least nor above the most.
        if not isfinite(value):
            raise ServiceValidationError(translation_domain=DOMAIN, translation_key="not_a_number")
        description = self.entity_description
        await self.async_write_preferences({description.key: description.change_fn(value)})
