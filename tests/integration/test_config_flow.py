"""Pairing: every way in, every error, and each error's way back to success."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl

from aiohttp import web
from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    SOURCE_ZEROCONF,
    ConfigEntry,
    ConfigEntryState,
)
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
import pytest

from custom_components.v2g_owner.api import OwnerApi
from custom_components.v2g_owner.api_errors import OwnerApiConnectionError, problem
from custom_components.v2g_owner.const import (
    CONF_DEVICE_ID,
    CONF_KEY_SHA256,
    CONF_PAIRING_CODE,
    CONF_SERVER_ID,
    DOMAIN,
)
from custom_components.v2g_owner.decode import BadAnswerError
from custom_components.v2g_owner.system_health import system_health_info
from owner_api.config import Config
from owner_api.server.desk import Operate
from owner_api.server.running import Running, running_server

from .conftest import PATIENCE_S, Home, until
from .fault_server import serving
from .owner_world import OwnerWorld, ServerClock
from .relay import relaying


async def begin(hass: HomeAssistant) -> Any:
    """Open the form."""
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})


async def send(hass: HomeAssistant, flow: Any, url: str, code: str) -> Any:
    """Send the form."""
    return await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_URL: url, CONF_PAIRING_CODE: code}
    )


async def finish(hass: HomeAssistant, world: OwnerWorld, flow: Any) -> Any:
    """Send what works, and see the entry made: no error is a dead end."""
    done = await send(hass, flow, world.url, await world.pairing_code())
    assert done["type"] is FlowResultType.CREATE_ENTRY, done
    await hass.async_block_till_done()
    assert done["result"].state is ConfigEntryState.LOADED
    return done


async def test_an_address_and_a_code_pair_and_lead_on_to_the_first_vehicle(
    hass: HomeAssistant, world: OwnerWorld
) -> None:
    """An account without a vehicle is of no use, so its form comes at once."""
    flow = await begin(hass)
    assert flow["type"] is FlowResultType.FORM
    assert flow["step_id"] == "user"
    done = await finish(hass, world, flow)
    assert done["title"] == "Li Wei"
    assert done["result"].unique_id == world.owner_id
    kind, flow_id = done["next_flow"]
    assert kind == "config_subentries_flow"
    progress = hass.config_entries.subentries.async_progress()
    assert [each["flow_id"] for each in progress] == [flow_id]


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("", "Home Assistant"),
        ("Am Ende der Straße " * 10, ("Am Ende der Straße " * 10)[:100]),
        # A family of three is three people and what joins them.
        (
            "\U0001f468\u200d\U0001f469\u200d\U0001f467 zu Hause",
            "\U0001f468\U0001f469\U0001f467 zu Hause",
        ),
    ],
    ids=["none", "long", "emoji"],
)
async def test_a_home_pairs_whatever_it_is_called(
    hass: HomeAssistant, world: OwnerWorld, name: str, listed: str
) -> None:
    """It was told to ask for a new code, and no code would have helped."""
    hass.config.location_name = name
    await finish(hass, world, await begin(hass))
    names = [each["display_name"] for each in (await world.phone.get("/v1/devices"))["items"]]
    assert listed in names


async def test_an_account_that_cannot_be_read_yet_is_paired_all_the_same(
    hass: HomeAssistant, world: OwnerWorld
) -> None:
    """The code is used up: the owner must not be sent back to the form, nor on to a dead dialog."""
    flow = await begin(hass)
    code = await world.pairing_code()
    with patch(
        "custom_components.v2g_owner.coordinator.read_snapshot", side_effect=BadAnswerError("no")
    ):
        done = await send(hass, flow, world.url, code)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert "next_flow" not in done
    assert hass.config_entries.flow.async_progress() == []
    assert done["result"].state is ConfigEntryState.SETUP_RETRY
    await hass.config_entries.async_reload(done["result"].entry_id)
    assert done["result"].state is ConfigEntryState.LOADED
    await hass.async_block_till_done()


async def test_the_text_of_a_qr_code_may_stand_in_for_address_and_code(
    hass: HomeAssistant, world: OwnerWorld
) -> None:
    """Who can scan need not type."""
    flow = await begin(hass)
    done = await send(hass, flow, "https://ignored.example", await world.pairing_code(uri=True))
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert done["data"][CONF_URL] == world.url


async def test_who_pastes_the_text_of_a_qr_code_types_no_address(
    hass: HomeAssistant, world: OwnerWorld
) -> None:
    """The form could not be sent without one, which was then not looked at."""
    flow = await begin(hass)
    # The letters alone do not say where: the form asks.
    told = {CONF_PAIRING_CODE: await world.pairing_code()}
    asked = await hass.config_entries.flow.async_configure(flow["flow_id"], told)
    assert asked["errors"] == {CONF_URL: "url_missing"}
    told = {CONF_PAIRING_CODE: await world.pairing_code(uri=True)}
    done = await hass.config_entries.flow.async_configure(flow["flow_id"], told)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert done["data"][CONF_URL] == world.url


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("not an address", "invalid_url"),
        ("ftp://127.0.0.1", "invalid_url"),
        ("https://[", "invalid_url"),
        ("http://192.0.2.7:8477", "insecure_url"),
        ("http://owner.example", "insecure_url"),
    ],
)
async def test_an_address_that_cannot_be_used_is_refused_before_any_code_leaves(
    url: str, error: str, hass: HomeAssistant, world: OwnerWorld
) -> None:
    """A code sent in clear over a network is a code given away."""
    flow = await begin(hass)
    shown = await send(hass, flow, url, "BCDFG-BCDFG-BCDFG")
    assert shown["errors"] == {CONF_URL: error}
    await finish(hass, world, flow)


async def test_a_server_that_is_not_there_is_named(hass: HomeAssistant, world: OwnerWorld) -> None:
    """The person can tell a wrong address from a wrong code."""
    flow = await begin(hass)
    await world.stop_server()
    shown = await send(hass, flow, world.url, "BCDFG-BCDFG-BCDFG")
    assert shown["errors"] == {"base": "cannot_connect"}
    await world.start_server()
    await finish(hass, world, flow)


async def _page(_request: web.Request) -> web.Response:
    return web.Response(text="<html>", content_type="text/html")


async def _list(_request: web.Request) -> web.Response:
    return web.json_response(["a", "list"])


async def _elsewhere(_request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "http://192.0.2.1/"})


@pytest.mark.parametrize("handler", [_page, _list, _elsewhere])
async def test_something_else_that_answers_is_not_taken_for_an_owner_api(
    handler: Any, hass: HomeAssistant, world: OwnerWorld
) -> None:
    """Neither a web page, nor other JSON, nor a redirect leads anywhere."""
    flow = await begin(hass)
    async with serving(handler) as url:
        shown = await send(hass, flow, url, "BCDFG-BCDFG-BCDFG")
    assert shown["errors"] == {"base": "bad_answer"}
    await finish(hass, world, flow)


async def test_a_pairing_answer_without_ids_is_refused(
    hass: HomeAssistant, world: OwnerWorld
) -> None:
    """A half answer makes no entry."""

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"access_token": "a", "expires_in_s": 900})

    async def nothing(_request: web.Request) -> web.Response:
        return web.json_response({})

    flow = await begin(hass)
    for handler in (answer, nothing):
        async with serving(handler) as url:
            shown = await send(hass, flow, url, "BCDFG-BCDFG-BCDFG")
        assert shown["errors"] == {"base": "bad_answer"}
    await finish(hass, world, flow)


async def test_a_wrong_code_and_a_used_code_are_refused(
    hass: HomeAssistant, world: OwnerWorld
) -> None:
    """A code works once."""
    flow = await begin(hass)
    shown = await send(hass, flow, world.url, "BCDFG-BCDFG-BCDFG")
    assert shown["errors"] == {CONF_PAIRING_CODE: "pairing_code_invalid"}
    used = await world.pairing_code()
    await finish(hass, world, flow)
    second = await begin(hass)
    done = await send(hass, second, world.url, used)
    assert done["type"] is FlowResultType.ABORT or done["errors"]


async def test_a_refusal_we_have_no_words_for_is_still_a_refusal(
    hass: HomeAssistant, world: OwnerWorld
) -> None:
    """A newer API may know more reasons than we do."""

    async def refuse(_request: web.Request) -> web.Response:
        return web.json_response(
            {"code": "new_reason"}, status=409, content_type="application/problem+json"
        )

    flow = await begin(hass)
    async with serving(refuse) as url:
        shown = await send(hass, flow, url, "BCDFG-BCDFG-BCDFG")
    assert shown["errors"] == {CONF_PAIRING_CODE: "pairing_refused"}
    await finish(hass, world, flow)


async def test_an_unexpected_failure_is_logged_and_can_be_repeated(
    hass: HomeAssistant, world: OwnerWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """The form stays, whatever broke."""
    flow = await begin(hass)
    with patch("custom_components.v2g_owner.pairing_flow.OwnerApi.server", side_effect=KeyError):
        shown = await send(hass, flow, world.url, "BCDFG-BCDFG-BCDFG")
    assert shown["errors"] == {"base": "unknown"}
    assert "Unexpected trouble while pairing" in caplog.text
    caplog.clear()
    await finish(hass, world, flow)


async def test_an_account_is_connected_once_and_the_second_pairing_is_given_back(
    hass: HomeAssistant, world: OwnerWorld, home: Home
) -> None:
    """No device stays paired that nobody uses."""
    before = await world.phone.get("/v1/devices")
    flow = await begin(hass)
    done = await send(hass, flow, world.url, await world.pairing_code())
    assert done["type"] is FlowResultType.ABORT
    assert done["reason"] == "already_configured"
    after = await world.phone.get("/v1/devices")
    assert _in_use(after) == _in_use(before)


async def test_a_second_pairing_that_cannot_be_given_back_ends_as_the_form_says_all_the_same(
    hass: HomeAssistant, world: OwnerWorld, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    """The server went away between the two calls: nothing of that is the owner's to mend."""
    flow = await begin(hass)
    away = OwnerApiConnectionError("no route")
    with patch("custom_components.v2g_owner.pairing_flow.OwnerApi.delete", side_effect=away):
        done = await send(hass, flow, world.url, await world.pairing_code())
    assert done["reason"] == "already_configured"
    assert "Could not give the device back" in caplog.text


