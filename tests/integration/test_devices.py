"""The owner's devices through Home Assistant: listed, one more paired, a lost one shut out."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.setup import async_setup_component
import pytest

from custom_components.v2g_owner.const import CONF_DEVICE_ID

from .conftest import Home
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow


async def configure(home: Home, step: str) -> Any:
    """Open one of the forms behind Configure."""
    flow = await home.hass.config_entries.options.async_init(home.entry.entry_id)
    assert flow["type"] is FlowResultType.MENU
    assert set(flow["menu_options"]) == {"account", "pair", "shut_out"}
    return await send(home, flow, next_step_id=step)


async def send(home: Home, flow: Any, **form: Any) -> Any:
    """Send one of the forms."""
    return await home.hass.config_entries.options.async_configure(flow["flow_id"], form)


def offered(flow: Any) -> dict[str, str]:
    """Return the devices that a form offers, by id."""
    (choice,) = [
        selector for key, selector in flow["data_schema"].schema.items() if key == "other_device"
    ]
    return {option["value"]: option["label"] for option in choice.config["options"]}


async def devices(home: Home) -> dict[str, Any]:
    """Return what the action lists, by name."""
    listed = (await home.act("list_devices"))["devices"]
    return {each["display_name"]: each for each in listed}


async def test_a_lost_phone_is_shut_out_at_once_by_an_owner_with_home_assistant_alone(
    home: Home, world: OwnerWorld
) -> None:
    """Who finds it could sell for the owner, until the operator has been asked to end it."""
    known = await devices(home)
    assert set(known) == {"Phone", "Test home"}
    assert known["Test home"]["current"] is True
    assert known["Phone"]["kind"] == "phone"

    flow = await configure(home, "shut_out")
    phone_id = known["Phone"]["device_id"]
    assert set(offered(flow)) == {phone_id}
    assert offered(flow)[phone_id].startswith("Phone (")
    flow = await send(home, flow, other_device=phone_id, confirm=False)
    assert flow["errors"] == {"confirm": "not_confirmed"}
    assert (await world.phone.call("GET", "/v1/snapshot"))[0] == 200

    done = await send(home, flow, other_device=phone_id, confirm=True)
    assert done["reason"] == "shut_out"
    assert (await world.phone.call("GET", "/v1/snapshot"))[0] == 401
    assert set(await devices(home)) == {"Test home"}
    assert (await configure(home, "shut_out"))["reason"] == "no_other_device"


async def test_promise_4_this_home_does_not_shut_itself_out(home: Home, world: OwnerWorld) -> None:
    """It could no longer stop anything; to end its own pairing there is the account's deletion."""
    own_id = home.entry.data[CONF_DEVICE_ID]
    flow = await configure(home, "shut_out")
    assert own_id not in offered(flow)
    with pytest.raises(InvalidData):
        await send(home, flow, other_device=own_id, confirm=True)
    assert (await devices(home))["Test home"]["device_id"] == own_id


async def test_a_device_that_a_phone_has_shut_out_meanwhile_is_no_error(
    home: Home, world: OwnerWorld
) -> None:
    """What was wanted is so."""
    other = await world.pair_phone()
    flow = await configure(home, "shut_out")
    (old, new) = offered(flow)
    assert (await other.call("DELETE", f"/v1/devices/{old}"))[0] == 204
    assert (await send(home, flow, other_device=old, confirm=True))["reason"] == "shut_out"
    assert set(offered(await configure(home, "shut_out"))) == {new}


@pytest.fixture
async def options(hass: HomeAssistant, home: Home, hass_client: Any) -> Any:
    """Send the forms behind Configure as somebody, by requests as the frontend does."""
    assert await async_setup_component(hass, "config", {})
    path = "/api/config/config_entries/options/flow"

    async def fill(token: str, flow_id: str | None = None, **form: Any) -> Any:
        http = await hass_client(token)
        body = form if flow_id else {"handler": home.entry.entry_id}
        answer = await http.post(f"{path}/{flow_id}" if flow_id else path, json=body)
        return await answer.json() if answer.status == 200 else answer.status

    return fill


async def open_pairing(options: Any, token: str) -> Any:
    """Ask for a code as somebody."""
    menu = await options(token)
    return await options(token, menu["flow_id"], next_step_id="pair")


async def test_another_device_is_paired_with_a_code_that_home_assistant_shows(
    home: Home, world: OwnerWorld, options: Any, hass_access_token: str
) -> None:
    """Until now only a phone, or the operator, could give an owner the code for the next device."""
    flow = await open_pairing(options, hass_access_token)
    shown = flow["description_placeholders"]
    (field,) = flow["data_schema"]
    assert field["name"] == "qr_code"
    assert field["selector"]["qr_code"]["data"] == shown["text"]
    assert shown["text"].startswith("v2gowner:pair#")
    flow = await options(hass_access_token, flow["flow_id"])
    assert flow["errors"] == {"base": "code_unused"}
    assert flow["description_placeholders"]["code"] == shown["code"]

    body = {"code": shown["code"], "device_name": "Tablet", "kind": "phone"}
    status, _ = await world.phone.call("POST", "/v1/pair", body)
    assert status == 201
    done = await options(hass_access_token, flow["flow_id"])
    assert done["reason"] == "paired"
    assert done["description_placeholders"] == {"devices": "Tablet"}
    assert "Tablet" in await devices(home)


@pytest.mark.parametrize("step", ["pair", "shut_out"])
async def test_without_the_agent_configure_says_so_and_shows_nothing_old(
    home: Home, world: OwnerWorld, step: str
) -> None:
    """A list from before could shut out what is long another's."""
    await world.stop_server()
    done = await configure(home, step)
    assert done["type"] is FlowResultType.ABORT
    assert done["reason"] == "refused"
    assert "cannot be reached" in done["description_placeholders"]["detail"]
    assert await home.hass.config_entries.async_unload(home.entry.entry_id)
    assert (await configure(home, step))["reason"] == "not_loaded"
    await world.start_server()


async def test_promise_1_a_code_is_given_to_those_alone_whose_yes_counts_for_every_car(
    home: Home,
    world: OwnerWorld,
    options: Any,
    hass_access_token: str,
    hass_read_only_access_token: str,
) -> None:
    """Promise 1: a code lets its finder say yes as the owner, beside whom nobody is asked."""
    assert await options(hass_read_only_access_token) in {401, 403}
    assert (await open_pairing(options, hass_access_token))["type"] == "form"
    (subentry,) = home.entry.subentries.values()
    chosen = {**subentry.data, "drivers": ["person.li"], "admins_answer": False}
    home.hass.config_entries.async_update_subentry(home.entry, subentry, data=chosen)
    await home.hass.async_block_till_done()
    refused = await open_pairing(options, hass_access_token)
    assert (refused["type"], refused["reason"]) == ("abort", "refused")
    assert "Only this car's people" in refused["description_placeholders"]["detail"]
