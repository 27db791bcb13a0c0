"""An entry of the integration that is paired for real, and what is linked to it."""

from typing import Any

from homeassistant.config_entries import ConfigSubentryData
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.v2g_owner.api import OwnerApi
from custom_components.v2g_owner.const import (
    CONF_DEVICE_ID,
    CONF_KEY_SHA256,
    CONF_OWNER_ID,
    CONF_RECEIPT_KEY,
    CONF_REFRESH_TOKEN,
    CONF_SERVER_ID,
    DOMAIN,
)

from .charger_world import PLUG, SOC
from .owner_world import OwnerWorld


async def paired_entry(
    hass: HomeAssistant, world: OwnerWorld, subentries: list[ConfigSubentryData]
) -> MockConfigEntry:
    """Pair for real and return an entry that is not set up yet."""
    for user_id in ("somebody", "anna", "li"):
        MockUser(id=user_id, name=user_id, is_owner=True).add_to_hass(hass)
    api = OwnerApi(async_get_clientsession(hass), world.url)
    pairing = await api.pair(await world.pairing_code(), "Test home")
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Li Wei",
        unique_id=pairing.owner_id,
        data={
            CONF_URL: world.url,
            CONF_KEY_SHA256: None,
            CONF_RECEIPT_KEY: pairing.receipt_key,
            CONF_SERVER_ID: pairing.server_id,
            CONF_OWNER_ID: pairing.owner_id,
            CONF_DEVICE_ID: pairing.device_id,
            CONF_REFRESH_TOKEN: pairing.refresh_token,
        },
        subentries_data=subentries,
    )
    entry.add_to_hass(hass)
    return entry


def vehicle_subentry(vehicle_id: str, **mapping: Any) -> ConfigSubentryData:
    """Return a vehicle's subentry with the usual two sensors mapped."""
    return ConfigSubentryData(
        data={
            "vehicle_id": vehicle_id,
            "soc_entity": SOC,
            "plugged_entity": PLUG,
            "power_sign": "charging_positive",
            **mapping,
        },
        subentry_type="vehicle",
        title="Blue car",
        unique_id=vehicle_id,
    )
