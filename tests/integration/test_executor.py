"""The executor at a home charger, second by second, with every shape of charger."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest

from custom_components.v2g_owner.executor import ChargerExecutor
from custom_components.v2g_owner.executor_word import STOP_HOLDS

from .charger_world import (
    CAR,
    CAR_MAPPING,
    EVENING,
    PLUG,
    Night,
    Wallbox,
    discharging,
    lease,
    orders,
    plan,
    subentry,
)

# More than --fast has time for.
pytestmark = pytest.mark.slow

HOUR = timedelta(hours=1)


@pytest.fixture(params=["wallbox", "sigenergy"])
async def any_night(
    request: pytest.FixtureRequest,
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> AsyncIterator[Night]:
    """Stand a car at a charger of each shape that can discharge."""
    freezer.move_to(EVENING)
    box = Wallbox(hass=hass, shape=request.param)
    await box.build()
    made = Night(hass=hass, freezer=freezer, box=box)
    yield made
    if made.executor is not None:
        await made.end()


async def test_the_plan_is_followed_by_its_hours_and_its_thresholds(any_night: Night) -> None:
    """Nothing before its hour, full power in it, nothing once the threshold is reached."""
    night = any_night
    executor = await night.start()
    await night.plug_in()
    steps = ((EVENING, 0, 0), (EVENING + timedelta(minutes=1), 6_900, 62))
    executor.async_take(orders(plan=plan(EVENING + 12 * HOUR, *steps)))
    before = await night.seconds(50)
    assert {second.power_w for second in before} == {0}
    assert before[-1].reason == "waiting"
    after = await night.seconds(60)
    assert after[-1].power_w == pytest.approx(6_900, abs=50)
    assert (after[-1].reason, after[-1].holder) == ("plan", "plan")
    night.box.soc_pct = 62
    done = await night.seconds(15)
    assert done[-1].power_w == 0


async def test_promise_3_power_flows_out_only_while_the_lease_lives_to_the_second(
    any_night: Night,
) -> None:
    """Promise 3: without a live lease nothing discharges, whoever is silent."""
    night = any_night
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(60)))
    until = lease(60).until
    seconds = await night.seconds(90)
    out = discharging(seconds)
    assert len(out) > 50
    # The charger itself needs up to two seconds to come to zero.
    assert max(second.at for second in out) <= until + timedelta(seconds=2)
    commanded = [second for second in seconds if (second.setpoint_w or 0) < 0]
    assert max(second.at for second in commanded) < until
    assert out[5].holder == "park"


async def test_a_renewed_lease_goes_on_without_a_gap(any_night: Night) -> None:
    night = any_night
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(30)))
    seconds = await night.seconds(20)
    executor.async_take(orders(lease=lease(30)))
    seconds += await night.seconds(25)
    assert all(second.power_w < -6_000 for second in seconds[5:])


async def test_promise_4_stop_needs_no_api_and_is_at_zero_within_five_seconds(
    any_night: Night,
) -> None:
    """Promise 4: and the deal stays stopped when its lease is told again."""
    night = any_night
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(120)))
    await night.seconds(20)
    await executor.async_stop_now()
    seconds = await night.seconds(60)
    assert discharging(seconds[5:]) == []
    assert seconds[-1].holder == "stop"
    assert executor.verdict.until == EVENING + STOP_HOLDS + timedelta(seconds=26)
    executor.async_resume()
    executor.async_take(replace(executor.memory.orders, lease=lease(120)))
    again = await night.seconds(20)
    assert discharging(again) == []
    assert again[-1].reason == "stopped"


async def test_promise_2_the_floor_holds_with_a_frozen_and_with_an_honest_sensor(
    any_night: Night,
) -> None:
    """Promise 2: the meter carries a sensor that repeats itself down to the floor."""
    night = any_night
    night.box.soc_pct = 23.4
    executor = await night.start()
    await night.plug_in()
    night.box.soc_frozen = True
    executor.async_take(orders(lease=lease(900)))
    seconds = await night.seconds(400)
    assert discharging(seconds)
    assert min(second.soc_pct for second in seconds) >= 20
    assert seconds[-1].reason == "floor"
    assert discharging(seconds[-60:]) == []


async def test_promise_3_a_sensor_that_falls_silent_stops_the_discharge(night: Night) -> None:
    """Promise 3: too old is 15 minutes; with neither meter nor sensor it is one minute."""
    executor = await night.start()
    await night.plug_in()
    night.box.soc_silent = True
    executor.async_take(orders(lease=lease(1_200)))
    seconds = await night.seconds(1_000)
    assert seconds[-1].reason == "soc_stale"
    silent_from = seconds[0].at
    last = max(second.at for second in discharging(seconds))
    assert timedelta(minutes=14) < last - silent_from <= timedelta(seconds=902)


async def test_promise_3_blind_for_a_minute_is_a_stop(night: Night) -> None:
    """Promise 3: neither meter nor reading for 60 s."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(600)))
    await night.seconds(20)
    night.box.soc_silent = night.box.meter_silent = True
    blind_from = night.record[-1].at
    seconds = await night.seconds(120)
    last = max(second.at for second in discharging(seconds))
    assert last - blind_from <= timedelta(seconds=64)
    assert seconds[-1].reason == "blind"


