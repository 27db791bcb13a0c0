"""What the owner's own entities say, as it reaches the API: readings and leave times."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.calendar import CalendarEntity, CalendarEvent
from homeassistant.const import EVENT_STATE_REPORTED
from homeassistant.core import HomeAssistant, SupportsResponse
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.v2g_owner.api import OwnerApi
from custom_components.v2g_owner.api_errors import OwnerApiConnectionError
from custom_components.v2g_owner.const import TELEMETRY_MIN_INTERVAL, WEEKDAYS
from custom_components.v2g_owner.departures import read_events
from custom_components.v2g_owner.instants import utc_text
from custom_components.v2g_owner.models import Soc
from custom_components.v2g_owner.telemetry import ChargerReporter, VehicleReporter

from .conftest import PLUG, SOC, Home, car_says, until
from .entries import paired_entry, vehicle_subentry
from .owner_world import OwnerWorld

TEXTS = Path(__file__).parents[2] / "custom_components/v2g_owner/translations/en.json"
# More than --fast has time for.
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def real_reports(monkeypatch: pytest.MonkeyPatch, short_reports: None) -> None:
    """Hold changes back as long as in real life."""
    interval = "custom_components.v2g_owner.telemetry.TELEMETRY_MIN_INTERVAL"
    monkeypatch.setattr(interval, TELEMETRY_MIN_INTERVAL)


class Told:
    """An API that keeps what it was told, and may be away."""

    def __init__(self) -> None:
        """Start present, having heard nothing."""
        self.bodies: list[Any] = []
        self.away = False

    async def server(self) -> Any:
        """Be the right version, and tell no time."""
        return {"api_version": 1}

    async def get(self, _path: str) -> Any:
        """Have nothing to show: what is read is not the subject."""
        from custom_components.v2g_owner.api_errors import OwnerApiConnectionError

        raise OwnerApiConnectionError("away")

    async def post(self, path: str, body: Any) -> Any:
        """Keep a body; the home's own car, which reports as well, is not the subject."""
        from custom_components.v2g_owner.api_errors import OwnerApiConnectionError

        if self.away:
            raise OwnerApiConnectionError("away")
        if "_x/" in path:
            self.bodies.append(body)
        return {}

    def last(self) -> Any:
        """Return the readings heard last, without their times."""
        readings = self.bodies[-1]["readings"]
        return [{k: v for k, v in each.items() if k != "measured_at"} for each in readings]


