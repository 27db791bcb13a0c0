"""Delete a car or charger at the agent: apart from unlinking it, and confirmed."""

from typing import Any, Final

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.helpers.selector import BooleanSelector
import probatio

from .subentry_flow import LinkedDeviceFlow

CONF_CONFIRM: Final = "confirm"
_FORM: Final = probatio.Schema({probatio.Required(CONF_CONFIRM, default=False): BooleanSelector()})


class DeletingStep(LinkedDeviceFlow):
    """The form that deletes; what has happened with the device stays at the agent and here."""

    async def async_step_delete(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Delete once somebody has said that they mean it; with a live deal the agent refuses."""
        if not await self._async_loaded():
            return self._later(user_input)
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            if not user_input[CONF_CONFIRM]:
                errors[CONF_CONFIRM] = "not_confirmed"
            elif await self._async_write(self._async_delete, errors, placeholders):
                subentry = self._get_reconfigure_subentry()
                self.hass.config_entries.async_remove_subentry(
                    self._get_entry(), subentry.subentry_id
                )
                return self.async_abort(reason="deleted")
        return self.async_show_form(
            step_id="delete",
            data_schema=_FORM,
            errors=errors,
            description_placeholders={
                "name": self._get_reconfigure_subentry().title,
                **placeholders,
            },
        )

    async def _async_delete(self) -> str:
        """Delete the device at the agent, in the revision that is known here."""
        coordinator, device_id = self._coordinator, self._device_id or ""
        known = self._known()[device_id]
        await coordinator.api.delete(f"/v1/{self.resource}/{device_id}", known.revision)
        return device_id