def _in_use(devices: Any) -> set[str]:
    """Return the devices that have not been revoked."""
    return {each["device_id"] for each in devices["items"] if not each.get("revoked_at")}


# --- discovery


def announced(world_url: str, server_id: str | None, **properties: str) -> ZeroconfServiceInfo:
    """Return what Home Assistant's discovery would hand over."""
    host, port = "192.0.2.10", 8477
    return ZeroconfServiceInfo(
        ip_address=ip_address(host),
        ip_addresses=[ip_address(host)],
        port=port,
        hostname="v2g-owner.local.",
        type="_v2g-owner._tcp.local.",
        name="V2G Owner 1234._v2g-owner._tcp.local.",
        properties=({"server_id": server_id} if server_id else {})
        | ({"url": world_url} if world_url else {})
        | properties,
    )


async def discover(hass: HomeAssistant, info: ZeroconfServiceInfo) -> Any:
    """Feed a discovery to the flow."""
    return await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_ZEROCONF}, data=info
    )


async def test_a_discovered_api_needs_only_a_code(hass: HomeAssistant, world: OwnerWorld) -> None:
    """Discovery tells where; the code tells who."""
    flow = await discover(hass, announced(world.url, world.agent.access.server_id))
    assert flow["step_id"] == "zeroconf_confirm"
    wrong = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_PAIRING_CODE: "BCDFG-BCDFG-BCDFG"}
    )
    assert wrong["errors"] == {CONF_PAIRING_CODE: "pairing_code_invalid"}
    done = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_PAIRING_CODE: await world.pairing_code()}
    )
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert done["data"][CONF_URL] == world.url


