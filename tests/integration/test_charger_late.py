"""What an executor makes of commands that are lost, hang, or arrive after they were given up."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

from homeassistant.const import EVENT_CALL_SERVICE
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_fire_time_changed,
)

from custom_components.v2g_owner.charger_control import ChargerControl
from custom_components.v2g_owner.charger_driver import ChargerDriver
from custom_components.v2g_owner.charger_tests import async_end_tests, async_start_test
from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.control_probe import async_probe
from custom_components.v2g_owner.executor_sight import Eyes
from custom_components.v2g_owner.executor_stop import async_stop_discharging
from custom_components.v2g_owner.rest_issue import async_watch_rest

from .charger_world import (
    CAR,
    CAR_MAPPING,
    EVENING,
    POWER,
    Night,
    Setting,
    discharging,
    lease,
    mapping,
    orders,
    plan,
    subentry,
)
from .test_charger_refuses import MORNING, seconds_out

# More than --fast has time for.
pytestmark = pytest.mark.slow


@pytest.fixture
async def night(night: Night) -> Night:
    """Have the car stand at the charger from the begin on."""
    await night.start()
    await night.plug_in()
    return night


async def passing(night: Night, seconds: int) -> list[float]:
    """Let seconds pass with calls on their way, which nobody waits for; returns the power in each.

    Night.seconds waits for all of them.
    """
    powers = []
    for _ in range(seconds):
        night.freezer.tick(1)
        night.box.step()
        async_fire_time_changed(night.hass)
        await turns()
        powers.append(night.box.real_w)
    return powers


async def turns() -> None:
    """Let what can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


def hang(monkeypatch: pytest.MonkeyPatch, until: asyncio.Event, *, only_first: bool) -> None:
    """Let commands that come now get no answer ``until`` then."""
    take, left = Setting.async_set_native_value, [True]

    async def slowly(number: Setting, value: float) -> None:
        if not only_first or (left and left.pop()):
            await until.wait()
        await take(number, value)

    monkeypatch.setattr(Setting, "async_set_native_value", slowly)


def charge() -> Any:
    """Return a plan to charge all night."""
    return plan(MORNING, (EVENING, 6_900, 90))


