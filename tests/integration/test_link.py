"""The link to the API: pushed changes, lost links, repairs, and what is said meanwhile."""

import asyncio
from datetime import timedelta
import logging
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from aiohttp import web
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_URL, EVENT_HOMEASSISTANT_CLOSE
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.v2g_owner.api import OwnerApi
from custom_components.v2g_owner.api_errors import (
    OwnerApiAnswerError,
    OwnerApiConnectionError,
    OwnerApiProblem,
)
from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.decode import BadAnswerError
from custom_components.v2g_owner.snapshot import StreamEvent, apply
from custom_components.v2g_owner.stream import EventStream, read_events
from owner_api.store import Store

from .conftest import Home, car_says, until
from .entries import paired_entry, vehicle_subentry
from .fault_server import problem, serving
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow

SHORT = timedelta(milliseconds=20)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect quickly; how the waits grow has a test of its own."""
    monkeypatch.setattr("custom_components.v2g_owner.stream.STREAM_RETRY_MINIMUM", SHORT)
    monkeypatch.setattr("custom_components.v2g_owner.stream.STREAM_RETRY_MAXIMUM", SHORT * 16)


async def test_an_outage_shows_as_unavailable_and_is_logged_once_each_way(
    home: Home, world: OwnerWorld, vehicle_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One line when it goes, one when it is back, however often it was tried meanwhile."""
    caplog.set_level(logging.INFO)
    await world.stop_server()
    await home.reaches("sensor", vehicle_id, "soc", "unavailable")
    await asyncio.sleep(0.3)
    await world.start_server()
    await home.reaches("sensor", vehicle_id, "soc", "80.0")
    said = [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("custom_components.v2g_owner") and record.levelno >= logging.INFO
    ]
    assert len([line for line in said if line.startswith("Error fetching")]) == 1
    assert len([line for line in said if line.endswith("recovered")]) == 1


