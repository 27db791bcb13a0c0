"""Repairs that the owner can act on: a mapped entity that is gone."""

from collections.abc import Collection, Mapping
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigEntryState, ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.event import async_track_entity_registry_updated_event
from homeassistant.helpers.start import async_at_started

from .charger_control import CONF_CONTROL, CONF_MODE_ENTITY, CONF_SETPOINT_ENTITY
from .const import (
    CONF_CALENDAR_ENTITY,
    CONF_CONNECTED_ENTITY,
    CONF_EXPORT_ENTITY,
    CONF_IMPORT_ENTITY,
    CONF_ONLINE_ENTITY,
    CONF_PLUGGED_ENTITY,
    CONF_POWER_ENTITY,
    CONF_PRICE_ENTITY,
    CONF_SOC_ENTITY,
    CONF_TEMPERATURE_ENTITY,
    DOMAIN,
)
from .coordinator import V2GConfigEntry
from .unsubscribing import together

MAPPED = (
    CONF_SOC_ENTITY,
    CONF_PLUGGED_ENTITY,
    CONF_POWER_ENTITY,
    CONF_IMPORT_ENTITY,
    CONF_EXPORT_ENTITY,
    CONF_TEMPERATURE_ENTITY,
    CONF_CALENDAR_ENTITY,
    CONF_ONLINE_ENTITY,
    CONF_PRICE_ENTITY,
    CONF_CONNECTED_ENTITY,
)
# What a charger is told through, one level deeper in its subentry.
CONTROLS = (CONF_SETPOINT_ENTITY, CONF_MODE_ENTITY)
_ROLES = (*MAPPED, *CONTROLS)

# As Home Assistant keeps it with an issue.
type FixData = dict[str, str | int | float | None]


def mapped_to(data: Mapping[str, Any], conf: str) -> str | None:
    """Return the entity that a subentry maps to a role, if any."""
    place = data.get(CONF_CONTROL, {}) if conf in CONTROLS else data
    return place.get(conf)


def remapped(data: Mapping[str, Any], conf: str, entity_id: str) -> dict[str, Any]:
    """Return a subentry's data with another name for the entity of a role."""
    if conf in CONTROLS:
        return {**data, CONF_CONTROL: {**data[CONF_CONTROL], conf: entity_id}}
    return {**data, conf: entity_id}


@callback
def async_forget_repairs(
    hass: HomeAssistant, entry: V2GConfigEntry, linked: Collection[str] | None = None
) -> None:
    """End the repairs of an account, or only of what is linked to it no more."""
    for issue in list(ir.async_get(hass).issues.values()):
        about = issue.data or {}
        if issue.domain != DOMAIN or about.get("entry_id") != entry.entry_id:
            continue
        subentry_id = about.get("subentry_id")
        if linked is None or (subentry_id is not None and subentry_id not in linked):
            ir.async_delete_issue(hass, DOMAIN, issue.issue_id)


def gone_id(subentry: ConfigSubentry, conf: str) -> str:
    """Return the id of the repair of one mapped entity that is gone."""
    return f"mapped_entity_gone_{subentry.subentry_id}_{conf}"


def fixed_by(entry: ConfigEntry[Any], subentry: ConfigSubentry, fix: str) -> FixData:
    """Return what the dialog of a repair that the owner can act on is to know."""
    return {"entry_id": entry.entry_id, "subentry_id": subentry.subentry_id, "fix": fix}


@callback
def async_raise_gone(
    hass: HomeAssistant, entry: V2GConfigEntry, subentry: ConfigSubentry, conf: str
) -> None:
    """Raise the repair of a mapped entity that is gone."""
    data = fixed_by(entry, subentry, "choose_entities")
    told = {"entity_id": mapped_to(subentry.data, conf) or "", "name": subentry.title}
    if conf in CONTROLS:
        ir.async_create_issue(
            hass,
            DOMAIN,
            gone_id(subentry, conf),
            data=data,
            is_fixable=True,
            severity=ir.IssueSeverity.WARNING,
            translation_key="control_entity_gone",
            translation_placeholders=told,
        )
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        gone_id(subentry, conf),
        data=data,
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key="mapped_entity_gone",
        translation_placeholders=told,
    )