@pytest.mark.parametrize(
    ("url", "server_id"),
    [("https://192.0.2.10:8477", None), ("http://192.0.2.10:8477", "srv_1"), ("x", "srv_1")],
    ids=["without an id", "in clear", "without an address"],
)
async def test_what_cannot_be_trusted_is_not_offered(
    url: str, server_id: str | None, hass: HomeAssistant
) -> None:
    """An announcement beyond this machine must speak TLS and say who it is."""
    flow = await discover(hass, announced(url, server_id))
    assert flow["type"] is FlowResultType.ABORT
    assert flow["reason"] == "not_an_owner_api"


async def test_an_announcement_without_address_is_reached_by_its_host(hass: HomeAssistant) -> None:
    """The service record itself tells where the server is."""
    flow = await discover(hass, announced("", "srv_1"))
    assert flow["description_placeholders"] == {"url": "https://192.0.2.10:8477"}


async def test_a_server_we_are_paired_with_is_not_offered_again(
    hass: HomeAssistant, world: OwnerWorld, home: Home
) -> None:
    """An announcement alone never moves an entry: anybody can announce anything."""
    flow = await discover(hass, announced("https://192.0.2.66", world.agent.access.server_id))
    assert flow["type"] is FlowResultType.ABORT
    assert flow["reason"] == "already_configured"
    assert home.entry.data[CONF_URL] == world.url


