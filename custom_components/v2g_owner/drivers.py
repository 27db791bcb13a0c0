"""Whose yes counts for a car that several people drive: administrators and the car's persons."""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.selector import BooleanSelector, EntitySelector, EntitySelectorConfig
import probatio

from .const import CONF_VEHICLE_ID, DOMAIN
from .coordinator import V2GCoordinator
from .subentry_flow import LinkedDeviceFlow

CONF_DRIVERS: Final = "drivers"
CONF_ADMINS_ANSWER: Final = "admins_answer"
DRIVERS_SCHEMA: Final = probatio.Schema(
    {
        probatio.Optional(CONF_DRIVERS): EntitySelector(
            EntitySelectorConfig(domain="person", multiple=True)
        ),
        probatio.Required(CONF_ADMINS_ANSWER, default=True): BooleanSelector(),
    }
)


async def async_check_may_answer(
    coordinator: V2GCoordinator, vehicle_id: str | None, user_id: str
) -> None:
    """Raise a translated error unless this person's yes counts for the car.

    Somebody whom Home Assistant does not know, such as a voice without a user, never counts.
    """
    hass = coordinator.hass
    wishes = _wishes(coordinator, vehicle_id)
    user = await hass.auth.async_get_user(user_id)
    if user is not None and user.is_active:
        if user.is_admin and wishes.get(CONF_ADMINS_ANSWER, True):
            return
        if user_id in driver_users(hass, wishes):
            return
    vehicle = coordinator.data.vehicles.get(vehicle_id or "")
    raise ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="not_your_decision",
        translation_placeholders={"vehicle": vehicle.display_name if vehicle else ""},
    )


def driver_users(hass: HomeAssistant, wishes: Mapping[str, Any]) -> set[str]:
    """Return the users behind a car's persons."""
    states = (hass.states.get(person) for person in wishes.get(CONF_DRIVERS, ()))
    return {
        state.attributes["user_id"] for state in states if state and "user_id" in state.attributes
    }


def _wishes(coordinator: V2GCoordinator, vehicle_id: str | None) -> Mapping[str, Any]:
    """Return what the owner set for a car, nothing for one that is not linked here."""
    for subentry in coordinator.config_entry.subentries.values():
        if subentry.data.get(CONF_VEHICLE_ID) == vehicle_id:
            return subentry.data
    return {}


class DriversStep(LinkedDeviceFlow):
    """The form that sets whose yes counts."""

    async def async_step_drivers(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Choose persons; at least somebody must be able to answer."""
        subentry = self._get_reconfigure_subentry()
        errors: dict[str, str] = {}
        if user_input is not None:
            if user_input[CONF_ADMINS_ANSWER] or user_input.get(CONF_DRIVERS):
                rest = {k: v for k, v in subentry.data.items() if k != CONF_DRIVERS}
                return self.async_update_and_abort(
                    self._get_entry(), subentry, data={**rest, **user_input}
                )
            errors["base"] = "nobody_answers"
        return self.async_show_form(
            step_id="drivers",
            data_schema=self.add_suggested_values_to_schema(
                DRIVERS_SCHEMA, user_input or subentry.data
            ),
            errors=errors,
        )