async def test_promise_3_a_frozen_sensor_is_carried_for_ten_points_at_most(night: Night) -> None:
    """Promise 3: then the meter's word alone no longer counts."""
    executor = await night.start()
    await night.plug_in()
    night.box.soc_frozen = True
    executor.async_take(orders(lease=lease(7_200)))
    before = night.box.soc_pct
    seconds: list[object] = []
    for _ in range(8):
        seconds += await night.seconds(450)
        if night.record[-1].reason == "soc_stale":
            break
    assert night.record[-1].reason == "soc_stale"
    assert before - night.box.soc_pct <= 10.1


async def test_a_guests_car_is_never_discharged_and_gets_power_only_when_asked(
    night: Night,
) -> None:
    """The owner's car stands elsewhere, plugged in; a stranger's hangs at the charger."""
    executor = await night.start()
    night.box.plug(connected=False)
    await night.seconds(4)
    hass = night.hass
    night.box.connected = True
    hass.states.async_set("binary_sensor.wallbox_connected", "on")
    night.box.report = lambda: None  # type: ignore[method-assign]  # the owner's car stays away
    executor.async_take(orders(lease=lease(300)))
    seconds = await night.seconds(60)
    assert {second.power_w for second in seconds} == {0}
    assert seconds[-1].reason == "unknown_car"
    executor.async_charge_now()
    charged = await night.seconds(10)
    assert charged[-1].power_w == pytest.approx(7_360, abs=300)
    assert charged[-1].holder == "charge_now"


async def test_promise_1_a_car_the_owner_called_a_guests_stays_one_whatever_the_plugs_say(
    night: Night,
) -> None:
    """Promise 1: both plugs went in together, and the owner knows better; so until it leaves."""
    executor = await night.start()
    await night.plug_in()
    charge = plan(EVENING + 12 * HOUR, (EVENING, 6_900, 90))
    executor.async_take(orders(lease=lease(600), plan=charge))
    assert discharging(await night.seconds(10))
    executor.async_name_car(None)
    seconds = await night.seconds(30)
    assert {second.power_w for second in seconds[4:]} == {0}
    assert {(second.holder, second.reason) for second in seconds} == {("nobody", "unknown_car")}
    executor.async_charge_now()
    assert (await night.seconds(10))[-1].power_w == pytest.approx(7_360, abs=300)
    executor.async_resume()
    await night.seconds(4)

    await executor.async_shut_down()
    await night.seconds(600, stride=10)
    executor = await night.start()
    executor.async_take(replace(executor.memory.orders, lease=lease(600, commitment_id="com_2")))
    seconds = await night.seconds(30)
    assert {second.power_w for second in seconds[4:]} == {0}

    await night.plug_in()
    assert executor.memory.parking.bound == CAR, "the guest has left"
    executor.async_take(replace(executor.memory.orders, lease=lease(60, commitment_id="com_3")))
    assert discharging(await night.seconds(10))