async def ignore(hass: HomeAssistant, server_id: str) -> None:
    """Choose "Ignore" on a discovered API."""
    done = await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_IGNORE},
        data={"unique_id": server_id, "title": "V2G Owner"},
    )
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_an_ignored_api_stays_ignored_and_hides_no_other(
    hass: HomeAssistant, world: OwnerWorld
) -> None:
    """A neighbour's agent is ignored once; the house's own is still found."""
    await ignore(hass, "srv_neighbour")
    again = await discover(hass, announced("https://192.0.2.66", "srv_neighbour"))
    assert again["type"] is FlowResultType.ABORT
    assert again["reason"] == "already_configured"
    ours = await discover(hass, announced(world.url, world.agent.access.server_id))
    assert ours["step_id"] == "zeroconf_confirm"
    assert (await system_health_info(hass))["accounts"] == 0


# --- a self-signed server


@pytest.fixture
async def house(socket_enabled: None, tmp_path: Path) -> AsyncIterator[Running]:
    """Serve an owner API with its own certificate."""
    config = Config(database=str(tmp_path / "house.db"), listen_port=0)
    async with running_server(config, clock=ServerClock(), self_signed=True) as running:
        yield running


async def _scan(house: Running) -> str:
    """Return the text of a pairing QR code of the house's server."""
    agent, now = house.agent, ServerClock().now()
    wanted = {"display_name": "Ann", "time_zone": "UTC"}
    row = await agent.store.write(Operate(agent.desk, "owner add", wanted, now))
    whose = {"owner_id": row["owner_id"]}
    minted = await agent.store.write(Operate(agent.desk, "pair", whose, now))
    return str(minted["uri"])


@pytest.fixture
async def elsewhere(house: Running) -> AsyncIterator[str]:
    """Give another address of the same house."""
    async with relaying(house.port) as relay:
        yield f"https://127.0.0.1:{relay.port}"


async def test_a_house_with_its_own_certificate_is_pinned_and_followed(
    hass: HomeAssistant, house: Running, elsewhere: str
) -> None:
    """The code carries the key: a stranger in between has another one."""
    scanned = await _scan(house)
    assert house.pin
    flow = await begin(hass)
    stranger = scanned.replace(house.pin, "0" * 64)
    shown = await send(hass, flow, "https://ignored.example", stranger)
    assert shown["errors"] == {"base": "certificate_unknown"}
    broken = scanned.replace(house.pin, "zz")
    shown = await send(hass, flow, "https://ignored.example", broken)
    assert shown["errors"] == {CONF_PAIRING_CODE: "pairing_code_invalid"}
    done = await send(hass, flow, "https://ignored.example", scanned)
    assert done["type"] is FlowResultType.CREATE_ENTRY, done
    await hass.async_block_till_done()
    entry = done["result"]
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data[CONF_KEY_SHA256] == house.pin
    # A handshake that the move below breaks off would be the server's trouble, not the test's.
    loaded = entry.runtime_data
    await until(lambda: loaded.coordinator.stream_connected and loaded.log.trusted)
    await loaded.log.async_check()

    moved = await discover(hass, announced(elsewhere, entry.data[CONF_SERVER_ID]))
    assert moved["reason"] == "already_configured"
    assert entry.data[CONF_URL] == elsewhere