async def test_promise_4_a_stop_that_is_lost_holds_up_the_next_one_for_seconds_only(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 4: many an integration sends one command at a time; the car gave on and on."""
    executor = night.executor
    assert executor is not None
    executor.async_take(orders(lease=lease(60)))
    assert discharging(await night.seconds(20))
    assert night.box.number is not None
    night.box.number.parallel_updates = asyncio.Semaphore(1)
    hang(monkeypatch, asyncio.Event(), only_first=True)
    stopping = asyncio.create_task(async_stop_discharging(executor, {}))
    powers = await passing(night, 45)
    await stopping
    assert [power for power in powers[11:] if power < -50] == []


@pytest.mark.parametrize("at_a_time", [1, 9])
async def test_promise_4_a_stop_arrives_though_the_cloud_takes_twelve_seconds_for_it(
    night: Night, at_a_time: int
) -> None:
    """Promise 4: the first zero is given up before that, not those after it."""
    executor = night.executor
    assert executor is not None
    executor.async_take(orders(lease=lease(60)))
    assert discharging(await night.seconds(20))
    assert night.box.number is not None
    night.box.number.parallel_updates = asyncio.Semaphore(at_a_time)
    night.box.answers_after_s = 12.0
    stopping = asyncio.create_task(async_stop_discharging(executor, {}))
    powers = await passing(night, 60)
    await stopping
    assert [power for power in powers[24:] if power < -50] == []
    night.box.answers_after_s = 0.0


async def test_promise_4_a_discharge_on_its_way_to_a_missing_charger_is_given_up_at_a_stop(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 4: it arrived after the stop, and the car began to give then."""
    executor, answer = night.executor, asyncio.Event()
    assert executor is not None
    executor.async_take(orders(plan=plan(MORNING, (EVENING, 0, 0))))
    await night.seconds(10)
    hang(monkeypatch, answer, only_first=False)
    executor.async_take(replace(executor.memory.orders, lease=lease(60)))
    await turns()
    assert night.box.number is not None
    night.box.number.show_available(yes=False)
    stopping = asyncio.create_task(async_stop_discharging(executor, {}))
    await passing(night, 6)
    answer.set()
    powers = await passing(night, 5)
    await stopping
    assert min(powers) == 0


async def test_promise_4_a_guided_test_that_is_stopped_twice_leaves_zero_all_the_same(
    night: Night,
) -> None:
    """Promise 4: the second stop ended the first one's tries, and the car discharged on."""
    await night.end()
    driver = ChargerDriver(night.hass, ChargerControl.read(mapping("wallbox")), "Garage")
    eyes = Eyes(night.hass, subentry().data, {CAR: CAR_MAPPING})
    async_start_test(
        night.hass,
        _probe(driver, eyes),
        entry_id="entry",
        charger_id="chg_home",
        vehicle_id=CAR,
    )
    while night.box.told["number"] >= 0:
        await passing(night, 1)
    takes, busy = night.box.command, [True]

    def command(what: str, value: Any) -> None:
        if busy and busy.pop():
            raise HomeAssistantError("busy")
        takes(what, value)

    night.box.command = command  # type: ignore[method-assign]
    stops = [asyncio.create_task(async_end_tests(night.hass, {}))]
    await turns()
    stops.append(asyncio.create_task(async_end_tests(night.hass, {})))
    await passing(night, 5)
    await asyncio.gather(*stops)
    assert night.box.told["number"] == 0


async def _probe(driver: ChargerDriver, eyes: Eyes) -> None:
    """Test to discharge."""
    await async_probe(driver, eyes, -1_380)


async def test_promise_3_a_discharge_that_arrives_late_is_ended_though_the_car_charges_by_now(
    night: Night,
) -> None:
    """Promise 3: given up long ago, it reached the charger all the same, and ran for a minute."""
    executor = night.executor
    assert executor is not None
    executor.async_take(orders(lease=lease(20), plan=charge()))
    rows = await night.seconds(50)
    assert rows[-1].power_w == pytest.approx(6_900, abs=100)
    night.box.by_hand("number", -30)
    rows = await night.seconds(90)
    assert seconds_out(rows) <= 10
    assert rows[-1].power_w == pytest.approx(6_900, abs=100)


async def test_charging_beside_a_roof_on_the_same_meter_is_not_asked_for_every_few_seconds(
    night: Night,
) -> None:
    """The charger shows that it does what it was told: what flows out is the roof's."""
    executor = night.executor
    assert executor is not None
    night.box.beside_w = -9_000.0
    executor.async_take(orders(plan=charge()))
    await night.seconds(30)
    asked = len(night.box.commands)
    await night.seconds(300)
    assert len(night.box.commands) - asked <= 6


async def test_a_charger_that_comes_and_goes_is_commanded_once_in_five_seconds_at_most(
    night: Night,
) -> None:
    """Every return was a command: one a second for a charger whose cloud stumbles."""
    executor = night.executor
    assert executor is not None
    assert night.box.number is not None
    executor.async_take(orders(plan=charge()))
    await night.seconds(30)
    asked = len(night.box.commands)
    for _ in range(60):
        night.box.number.show_available(yes=False)
        await night.seconds(1)
        night.box.number.show_available(yes=True)
        await night.seconds(1)
    assert len(night.box.commands) - asked <= 24
    rows = await night.seconds(10)
    assert rows[-1].power_w == pytest.approx(6_900, abs=100)


async def test_promise_2_a_meter_that_is_wrong_by_sixty_watts_delays_no_charging(
    night: Night,
) -> None:
    """Promise 2: ten minutes were lost after a deal, and zero was asked for every five seconds."""
    executor, leaves_at = night.executor, EVENING + timedelta(minutes=50)
    assert executor is not None
    night.box.beside_w, night.box.soc_pct = -60.0, 62.9
    steps = ((EVENING, 0, 0), (EVENING + timedelta(minutes=5), 6_900, 90))
    given = orders(plan=plan(leaves_at, *steps, least=60), departure_buffer_s=0, soc_margin_pct=0.5)
    while not night.record or night.record[-1].reason != "departure_minimum":
        executor.async_take(replace(given, lease=lease(70)))
        await night.seconds(10)
    executor.async_take(given)
    left = leaves_at - night.record[-1].at
    rows = await night.seconds(int(left.total_seconds()))
    assert rows[-1].soc_pct >= 60
    assert len(night.box.commands) <= 10


@pytest.mark.parametrize(
    "night", [{"shape": "watts", "setting": ("W", -7_400, 3_700, 1)}], indirect=True
)
async def test_promise_2_a_charger_that_gives_less_than_was_said_of_it_has_the_car_ready(
    night: Night,
) -> None:
    """Promise 2: its papers say 7.4 kW and its number takes 3.7; what can come back was doubled."""
    executor, leaves_at = night.executor, EVENING + timedelta(minutes=50)
    assert executor is not None
    night.box.soc_pct = 62.9
    steps = ((EVENING, 0, 0), (EVENING + timedelta(minutes=1), 7_000, 90))
    given = orders(plan=plan(leaves_at, *steps, least=60), departure_buffer_s=0, soc_margin_pct=0.5)
    while not night.record or night.record[-1].reason != "departure_minimum":
        executor.async_take(replace(given, lease=lease(70)))
        await night.seconds(10)
    executor.async_take(given)
    left = leaves_at - night.record[-1].at
    rows = await night.seconds(int(left.total_seconds()))
    assert max(row.setpoint_w or 0 for row in rows) == 3_700
    assert rows[-1].soc_pct >= 60


async def test_a_roof_on_the_meter_of_a_charger_at_rest_asks_for_no_zero_every_five_seconds(
    night: Night,
) -> None:
    """It was seventeen thousand commands a day."""
    executor = night.executor
    assert executor is not None
    executor.async_take(orders(plan=plan(MORNING, (EVENING, 0, 0))))
    await night.seconds(10)
    night.box.beside_w = -3_000.0
    asked = len(night.box.commands)
    await night.seconds(600)
    assert len(night.box.commands) - asked <= 11


BY_ACTIONS = pytest.mark.parametrize(
    "night", [{"shape": "actions"}], indirect=True, ids=["actions"]
)


def zeros(night: Night, first: int) -> list[float]:
    """Return after how many seconds zero was told since a command, each counted from the last."""
    times = [at for at, _, value in night.box.commands[first:] if value == 0]
    return [(after - at).total_seconds() for at, after in pairwise(times)]


@BY_ACTIONS
async def test_a_meter_that_is_wrong_by_sixty_watts_tells_zero_to_actions_less_and_less_often(
    night: Night,
) -> None:
    """It was seventeen thousand commands a day: a cloud's quota, and the charger's memory."""
    executor = night.executor
    assert executor is not None
    night.box.beside_w = -60.0
    executor.async_take(orders(lease=lease(60)))
    await night.seconds(60)
    first = len(night.box.commands)
    executor.async_take(orders(plan=plan(MORNING, (EVENING, 0, 0))))
    await night.seconds(3 * 3_600, stride=2)
    waits = zeros(night, first)
    assert waits[:5] == [5.0 if each < 6 else 6.0 for each in waits[:5]]
    assert max(waits) <= 902
    assert min(waits[-5:]) >= 900
    assert len(waits) <= 100
    assert executor.restless


@BY_ACTIONS
async def test_promise_4_what_really_goes_on_discharging_is_told_quickly_and_then_every_minute(
    night: Night,
) -> None:
    """Promise 4: also a discharge that begins by itself beside a meter that was wrong for hours."""
    executor = night.executor
    assert executor is not None
    night.box.beside_w = -60.0
    executor.async_take(orders(plan=plan(MORNING, (EVENING, 0, 0))))
    await night.seconds(2 * 3_600, stride=2)
    night.box.obeys, night.box.real_w = False, -3_000.0
    first = len(night.box.commands)
    await night.seconds(1_800, stride=2)
    waits = zeros(night, first)
    assert max(waits) <= 62
    assert len([each for each in waits if each <= 6]) >= 80
    assert executor.restless
    assert executor.unplug_hint
    night.box.obeys = True
    rows = await night.seconds(90)
    assert discharging(rows[70:]) == []


@BY_ACTIONS
async def test_actions_that_fail_all_night_are_run_once_a_minute_in_the_end(night: Night) -> None:
    """A cloud that refuses because it was asked too often was asked every five seconds."""
    executor = night.executor
    assert executor is not None
    executor.async_take(orders(lease=lease(60)))
    await night.seconds(20)
    night.box.broken = True
    calls = async_capture_events(night.hass, EVENT_CALL_SERVICE)
    await night.seconds(3_600, stride=2)
    tried = [each for each in calls if each.data["service"] == "stop"]
    assert 120 <= len(tried) <= 200
    assert executor.unplug_hint
    night.box.broken = False
    rows = await night.seconds(90)
    assert discharging(rows[70:]) == []


@BY_ACTIONS
async def test_a_charger_that_does_not_come_to_rest_is_a_repair_until_it_does(night: Night) -> None:
    """Promise 4: it can only be unplugged, and who reads that must know of what."""
    executor, hass = night.executor, night.hass
    assert executor is not None
    entry = MockConfigEntry(domain=DOMAIN)
    async_watch_rest(hass, entry, subentry(), executor)
    executor.async_take(orders(plan=plan(MORNING, (EVENING, 0, 0))))
    await night.seconds(30)
    night.box.obeys, night.box.real_w = False, -3_000.0
    await night.seconds(100)
    issues = ir.async_get(hass).issues
    assert not issues
    await night.seconds(30)
    (issue,) = issues.values()
    assert issue.translation_key == "charger_restless"
    assert issue.translation_placeholders == {"name": "Garage", "entity_id": POWER}
    night.box.obeys = True
    await night.seconds(300)
    assert issues
    await night.seconds(320)
    assert not issues


async def test_an_older_larger_discharge_that_arrives_after_a_smaller_one_is_undone_in_seconds(
    night: Night,
) -> None:
    """Never more than ordered: Home Assistant takes what the number shows for our own doing."""
    assert night.executor is not None
    night.executor.async_take(orders(lease=lease(300)))
    await night.seconds(30)
    night.executor.async_take(orders(lease=lease(300, power_w=-2_300)))
    await night.seconds(2)
    night.box.by_hand("number", -30.0)
    rows = await night.seconds(60)
    assert rows[3].power_w == pytest.approx(-6_900, abs=50)
    assert {round(row.power_w) for row in rows[12:]} == {-2_300}
