"""What owners see and press of a charger this home controls: who holds it, until when, and stop.

These are there with the API gone, from the first moment after a start (``alone``): stop and charge
now need nobody but this home.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, override

from homeassistant.components.binary_sensor import (
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
)
from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import EntityCategory, UnitOfPower
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.typing import StateType
from homeassistant.util import dt as dt_util

from .charger_tests import async_end_tests
from .const import CONF_CHARGER_ID, CONF_VEHICLE_ID, SUBENTRY_CHARGER, SUBENTRY_VEHICLE
from .control_model import Holder, OverrideKind, Reason
from .coordinator import V2GConfigEntry, V2GCoordinator
from .entity import ChargerEntity
from .executor import ChargerExecutor
from .executor_plan import shown_plan
from .executors import executors_of

PLAN: Final = "plan"


@dataclass(frozen=True, kw_only=True)
class ControlSensorDescription(SensorEntityDescription):
    """Describes one figure of who controls the charger."""

    value_fn: Callable[[ChargerExecutor], StateType | datetime]
    attributes_fn: Callable[[ChargerExecutor], Mapping[str, Any]] | None = None


def _plan(executor: ChargerExecutor) -> Mapping[str, Any]:
    """Return what the executor means to do next."""
    return {PLAN: shown_plan(executor.memory.orders.plan, dt_util.utcnow())}


CONTROL_SENSORS: tuple[ControlSensorDescription, ...] = (
    ControlSensorDescription(
        key="controlled_by",
        translation_key="controlled_by",
        device_class=SensorDeviceClass.ENUM,
        options=[holder.value for holder in Holder],
        value_fn=lambda executor: executor.verdict.holder.value,
        attributes_fn=_plan,
    ),
    ControlSensorDescription(
        key="controlled_until",
        translation_key="controlled_until",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda executor: executor.verdict.until,
    ),
    ControlSensorDescription(
        key="control_reason",
        translation_key="control_reason",
        device_class=SensorDeviceClass.ENUM,
        options=[reason.value for reason in Reason],
        value_fn=lambda executor: executor.verdict.reason.value,
    ),
    ControlSensorDescription(
        key="setpoint",
        translation_key="setpoint",
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_unit_of_measurement=UnitOfPower.KILO_WATT,
        suggested_display_precision=1,
        value_fn=lambda executor: executor.verdict.setpoint_w,
    ),
)
UNPLUG_CHARGER = BinarySensorEntityDescription(
    key="unplug_charger",
    translation_key="unplug_charger",
    device_class=BinarySensorDeviceClass.PROBLEM,
)
CHARGE_NOW = SwitchEntityDescription(key="charge_now", translation_key="charge_now")
STOP_NOW = ButtonEntityDescription(key="stop_now", translation_key="stop_now")
RESUME = ButtonEntityDescription(key="resume", translation_key="resume")
CAR_HERE = SelectEntityDescription(
    key="car_here", translation_key="car_here", entity_category=EntityCategory.CONFIG
)
GUEST = "guest"


class ControlEntity(ChargerEntity):
    """An entity of a charger this home controls."""

    def __init__(
        self,
        coordinator: V2GCoordinator,
        description: EntityDescription,
        subentry: ConfigSubentry,
        executor: ChargerExecutor,
    ) -> None:
        """Tie the entity to the charger's executor."""
        super().__init__(coordinator, description, subentry)
        self.executor = executor

    @property
    @override
    def available(self) -> bool:
        """Stay there with the API gone: this home controls the charger by itself."""
        return True

    @property
    @override
    def _made_from(self) -> tuple[object, ...] | None:
        """What the executor knows, and it tells by itself; the API has no part in it."""
        return ()

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the executor as well."""
        await super().async_added_to_hass()
        self.async_on_remove(self.executor.async_listen(self.async_show))


class ControlSensor(ControlEntity, SensorEntity):
    """One figure of who controls the charger."""

    entity_description: ControlSensorDescription
    # A plan is renewed every quarter of an hour; what was done is in the states.
    _unrecorded_attributes = frozenset({PLAN})

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        """Return what is meant to come."""
        explain = self.entity_description.attributes_fn
        return None if explain is None else explain(self.executor)

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return the figure."""
        return self.entity_description.value_fn(self.executor)


class UnplugBinarySensor(ControlEntity, BinarySensorEntity):
    """Zero was asked for and nothing says that the charger obeyed: unplug to stop now."""

    @property
    @override
    def is_on(self) -> bool:
        """Tell whether to unplug."""
        return self.executor.unplug_hint


class ChargeNowSwitch(ControlEntity, SwitchEntity):
    """Charge with full power, whatever plan and park say, until the time shown."""

    @property
    @override
    def is_on(self) -> bool:
        """Tell whether it holds."""
        return self.executor.verdict.holder is Holder.CHARGE_NOW

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Charge."""
        self.executor.async_charge_now()

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Go back to plan and park, unless something else holds by now."""
        word = self.executor.memory.orders.override
        if word is not None and word.kind == OverrideKind.CHARGE:
            self.executor.async_resume()


class StopNowButton(ControlEntity, ButtonEntity):
    """Brings this charger to zero at once, asking nobody."""

    @override
    async def async_press(self) -> None:
        """Stop; a guided test that runs sets this charger as well."""
        await asyncio.gather(
            self.executor.async_stop_now(),
            async_end_tests(self.hass, {"charger_id": self.executor.charger_id}),
        )
        self.executor.async_tick()


class ResumeButton(ControlEntity, ButtonEntity):
    """Ends what the owner said: plan and park go on."""

    @override
    async def async_press(self) -> None:
        """Resume."""
        self.executor.async_resume()


class CarHereSelect(ControlEntity, SelectEntity):
    """Which car stands here, where the owner knows better than the plugs tell."""

    def __init__(
        self,
        coordinator: V2GCoordinator,
        description: EntityDescription,
        subentry: ConfigSubentry,
        executor: ChargerExecutor,
    ) -> None:
        """Offer the linked cars and a guest's."""
        super().__init__(coordinator, description, subentry, executor)
        entry = coordinator.config_entry
        self._cars = {
            each.title: each.data[CONF_VEHICLE_ID]
            for each in entry.get_subentries_of_type(SUBENTRY_VEHICLE)
        }
        self._attr_options = [*self._cars, GUEST]

    @property
    @override
    def current_option(self) -> str:
        """Return the car that is known for certain to stand here."""
        bound = self.executor.memory.parking.bound
        return next((name for name, key in self._cars.items() if key == bound), GUEST)

    @override
    async def async_select_option(self, option: str) -> None:
        """Take the owner's word, until the car is unplugged."""
        self.executor.async_name_car(self._cars.get(option))


def controlled(
    hass: HomeAssistant, entry: V2GConfigEntry
) -> Iterator[tuple[ConfigSubentry, ChargerExecutor]]:
    """Yield the chargers this home controls."""
    executors = executors_of(hass, entry)
    for subentry in entry.get_subentries_of_type(SUBENTRY_CHARGER):
        if (executor := executors.get(subentry.data[CONF_CHARGER_ID])) is not None:
            yield subentry, executor
