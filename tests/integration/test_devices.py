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
    assert set(flow["menu_options"]) == {"pair", "shut_out"}
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


async def test_another_device_is_paired_with_a_code_that_home_assistant_shows(
    home: Home, world: OwnerWorld
) -> None:
    """Until now only a phone, or the operator, could give an owner the code for the next device."""
    flow = await configure(home, "pair")
    shown = flow["description_placeholders"]
    ((key, picture),) = flow["data_schema"].schema.items()
    assert key == "qr_code"
    assert picture.config["data"] == shown["text"]
    assert shown["text"].startswith("v2gowner:pair#")
    flow = await send(home, flow)
    assert flow["errors"] == {"base": "code_unused"}
    assert flow["description_placeholders"]["code"] == shown["code"]

    body = {"code": shown["code"], "device_name": "Tablet", "kind": "phone"}
    status, _ = await world.phone.call("POST", "/v1/pair", body)
    assert status == 201
    done = await send(home, flow)
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


async def test_promise_1_nobody_but_administrators_gets_a_code(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    hass_client: Any,
    hass_read_only_access_token: str,
) -> None:
    """Promise 1: a code lets its finder say yes as the owner; a guest of the home is not asked."""
    assert await async_setup_component(hass, "config", {})
    path = "/api/config/config_entries/options/flow"
    body = {"handler": home.entry.entry_id}
    refused = await (await hass_client(hass_read_only_access_token)).post(path, json=body)
    assert refused.status in {401, 403}
    allowed = await (await hass_client()).post(path, json=body)
    menu = await allowed.json()
    assert menu["menu_options"] == ["pair", "shut_out"]
    shown = await (await hass_client()).post(
        f"{path}/{menu['flow_id']}", json={"next_step_id": "pair"}
    )
    form = await shown.json()
    (field,) = form["data_schema"]
    assert field["selector"]["qr_code"]["data"] == form["description_placeholders"]["text"]
