"""Find our own entities among those a trigger or condition was pointed at."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from .const import DOMAIN


def only_ours(hass: HomeAssistant, entity_ids: set[str], translation_key: str) -> set[str]:
    """Return those that this integration made for one purpose.

    An area or label holds entities of many integrations; none of theirs means what ours does.
    """
    registry = er.async_get(hass)
    found = {entity_id: registry.async_get(entity_id) for entity_id in entity_ids}
    return {
        entity_id
        for entity_id, entry in found.items()
        if entry is not None
        and entry.platform == DOMAIN
        and entry.translation_key == translation_key
    }
