"""Yes-or-no facts: plugged in, charger online, offer open, connected at once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.util import dt as dt_util

from .const import STOP_CONFIRMATION, SUBENTRY_CHARGER, SUBENTRY_VEHICLE
from .control_entities import UNPLUG_CHARGER, UnplugBinarySensor, controlled
from .coordinator import V2GConfigEntry, V2GCoordinator
from .entity import ChargerEntity, HubEntity, VehicleEntity, async_add_in_turns
from .models_deal import Commitment

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class HubBinaryDescription(BinarySensorEntityDescription):
    """Describes a fact about the account."""

    is_on_fn: Callable[[V2GCoordinator], bool]


HUB_FACTS: tuple[HubBinaryDescription, ...] = (
    HubBinaryDescription(
        key="offer_open",
        translation_key="offer_open",
        is_on_fn=lambda coordinator: any(offer.waits for offer in coordinator.data.open_offers),
    ),
    HubBinaryDescription(
        key="discharging",
        translation_key="discharging",
        device_class=BinarySensorDeviceClass.RUNNING,
        is_on_fn=lambda coordinator: any(
            deal.state == "active" for deal in coordinator.data.live_commitments
        ),
    ),
    HubBinaryDescription(
        key="stream",
        translation_key="stream",
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        entity_category=EntityCategory.DIAGNOSTIC,
        is_on_fn=lambda coordinator: coordinator.stream_connected,
    ),
)
UNPLUG_TO_STOP = BinarySensorEntityDescription(
    key="unplug_to_stop",
    translation_key="unplug_to_stop",
    device_class=BinarySensorDeviceClass.PROBLEM,
)
PLUGGED_IN = BinarySensorEntityDescription(
    key="plugged_in", translation_key="plugged_in", device_class=BinarySensorDeviceClass.PLUG
)
ONLINE = BinarySensorEntityDescription(
    key="online",
    translation_key="online",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: V2GConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the facts of the account, its vehicles and its chargers."""
    coordinator = entry.runtime_data.coordinator
    for subentry, executor in controlled(hass, entry):
        await async_add_in_turns(
            async_add_entities,
            [UnplugBinarySensor(coordinator, UNPLUG_CHARGER, subentry, executor)],
            subentry,
        )
    if coordinator.alone:
        return
    await async_add_in_turns(
        async_add_entities,
        [
            *(HubFact(coordinator, description) for description in HUB_FACTS),
            UnplugToStop(coordinator, UNPLUG_TO_STOP),
        ],
    )
    for subentry in entry.get_subentries_of_type(SUBENTRY_VEHICLE):
        await async_add_in_turns(
            async_add_entities,
            [PluggedIn(coordinator, PLUGGED_IN, subentry)],
            subentry,
        )
    for subentry in entry.get_subentries_of_type(SUBENTRY_CHARGER):
        await async_add_in_turns(
            async_add_entities,
            [ChargerOnline(coordinator, ONLINE, subentry)],
            subentry,
        )


class HubFact(HubEntity, BinarySensorEntity):
    """One fact about the account."""

    entity_description: HubBinaryDescription

    @property
    @override
    def is_on(self) -> bool:
        """Tell whether it holds."""
        return self.entity_description.is_on_fn(self.coordinator)


class UnplugToStop(HubEntity, BinarySensorEntity):
    """Tells that a stop has not been confirmed in time, or has not worked: then the plug will.

    Counted here, not only read from the API: the link may be what is broken.
    """

    _cancel: CALLBACK_TYPE | None = None

    @override
    async def async_added_to_hass(self) -> None:
        """Begin to count for stops already under way."""
        await super().async_added_to_hass()
        self._asked: dict[str, datetime] = {}
        self.async_on_remove(self._async_cancel)
        self._async_count()

    @property
    @override
    def available(self) -> bool:
        """Stay while a stop is under way, whether or not the API still answers."""
        return super().available or bool(self._doubtful())

    def _doubtful(self) -> list[Commitment]:
        """Return the deals whose stop nobody has confirmed, or whose meter runs on all the same."""
        stopping = self.coordinator.data.stopping_commitments
        return [
            deal
            for deal in stopping
            if deal.unplug_hint or (deal.stop and deal.stop.confirmed_at is None)
        ]

    @property
    @override
    def is_on(self) -> bool:
        """Tell whether any stop has waited too long."""
        too_long = dt_util.utcnow() - STOP_CONFIRMATION
        return any(
            deal.unplug_hint or self._asked[deal.commitment_id] <= too_long
            for deal in self._doubtful()
        )

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Count from when a stop is first heard of."""
        self._async_count()
        super()._handle_coordinator_update()

    @callback
    def _async_count(self) -> None:
        """Note when each stop was first heard of, and look again when its time is up."""
        now = dt_util.utcnow()
        waiting = {deal.commitment_id for deal in self._doubtful()}
        self._asked = {key: self._asked.get(key, now) for key in waiting}
        self._async_cancel()
        due = [
            at + STOP_CONFIRMATION for at in self._asked.values() if at + STOP_CONFIRMATION > now
        ]
        if due:
            self._cancel = async_track_point_in_utc_time(self.hass, self._async_due, min(due))

    @callback
    def _async_due(self, _now: datetime) -> None:
        """Show that the time is up."""
        self._cancel = None
        self._async_count()
        self.async_write_ha_state()

    @callback
    def _async_cancel(self) -> None:
        """Drop the timer."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None


class PluggedIn(VehicleEntity, BinarySensorEntity):
    """Whether the API believes the vehicle is plugged in."""

    @property
    @override
    def is_on(self) -> bool | None:
        """Tell whether it is, None while unknown."""
        return self.vehicle.plugged_in


class ChargerOnline(ChargerEntity, BinarySensorEntity):
    """Whether the charger can be reached."""

    @property
    @override
    def is_on(self) -> bool | None:
        """Tell whether it can, None while unknown."""
        return self.charger.online
