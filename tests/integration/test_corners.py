"""Corners that the main tests pass by."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from aiohttp import web
from homeassistant.core import Context, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util import dt as dt_util
import pytest

from custom_components.v2g_owner import actor
from custom_components.v2g_owner.api import OwnerApi
from custom_components.v2g_owner.api_errors import OwnerApiConnectionError, OwnerApiProblem
from custom_components.v2g_owner.calendar_marks import CalendarMarks
from custom_components.v2g_owner.departures import CalendarMirror
from custom_components.v2g_owner.models_deal import Reward, Settlement
from custom_components.v2g_owner.pairing import is_loopback
from custom_components.v2g_owner.snapshot import StreamEvent, apply

from .conftest import Home, until
from .fault_server import serving
from .owner_world import OwnerWorld
from .test_config_flow import begin, send

# More than --fast has time for.
pytestmark = pytest.mark.slow


async def test_a_pairing_that_cannot_be_given_back_still_ends_the_form(
    hass: HomeAssistant, world: OwnerWorld, home: Home
) -> None:
    """Tidying up must not stand in the way."""
    flow = await begin(hass)
    with patch(
        "custom_components.v2g_owner.api.OwnerApi.delete",
        side_effect=OwnerApiConnectionError("gone"),
    ):
        done = await send(hass, flow, world.url, await world.pairing_code())
    assert done["type"] is FlowResultType.ABORT
    assert done["reason"] == "already_configured"


@pytest.mark.parametrize(
    ("host", "local"),
    [("localhost", True), ("127.0.0.5", True), ("::1", True), ("10.0.0.1", False), ("x", False)],
)
def test_only_this_machine_is_loopback(host: str, local: bool) -> None:  # noqa: FBT001
    """Plain HTTP is for loopback alone."""
    assert is_loopback(host) is local


async def test_an_offer_quoted_anew_is_not_a_new_offer(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """A changed limit changes the quote; asking the owner twice would be noise."""
    await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    asked = home.state("event", world.owner_id, "offers").state
    coordinator = home.entry.runtime_data.coordinator
    event = StreamEvent(
        seq=coordinator.stream_position + 1,
        type="offer.presented",
        data={"offer_id": coordinator.data.open_offers[0].offer_id, "revision": 1},
    )
    for listener in coordinator._event_listeners:
        listener(event)
    assert home.state("event", world.owner_id, "offers").state == asked


async def test_a_reward_on_its_way_is_noted_at_its_deal(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """Confirmed and paid come as events of their own."""
    await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    await home.act("accept_offer", context=Context(user_id="somebody"))
    await home.reaches("sensor", world.owner_id, "deal_state", "pending_award")
    snapshot = home.entry.runtime_data.coordinator.data
    (deal,) = snapshot.commitments.values()
    settlement = Settlement(
        settlement_id="stl_1", commitment_id=deal.commitment_id, state="final", net_minor=60
    )
    settled = replace(
        snapshot, commitments={deal.commitment_id: replace(deal, settlement=settlement)}
    )
    paid = {"settlement_id": "stl_1", "status": "paid", "amount_minor": 60, "currency": "CNY"}
    seq = snapshot.last_event_id + 1
    after = apply(settled, StreamEvent(seq=seq, type="reward.paid", data=paid))
    found = after.commitments[deal.commitment_id].settlement
    assert found is not None
    assert found.reward == Reward(status="paid", amount_minor=60, currency="CNY")


async def test_the_memory_of_who_acted_stays_small(
    hass: HomeAssistant, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Years of automations must not add up."""
    monkeypatch.setattr(actor, "_MOST_REMEMBERED", 3)
    monkeypatch.setattr(actor, "_MOST_RUNS", 3)
    for _ in range(9):
        context = Context(user_id="anna")
        hass.bus.async_fire("automation_triggered", {"entity_id": "a.lights"}, context=context)
        hass.bus.async_fire("mobile_app_notification_action", {"action": "x"}, context=context)
    await hass.async_block_till_done()
    assert len(hass.data[actor._STARTED_BY]) == 3
    assert len(hass.data[actor._TAPS]) == 3