async def test_every_account_of_a_house_follows_it_to_a_new_address(
    hass: HomeAssistant, house: Running, elsewhere: str
) -> None:
    """Two owners live here; that somebody has ignored the house as well changes nothing."""
    entries: list[ConfigEntry] = []
    for _ in range(2):
        flow = await begin(hass)
        done = await send(hass, flow, "https://ignored.example", await _scan(house))
        assert done["type"] is FlowResultType.CREATE_ENTRY, done
        await hass.async_block_till_done()
        entries.append(done["result"])
    server_id = entries[0].data[CONF_SERVER_ID]
    assert entries[1].data[CONF_SERVER_ID] == server_id
    await ignore(hass, server_id)
    for entry in entries:
        # A handshake that the move below breaks off would be the server's trouble, not the test's.
        await hass.config_entries.async_unload(entry.entry_id)

    moved = await discover(hass, announced(elsewhere, server_id))
    assert moved["reason"] == "already_configured"
    assert [entry.data[CONF_URL] for entry in entries] == [elsewhere] * 2


async def test_promise_4_an_announcement_does_not_take_a_house_away_from_who_is_paired_with_it(
    hass: HomeAssistant, house: Running, tmp_path: Path
) -> None:
    """Anybody in the network can announce a house's id; without its key he is not followed."""
    done = await send(hass, await begin(hass), "https://ignored.example", await _scan(house))
    entry = done["result"]
    await hass.async_block_till_done()
    server_id = entry.data[CONF_SERVER_ID]
    config = Config(database=str(tmp_path / "stranger.db"), listen_port=0)
    async with running_server(config, clock=ServerClock(), self_signed=True) as stranger:
        for address in (stranger.url, "https://127.0.0.1:9"):
            told = await discover(hass, announced(address, server_id))
            assert told["reason"] == "already_configured"
            assert entry.data[CONF_URL] == house.url
    assert entry.state is ConfigEntryState.LOADED


async def test_a_code_without_the_key_of_its_server_says_what_to_paste_instead(
    hass: HomeAssistant, house: Running
) -> None:
    """A house that was found is where a newcomer begins, and the letters hold no key."""
    scanned = await _scan(house)
    letters = dict(parse_qsl(scanned.partition("#")[2]))["code"]
    flow = await discover(hass, announced(house.url, house.agent.access.server_id))
    answer = {CONF_PAIRING_CODE: letters}
    shown = await hass.config_entries.flow.async_configure(flow["flow_id"], answer)
    assert shown["errors"] == {"base": "certificate_unknown"}
    # Asked who it is before it is told the code: the code was not spent.
    answer = {CONF_PAIRING_CODE: scanned}
    done = await hass.config_entries.flow.async_configure(flow["flow_id"], answer)
    assert done["type"] is FlowResultType.CREATE_ENTRY, done
    assert done["data"][CONF_KEY_SHA256] == house.pin
    await hass.async_block_till_done()


# --- pairing again, moving


async def test_a_revoked_device_asks_to_pair_again_and_keeps_its_vehicles(
    hass: HomeAssistant, world: OwnerWorld, home: Home, vehicle_id: str
) -> None:
    """Revoking ends access at once; a new code brings it back."""
    await world.phone.call("DELETE", f"/v1/devices/{home.entry.data[CONF_DEVICE_ID]}")
    await home.entry.runtime_data.coordinator.async_refresh()
    flow = hass.config_entries.flow.async_progress_by_handler(DOMAIN)[0]
    assert flow["step_id"] == "reauth_confirm"
    wrong = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_PAIRING_CODE: "BCDFG-BCDFG-BCDFG"}
    )
    assert wrong["errors"] == {CONF_PAIRING_CODE: "pairing_code_invalid"}
    done = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_PAIRING_CODE: await world.pairing_code()}
    )
    assert done["reason"] == "reauth_successful"
    await hass.async_block_till_done()
    await home.reaches("sensor", vehicle_id, "soc", "80.0")


async def test_somebody_elses_code_does_not_take_over_an_entry(
    hass: HomeAssistant, world: OwnerWorld, home: Home
) -> None:
    """Vehicles of one owner never end up under another."""
    other = await world.add_owner("Wang Fang")
    flow = await home.entry.start_reauth_flow(hass)
    done = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_PAIRING_CODE: await world.pairing_code(other)}
    )
    assert done["reason"] == "different_owner"