async def test_an_offer_made_while_the_link_was_down_is_still_an_event(
    home: Home, world: OwnerWorld, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 10: an automation that waits for offers must not miss one to a dropped link."""
    coordinator = home.entry.runtime_data.coordinator
    heard: list[str] = []
    coordinator.async_subscribe_events(lambda event: heard.append(event.type))
    await world.stop_server()
    await until(lambda: not coordinator.stream_connected)
    await world.start_server()
    offer = await world.offer(session_id)
    await world.park.post(f"/v1/park/offers/{offer['offer_id']}/withdrawal")
    await until(lambda: "offer.withdrawn" in heard)
    assert heard.index("offer.presented") < heard.index("offer.withdrawn")
    event = home.state("event", world.owner_id, "offers")
    assert event.attributes["event_type"] == "offer_withdrawn"


async def test_what_happened_before_home_assistant_started_is_not_news(
    hass: HomeAssistant, home: Home, world: OwnerWorld, session_id: str
) -> None:
    """A restart must not announce yesterday's offers again."""
    await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    before = home.state("event", world.owner_id, "offers").state
    await hass.config_entries.async_reload(home.entry.entry_id)
    await hass.async_block_till_done()
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    assert home.state("event", world.owner_id, "offers").state in {before, "unknown"}


async def test_a_stream_that_can_no_longer_go_on_is_repaired_by_a_full_read(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """After too long an absence the events are gone, the truth is not."""
    coordinator = home.entry.runtime_data.coordinator
    await world.stop_server()
    await until(lambda: not coordinator.stream_connected)
    store, now = await Store.open(world.database), world.clock.now()
    await store.write(lambda tx: tx.emit(world.owner_id, "park.news", now, {}))
    await store.write(lambda tx: tx.run("DELETE FROM outbox"))
    await store.close()
    await world.start_server()
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    await world.phone.patch(path, {"soc_floor_pct": 33})
    await home.reaches("number", vehicle_id, "soc_floor_pct", "33.0")
    await home.reaches("binary_sensor", world.owner_id, "stream", "on")
    await world.phone.patch(path, {"soc_floor_pct": 34})
    await home.reaches("number", vehicle_id, "soc_floor_pct", "34.0")


async def test_a_gap_or_an_unreadable_event_leads_to_a_full_read(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """The stream only hurries the truth; a full read can always repair it."""
    coordinator = home.entry.runtime_data.coordinator
    await home.reaches("sensor", vehicle_id, "soc", "80.0")
    reads: list[str] = []
    real = coordinator.api.get

    async def counted(path: str) -> Any:
        reads.append(path)
        return await real(path)

    coordinator.api.get = counted
    position = coordinator.stream_position
    coordinator.async_handle_event(StreamEvent(seq=position + 5, type="park.news", data={}))
    await until(lambda: reads == ["/v1/snapshot"])
    broken = StreamEvent(seq=position + 6, type="offer.presented", data={"offer_id": 1})
    coordinator.async_handle_event(broken)
    repeated = StreamEvent(seq=position + 6, type="offer.presented", data={})
    coordinator.async_handle_event(repeated)
    coordinator.async_apply("preferences.updated", {"nonsense": True})
    assert home.state("sensor", vehicle_id, "soc").state == "80.0"


async def test_the_wait_grows_and_shrinks_only_after_the_server_spoke(
    monkeypatch: pytest.MonkeyPatch, home: Home
) -> None:
    """A server that takes requests and then hangs up is not a working one."""
    coordinator = home.entry.runtime_data.coordinator
    waits: list[float] = []
    speaking = False

    async def sleep(seconds: float) -> None:
        if not seconds:
            return  # room for others between two events is no waiting
        waits.append(seconds)
        if len(waits) == 9:
            raise asyncio.CancelledError

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if speaking:
            await response.write(b": still here\n\n")
        return response

    async def nothing() -> None:
        nonlocal speaking
        speaking = len(waits) == 6

    stand_in = SimpleNamespace(sleep=sleep)
    monkeypatch.setattr("custom_components.v2g_owner.stream.asyncio", stand_in)
    monkeypatch.setattr(coordinator, "async_refresh", nothing)
    async with serving(handler) as url:
        api = OwnerApi(async_get_clientsession(home.hass), url)
        api._access_token, api._access_until = "a", float("inf")
        with pytest.raises(asyncio.CancelledError):
            await EventStream(coordinator, api).async_run()
    assert [round(wait / SHORT.total_seconds()) for wait in waits] == [1, 2, 4, 8, 16, 16, 1, 2, 4]


async def _lines(*lines: bytes) -> Any:
    for line in lines:
        yield line


async def test_frames_are_read_as_the_standard_says() -> None:
    """Comments are heartbeats; data may be split; other fields do not matter."""
    lines = _lines(
        b": hello\n",
        b"\n",
        b"id: 7\r\n",
        b"event: vehicle.updated\r\n",
        b'data: {"seq": 7,\r\n',
        b'data:"type": "vehicle.updated", "data": {}}\r\n',
        b"\r\n",
    )
    found = [event async for event in read_events(lines)]
    assert found == [None, StreamEvent(seq=7, type="vehicle.updated", data={})]


@pytest.mark.parametrize(
    "data", [b"data: {", b"data: []", b'data: {"seq": "x", "type": "a", "data": {}}']
)
async def test_garbage_on_the_stream_is_an_error_not_an_event(data: bytes) -> None:
    """What cannot be read must not be guessed."""
    with pytest.raises(OwnerApiAnswerError):
        [event async for event in read_events(_lines(data, b"\n", b"\n"))]


async def test_an_expired_token_is_renewed_without_anybody_noticing(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Access tokens live minutes, entries years."""
    api = home.entry.runtime_data.coordinator.api
    api._access_token = "expired"
    await home.set("number", vehicle_id, "soc_floor_pct", "set_value", value=27)
    told = await world.phone.get(f"/v1/vehicles/{vehicle_id}/preferences")
    assert told["soc_floor_pct"] == 27


async def test_a_stream_that_ends_with_its_token_is_opened_again_without_anybody_noticing(
    home: Home, world: OwnerWorld, vehicle_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The server ends each stream with its access token; that is no lost link, nor a failure."""
    coordinator = home.entry.runtime_data.coordinator
    await home.reaches("binary_sensor", world.owner_id, "stream", "on")
    shown: list[bool] = []
    home.entry.async_on_unload(
        coordinator.async_add_listener(lambda: shown.append(coordinator.stream_connected))
    )
    caplog.set_level(logging.DEBUG, "custom_components.v2g_owner")
    api = coordinator.api
    for floor in (27, 28):
        (before,) = world.agent.hub._all()
        # As after fifteen minutes: our clock is the machine's own, the server's is pushed.
        world.clock.ahead += timedelta(seconds=901)
        api._access_until = 0.0
        await home.set("number", vehicle_id, "soc_floor_pct", "set_value", value=floor)
        await until(lambda old=before: [each for each in world.agent.hub._all() if each is not old])
        await home.reaches("number", vehicle_id, "soc_floor_pct", f"{floor}.0")
    assert False not in shown
    said = [each for each in caplog.records if each.name.startswith("custom_components.v2g")]
    assert [each.getMessage() for each in said if "stream" in each.getMessage().lower()] == []
    assert [each for each in said if each.levelno > logging.DEBUG] == []


async def test_the_newest_refresh_token_survives_a_restart(
    hass: HomeAssistant, home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """The API takes each refresh token once: the entry's own is used up after the first day."""
    for _ in range(2):
        api = home.entry.runtime_data.coordinator.api
        api._access_token = None
        await home.entry.runtime_data.coordinator.async_refresh()
        assert home.entry.runtime_data.coordinator.last_update_success
        # Past the grace for a lost answer, an old token would end the pairing.
        world.clock.ahead += timedelta(seconds=60)
        assert await hass.config_entries.async_reload(home.entry.entry_id)
        await hass.async_block_till_done()
    assert home.entry.state is ConfigEntryState.LOADED


async def test_promise_10_a_home_whose_new_token_was_lost_on_its_way_need_not_pair_again(
    home: Home, world: OwnerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 10: by the time we have waited for an answer the grace for a repeat is over."""
    coordinator = home.entry.runtime_data.coordinator
    api = coordinator.api
    send = api._send

    async def lost(method: str, path: str, **how: Any) -> Any:
        answer = await send(method, path, **how)
        if path == "/v1/token":
            raise OwnerApiConnectionError("the link broke")
        return answer

    world.clock.ahead += timedelta(seconds=901)
    api._access_until = 0.0
    with monkeypatch.context() as broken:
        broken.setattr(api, "_send", lost)
        await coordinator.async_refresh()
        assert not coordinator.last_update_success
    world.clock.ahead += timedelta(seconds=60)
    await coordinator.async_refresh()
    assert coordinator.last_update_success
    assert home.hass.config_entries.flow.async_progress() == []


async def test_a_lost_answer_is_asked_for_again_with_the_same_key(
    home: Home, world: OwnerWorld
) -> None:
    """Promise 10: a duplicate must not count twice."""
    keys: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            assert request.transport is not None
            request.transport.close()
        return web.json_response({"done": True})

    async with serving(handler) as url:
        api = OwnerApi(async_get_clientsession(home.hass), url)
        api._access_token, api._access_until = "a", float("inf")
        assert await api.post("/v1/stops", {}) == {"done": True}
    assert len(keys) == 2
    assert keys[0] == keys[1]


async def test_what_a_timer_tells_once_home_assistant_has_closed_its_sessions_is_no_error(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    """Sensors speak until the very end; every one of them left a trace in the log."""
    session = async_get_clientsession(home.hass)
    home.hass.bus.async_fire(EVENT_HOMEASSISTANT_CLOSE)
    await until(lambda: session.closed)
    car_says(home.hass, 71)
    await home.hass.async_block_till_done()
    coordinator = home.entry.runtime_data.coordinator
    with pytest.raises(OwnerApiConnectionError):
        await coordinator.api.get("/v1/me")
    caplog.set_level(logging.DEBUG, "custom_components.v2g_owner")
    await coordinator.async_refresh()
    assert "Session is closed" not in caplog.text


async def test_an_api_that_refuses_even_a_fresh_token_ends_in_its_own_words(home: Home) -> None:
    """One renewal, then the no is taken for a no."""
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        if request.path == "/v1/token":
            return web.json_response({"access_token": "b", "expires_in": 900})
        return problem(401, "unauthenticated")

    async with serving(handler) as url:
        api = OwnerApi(async_get_clientsession(home.hass), url, refresh_token="r")
        with pytest.raises(OwnerApiProblem) as refused:
            await api.get("/v1/me")
        assert refused.value.code == "unauthenticated"
        assert asked == ["/v1/token", "/v1/me", "/v1/token", "/v1/me"]
        with pytest.raises(OwnerApiProblem):
            async with api.stream(0):
                pytest.fail("the stream opened")


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (problem(503, "unavailable"), ConfigEntryState.SETUP_RETRY),
        (web.json_response({"half": "a snapshot"}), ConfigEntryState.SETUP_RETRY),
        (problem(401, "unauthenticated"), ConfigEntryState.SETUP_ERROR),
    ],
    ids=["down", "garbage", "not paired"],
)
async def test_setup_waits_for_an_api_that_cannot_answer_and_asks_when_it_will_not(
    answer: web.Response, state: ConfigEntryState, hass: HomeAssistant, socket_enabled: None
) -> None:
    """A boot before the API is up must heal by itself."""
    body, status, kind = answer.body, answer.status, answer.content_type

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/v1/token":
            return web.json_response({"access_token": "b", "expires_in": 900})
        return web.Response(body=body, status=status, content_type=kind)

    async with serving(handler) as url:
        entry = MockConfigEntry(
            domain=DOMAIN,
            unique_id="own_1",
            data={
                CONF_URL: url,
                "server_id": "srv",
                "owner_id": "own_1",
                "device_id": "dev_1",
                "refresh_token": "r",
                "receipt_key": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            },
        )
        entry.add_to_hass(hass)
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
        assert entry.state is state
        await hass.config_entries.async_remove(entry.entry_id)


async def test_removing_the_entry_unpairs_and_keeps_the_vehicle_at_the_api(
    hass: HomeAssistant, home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Leaving Home Assistant is not deleting the car."""
    device_id = home.entry.data["device_id"]
    await hass.config_entries.async_remove(home.entry.entry_id)
    await hass.async_block_till_done()
    devices = (await world.phone.get("/v1/devices"))["items"]
    mine = [each for each in devices if each["device_id"] == device_id]
    assert not mine or mine[0]["revoked_at"]
    assert (await world.phone.get(f"/v1/vehicles/{vehicle_id}"))["display_name"] == "Blue car"


async def test_idle_costs_no_state_writes(
    hass: HomeAssistant, home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """A full read that finds nothing new writes nothing."""
    await home.reaches("sensor", vehicle_id, "soc", "80.0")
    await home.reaches("binary_sensor", world.owner_id, "stream", "on")
    await home.entry.runtime_data.coordinator.async_refresh()
    changed: list[str] = []
    hass.bus.async_listen("state_changed", lambda event: changed.append(event.data["entity_id"]))
    await home.entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()
    assert changed == []


async def test_every_event_of_the_stream_changes_the_snapshot_as_a_full_read_would(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """After a lively minute, what the stream built equals what the API says."""
    coordinator = home.entry.runtime_data.coordinator
    await world.phone.patch(f"/v1/vehicles/{vehicle_id}/preferences", {"soc_floor_pct": 31})
    first = await world.offer(session_id)
    await world.park.post(f"/v1/park/offers/{first['offer_id']}/withdrawal")
    charger = await world.phone.post("/v1/chargers", {"display_name": "Shed"})
    await world.phone.call("DELETE", f"/v1/chargers/{charger['charger_id']}", etag=1)
    second = await world.phone.post(
        "/v1/vehicles", {"display_name": "Old car", "usable_capacity_wh": 30_000}
    )
    await world.phone.call("DELETE", f"/v1/vehicles/{second['vehicle_id']}", etag=1)
    await world.phone.patch("/v1/me", {"display_name": "Li Wei the second"})
    await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    head = (await world.phone.get("/v1/snapshot"))["last_event_id"]
    await until(lambda: coordinator.stream_position == head)
    pushed = coordinator.data
    await coordinator.async_refresh()
    read = coordinator.data
    assert pushed.owner == read.owner
    assert pushed.offers == read.offers
    assert pushed.preferences == read.preferences
    assert pushed.departures == read.departures
    assert pushed.chargers == read.chargers
    assert set(pushed.vehicles) >= set(read.vehicles)
    assert pushed.sessions == read.sessions
    assert pushed.agreements == read.agreements


def test_an_event_of_no_concern_only_moves_the_counter() -> None:
    """A newer API may send more kinds than we know."""
    from custom_components.v2g_owner.models import Owner, Server
    from custom_components.v2g_owner.models_deal import Rewards
    from custom_components.v2g_owner.snapshot import Snapshot

    snapshot = Snapshot(
        server=Server(server_id="s"),
        owner=Owner(owner_id="o"),
        last_event_id=4,
        rewards=Rewards(currency="CNY"),
    )
    after = apply(snapshot, StreamEvent(seq=5, type="checkpoint.new", data={"any": "thing"}))
    assert after.last_event_id == 5
    unknown_deal = {"settlement_id": "stl", "commitment_id": "com", "state": "final"}
    same = apply(after, StreamEvent(seq=6, type="settlement.final", data=unknown_deal))
    assert same.commitments == {}
    reward = {"settlement_id": "stl", "status": "paid", "amount_minor": 1, "currency": "CNY"}
    assert apply(same, StreamEvent(seq=7, type="reward.paid", data=reward)).commitments == {}
    with pytest.raises(BadAnswerError):
        apply(same, StreamEvent(seq=7, type="rewards.updated", data={"currency": 5}))


async def test_a_vehicle_deleted_at_the_api_is_shown_as_gone_until_the_owner_unlinks_it(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Its history must not vanish in silence; a repair (test_repairs.py) offers to unlink it."""
    revision = (await world.phone.get(f"/v1/vehicles/{vehicle_id}"))["revision"]
    status, _ = await world.phone.call("DELETE", f"/v1/vehicles/{vehicle_id}", etag=revision)
    assert status == 204
    await home.reaches("sensor", vehicle_id, "soc", "unavailable")


async def test_a_new_vehicle_gets_its_entities_without_a_restart(
    hass: HomeAssistant, world: OwnerWorld, vehicle_id: str
) -> None:
    """Linking and unlinking reload the entry; a renamed title alone does not."""
    car_says(hass, 70)
    entry = await paired_entry(hass, world, [])
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    home = Home(hass, entry)
    runtime = entry.runtime_data
    hass.config_entries.async_update_entry(entry, title="Renamed")
    await hass.async_block_till_done()
    assert entry.runtime_data is runtime

    from types import MappingProxyType

    from homeassistant.config_entries import ConfigSubentry

    data = vehicle_subentry(vehicle_id)
    subentry = ConfigSubentry(
        data=MappingProxyType(dict(data["data"])),
        subentry_type="vehicle",
        title="Blue car",
        unique_id=vehicle_id,
    )
    hass.config_entries.async_add_subentry(entry, subentry)
    await hass.async_block_till_done()
    await home.reaches("sensor", vehicle_id, "soc", "70.0")
    hass.config_entries.async_remove_subentry(entry, subentry.subentry_id)
    await hass.async_block_till_done()
    assert not [each for each in hass.states.async_entity_ids() if "blue_car" in each]
    assert (await world.phone.get(f"/v1/vehicles/{vehicle_id}"))["display_name"] == "Blue car"


async def test_after_a_full_read_that_failed_the_stream_soon_has_it_read_again(
    home: Home, vehicle_id: str
) -> None:
    """One slow answer showed everything as unavailable for ten minutes."""
    coordinator = home.entry.runtime_data.coordinator
    await until(lambda: coordinator.stream_connected)
    with patch.object(coordinator.api, "get", side_effect=OwnerApiConnectionError("too slow")):
        await coordinator.async_refresh()
    assert not coordinator.last_update_success
    await until(lambda: coordinator.last_update_success)
    await home.reaches("sensor", vehicle_id, "soc", "80.0")
    assert coordinator.stream_connected
