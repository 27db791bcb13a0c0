"""A repair for a charger that was told zero and from which, by its meter, something still flows."""

from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import CONF_POWER_ENTITY, DOMAIN
from .executor import ChargerExecutor
from .issues import fixed_by


@callback
def async_watch_rest(
    hass: HomeAssistant,
    entry: ConfigEntry[Any],
    subentry: ConfigSubentry,
    executor: ChargerExecutor,
) -> CALLBACK_TYPE:
    """Raise the repair while the executor sees no rest, with the agent away as well.

    Returns the way to stop.
    """

    @callback
    def look() -> None:
        if not executor.restless:
            async_forget_rest(hass, subentry)
            return
        ir.async_create_issue(
            hass,
            DOMAIN,
            _issue_id(subentry),
            data=fixed_by(entry, subentry, "choose_entities"),
            is_fixable=True,
            severity=ir.IssueSeverity.ERROR,
            translation_key="charger_restless",
            translation_placeholders={
                "name": subentry.title,
                "entity_id": str(subentry.data.get(CONF_POWER_ENTITY)),
            },
        )

    look()
    return executor.async_listen(look)


@callback
def async_forget_rest(hass: HomeAssistant, subentry: ConfigSubentry) -> None:
    """End the repair: the charger rests, or is not set from here any more."""
    ir.async_delete_issue(hass, DOMAIN, _issue_id(subentry))


def _issue_id(subentry: ConfigSubentry) -> str:
    return f"charger_restless_{subentry.subentry_id}"