async def test_the_same_server_is_followed_to_a_new_address_without_a_code(
    hass: HomeAssistant, world: OwnerWorld, home: Home, tmp_path: Path
) -> None:
    """Moving house is not pairing again, but only the same server is the same."""
    flow = await home.entry.start_reconfigure_flow(hass)
    await world.stop_server()
    shown = await hass.config_entries.flow.async_configure(flow["flow_id"], {CONF_URL: world.url})
    assert shown["errors"] == {"base": "cannot_connect"}
    await world.start_server()

    async def stranger(_request: web.Request) -> web.Response:
        return web.json_response({"server_id": "srv_other"})

    async with serving(stranger) as url:
        shown = await hass.config_entries.flow.async_configure(flow["flow_id"], {CONF_URL: url})
    assert shown["errors"] == {CONF_URL: "different_server"}
    done = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_URL: world.url + "/"}
    )
    assert done["reason"] == "reconfigure_successful"
    assert home.entry.data[CONF_URL] == world.url


async def test_reconfiguring_with_a_new_code_pairs_anew(
    hass: HomeAssistant, world: OwnerWorld, home: Home
) -> None:
    """A restored server that forgot us is one code away."""
    before = home.entry.data[CONF_DEVICE_ID]
    flow = await home.entry.start_reconfigure_flow(hass)
    shown = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_URL: world.url, CONF_PAIRING_CODE: "BCDFG-BCDFG-BCDFG"}
    )
    assert shown["errors"] == {CONF_PAIRING_CODE: "pairing_code_invalid"}
    done = await hass.config_entries.flow.async_configure(
        flow["flow_id"],
        {CONF_URL: world.url, CONF_PAIRING_CODE: await world.pairing_code()},
    )
    assert done["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert home.entry.data[CONF_DEVICE_ID] != before
    assert home.entry.state is ConfigEntryState.LOADED


async def pair_again(hass: HomeAssistant, world: OwnerWorld, home: Home, source: str) -> Any:
    """Give a new code, in the dialog of either kind."""
    code = {CONF_PAIRING_CODE: await world.pairing_code()}
    if source == SOURCE_REAUTH:
        flow = await home.entry.start_reauth_flow(hass)
    else:
        flow, code = await home.entry.start_reconfigure_flow(hass), {CONF_URL: world.url, **code}
    done = await hass.config_entries.flow.async_configure(flow["flow_id"], code)
    assert done["reason"] == f"{source}_successful"
    await hass.async_block_till_done()
    return done


@pytest.mark.parametrize("source", [SOURCE_REAUTH, SOURCE_RECONFIGURE])
async def test_pairing_anew_gives_the_old_pairing_back(
    source: str, hass: HomeAssistant, world: OwnerWorld, home: Home
) -> None:
    """A token in an old backup must not open the account for ever."""
    before = home.entry.data[CONF_DEVICE_ID]
    await pair_again(hass, world, home, source)
    after = home.entry.data[CONF_DEVICE_ID]
    assert after != before
    assert home.entry.state is ConfigEntryState.LOADED

    await given_back(world, before)
    assert after in _in_use(await world.phone.get("/v1/devices"))
    # What was still under way with the old one has not asked to pair once more.
    assert hass.config_entries.flow.async_progress_by_handler(DOMAIN) == []
    await hass.config_entries.async_reload(home.entry.entry_id)
    assert home.entry.state is ConfigEntryState.LOADED


async def given_back(world: OwnerWorld, device_id: str) -> None:
    """Wait until a device is paired no more."""
    async with asyncio.timeout(PATIENCE_S):
        while device_id in _in_use(await world.phone.get("/v1/devices")):  # noqa: ASYNC110 - the server's
            await asyncio.sleep(0.05)


async def test_an_old_pairing_that_cannot_be_given_back_is_by_the_next_start(
    hass: HomeAssistant, world: OwnerWorld, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    """It hinders nothing meanwhile, and is not forgotten when there is a newer one; then it is."""
    away = OwnerApiConnectionError("no route")
    old = []
    with patch("custom_components.v2g_owner.api.OwnerApi.delete", side_effect=away) as asked:
        for _ in range(2):
            old.append(home.entry.data[CONF_DEVICE_ID])
            await pair_again(hass, world, home, SOURCE_RECONFIGURE)
            await until(lambda: asked.call_count >= len(old))
            assert home.entry.state is ConfigEntryState.LOADED
    assert "Could not give the device back" in caplog.text
    await hass.config_entries.async_reload(home.entry.entry_id)
    for device_id in old:
        await given_back(world, device_id)
    assert home.entry.data[CONF_DEVICE_ID] in _in_use(await world.phone.get("/v1/devices"))
    await hass.async_block_till_done()
    with patch("custom_components.v2g_owner.api.OwnerApi.delete") as asked:
        await hass.config_entries.async_reload(home.entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=False)
        assert not asked.called


@pytest.mark.parametrize("renewed", [False, True])
async def test_an_old_pairing_is_given_back_when_the_first_start_after_it_failed(
    *, renewed: bool, hass: HomeAssistant, world: OwnerWorld, home: Home
) -> None:
    """Also where the new token is already the one that is kept."""
    before = home.entry.data[CONF_DEVICE_ID]
    real = OwnerApi.get

    async def cut(self: OwnerApi, path: str, *args: Any) -> Any:
        if path != "/v1/snapshot":
            return await real(self, path, *args)
        if renewed:
            await real(self, "/v1/me")
        raise OwnerApiConnectionError("gone for a moment")

    with patch("custom_components.v2g_owner.api.OwnerApi.get", cut):
        await pair_again(hass, world, home, SOURCE_RECONFIGURE)
    assert home.entry.state is ConfigEntryState.SETUP_RETRY
    await hass.config_entries.async_reload(home.entry.entry_id)
    assert home.entry.state is ConfigEntryState.LOADED
    await given_back(world, before)


@pytest.mark.parametrize("known", [True, False])
async def test_an_old_pairing_that_nobody_knows_any_more_is_forgotten(
    *,
    known: bool,
    hass: HomeAssistant,
    world: OwnerWorld,
    home: Home,
    hass_storage: dict[str, Any],
) -> None:
    """The agent's no is as good as its yes; any other no is asked again."""
    refused = problem(404 if not known else 503, {"code": "not_found" if not known else "busy"})
    with patch("custom_components.v2g_owner.api.OwnerApi.delete", side_effect=refused) as asked:
        await pair_again(hass, world, home, SOURCE_RECONFIGURE)
        await until(lambda: asked.called)
        await hass.async_block_till_done()
    kept = hass_storage[f"{DOMAIN}.{home.entry.entry_id}"]["data"]
    assert bool(kept["replaced"]) is known


async def test_removing_the_account_gives_back_what_it_was_paired_as_before_too(
    hass: HomeAssistant, world: OwnerWorld, home: Home
) -> None:
    """Afterwards nothing here would know of it."""
    old = home.entry.data[CONF_DEVICE_ID]
    away = OwnerApiConnectionError("no route")
    with patch("custom_components.v2g_owner.api.OwnerApi.delete", side_effect=away) as asked:
        await pair_again(hass, world, home, SOURCE_RECONFIGURE)
        await until(lambda: asked.called)
    new = home.entry.data[CONF_DEVICE_ID]
    await hass.config_entries.async_remove(home.entry.entry_id)
    assert not {old, new} & _in_use(await world.phone.get("/v1/devices"))


async def test_pairing_again_after_a_start_that_failed_loads_the_account(
    hass: HomeAssistant, world: OwnerWorld, home: Home
) -> None:
    """Else "paired again" would be followed by nothing until the next restart."""
    await hass.config_entries.async_unload(home.entry.entry_id)
    await world.phone.call("DELETE", f"/v1/devices/{home.entry.data[CONF_DEVICE_ID]}")
    await hass.config_entries.async_setup(home.entry.entry_id)
    assert home.entry.state is ConfigEntryState.SETUP_ERROR
    (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    done = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_PAIRING_CODE: await world.pairing_code()}
    )
    assert done["reason"] == "reauth_successful"
    await hass.async_block_till_done()
    assert home.entry.state is ConfigEntryState.LOADED


async def test_an_address_given_while_the_account_cannot_be_reached_is_tried_at_once(
    hass: HomeAssistant, world: OwnerWorld, home: Home
) -> None:
    """The wait before the next try was for the old one."""
    await world.stop_server()
    await hass.config_entries.async_reload(home.entry.entry_id)
    assert home.entry.state is ConfigEntryState.SETUP_RETRY
    await world.start_server()
    flow = await home.entry.start_reconfigure_flow(hass)
    done = await hass.config_entries.flow.async_configure(flow["flow_id"], {CONF_URL: world.url})
    assert done["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert home.entry.state is ConfigEntryState.LOADED