@pytest.fixture
def told(home: Home, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Stand in for the API, for reports only."""
    stand_in = Told()
    monkeypatch.setattr(home.entry.runtime_data.coordinator, "api", stand_in)
    return stand_in


async def settle() -> None:
    """Let everything run that can run without waiting: a frozen clock never ends a wait."""
    for _ in range(200):
        await asyncio.sleep(0)


async def pass_time(hass: HomeAssistant, freezer: FrozenDateTimeFactory, seconds: float) -> None:
    """Let time pass for Home Assistant."""
    freezer.tick(timedelta(seconds=seconds))
    async_fire_time_changed(hass)
    await settle()


def reporter(home: Home, **mapping: Any) -> VehicleReporter:
    """Return a reporter for one more vehicle with its own sensors."""
    data = {"vehicle_id": "veh_x", "soc_entity": "sensor.x_soc", **mapping}
    return VehicleReporter(home.hass, home.entry.runtime_data.coordinator, data)


async def test_units_and_sign_are_made_the_apis_own(home: Home, told: Told) -> None:
    """Signed power is positive into the car, whatever the sensor thinks."""
    hass = home.hass
    hass.states.async_set("sensor.x_soc", "61.5", {"unit_of_measurement": "%"})
    hass.states.async_set("sensor.x_power", "7.2", {"unit_of_measurement": "kW"})
    hass.states.async_set("sensor.x_in", "1.5", {"unit_of_measurement": "MWh"})
    hass.states.async_set("sensor.x_out", "2500", {"unit_of_measurement": "Wh"})
    hass.states.async_set("sensor.x_temp", "68", {"unit_of_measurement": "°F"})
    stop = reporter(
        home,
        power_entity="sensor.x_power",
        power_sign="discharging_positive",
        import_entity="sensor.x_in",
        export_entity="sensor.x_out",
        temperature_entity="sensor.x_temp",
    ).async_start()
    await until(lambda: told.bodies)
    merged: dict[str, Any] = {}
    for reading in told.last():
        merged |= reading
    assert merged == {
        "soc_pct": 61.5,
        "power_w": -7_200,
        "import_register_wh": 1_500_000,
        "export_register_wh": 2_500,
        "pack_temperature_c": 20.0,
    }
    stop()


@pytest.mark.parametrize("value", ["unknown", "unavailable", "nan", "inf", "101", "-1"])
async def test_promise_3_what_a_sensor_does_not_know_is_not_told(
    value: str, home: Home, told: Told
) -> None:
    """Promise 3: the API lets an old value age; it is never given a made-up one."""
    home.hass.states.async_set("sensor.x_soc", value)
    home.hass.states.async_set("binary_sensor.x_plug", "unknown")
    for odd in ("power", "in", "temp"):
        home.hass.states.async_set(f"sensor.x_{odd}", "unknown")
    stop = reporter(
        home,
        plugged_entity="binary_sensor.x_plug",
        power_entity="sensor.x_power",
        import_entity="sensor.x_in",
        temperature_entity="sensor.x_temp",
        export_entity="sensor.x_missing",
    ).async_start()
    await settle()
    assert told.bodies == []
    stop()


@pytest.mark.parametrize(
    ("sensor", "shows", "unit"),
    [
        ("x_temp", "-273.15", "°C"),
        ("x_temp", "215", "°C"),
        ("x_power", "6.5e9", "W"),
        ("x_out", "-12.5", "kWh"),
        ("x_in", "4294967295", "GWh"),
    ],
)
async def test_promise_3_a_sensor_that_shows_what_cannot_be_hides_no_other(
    home: Home, world: OwnerWorld, vehicle_id: str, sensor: str, shows: str, unit: str
) -> None:
    """A device that is asleep shows the ends of its numbers: all that was told was refused."""
    hass = home.hass
    hass.states.async_set(f"sensor.{sensor}", shows, {"unit_of_measurement": unit})
    hass.states.async_set("sensor.x_soc", "61", {"unit_of_measurement": "%"})
    stop = reporter(
        home,
        vehicle_id=vehicle_id,
        power_entity="sensor.x_power",
        import_entity="sensor.x_in",
        export_entity="sensor.x_out",
        temperature_entity="sensor.x_temp",
    ).async_start()
    await home.reaches("sensor", vehicle_id, "soc", "61.0")
    stop()
    status = (await world.phone.get(f"/v1/vehicles/{vehicle_id}"))["status_reason"]
    # What cannot be a pack's temperature is not one to discharge at either.
    assert (status == "temperature") == (sensor == "x_temp")


async def test_what_was_told_before_the_clock_was_set_back_hides_nothing_that_is_told_since(
    home: Home, told: Told, freezer: FrozenDateTimeFactory
) -> None:
    """The API refuses a reading from the future, and with it all that is told beside it."""
    home.hass.states.async_set("sensor.x_temp", "20", {"unit_of_measurement": "°C"})
    freezer.tick(timedelta(hours=-1))
    home.hass.states.async_set("sensor.x_soc", "61")
    stop = reporter(home, temperature_entity="sensor.x_temp").async_start()
    await until(lambda: told.bodies)
    assert told.last() == [{"soc_pct": 61.0}]
    stop()


async def test_promise_2_a_range_in_kilometres_is_no_state_of_charge(
    home: Home, told: Told
) -> None:
    """Promise 2: another sensor under the same name, and 80 km were 80 % of a battery."""
    home.hass.states.async_set("sensor.x_soc", "80", {"unit_of_measurement": "km"})
    stop = reporter(home).async_start()
    await settle()
    assert told.bodies == []
    stop()


async def test_a_chattering_sensor_is_sent_now_and_then_and_a_plug_at_once(
    home: Home, told: Told, freezer: FrozenDateTimeFactory
) -> None:
    """Ten changes in a second are one message; a plug going in is never held back."""
    hass = home.hass
    hass.states.async_set("sensor.x_soc", "50")
    hass.states.async_set("binary_sensor.x_plug", "off")
    stop = reporter(home, plugged_entity="binary_sensor.x_plug").async_start()
    await settle()
    assert len(told.bodies) == 1
    for value in range(51, 60):
        hass.states.async_set("sensor.x_soc", str(value))
        await settle()
    assert len(told.bodies) == 1
    await pass_time(hass, freezer, 11)
    await settle()
    assert len(told.bodies) == 2
    assert told.last() == [{"soc_pct": 59.0}]
    hass.states.async_set("binary_sensor.x_plug", "on")
    await settle()
    assert len(told.bodies) == 3
    assert told.last() == [{"plugged_in": True}]
    stop()


async def test_promise_3_a_confirmed_value_is_resent_with_its_new_time_and_a_frozen_one_is_not(
    home: Home, told: Told, freezer: FrozenDateTimeFactory
) -> None:
    """Promise 3: a sensor that reports the same again is fresh; one that says nothing ages."""
    hass = home.hass
    hass.states.async_set("sensor.x_soc", "50")
    stop = reporter(home).async_start()
    await settle()
    assert len(told.bodies) == 1
    first = told.bodies[0]["readings"][0]["measured_at"]
    await pass_time(hass, freezer, 601)
    assert len(told.bodies) == 1, "nothing was reported since"
    hass.states.async_set("sensor.x_soc", "50")
    confirmed = hass.states.get("sensor.x_soc")
    assert confirmed is not None
    await pass_time(hass, freezer, 541)
    assert len(told.bodies) == 1, "not before it is needed: three tries fit in half an hour"
    await pass_time(hass, freezer, 61)
    assert len(told.bodies) == 2
    second = told.bodies[1]["readings"][0]["measured_at"]
    assert second > first
    assert datetime.fromisoformat(second) == confirmed.last_reported
    stop()


@pytest.mark.parametrize(
    ("known_pct", "session_id"),
    [(50.0, None), (47.3, "ses_1"), (47.3, None)],
    ids=["as it was", "carried by a meter", "carried in a session that is over"],
)
async def test_promise_3_a_state_of_charge_that_was_only_restored_is_not_told_as_new(
    home: Home, told: Told, freezer: FrozenDateTimeFactory, known_pct: float, session_id: str | None
) -> None:
    """Promise 3: hours later the sensor shows its old value, and the car has been driven since."""
    hass, coordinator = home.hass, home.entry.runtime_data.coordinator
    known = Soc(soc_pct=known_pct, measured_at=dt_util.utcnow() - timedelta(hours=5))
    car = next(iter(coordinator.data.vehicles.values()))
    there = replace(car, vehicle_id="veh_x", soc=known, session_id=session_id)
    vehicles = {**coordinator.data.vehicles, "veh_x": there}
    coordinator.data = replace(coordinator.data, vehicles=vehicles)
    hass.states.async_set("sensor.x_soc", "unavailable")
    stop = reporter(home).async_start()
    hass.states.async_set("sensor.x_soc", "50")
    await pass_time(hass, freezer, 700)
    assert told.bodies == [], "nobody has measured it"
    hass.states.async_set("sensor.x_soc", "50")
    await pass_time(hass, freezer, 700)
    assert told.last() == [{"soc_pct": 50.0}]
    stop()


@pytest.mark.parametrize(
    ("plug", "deals", "told_again"),
    [("on", 0, 1), ("off", 0, 1), ("on", 1, 2)],
    ids=["waits", "is away", "gives energy"],
)
async def test_promise_3_a_state_of_charge_is_confirmed_in_time_for_what_the_car_does(
    home: Home, told: Told, freezer: FrozenDateTimeFactory, plug: str, deals: int, told_again: int
) -> None:
    """Promise 3: sooner while a deal runs; who is away is asked nothing, so nothing is repeated."""
    hass = home.hass
    hass.states.async_set("sensor.x_soc", "50")
    hass.states.async_set("binary_sensor.x_plug", plug)
    coordinator: Any = SimpleNamespace(
        api=told,
        config_entry=home.entry,
        data=SimpleNamespace(
            live_commitments=[SimpleNamespace(vehicle_id="veh_x")] * deals, vehicles={}
        ),
        async_add_listener=lambda _listener: lambda: None,
    )
    entities = {"soc_entity": "sensor.x_soc", "plugged_entity": "binary_sensor.x_plug"}
    stop = VehicleReporter(hass, coordinator, {"vehicle_id": "veh_x", **entities}).async_start()
    await pass_time(hass, freezer, 1)
    hass.states.async_set("sensor.x_soc", "50")
    await pass_time(hass, freezer, 301)
    assert len(told.bodies) == told_again
    hass.states.async_set("sensor.x_soc", "50")
    await pass_time(hass, freezer, 301)
    assert len(told.bodies) == (1 if plug == "off" else told_again + 1)
    stop()


async def test_what_did_not_arrive_is_sent_when_the_api_is_back(home: Home, told: Told) -> None:
    """Promise 5 begins with a reading that arrives."""
    hass = home.hass
    hass.states.async_set("sensor.x_soc", "50")
    told.away = True
    watcher = reporter(home)
    stop = watcher.async_start()
    await until(lambda: watcher._failed)
    told.away = False
    home.entry.runtime_data.coordinator.async_update_listeners()
    await until(lambda: told.bodies)
    assert told.last() == [{"soc_pct": 50.0}]
    stop()
    hass.states.async_set("sensor.x_soc", "60")
    watcher._async_send_soon()
    await settle()
    assert len(told.bodies) == 1


async def test_stopping_drops_what_was_held_back(home: Home, told: Told) -> None:
    """No timer outlives its entry."""
    hass = home.hass
    hass.states.async_set("sensor.x_soc", "50")
    watcher = reporter(home)
    stop = watcher.async_start()
    await until(lambda: told.bodies)
    for value in ("51", "52"):
        hass.states.async_set("sensor.x_soc", value)
        await settle()
    assert watcher._cancel_later is not None
    stop()
    assert watcher._cancel_later is None
    assert len(told.bodies) == 1


async def test_nothing_mapped_is_nothing_sent(home: Home, told: Told) -> None:
    """A charger needs no entities of its own."""
    coordinator = home.entry.runtime_data.coordinator
    ChargerReporter(home.hass, coordinator, {"charger_id": "chg_x"}).async_start()()
    assert told.bodies == []


async def test_promise_9_a_charger_tells_each_value_with_its_own_time(
    home: Home, told: Told, freezer: FrozenDateTimeFactory
) -> None:
    """A register from ten minutes ago does not pass for one of now: a deal may be counted by it."""
    mapping = {
        "charger_id": "chg_x",
        "power_entity": "sensor.box_power",
        "import_entity": "sensor.box_import",
        "export_entity": "sensor.box_export",
    }
    energy = {"unit_of_measurement": "kWh"}
    home.hass.states.async_set("sensor.box_import", "12.5", energy)
    home.hass.states.async_set("sensor.box_export", "1", energy)
    spoken_at = dt_util.utcnow()
    freezer.tick(600)
    home.hass.states.async_set("sensor.box_power", "0", {"unit_of_measurement": "kW"})
    stop = ChargerReporter(home.hass, home.entry.runtime_data.coordinator, mapping).async_start()
    await settle()
    stop()
    readings = told.bodies[0]["readings"]
    times = {key: each["measured_at"] for each in readings for key in each if key != "measured_at"}
    assert times == {
        "power_w": utc_text(dt_util.utcnow()),
        "import_register_wh": utc_text(spoken_at),
        "export_register_wh": utc_text(spoken_at),
    }


async def test_a_chargers_sensors_reach_its_entities_by_way_of_the_api(
    home: Home, world: OwnerWorld, charger_home: None, charger_id: str, vehicle_id: str
) -> None:
    """Power, both registers, online, and which car is there."""
    hass = home.hass
    hass.states.async_set("binary_sensor.wallbox_online", "on")
    hass.states.async_set("sensor.wallbox_power", "3", {"unit_of_measurement": "kW"})
    hass.states.async_set("sensor.wallbox_import", "12.5", {"unit_of_measurement": "kWh"})
    hass.states.async_set("sensor.wallbox_export", "1", {"unit_of_measurement": "kWh"})
    await home.reaches("binary_sensor", charger_id, "online", "on")
    told = await world.phone.get(f"/v1/chargers/{charger_id}")
    assert told["online"] is True
    assert home.state("sensor", charger_id, "connected_vehicle").state == "unknown"

    # Plugged in at the park's own EVSE of that id, the session's meter is shown instead.
    member = await world.join(vehicle_id)
    session_id = await world.plug_in(member)
    await world.meter(session_id, -2_000)
    await home.entry.runtime_data.coordinator.async_refresh()
    await home.reaches("sensor", charger_id, "connected_vehicle", "Blue car")
    assert home.state("sensor", charger_id, "power").state == "-2.0"
    assert home.state("sensor", charger_id, "energy_exported").state == "5.0"
    assert home.state("sensor", charger_id, "energy_imported").state == "100.0"


NOW = datetime(2026, 12, 1, 8, 0, tzinfo=dt_util.UTC)


def test_a_calendar_event_is_a_departure_and_its_title_may_say_what_is_needed() -> None:
    """'80 %' in the title sets the need; all-day and past events name no hour to leave at."""
    events = [
        {"start": "2026-12-03T18:00:00+08:00", "summary": "Airport 80 %"},
        {"start": "2026-12-02T07:30:00+08:00", "summary": "Work"},
        {"start": "2026-12-02", "summary": "Holiday 90 %"},
        {"start": "2026-12-01T08:00:00+08:00", "summary": "Begun already"},
        {"start": "2026-12-04T09:00:00+08:00", "summary": "全电 100\uff05\n备注"},
        {"start": "2026-12-05T09:00:00+08:00"},
        {"start": "never"},
    ]
    assert read_events(events, NOW) == [
        {"departure_at": "2026-12-01T23:30:00Z", "summary": "Work"},
        {
            "departure_at": "2026-12-03T10:00:00Z",
            "soc_min_departure_pct": 80,
            "summary": "Airport 80 %",
        },
        {
            "departure_at": "2026-12-04T01:00:00Z",
            "soc_min_departure_pct": 100,
            "summary": "全电 100\uff05 备注",
        },
        {"departure_at": "2026-12-05T01:00:00Z", "summary": ""},
    ]


def test_a_number_that_is_no_percentage_of_a_battery_is_not_taken_for_one() -> None:
    """'120 %' or '180%' must not become 20 % or 80 %."""
    events = [{"start": "2026-12-03T18:00:00+08:00", "summary": "Sale 180 % off, 120%"}]
    assert "soc_min_departure_pct" not in read_events(events, NOW)[0]


@pytest.mark.parametrize(
    ("title", "need"),
    [
        ("Airport 87.5 %", 88),
        ("Zug 72,25%", 73),
        ("Trip 100.0 %", 100),
        ("Work,80%", 80),
        ("\uff18\uff17\uff0e\uff15\uff05", 88),
    ],
)
def test_promise_2_a_need_with_a_decimal_is_not_taken_for_its_last_digit(
    title: str, need: int
) -> None:
    """Of '87.5 %' the five was read, and nearly all of the battery could be sold."""
    events = [{"start": "2026-12-03T18:00:00+08:00", "summary": title}]
    assert read_events(events, NOW)[0]["soc_min_departure_pct"] == need


class Agenda(CalendarEntity):
    """A calendar whose entries a test sets."""

    def __init__(self) -> None:
        """Start empty."""
        self.entries: list[CalendarEvent] = []
        self.broken = False


@pytest.fixture
async def agenda(hass: HomeAssistant) -> Agenda:
    """Stand in for a calendar and its action."""
    found = Agenda()

    async def get_events(call: Any) -> Any:
        from homeassistant.exceptions import HomeAssistantError

        if found.broken:
            raise HomeAssistantError("no network")
        shown = [
            {"start": each.start.isoformat(), "summary": each.summary} for each in found.entries
        ]
        return {"calendar.work": {"events": shown}}

    hass.services.async_register(
        "calendar", "get_events", get_events, supports_response=SupportsResponse.ONLY
    )
    hass.states.async_set("calendar.work", "off")
    return found


async def test_a_calendars_departures_reach_the_api_and_follow_its_changes(
    hass: HomeAssistant,
    world: OwnerWorld,
    vehicle_id: str,
    agenda: Agenda,
) -> None:
    """Home Assistant replaces the next fourteen days; the API keeps the last set."""
    car_says(hass, 80)
    begin = dt_util.utcnow().replace(microsecond=0) + timedelta(hours=20)
    agenda.entries = [CalendarEvent(start=begin, end=begin + timedelta(hours=1), summary="To 70 %")]
    mapped = vehicle_subentry(vehicle_id, calendar_entity="calendar.work")
    entry = await paired_entry(hass, world, [mapped])
    path = f"/v1/vehicles/{vehicle_id}/departures"
    await world.phone.patch(path, {"one_off": None})
    # The real calendar platform would take the action's place.
    real = hass.services.async_services_for_domain("calendar")["get_events"]
    assert await hass.config_entries.async_setup(entry.entry_id)
    hass.services._services["calendar"]["get_events"] = real
    await hass.async_block_till_done()
    home = Home(hass, entry)
    hass.states.async_set("calendar.work", "on", {"friendly_name": "Work calendar"})
    source = await home.reaches("sensor", vehicle_id, "departure_source", "calendar")
    assert source.attributes["calendar"] == "Work calendar"
    departures = await world.phone.get(path)
    assert departures["calendar"]["events"][0]["soc_min_departure_pct"] == 70
    shown = home.state("sensor", vehicle_id, "next_departure").attributes
    names = ("source", "calendar", "summary", "soc_min_departure_pct")
    assert [shown[name] for name in names] == ["calendar", "Work calendar", "To 70 %", 70]
    # The attributes have words of their own, and no others do.
    texts = json.loads(TEXTS.read_text(encoding="utf-8"))
    assert {*texts["entity"]["sensor"]["next_departure"]["state_attributes"]} == {*names}

    # Somebody else changes another leave time unseen: the mirror tries again, nothing is lost.
    coordinator = entry.runtime_data.coordinator
    stale = coordinator.data
    # A day on which the calendar's event is sooner, whenever this test runs.
    day = WEEKDAYS[(begin + timedelta(days=3)).weekday()]
    await world.phone.patch(path, {"weekly": {day: "07:00"}})
    await until(lambda: coordinator.data.departures[vehicle_id].weekly[day] == "07:00")
    coordinator.data = stale
    agenda.entries = []
    hass.states.async_set("calendar.work", "off")
    await home.reaches("sensor", vehicle_id, "departure_source", "weekly")
    departures = await world.phone.get(path)
    assert departures["calendar"]["events"] == []
    assert departures["weekly"][day] == "07:00"

    # A calendar that cannot be read leaves the last set alone.
    agenda.broken = True
    hass.states.async_set("calendar.work", "on")
    hass.states.async_set("calendar.work", "unavailable")
    await settle()
    assert await world.phone.get(path) == departures


class Reader:
    """A home that has told the API one car's calendar."""

    def __init__(self, home: Home, world: OwnerWorld, vehicle_id: str) -> None:
        """Look at one car."""
        self.home, self.world, self.vehicle_id = home, world, vehicle_id

    @property
    def path(self) -> str:
        """Where the API keeps the car's leave times."""
        return f"/v1/vehicles/{self.vehicle_id}/departures"

    async def calendar(self) -> Any:
        """Return the calendar that the API knows."""
        return (await self.world.phone.get(self.path))["calendar"]

    async def another_home_tells(self) -> None:
        """Write what another Home Assistant of the owner's reads in a calendar of its own."""
        at = dt_util.utcnow() + timedelta(hours=3)
        events = [{"departure_at": at.isoformat(), "summary": "Dentist"}]
        read_at = dt_util.utcnow().isoformat()
        changes = {"calendar": {"read_at": read_at, "events": events}}
        await self.world.phone.patch(self.path, changes)

    async def take_calendar_away(self) -> None:
        """Choose the car's entities anew, without a calendar."""
        hass, entry = self.home.hass, self.home.entry
        (subentry,) = entry.subentries.values()
        data = {key: value for key, value in subentry.data.items() if key != "calendar_entity"}
        hass.config_entries.async_update_subentry(entry, subentry, data=data)
        await hass.async_block_till_done(wait_background_tasks=False)

    async def reaches(self, check: Callable[[Any], bool]) -> None:
        """Wait until the API knows such a calendar."""
        async with asyncio.timeout(20):
            while not check(await self.calendar()):  # noqa: ASYNC110 - the API tells nobody here
                await asyncio.sleep(0.05)

    async def stays(self) -> None:
        """Hold that the calendar at the API is left alone."""
        before = await self.calendar()
        assert before
        await asyncio.sleep(0.5)
        assert await self.calendar() == before


@pytest.fixture
async def reader(hass: HomeAssistant, world: OwnerWorld, vehicle_id: str, agenda: Agenda) -> Reader:
    """Set up a home whose car leaves by its calendar."""
    car_says(hass, 80)
    begin = dt_util.utcnow().replace(microsecond=0) + timedelta(hours=20)
    agenda.entries = [CalendarEvent(start=begin, end=begin + timedelta(hours=1), summary="To 70 %")]
    mapped = vehicle_subentry(vehicle_id, calendar_entity="calendar.work")
    entry = await paired_entry(hass, world, [mapped])
    await world.phone.patch(f"/v1/vehicles/{vehicle_id}/departures", {"one_off": None})
    real = hass.services.async_services_for_domain("calendar")["get_events"]
    assert await hass.config_entries.async_setup(entry.entry_id)
    hass.services._services["calendar"]["get_events"] = real
    hass.states.async_set("calendar.work", "on")
    found = Reader(Home(hass, entry), world, vehicle_id)
    await found.home.reaches("sensor", vehicle_id, "departure_source", "calendar")
    await settle()
    return found


async def test_the_leave_times_of_a_calendar_go_when_it_is_mapped_no_more(reader: Reader) -> None:
    """Nobody else could take them out: for two weeks the car would leave by an old calendar."""
    await reader.take_calendar_away()
    await reader.reaches(lambda told: told is None)
    shown = await reader.home.reaches("sensor", reader.vehicle_id, "departure_source", "unknown")
    assert "calendar" not in shown.attributes
    # What another home tells of the car from then on is its own.
    await reader.another_home_tells()
    await reader.home.hass.config_entries.async_reload(reader.home.entry.entry_id)
    await reader.stays()


async def test_the_leave_times_that_another_home_has_told_since_are_left_alone(
    reader: Reader,
) -> None:
    """Its calendar counts by now; ours is gone already."""
    await reader.another_home_tells()
    await reader.take_calendar_away()
    await reader.stays()


async def test_a_home_that_never_read_a_calendar_takes_none_away(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """It may be a second home of the owner's, without a calendar of its own."""
    reader = Reader(home, world, vehicle_id)
    await reader.another_home_tells()
    await home.hass.config_entries.async_reload(home.entry.entry_id)
    await reader.stays()


@pytest.mark.parametrize("whole", [False, True], ids=["the car", "the account"])
async def test_unlinking_takes_the_leave_times_of_the_calendar_along(
    reader: Reader, *, whole: bool
) -> None:
    """Nothing in this home could change them any more."""
    hass, entry = reader.home.hass, reader.home.entry
    if whole:
        await hass.config_entries.async_remove(entry.entry_id)
    else:
        (subentry_id,) = entry.subentries
        hass.config_entries.async_remove_subentry(entry, subentry_id)
    await reader.reaches(lambda told: told is None)


async def test_a_calendar_that_could_not_be_taken_back_is_at_the_next_start(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one whose last telling was never answered, so that nobody knew whether it arrived."""
    hass, entry = reader.home.hass, reader.home.entry
    patch = OwnerApi.patch

    async def lost(api: OwnerApi, path: str, *change: Any) -> Any:
        if path == reader.path:
            raise OwnerApiConnectionError("away")
        return await patch(api, path, *change)

    async def unanswered(api: OwnerApi, path: str, *change: Any) -> Any:
        await patch(api, path, *change)
        raise OwnerApiConnectionError("away")

    before = await reader.calendar()
    monkeypatch.setattr(OwnerApi, "patch", unanswered)
    hass.states.async_set("calendar.work", "unavailable")
    await entry.runtime_data.coordinator.async_refresh()
    await hass.config_entries.async_reload(entry.entry_id)
    hass.states.async_set("calendar.work", "on")
    await reader.reaches(lambda told: told != before)
    monkeypatch.setattr(OwnerApi, "patch", lost)
    await reader.take_calendar_away()
    await reader.stays()
    monkeypatch.undo()
    await hass.config_entries.async_reload(entry.entry_id)
    await reader.reaches(lambda told: told is None)


async def test_a_sensor_that_repeats_its_value_wakes_nothing_of_ours(
    home: Home, vehicle_id: str
) -> None:
    """It stays fresh by a look now and then: some sensors repeat themselves every second."""
    await home.reaches("sensor", vehicle_id, "soc", "80.0")
    assert EVENT_STATE_REPORTED not in home.hass.bus.async_listeners()


async def test_the_sensors_that_a_session_binds_by_are_the_owners(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Whose car is it? The owner's own plug sensor says so."""
    await home.reaches("sensor", vehicle_id, "soc", "80.0")
    member = await world.join(vehicle_id)
    car_says(home.hass, 80, "off")
    await home.reaches("binary_sensor", vehicle_id, "plugged_in", "off")
    session_id = await world.plug_in(member)
    assert (await world.park.get(f"/v1/park/sessions/{session_id}"))["state"] == "claimed"
    car_says(home.hass, 80, "on")
    await home.reaches("binary_sensor", vehicle_id, "plugged_in", "on")
    assert (await world.park.get(f"/v1/park/sessions/{session_id}"))["state"] == "bound"
    assert (SOC, PLUG) == ("sensor.car_battery", "binary_sensor.car_plug")