async def test_a_car_that_is_named_is_no_guests_any_more(night: Night) -> None:
    """The owner's last word counts."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(600)))
    executor.async_name_car(None)
    await night.seconds(4)
    executor.async_name_car(CAR)
    assert discharging(await night.seconds(10))


async def test_a_guest_can_be_charged_where_the_charger_tells_no_plug_and_the_owners_car_is_away(
    night: Night,
) -> None:
    """That the owner's car is unplugged says nothing about the one that stands here."""
    data = {**subentry().data, "connected_entity": None}
    silent = replace(subentry(), data=MappingProxyType(data))
    night.executor = executor = ChargerExecutor(night.hass, silent, {CAR: CAR_MAPPING})
    await executor.async_start()
    executor.async_take(orders())
    night.box.report = lambda: None  # type: ignore[method-assign]  # the owner's car stays away
    night.hass.states.async_set(PLUG, "off", {"device_class": "plug"})
    assert (await night.seconds(4))[-1].reason == "unplugged"
    executor.async_name_car(None)
    executor.async_charge_now()
    assert (await night.seconds(10))[-1].power_w == pytest.approx(7_360, abs=300)


async def test_a_car_that_was_only_presumed_charges_but_is_never_discharged(
    night: Night,
) -> None:
    """Plugged in before anybody looked: it may be the owner's, or a guest while it is at work."""
    executor = await night.start()
    executor.async_take(orders(lease=lease(60)))
    seconds = await night.seconds(30)
    assert discharging(seconds) == []
    assert seconds[-1].reason == "unknown_car"
    executor.async_name_car(CAR)
    named = await night.seconds(20)
    assert discharging(named), "the owner said whose it is"


async def test_unplugging_is_zero_and_ends_the_owners_word(night: Night) -> None:
    executor = await night.start()
    await night.plug_in()
    executor.async_charge_now()
    await night.seconds(10)
    assert executor.verdict.until is not None
    night.box.plug(connected=False)
    seconds = await night.seconds(10)
    assert seconds[-1].setpoint_w == 0
    assert seconds[-1].reason == "unplugged"
    assert executor.memory.orders.override is None
    assert night.box.told["number"] == 0


async def test_promise_4_a_charger_that_ignores_commands_makes_us_say_unplug(
    night: Night,
) -> None:
    """Promise 4: no confirmation in 5 s, and the owner is told; zero is asked for again."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(600)))
    await night.seconds(20)
    night.box.obeys = False
    asked = len(night.box.commands)
    await executor.async_stop_now()
    await night.seconds(4)
    assert not executor.unplug_hint
    await night.seconds(8)
    assert executor.unplug_hint
    await night.seconds(30)
    zeros = [value for _, _, value in night.box.commands[asked:] if value == 0]
    assert len(zeros) >= 4
    night.box.obeys = True
    await night.seconds(20)
    assert not executor.unplug_hint
    assert night.box.real_w == 0


async def test_a_charger_that_reports_late_is_not_taken_for_the_owners_hand(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_storage: dict[str, Any]
) -> None:
    """Its echo of our own commands arrives half a minute later, and changes nothing."""
    freezer.move_to(EVENING)
    box = Wallbox(hass=hass, late_s=30)
    await box.build()
    night = Night(hass=hass, freezer=freezer, box=box)
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(40)))
    seconds = await night.seconds(40)
    assert discharging(seconds)
    executor.async_take(orders())
    seconds = await night.seconds(200)
    assert "owner" not in {second.holder for second in seconds}
    assert discharging(seconds[5:]) == []
    await executor.async_shut_down()


async def test_what_the_owner_sets_by_hand_wins_and_is_shown_until_resumed(night: Night) -> None:
    """No fighting: the executor steps back, says so, and says until when."""
    executor = await night.start()
    await night.plug_in()
    steps = ((EVENING, 6_900, 90),)
    executor.async_take(orders(plan=plan(EVENING + 12 * HOUR, *steps)))
    await night.seconds(200)
    assert night.box.real_w == pytest.approx(6_900, abs=50)
    written = len(night.box.commands)
    night.box.by_hand("number", 10.0)
    seconds = await night.seconds(120)
    assert seconds[-1].holder == "owner"
    assert seconds[-1].reason == "by_hand"
    assert executor.verdict.until is not None
    assert len(night.box.commands) == written
    assert night.box.real_w == pytest.approx(2_300, abs=10)
    executor.async_resume()
    back = await night.seconds(10)
    assert back[-1].power_w == pytest.approx(6_900, abs=50)


async def test_promise_1_a_discharge_from_nowhere_is_undone(night: Night) -> None:
    """Promise 1: a vendor's app that discharges has nobody's yes: it is set to zero."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(plan=plan(EVENING + 12 * HOUR, (EVENING, 0, 0))))
    await night.seconds(200)
    night.box.by_hand("number", -20.0)
    seconds = await night.seconds(30)
    assert discharging(seconds[8:]) == []
    assert seconds[-1].holder != "owner"


