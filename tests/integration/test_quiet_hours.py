"""In quiet hours nobody is asked; what still waits when they end is asked then."""

import asyncio
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from homeassistant.core import Context, HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.v2g_owner.quiet_spans import quiet_until

from .conftest import Home, until
from .owner_world import OwnerWorld
from .test_blueprints import one, phones, tags, tap, use

__all__ = ["one", "phones", "use"]
# More than --fast has time for.
pytestmark = pytest.mark.slow

ZONE = ZoneInfo("Asia/Shanghai")


def around_now(minutes: int) -> tuple[dict[str, str], datetime]:
    """Return quiet hours since an hour that end in some minutes, and when that is."""
    now = datetime.now(ZONE)
    end = (now + timedelta(minutes=minutes)).replace(second=0, microsecond=0)
    start = now - timedelta(hours=1)
    return {"start": f"{start:%H:%M}", "end": f"{end:%H:%M}"}, end.astimezone(UTC)


async def be_quiet(home: Home, world: OwnerWorld, vehicle_id: str, *spans: Any) -> None:
    """Set the car's quiet hours by phone."""
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    await world.phone.patch(path, {"quiet_hours": list(spans)})
    known = home.entry.runtime_data.coordinator
    await until(lambda: len(known.data.preferences[vehicle_id].quiet_hours) == len(spans))


def go_to(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, instant: datetime) -> None:
    """Let it be a second after an instant."""
    at = instant + timedelta(seconds=1)
    monkeypatch.setattr(dt_util, "utcnow", lambda: at)
    monkeypatch.setattr(dt_util, "now", lambda zone=None: at.astimezone(zone or ZONE))
    async_fire_time_changed(hass, at)


async def test_no_phone_is_asked_in_quiet_hours_and_when_they_end_what_still_waits_is_asked(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    session_id: str,
    monkeypatch: pytest.MonkeyPatch,
    one: list[Any],
) -> None:
    span, end = around_now(30)
    await be_quiet(home, world, vehicle_id, span)
    gone = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    await home.act("decline_offer", {"offer_id": gone["offer_id"]}, context=Context(user_id="li"))
    later = {"start_at": world.at(7_200), "end_at": world.at(9_000)}
    waits = await world.offer(session_id, **later)
    coordinator = home.entry.runtime_data.coordinator
    await until(lambda: waits["offer_id"] in coordinator.data.offers)
    await hass.async_block_till_done()
    assert tags(one) == []
    (listed,) = (await home.act("list_offers"))["offers"]
    assert dt_util.parse_datetime(listed["quiet_until"]) == end

    go_to(hass, monkeypatch, end)
    await until(lambda: tags(one) == [waits["offer_id"]])
    assert (await home.act("list_offers"))["offers"][0]["quiet_until"] is None


async def test_what_came_while_home_assistant_was_away_is_asked_about_when_quiet_hours_end(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    session_id: str,
    monkeypatch: pytest.MonkeyPatch,
    one: list[Any],
) -> None:
    span, end = around_now(30)
    await be_quiet(home, world, vehicle_id, span)
    await hass.config_entries.async_unload(home.entry.entry_id)
    waits = await world.offer(session_id)
    await hass.config_entries.async_setup(home.entry.entry_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    await hass.async_block_till_done()
    assert tags(one) == []
    go_to(hass, monkeypatch, end)
    await until(lambda: tags(one) == [waits["offer_id"]])


async def test_quiet_hours_that_are_moved_while_an_offer_waits_end_when_they_do(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    session_id: str,
    monkeypatch: pytest.MonkeyPatch,
    one: list[Any],
) -> None:
    span, old_end = around_now(20)
    await be_quiet(home, world, vehicle_id, span)
    waits = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    span, end = around_now(40)
    known = home.entry.runtime_data.coordinator.data.preferences[vehicle_id].quiet_hours
    await be_quiet(home, world, vehicle_id, span)
    await until(
        lambda: (
            home.entry.runtime_data.coordinator.data.preferences[vehicle_id].quiet_hours != known
        )
    )
    go_to(hass, monkeypatch, old_end)
    await hass.async_block_till_done()
    assert tags(one) == []
    go_to(hass, monkeypatch, end)
    await until(lambda: tags(one) == [waits["offer_id"]])


async def test_what_waits_is_asked_about_when_quiet_hours_are_switched_off(
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    session_id: str,
    one: list[Any],
) -> None:
    await be_quiet(home, world, vehicle_id, around_now(30)[0])
    waits = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    await home.hass.async_block_till_done()
    assert tags(one) == []
    await home.set("switch", vehicle_id, "quiet_hours", "turn_off")
    await until(lambda: tags(one) == [waits["offer_id"]])


async def test_who_answers_in_quiet_hours_is_told_when_the_answer_does_not_count(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    session_id: str,
    phones: dict[str, list[Any]],
    caplog: pytest.LogCaptureFixture,
    one: list[Any],
) -> None:
    await world.offer(session_id)
    await until(lambda: all(phones.values()))
    await be_quiet(home, world, vehicle_id, around_now(30)[0])
    tap(hass, one[0], "somebody whose yes does not count")
    await until(lambda: len(one) == 2)
    assert one[1].data["message"].startswith("Your answer did not count.")
    # The automation's own failure is logged by Home Assistant, as it should be.
    caplog.clear()


@pytest.mark.parametrize(
    ("spans", "clock", "ends"),
    [
        ([("22:00", "07:00")], time(23, 30), "2026-12-02T07:00"),
        ([("22:00", "07:00")], time(6, 59), "2026-12-01T07:00"),
        ([("22:00", "07:00")], time(7, 0), None),
        ([("12:00", "14:00")], time(12, 0), "2026-12-01T14:00"),
        ([("22:00", "06:00"), ("05:30", "07:00")], time(5, 45), "2026-12-01T07:00"),
        ([("22:00", "00:00"), ("00:00", "07:00")], time(23, 0), "2026-12-02T07:00"),
        ([], time(3, 0), None),
    ],
)
async def test_quiet_hours_end_on_the_owners_clock_be_it_past_midnight_or_in_two_spans(
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    spans: list[tuple[str, str]],
    clock: time,
    ends: str | None,
) -> None:
    told = [{"start": start, "end": end} for start, end in spans]
    await be_quiet(home, world, vehicle_id, *told)
    now = datetime.combine(datetime(2026, 12, 1, tzinfo=ZONE), clock, ZONE)
    found = quiet_until(home.entry.runtime_data.coordinator.data, vehicle_id, now)
    expected = ends and datetime.fromisoformat(ends).replace(tzinfo=ZONE)
    assert found == expected


async def test_both_ends_moved_at_once_are_both_kept(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """A script may set them in parallel; a second span that a phone wrote stays."""
    noon = {"start": "12:00", "end": "13:00"}
    await be_quiet(home, world, vehicle_id, {"start": "22:00", "end": "07:00"}, noon)
    await home.reaches("time", vehicle_id, "quiet_start", "22:00:00")
    await asyncio.gather(
        home.set("time", vehicle_id, "quiet_start", "set_value", time="21:00:00"),
        home.set("time", vehicle_id, "quiet_end", "set_value", time="08:00:00"),
    )
    wishes = await world.phone.get(f"/v1/vehicles/{vehicle_id}/preferences")
    assert wishes["quiet_hours"] == [{"start": "21:00", "end": "08:00"}, noon]
