"""Dialogs that are open, or opened, while the account loads anew: nothing typed is lost."""

import asyncio
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest

import custom_components.v2g_owner as integration

from .conftest import Home, until
from .owner_world import OwnerWorld
from .test_subentries import ENTITIES, FACTS, begin, change, empty_home, send

__all__ = ["empty_home"]

BOX = {"display_name": "Garage", "max_charge_kw": 7, "max_discharge_kw": 6}
METER = {"power_sign": "charging_positive"}


def typed(flow: Any) -> dict[str, Any]:
    """Return what a form shows as already filled in."""
    return {
        str(key): key.description["suggested_value"]
        for key in flow["data_schema"].schema
        if key.description
    }


async def test_a_charger_can_be_added_at_once_after_a_vehicle(
    empty_home: Home, world: OwnerWorld
) -> None:
    """The vehicle makes the account load anew; whoever is quick need not know."""
    flow = await send(empty_home, await begin(empty_home), **FACTS)
    done = await send(empty_home, flow, **ENTITIES)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert empty_home.entry.state is not ConfigEntryState.LOADED
    flow = await begin(empty_home, "charger")
    assert flow["step_id"] == "facts", flow
    done = await send(empty_home, await send(empty_home, flow, **BOX), **METER)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    await empty_home.hass.async_block_till_done()
    (charger,) = (await world.phone.get("/v1/chargers"))["items"]
    assert empty_home.state("sensor", charger["charger_id"], "connected_vehicle")


async def test_a_form_sent_while_the_account_loads_anew_is_taken(
    empty_home: Home, world: OwnerWorld
) -> None:
    """Two dialogs in two windows: finishing one does not break the other."""
    charger = await send(empty_home, await begin(empty_home, "charger"), **BOX)
    vehicle = await send(empty_home, await begin(empty_home), **FACTS)
    await send(empty_home, vehicle, **ENTITIES)
    assert empty_home.entry.state is not ConfigEntryState.LOADED
    done = await send(empty_home, charger, **METER)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    await empty_home.hass.async_block_till_done()
    (made,) = (await world.phone.get("/v1/chargers"))["items"]
    assert empty_home.state("sensor", made["charger_id"], "connected_vehicle")


async def test_a_form_sent_while_the_agent_is_away_stays_open_with_what_was_typed(
    home: Home, world: OwnerWorld
) -> None:
    """Also where Home Assistant has unloaded the account meanwhile, and tries again later."""
    new = await send(home, await begin(home, "charger"), **BOX)
    facts = await send(home, await change(home), next_step_id="refacts")
    tariff = await send(home, await change(home), next_step_id="tariff")
    price = await send(home, tariff, next_step_id="price_fixed")
    await world.stop_server()
    await home.hass.config_entries.async_reload(home.entry.entry_id)
    assert home.entry.state is ConfigEntryState.SETUP_RETRY
    forms = ((new, METER), (facts, FACTS), (price, {"price": 0.42}))
    for flow, answers in forms:
        away = await send(home, flow, **answers)
        assert (away["type"], away["step_id"]) == (FlowResultType.FORM, flow["step_id"])
        assert away["errors"] == {"base": "cannot_connect"}
        assert typed(away).items() >= answers.items()
    await world.start_server()
    await home.hass.config_entries.async_reload(home.entry.entry_id)
    for flow, answers in forms:
        done = await send(home, flow, **answers)
        assert done["type"] in {FlowResultType.CREATE_ENTRY, FlowResultType.ABORT}
        assert done.get("reason", "reconfigure_successful") == "reconfigure_successful"
    await home.hass.async_block_till_done()


@pytest.mark.parametrize("way", ["price_table", "price_entity"])
async def test_a_step_chosen_in_a_menu_while_the_agent_is_away_ends_the_dialog(
    way: str, home: Home, world: OwnerWorld
) -> None:
    """Nothing was typed yet, and there is nobody to ask for what the form would show."""
    menu = await send(home, await change(home), next_step_id="tariff")
    await world.stop_server()
    await home.hass.config_entries.async_reload(home.entry.entry_id)
    ended = await send(home, menu, next_step_id=way)
    assert (ended["type"], ended["reason"]) == (FlowResultType.ABORT, "not_loaded")
    await world.start_server()


async def test_an_account_that_takes_too_long_to_load_is_not_waited_for(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dialog that only waits would say nothing at all."""
    monkeypatch.setattr("custom_components.v2g_owner.loading._PATIENCE_S", 0.01)
    await home.hass.config_entries.async_unload(home.entry.entry_id)
    async with home.entry.setup_lock:
        assert (await begin(home))["reason"] == "not_loaded"


async def test_what_is_added_while_the_account_loads_is_loaded_too(
    home: Home, world: OwnerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens for changes yet, so the load itself looks again at its end."""
    hass = home.hass
    made = await world.phone.post(
        "/v1/chargers", {"display_name": "Box", "max_charge_w": 7000, "max_discharge_w": 7000}
    )
    charger_id = made["charger_id"]
    late = ConfigSubentry(
        data=MappingProxyType({"charger_id": charger_id, **METER}),
        subentry_type="charger",
        title="Box",
        unique_id=charger_id,
    )
    feed = integration.async_feed_executors

    async def feed_late(hass: HomeAssistant, entry: Any, *rest: Any) -> None:
        if late.subentry_id not in entry.subentries:
            hass.config_entries.async_add_subentry(entry, late)
        await feed(hass, entry, *rest)

    monkeypatch.setattr(integration, "async_feed_executors", feed_late)
    await hass.config_entries.async_reload(home.entry.entry_id)
    await hass.async_block_till_done()
    await until(lambda: home.entry.state is ConfigEntryState.LOADED)
    assert home.state("sensor", charger_id, "connected_vehicle")


async def test_a_test_may_end_while_its_account_loads_anew(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is set up while Home Assistant ends nobody unloads: its timers would fail the test."""
    feed, begun = integration.async_feed_executors, asyncio.Event()

    async def slowly(*about: Any) -> None:
        """Take a while, after the entities have been added."""
        begun.set()
        await asyncio.sleep(0.5)
        await feed(*about)

    monkeypatch.setattr(integration, "async_feed_executors", slowly)
    home.hass.config_entries.async_schedule_reload(home.entry.entry_id)
    await begun.wait()
    assert home.entry.state is ConfigEntryState.SETUP_IN_PROGRESS