async def test_without_a_tested_sign_nothing_is_ever_written(night: Night) -> None:
    """No control before the guided test passed."""
    executor = await night.start(charge_tested_at=None)
    executor.async_take(orders(lease=lease(60)))
    await night.plug_in()
    await night.seconds(20)
    assert night.box.commands == []
    assert executor.verdict.reason == "not_tested"


async def test_a_charger_tested_only_for_charging_never_discharges(night: Night) -> None:
    executor = await night.start(discharge=False)
    await night.plug_in()
    executor.async_take(orders(lease=lease(60)))
    seconds = await night.seconds(30)
    assert discharging(seconds) == []
    assert seconds[-1].reason == "not_tested"


async def test_an_ocpp_style_charger_charges_and_cannot_be_asked_to_discharge(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_storage: dict[str, Any]
) -> None:
    """A limit in amperes and a switch: positive only."""
    freezer.move_to(EVENING)
    box = Wallbox(hass=hass, shape="ocpp")
    await box.build()
    night = Night(hass=hass, freezer=freezer, box=box)
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(30)))
    seconds = await night.seconds(40)
    assert discharging(seconds) == []
    executor.async_take(orders())
    seconds = await night.seconds(20)
    assert seconds[-1].power_w == pytest.approx(6_900, abs=50)
    await executor.async_stop_now()
    seconds = await night.seconds(8)
    assert seconds[-1].power_w == 0
    await executor.async_shut_down()


async def test_a_charger_that_comes_back_with_an_old_setpoint_is_set_to_zero_first(
    night: Night,
) -> None:
    """Promise 4: out of reach the lease ends it; back in reach nothing goes on by itself."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(60)))
    await night.seconds(20)
    setting = night.hass.states.get("number.wallbox_setting")
    assert setting is not None
    night.hass.states.async_set("number.wallbox_setting", "unavailable", setting.attributes)
    seconds = await night.seconds(80)
    assert executor.unplug_hint, "nobody can stop it but the owner's hand"
    assert seconds[-1].reason == "unreachable"
    night.box.number.show(-30.0)
    back = await night.seconds(10)
    assert discharging(back[4:]) == []
    assert not executor.unplug_hint


async def test_promise_3_a_restart_is_zero_until_the_api_has_spoken_again(night: Night) -> None:
    """Promise 3: a lease heard before a restart gives no leave after it; the plan on disk does."""
    executor = await night.start()
    await night.plug_in()
    steps = ((EVENING, 0, 0), (EVENING + timedelta(minutes=3), 6_900, 90))
    given = lease(120)
    executor.async_take(orders(lease=given, plan=plan(EVENING + 12 * HOUR, *steps)))
    assert discharging(await night.seconds(20))
    await executor.async_shut_down()
    night.executor = None
    down = await night.seconds(10)
    assert discharging(down[3:]) == [], "the charger is left at zero"
    again = await night.start()
    assert again.memory.orders.lease == given
    alone = await night.seconds(20)
    assert discharging(alone) == []
    assert alone[-1].reason == "restarted"
    planned = await night.seconds(130)
    assert planned[-1].power_w == pytest.approx(6_900, abs=50), "the plan on disk is obeyed"
    again.async_take(replace(again.memory.orders, lease=lease(30)))
    assert discharging(await night.seconds(15)), "the API spoke after the restart"


async def test_a_long_restart_forgets_which_car_stood_there(night: Night) -> None:
    """In ten minutes a guest may have taken the place: charging goes on, discharging does not."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(60)))
    await night.seconds(10)
    await executor.async_shut_down()
    night.executor = None
    await night.seconds(600, stride=10)
    again = await night.start()
    again.async_take(replace(again.memory.orders, lease=lease(60)))
    seconds = await night.seconds(20)
    assert discharging(seconds) == []
    assert seconds[-1].reason == "unknown_car"


