"""Who is asked about a car that several people drive, and whose yes counts.

Unless the owner says otherwise: administrators and the car's persons, on all their phones.
"""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.selector import (
    BooleanSelector,
    DeviceFilterSelectorConfig,
    DeviceSelector,
    DeviceSelectorConfig,
    EntitySelector,
    EntitySelectorConfig,
)
import probatio

from .actor import who_fills_in
from .const import CONF_VEHICLE_ID, DOMAIN, SUBENTRY_VEHICLE
from .coordinator import V2GCoordinator
from .subentry_flow import LinkedDeviceFlow

CONF_DRIVERS: Final = "drivers"
CONF_ADMINS_ANSWER: Final = "admins_answer"
CONF_ASKED_PHONES: Final = "asked_phones"
_MOBILE_APP: Final = "mobile_app"
DRIVERS_SCHEMA: Final = probatio.Schema(
    {
        probatio.Optional(CONF_DRIVERS): EntitySelector(
            EntitySelectorConfig(domain="person", multiple=True)
        ),
        probatio.Required(CONF_ADMINS_ANSWER, default=True): BooleanSelector(),
        probatio.Optional(CONF_ASKED_PHONES): DeviceSelector(
            DeviceSelectorConfig(
                filter=[DeviceFilterSelectorConfig(integration=_MOBILE_APP)], multiple=True
            )
        ),
    }
)


async def async_check_may_answer(
    coordinator: V2GCoordinator, vehicle_id: str | None, user_id: str
) -> None:
    """Raise a translated error unless this person's yes counts for the car.

    Somebody whom Home Assistant does not know, such as a voice without a user, never counts, nor
    does a user that Home Assistant made for an add-on or the cloud: that is nobody.
    """
    if await async_counts_for(coordinator, vehicle_id, user_id):
        return
    vehicle = coordinator.data.vehicles.get(vehicle_id or "")
    raise ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="not_your_decision",
        translation_placeholders={"vehicle": vehicle.display_name if vehicle else ""},
    )


async def async_counts_for(
    coordinator: V2GCoordinator, vehicle_id: str | None, user_id: str
) -> bool:
    """Tell whether somebody's yes counts for a car."""
    return await _async_counts(coordinator.hass, _wishes(coordinator, vehicle_id), user_id)


async def async_asked_phones(coordinator: V2GCoordinator, vehicle_id: str | None) -> list[str]:
    """Return the phones (device ids) that are asked about a car.

    Those the owner chose, else every phone of somebody whose yes counts, and those of nobody known.
    """
    hass, wishes = coordinator.hass, _wishes(coordinator, vehicle_id)
    if chosen := wishes.get(CONF_ASKED_PHONES):
        return list(chosen)
    devices = dr.async_get(hass)
    found: list[str] = []
    for entry in hass.config_entries.async_entries(_MOBILE_APP):
        user_id = entry.data.get("user_id")
        if user_id is None or await _async_counts(hass, wishes, user_id):
            of_entry = dr.async_entries_for_config_entry(devices, entry.entry_id)
            found += [device.id for device in of_entry]
    return found


async def _async_counts(hass: HomeAssistant, wishes: Mapping[str, Any], user_id: str) -> bool:
    """Tell whether somebody's yes counts, as the owner wishes."""
    user = await hass.auth.async_get_user(user_id)
    if user is None or not user.is_active or user.system_generated:
        return False
    if user.is_admin and wishes.get(CONF_ADMINS_ANSWER, True):
        return True
    return user_id in driver_users(hass, wishes)


def driver_users(hass: HomeAssistant, wishes: Mapping[str, Any]) -> set[str]:
    """Return the users behind a car's persons."""
    states = (hass.states.get(person) for person in wishes.get(CONF_DRIVERS, ()))
    return {
        state.attributes["user_id"] for state in states if state and "user_id" in state.attributes
    }


def _wishes(coordinator: V2GCoordinator, vehicle_id: str | None) -> Mapping[str, Any]:
    """Return what the owner set for a car; of one that is not linked now, what they had set."""
    for subentry in coordinator.config_entry.get_subentries_of_type(SUBENTRY_VEHICLE):
        if subentry.data[CONF_VEHICLE_ID] == vehicle_id:
            return subentry.data
    return coordinator.drivers.get(vehicle_id or "", {})


class DriversStep(LinkedDeviceFlow):
    """The form that sets who is asked and whose yes counts."""

    async def async_step_drivers(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Choose persons; at least somebody must be able to answer."""
        subentry = self._get_reconfigure_subentry()
        errors: dict[str, str] = {}
        if user_input is not None:
            if not (user_input[CONF_ADMINS_ANSWER] or user_input.get(CONF_DRIVERS)):
                errors["base"] = "nobody_answers"
            elif not await self._async_may_choose(subentry.data, user_input):
                errors["base"] = "not_yours_to_allow"
            else:
                optional = {CONF_DRIVERS, CONF_ASKED_PHONES}
                rest = {k: v for k, v in subentry.data.items() if k not in optional}
                return self.async_update_and_abort(
                    self._get_entry(), subentry, data={**rest, **user_input}
                )
        return self.async_show_form(
            step_id="drivers",
            data_schema=self.add_suggested_values_to_schema(
                DRIVERS_SCHEMA, user_input or subentry.data
            ),
            errors=errors,
            description_placeholders={"vehicle": subentry.title},
        )

    async def _async_may_choose(self, before: Mapping[str, Any], chosen: Mapping[str, Any]) -> bool:
        """Tell whether whoever fills this in may let those people say yes.

        Fewer anybody may choose; more, those whose yes counts. Home Assistant's owner may too, else
        nobody could where its forms are closed to all whose yes counts.
        """
        more = set(chosen.get(CONF_DRIVERS, ())) - set(before.get(CONF_DRIVERS, ()))
        if not more and before.get(CONF_ADMINS_ANSWER, True) >= chosen[CONF_ADMINS_ANSWER]:
            return True
        user_id = who_fills_in().user_id
        if user_id is None:
            return False
        user = await self.hass.auth.async_get_user(user_id)
        is_owner = user is not None and user.is_active and user.is_owner
        return is_owner or await _async_counts(self.hass, before, user_id)
