"""What an action is about, and how its answer is written: shared by all of them."""

from datetime import datetime
from typing import Any, Final

from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr, service

from .const import CONF_VEHICLE_ID, DOMAIN
from .coordinator import V2GConfigEntry, V2GCoordinator
from .instants import utc_text
from .loading import connected_accounts, is_connected

ATTR_CONFIG_ENTRY: Final = "config_entry"


def account_of(call: ServiceCall) -> V2GCoordinator:
    """Return the account an action is for: the one named, else the only one."""
    return entry_of(call).runtime_data.coordinator


def entry_of(call: ServiceCall) -> V2GConfigEntry:
    """Return the account's entry; raises where its agent has not answered since the start."""
    entry: V2GConfigEntry = service.async_get_config_entry(
        call.hass, DOMAIN, call.data.get(ATTR_CONFIG_ENTRY)
    )
    if not is_connected(entry):
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="cannot_connect")
    return entry


def vehicle_of(hass: HomeAssistant, device_id: str) -> tuple[V2GCoordinator, str]:
    """Return the account and the vehicle behind a device.

    Raises where it is no vehicle of ours, or is one of an account that is not connected.
    """
    ours = our_ids(hass, device_id)
    for coordinator in connected_accounts(hass):
        for vehicle_id in ours & coordinator.data.vehicles.keys():
            return coordinator, vehicle_id
    if _is_unconnected(hass, ours):
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="cannot_connect")
    raise ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="not_a_vehicle",
        translation_placeholders={"device_id": device_id},
    )


def our_ids(hass: HomeAssistant, device_id: str) -> set[str]:
    """Return the ids by which the API knows a device, none for one that is not ours."""
    device = dr.async_get(hass).async_get(device_id)
    known = set() if device is None else device.identifiers
    return {identifier for domain, identifier in known if domain == DOMAIN}


def _is_unconnected(hass: HomeAssistant, ours: set[str]) -> bool:
    """Tell whether one of our ids is a vehicle of an account that is not connected now."""
    return any(
        subentry.data.get(CONF_VEHICLE_ID) in ours
        for entry in hass.config_entries.async_entries(DOMAIN)
        if not is_connected(entry)
        for subentry in entry.subentries.values()
    )


def readable(value: Any) -> Any:  # noqa: ANN401 - any nesting of JSON values and times
    """Return a view with its times as text."""
    if isinstance(value, dict):
        return {key: readable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [readable(item) for item in value]
    return utc_text(value) if isinstance(value, datetime) else value