async def test_in_the_night_the_clock_changes_the_car_is_ready_at_the_same_instant(
    night: Night,
) -> None:
    """Plans are instants: an hour that comes twice is neither charged twice nor waited for."""
    await night.hass.config.async_set_time_zone("Europe/Berlin")
    start = datetime(2026, 10, 24, 22, tzinfo=UTC)
    night.freezer.move_to(start)
    executor = await night.start()
    await night.plug_in()
    # From 02:30 local time (the first one) on, to leave at 07:00.
    cheap, leaving = start + timedelta(hours=2, minutes=30), start + 8 * HOUR
    steps = ((start, 0, 0), (cheap, 6_900, 80))
    executor.async_take(orders(plan=plan(leaving, *steps, least=75)))
    seconds = await night.seconds(7 * 3_600, stride=30)
    charged = [second.at for second in seconds if second.power_w > 100]
    assert timedelta(0) <= min(charged) - cheap <= timedelta(seconds=60)
    assert night.box.soc_pct >= 79
    assert discharging(seconds) == []
    assert night.box.soc_pct < 82


async def test_promise_4_power_is_zero_when_the_car_is_unplugged_and_stays_so_after_replugging(
    night: Night,
) -> None:
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(300)))
    assert discharging(await night.seconds(20))
    night.box.plug(connected=False)
    seconds = await night.seconds(10)
    assert seconds[-1].setpoint_w == 0
    assert {second.power_w for second in seconds[2:]} == {0}


@pytest.mark.parametrize(
    ("shape", "least", "least_w"),
    [("sigenergy", 1.4, 1_400), ("sigenergy", 2.0, 2_000), ("ocpp", 6, 1_400)],
)
async def test_less_than_the_charger_can_do_is_asked_as_zero_and_said(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
    shape: str,
    least: float,
    least_w: int,
) -> None:
    """A number that begins at its least would round up: more than was leased, or promised."""
    freezer.move_to(EVENING)
    box = Wallbox(hass=hass, shape=shape)
    await box.build()
    assert box.number is not None
    box.number._attr_native_min_value = least
    box.number.show(least)
    night = Night(hass=hass, freezer=freezer, box=box)
    executor = await night.start()
    await night.plug_in()
    if shape == "sigenergy":
        executor.async_take(orders(lease=lease(60, power_w=-300)))
        seconds = await night.seconds(20)
        assert {second.power_w for second in seconds} == {0}
        assert (seconds[-1].reason, seconds[-1].setpoint_w) == ("below_minimum", 0)
        assert (seconds[-1].holder, executor.driver.mode) == ("park", "Stop")
        executor.async_take(orders(lease=lease(60, power_w=-least_w)))
        assert (await night.seconds(20))[-1].power_w == -least_w
        executor.async_take(orders(lease=lease(60, power_w=1 - least_w)))
        assert (await night.seconds(20))[-1].reason == "below_minimum"
    executor.async_take(orders(max_charge_w=1_000))
    executor.async_charge_now()
    seconds = await night.seconds(20)
    assert {second.power_w for second in seconds[5:]} == {0}
    assert (seconds[-1].reason, seconds[-1].setpoint_w) == ("below_minimum", 0)
    assert seconds[-1].holder == "charge_now"
    executor.async_resume()
    seconds = await night.seconds(20)
    assert (seconds[-1].reason, seconds[-1].setpoint_w) == ("below_minimum", 0)
    executor.async_take(orders())
    assert (await night.seconds(20))[-1].power_w > 6_000
    await executor.async_shut_down()
