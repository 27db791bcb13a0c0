"""Actions that only tell: an offer in full, a rule on trial, the battery's health."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr
import probatio
import pytest

from custom_components.v2g_owner.const import DOMAIN

from .conftest import Home
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow


def device_of(home: Home, vehicle_id: str) -> str:
    """Return the id of a vehicle's device."""
    device = dr.async_get(home.hass).async_get_device_by_identifier(
        (DOMAIN, vehicle_id), home.entry.entry_id
    )
    assert device is not None
    return device.id


def priced(price: str) -> dict[str, Any]:
    """Return the terms of an offer at a price."""
    return {"reward": {"kind": "cash", "currency": "CNY", "price_per_kwh": price}}


async def test_an_offer_is_told_in_full_with_why_not_and_what_would_be_enough(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """Also one that was declined for the owner and never prompted."""
    device_id = device_of(home, vehicle_id)
    with pytest.raises(ServiceValidationError) as none:
        await home.act("get_offer", {"device_id": device_id})
    assert none.value.translation_key == "no_offer_yet"

    cheap = await world.offer(session_id, **priced("0.3000"))
    await home.reaches("sensor", vehicle_id, "last_offer", "auto_declined")
    told = await home.act("get_offer", {"device_id": device_id})
    assert told["offer"] == await world.phone.get(f"/v1/offers/{cheap['offer_id']}")
    assert told["why_not"] == "price"
    assert told["ways"][0]["way"] == "higher_price"
    money = told["money"]
    assert money["currency"] == "CNY"
    spent = money["refill"] + money["losses"] + money["wear"]
    assert money["net"] == pytest.approx(money["gross"] - spent)

    good = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    told = await home.act("get_offer")
    assert told["offer"]["offer_id"] == good["offer_id"]
    assert told["why_not"] == "none"
    assert told["ways"] == []
    told = await home.act("get_offer", {"offer_id": cheap["offer_id"]})
    assert told["why_not"] == "price"
    with pytest.raises(ServiceValidationError) as unknown:
        await home.act("get_offer", {"offer_id": "off_" + "0" * 32})
    assert unknown.value.translation_key == "not_found"


async def test_a_rule_is_tried_on_the_last_offers_and_changes_nothing(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """Would have accepted one of the last two, in the owner's own units."""
    device = {"device_id": device_of(home, vehicle_id)}
    await world.offer(session_id)
    await world.offer(session_id, **priced("2.0000"))
    before = await world.phone.get(f"/v1/vehicles/{vehicle_id}/preferences")

    async def accepted(**rule: Any) -> tuple[int, int]:
        found = await home.act("preview_rule", device | rule)
        assert found["currency"] == "CNY"
        assert sum(item["would_accept"] for item in found["items"]) == found["accepted"]
        return found["accepted"], found["considered"]

    assert await accepted() == (2, 2)
    assert await accepted(min_price_per_kwh=1.5) == (1, 2)
    assert await accepted(last=1) == (1, 1)
    assert await accepted(max_energy_kwh=5.9) == (0, 2)
    assert await accepted(max_energy_kwh=6) == (2, 2)
    assert await accepted(purposes=["backup"]) == (0, 2)
    assert await accepted(purposes=["backup", "peak_price"]) == (2, 2)
    assert await accepted(park_ids=[world.park.party_id]) == (2, 2)
    nets = [item["net_minor"] for item in (await home.act("preview_rule", device))["items"]]
    assert await accepted(min_net=max(nets) / 100) == (1, 2)
    assert await accepted(min_net=max(nets) / 100 + 0.01) == (0, 2)
    assert await accepted(min_net_per_kwh=100) == (0, 2)
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    assert await accepted(weekdays=days) == (2, 2)
    before_noon, after_noon = {"to_time": "12:00:00"}, {"from_time": "12:00:00"}
    halves = [await accepted(**before_noon), await accepted(**after_noon)]
    assert sum(count for count, _ in halves) == 2, "each offer came in one half of the day"
    assert await world.phone.get(f"/v1/vehicles/{vehicle_id}/preferences") == before
    with pytest.raises(ServiceValidationError) as refused:
        await home.act("preview_rule", device | {"park_ids": ["nowhere"]})
    assert refused.value.translation_key == "invalid_body"
    with pytest.raises(ServiceValidationError) as foreign:
        await home.act("preview_rule", {"device_id": "nobody"})
    assert foreign.value.translation_key == "not_a_vehicle"


async def test_a_rule_with_an_endless_number_is_refused(home: Home, vehicle_id: str) -> None:
    """By the field's name, not as an error of ours."""
    device_id = device_of(home, vehicle_id)
    for field in ("min_price_per_kwh", "min_net", "min_net_per_kwh", "max_energy_kwh"):
        for value in ("inf", "nan", float("-inf"), 1e30):
            with pytest.raises(probatio.Invalid, match=field):
                await home.act("preview_rule", {"device_id": device_id, field: value})


async def test_the_batterys_health_is_told_in_numbers(
    home: Home, world: OwnerWorld, vehicle_id: str, hass: HomeAssistant
) -> None:
    """The API's own ledger; what it counts as text is a number here."""
    device = {"device_id": device_of(home, vehicle_id)}
    found = await home.act("get_battery_health", device)
    told = await world.phone.get(f"/v1/vehicles/{vehicle_id}/battery-health")
    assert found["capacity_left_pct"] == float(told["capacity_left_pct"]) == 100
    assert found["model"] == told["model"]
    assert found["days"] == 0
    assert found["v2g_cost"] == told["v2g_cost_minor"] / 100
    assert found["calendar_saved"] == told["calendar_saved_minor"] / 100
    assert found["v2g_efc"] == 0
    await world.stop_server()
    with pytest.raises(HomeAssistantError) as away:
        await home.act("get_battery_health", device)
    assert away.value.translation_key == "cannot_connect"
    await world.start_server()