async def test_a_lost_answer_twice_is_an_error(home: Home) -> None:
    """One repetition, then the person decides."""
    asked: list[str] = []

    async def hang_up(request: web.Request) -> web.StreamResponse:
        asked.append(request.method)
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with serving(hang_up) as url:
        api = OwnerApi(async_get_clientsession(home.hass), url)
        api._access_token, api._access_until = "a", float("inf")
        with pytest.raises(OwnerApiConnectionError):
            await api.post("/v1/stops", {})
        with pytest.raises(OwnerApiConnectionError):
            await api.patch("/v1/me", {}, 1)
    assert asked == ["POST", "POST", "PATCH"]


async def test_a_calendar_that_cannot_be_read_leaves_the_last_departures_alone(
    hass: HomeAssistant, home: Home, vehicle_id: str
) -> None:
    """No answer is not an empty calendar."""
    mapping = {"vehicle_id": vehicle_id, "calendar_entity": "calendar.work"}
    marks = CalendarMarks(hass, home.entry.entry_id)
    mirror = CalendarMirror(hass, home.entry.runtime_data.coordinator, mapping, marks)
    written: list[Any] = []

    async def write(*change: Any) -> None:
        written.append(change)
        if len(written) == 2:
            raise OwnerApiConnectionError("away")

    answer: Any = HomeAssistantError("no network")

    async def get_events(_call: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return {"calendar.work": {"events": answer}}

    with (
        patch.object(home.entry.runtime_data.coordinator, "async_write", write),
        patch.object(type(hass.services), "async_call", lambda *_a, **_k: get_events(None)),
    ):
        await mirror._async_mirror()
        hass.states.async_set("calendar.work", "unavailable")
        await mirror._async_mirror()
        hass.states.async_set("calendar.work", "off")
        await mirror._async_mirror()
        assert written == []
        answer = []
        await mirror._async_mirror()
        await mirror._async_mirror()
        assert len(written) == 1, "unchanged and recent: nothing to tell"
        mirror._sent_at = mirror._sent_at and mirror._sent_at - timedelta(hours=2)
        await mirror._async_mirror()
        assert len(written) == 2, "confirmed after an hour, in vain"
        await mirror._async_mirror()
        assert len(written) == 3, "and again at the next reading"


async def test_an_unexpected_refusal_of_departures_is_not_tried_twice(
    hass: HomeAssistant, home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Only a changed revision is worth a second try."""
    mapping = {"vehicle_id": "veh_unknown", "calendar_entity": "calendar.work"}
    marks = CalendarMarks(hass, home.entry.entry_id)
    mirror = CalendarMirror(hass, home.entry.runtime_data.coordinator, mapping, marks)
    hass.states.async_set("calendar.work", "off")

    async def get_events(*_a: Any, **_k: Any) -> Any:
        return {"calendar.work": {"events": []}}

    with patch.object(type(hass.services), "async_call", get_events):
        await mirror._async_mirror()
    assert mirror._sent is None
    await until(lambda: True)


@pytest.mark.parametrize(
    ("refusals", "asked", "kept"),
    [
        ([412], 2, False),
        ([412, 412], 2, True),
        ([404], 1, False),
        ([429], 1, True),
    ],
    ids=["somebody was first", "twice", "the car is gone", "too many requests"],
)
async def test_a_calendar_is_taken_back_against_somebody_elses_change_and_else_kept_for_later(
    hass: HomeAssistant, refusals: list[int], asked: int, *, kept: bool
) -> None:
    """What the API no longer knows needs no second try; what it refused now does."""
    marks = CalendarMarks(hass, "entry")
    at = dt_util.utcnow()
    await marks.async_tells("veh_1", at)
    changes: list[Any] = []

    class Away:
        """An API that refuses at first."""

        async def get(self, _path: str) -> Any:
            return {"revision": len(changes), "calendar": {"read_at": at.isoformat()}}

        async def patch(self, _path: str, change: Any, revision: int) -> Any:
            changes.append((change, revision))
            if refusals:
                raise OwnerApiProblem(refusals.pop(0), {})
            return {"revision": revision + 1}

    api: Any = Away()
    taken = await marks.async_take_back(api, mapped=())
    assert changes == [({"calendar": None}, number) for number in range(asked)]
    assert taken == ([{"revision": 2}] if asked == 2 and not kept else [])
    again = CalendarMarks(hass, "entry")
    await again.async_load()
    await again.async_take_back(api, mapped=())
    assert len(changes) == asked + kept
