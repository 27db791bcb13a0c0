"""A repair for a charger's number that counts something else than was mapped and tested."""

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.helpers.start import async_at_started

from .charger_control import CONF_CONTROL, CONF_SETPOINT_ENTITY, ChargerControl
from .charger_range import Range
from .const import DOMAIN
from .coordinator import V2GConfigEntry
from .issues import fixed_by, mapped_to
from .unsubscribing import together


@callback
def async_watch_unit(
    hass: HomeAssistant, entry: V2GConfigEntry, subentry: ConfigSubentry
) -> CALLBACK_TYPE:
    """Look once Home Assistant has started, and whenever the number's unit changes.

    Returns the way to stop.
    """

    @callback
    def look(_hass: HomeAssistant) -> None:
        _async_look(hass, entry, subentry)

    @callback
    def moved(event: Event[EventStateChangedData]) -> None:
        states = (event.data["old_state"], event.data["new_state"])
        old, new = (None if state is None else Range.of(state).unit for state in states)
        if old != new:
            _async_look(hass, entry, subentry)

    number = mapped_to(subentry.data, CONF_SETPOINT_ENTITY)
    unsubscribes = [
        async_track_state_change_event(hass, number or [], moved),
        async_at_started(hass, look),
    ]

    return together(unsubscribes)


@callback
def _async_look(hass: HomeAssistant, entry: V2GConfigEntry, subentry: ConfigSubentry) -> None:
    """Raise the repair, or end it where the number fits again or is there no more."""
    entity_id = mapped_to(subentry.data, CONF_SETPOINT_ENTITY)
    issue_id = f"control_unit_wrong_{subentry.subentry_id}"
    state = hass.states.get(entity_id or "")
    unit = None if state is None else Range.of(state).unit
    if not entity_id or ChargerControl.read(subentry.data[CONF_CONTROL]).watts_per(unit):
        ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        data=fixed_by(entry, subentry, "choose_entities"),
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key="control_unit_wrong",
        translation_placeholders={
            "entity_id": entity_id,
            "name": subentry.title,
            "unit": unit or "",
        },
    )
