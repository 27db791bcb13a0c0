"""Money in sensors has the digits of its currency."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest

from .conftest import Home
from .entries import paired_entry
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("currency", "digits"), [("KWD", 3), ("JPY", 0), ("CNY", 2)])
async def test_money_is_shown_with_the_digits_of_the_owners_currency(
    hass: HomeAssistant, world: OwnerWorld, currency: str, digits: int
) -> None:
    await world.phone.patch("/v1/me", {"currency": currency})
    entry = await paired_entry(hass, world, [])
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    home, registry = Home(hass, entry), er.async_get(hass)
    for key in ("next_offer_net", "next_offer_wear", "deal_earned", "rewards_paid"):
        found = registry.async_get(home.entity_id("sensor", world.owner_id, key))
        assert found is not None
        assert found.options["sensor"]["suggested_display_precision"] == digits, key