@callback
def async_watch_mapping(
    hass: HomeAssistant, entry: V2GConfigEntry, subentry: ConfigSubentry
) -> CALLBACK_TYPE:
    """Raise a repair when a mapped entity is deleted or disabled.

    One that was deleted while nobody looked is missed once Home Assistant has started: until then
    its own integration may still come. Returns the way to stop.
    """
    mapped = {each for conf in _ROLES if (each := mapped_to(subentry.data, conf))}

    @callback
    def updated(event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        data = event.data
        disabled = "disabled_by" in data["changes"] if data["action"] == "update" else False
        if data["action"] != "remove" and not disabled:
            return
        # Its last state may still be there for a moment.
        there = disabled and _is_registered(hass, data["entity_id"])
        for conf in _roles_of(subentry, data["entity_id"]):
            if there:
                ir.async_delete_issue(hass, DOMAIN, gone_id(subentry, conf))
            else:
                async_raise_gone(hass, entry, subentry, conf)

    @callback
    def look(_hass: HomeAssistant) -> None:
        for conf in _ROLES:
            _async_look(hass, entry, subentry, conf)

    unsubscribes = [
        async_track_entity_registry_updated_event(hass, sorted(mapped), updated),
        async_at_started(hass, look),
    ]

    return together(unsubscribes)


@callback
def async_follow_renames(hass: HomeAssistant) -> None:
    """Follow mapped entities to their new names, for as long as Home Assistant runs.

    Also those of accounts that are not loaded: their agents may be away, or wait to be paired
    anew, for days, and their chargers are driven all the same.
    """

    @callback
    def renamed(event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        data = event.data
        if data["action"] != "update" or "old_entity_id" not in data:
            return
        for entry in hass.config_entries.async_entries(DOMAIN):
            for subentry in entry.subentries.values():
                _async_remap(hass, entry, subentry, data["old_entity_id"], data["entity_id"])

    hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, renamed)


@callback
def _async_remap(
    hass: HomeAssistant, entry: V2GConfigEntry, subentry: ConfigSubentry, old: str, new: str
) -> None:
    """Put an entity's new name wherever a subentry has the old one."""
    if not (roles := _roles_of(subentry, old)):
        return
    data = dict(subentry.data)
    for conf in roles:
        data = remapped(data, conf, new)
    async_change_mapping(hass, entry, subentry, data)


@callback
def async_change_mapping(
    hass: HomeAssistant, entry: V2GConfigEntry, subentry: ConfigSubentry, data: Mapping[str, Any]
) -> None:
    """Change what a subentry maps, also where its account is not loaded."""
    hass.config_entries.async_update_subentry(entry, subentry, data=data)
    if entry.state in {ConfigEntryState.SETUP_RETRY, ConfigEntryState.SETUP_ERROR}:
        # Only a loaded account follows its own changes; its chargers must hear of it now.
        hass.config_entries.async_schedule_reload(entry.entry_id)


def _roles_of(subentry: ConfigSubentry, entity_id: str) -> list[str]:
    """Return what an entity was chosen for; it may be several things."""
    return [conf for conf in _ROLES if mapped_to(subentry.data, conf) == entity_id]


def _is_registered(hass: HomeAssistant, entity_id: str) -> bool:
    """Tell whether an entity is known and not disabled: its integration may still bring it."""
    known = er.async_get(hass).async_get(entity_id)
    return known is not None and not known.disabled


@callback
def _async_look(
    hass: HomeAssistant, entry: V2GConfigEntry, subentry: ConfigSubentry, conf: str
) -> None:
    """Raise the repair of a role whose entity is nowhere, and end it where it is back."""
    entity_id = mapped_to(subentry.data, conf)
    if not entity_id or hass.states.get(entity_id) or _is_registered(hass, entity_id):
        ir.async_delete_issue(hass, DOMAIN, gone_id(subentry, conf))
    else:
        async_raise_gone(hass, entry, subentry, conf)
