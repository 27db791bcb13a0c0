"""Raise a repair for a linked vehicle or charger that the API no longer knows.

Only the owner unlinks: it may have been deleted by mistake, and its recorded history is here.
"""

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import CONF_VEHICLE_ID, DOMAIN
from .coordinator import V2GCoordinator


class StaleDevices:
    """Looks at every linked device of an account whenever the API told something."""

    def __init__(self, hass: HomeAssistant, coordinator: V2GCoordinator) -> None:
        """Prepare; nothing is looked at yet."""
        self._hass = hass
        self._coordinator = coordinator
        self._linked = tuple(coordinator.config_entry.subentries.values())

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Begin; returns the way to stop."""
        unsubscribe = self._coordinator.async_add_listener(self._async_look)
        self._async_look()
        return unsubscribe

    @callback
    def _async_look(self) -> None:
        """Compare what is linked with what the API knows."""
        told = self._coordinator.data
        for subentry in self._linked:
            devices = told.vehicles if CONF_VEHICLE_ID in subentry.data else told.chargers
            if subentry.unique_id in devices:
                ir.async_delete_issue(self._hass, DOMAIN, _issue_id(subentry))
            else:
                self._async_raise(subentry)

    @callback
    def _async_raise(self, subentry: ConfigSubentry) -> None:
        """Raise the repair of one device."""
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            _issue_id(subentry),
            data={
                "entry_id": self._coordinator.config_entry.entry_id,
                "subentry_id": subentry.subentry_id,
                "fix": "unlink",
            },
            is_fixable=True,
            severity=ir.IssueSeverity.WARNING,
            translation_key="device_unknown",
            translation_placeholders={"name": subentry.title},
        )


def _issue_id(subentry: ConfigSubentry) -> str:
    """Return the id of the repair of one device."""
    return f"device_unknown_{subentry.subentry_id}"
