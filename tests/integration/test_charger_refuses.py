"""What an executor makes of a charger that refuses a command, is not there, or goes its own way."""

import asyncio
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
import logging
from typing import Any
from unittest.mock import patch

from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
import pytest

from custom_components.v2g_owner.executor import ChargerExecutor
from custom_components.v2g_owner.executor_stop import async_stop_discharging

from .charger_world import (
    CAR,
    CAR_MAPPING,
    EVENING,
    Night,
    Second,
    discharging,
    lease,
    orders,
    plan,
    subentry,
)

# More than --fast has time for.
pytestmark = pytest.mark.slow

MORNING = EVENING + timedelta(hours=12)
type Refuses = Callable[[str, Any], bool]


async def selling(night: Night, **changes: Any) -> ChargerExecutor:
    """Let a park draw from the car for twenty seconds; its lease has ten more."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(30), **changes))
    assert discharging(await night.seconds(20))
    return executor


def charge() -> Any:
    """Return a plan to charge all night."""
    return plan(MORNING, (EVENING, 6_900, 90))


def refuse(night: Night, which: Refuses, error: type[Exception] = HomeAssistantError) -> None:
    """Let the charger refuse some commands from now on."""
    takes = night.box.command

    def command(what: str, value: Any) -> None:
        if which(what, value):
            raise error("busy")
        takes(what, value)

    night.box.command = command  # type: ignore[method-assign]


def first(count: int) -> Refuses:
    """Return a refusal of the first commands, whatever they are."""
    left = [True] * count
    return lambda *_: bool(left and left.pop())


def seconds_out(rows: list[Second]) -> int:
    """Return after how many seconds nothing left the car any more."""
    return max((number + 1 for number, row in enumerate(rows) if row.power_w < -50), default=0)


@pytest.mark.parametrize("night", [{}, {"shape": "sigenergy"}], indirect=True)
async def test_promise_3_a_lease_that_ends_into_charging_ends_though_a_command_is_refused(
    night: Night,
) -> None:
    """Promise 3: the car discharged on for a minute where the charger was busy for a second."""
    await selling(night, plan=charge())
    refuse(night, first(1))
    rows = await night.seconds(60)
    assert seconds_out(rows) <= 17, "ten of the lease, five until it is tried again, two of ramp"
    assert rows[-1].power_w == pytest.approx(6_900, abs=100)


@pytest.mark.parametrize("night", [{"shape": "sigenergy"}], indirect=True)
async def test_promise_3_a_mode_that_cannot_be_set_does_not_leave_the_car_discharging(
    night: Night,
) -> None:
    """Promise 3: nor at the power it was to be charged with, which was set before the mode."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(30, power_w=-2_000), plan=charge()))
    assert discharging(await night.seconds(20))
    refuse(night, lambda what, value: (what, value) == ("mode", "Charge"))
    rows = await night.seconds(120)
    assert min(row.power_w for row in rows) >= -2_000
    assert seconds_out(rows) <= 12


async def test_promise_4_a_charger_that_discharges_on_instead_of_charging_makes_us_say_unplug(
    night: Night,
) -> None:
    """Promise 4: it is not told to charge before the meter shows that it has stopped."""
    executor = await selling(night, plan=charge())
    night.box.obeys = False
    rows = await night.seconds(60)
    assert executor.unplug_hint
    assert night.box.told["number"] == 0
    assert rows[-1].power_w < -6_000
    night.box.obeys = True
    rows = await night.seconds(20)
    assert not executor.unplug_hint
    assert rows[-1].power_w == pytest.approx(6_900, abs=100)


async def test_after_a_deal_a_car_is_charged_though_the_meter_has_fallen_silent(
    night: Night,
) -> None:
    """It need not wait for a meter for ever."""
    await selling(night, plan=charge())
    night.box.meter_silent = True
    rows = await night.seconds(90)
    assert seconds_out(rows) <= 12
    assert rows[-1].power_w == pytest.approx(6_900, abs=100)


async def test_promise_2_after_a_deal_a_car_is_charged_though_a_roof_feeds_into_its_meter(
    night: Night,
) -> None:
    """Promise 2: what such a meter shows leave is not the car's, and the car must be ready."""
    night.box.beside_w = -3_000.0
    await selling(night, plan=charge())
    rows = await night.seconds(700)
    assert seconds_out(rows) <= 12
    assert rows[-1].power_w == pytest.approx(6_900, abs=100)


async def test_promise_3_less_power_that_is_refused_is_asked_for_again_at_once(
    night: Night,
) -> None:
    """Promise 3: more than was agreed flowed for a minute."""
    executor = await selling(night)
    given = replace(lease(100), power_w=-2_300)
    refuse(night, first(1))
    executor.async_take(replace(executor.memory.orders, lease=given))
    rows = await night.seconds(60)
    assert [row for row in rows[7:] if row.power_w < -2_400] == []
    assert rows[-1].power_w == pytest.approx(-2_300, abs=100)


async def test_a_park_that_changes_its_mind_many_times_a_second_wears_no_charger(
    night: Night,
) -> None:
    """Zero holds at once, and more power again only after a pause."""
    executor = await selling(night)
    asked = len(night.box.commands)
    for number in range(400):
        night.freezer.tick(0.05)
        power_w = -6_900 if number % 2 else -2_300 * (number % 3)
        executor.async_take(replace(executor.memory.orders, lease=lease(60, power_w=power_w)))
        await night.hass.async_block_till_done()
    assert len(night.box.commands) - asked <= 10
    executor.async_take(replace(executor.memory.orders, lease=lease(60, power_w=0)))
    await night.hass.async_block_till_done()
    assert night.box.told["number"] == 0
    executor.async_take(replace(executor.memory.orders, lease=lease(60)))
    rows = await night.seconds(15)
    assert rows[-1].power_w == pytest.approx(-6_900, abs=100)


async def test_promise_4_a_stop_that_a_missing_charger_cannot_hear_is_not_confirmed(
    night: Night,
) -> None:
    """Promise 4: Home Assistant passes over an entity that is not there and calls it done."""
    executor = await selling(night)
    assert night.box.number is not None
    night.box.number.show_available(yes=False)
    night.box.meter_silent = True
    await night.seconds(10)
    await executor.async_stop_now()
    rows = await night.seconds(20)
    assert rows[-1].power_w < -6_000
    assert executor.unplug_hint
    night.box.number.show_available(yes=True)
    rows = await night.seconds(10)
    assert rows[-1].power_w == 0
    assert not executor.unplug_hint


async def test_promise_3_the_last_zero_is_tried_again_where_it_is_refused(night: Night) -> None:
    """Promise 3: nobody would look any more, and the car discharged until it was empty."""
    await selling(night)
    refuse(night, first(2))
    await night.end()
    rows = await night.seconds(10)
    assert discharging(rows[2:]) == []


async def test_promise_3_a_charger_that_is_away_as_home_assistant_ends_is_waited_for(
    night: Night,
) -> None:
    """Promise 3: it starts anew, and goes on discharging with nobody there to end it."""
    await selling(night)
    assert night.box.number is not None
    night.box.number.show_available(yes=False)
    assert night.executor is not None
    ending = asyncio.create_task(night.executor.async_shut_down())
    night.executor = None
    await night.seconds(8)
    night.box.number.show_available(yes=True)
    rows = await night.seconds(10)
    assert ending.done()
    assert discharging(rows[5:]) == []


async def test_whatever_a_charger_raises_is_one_line_in_the_log_and_tried_again(
    night: Night, caplog: pytest.LogCaptureFixture
) -> None:
    """An integration of somebody else's raises what it likes; it was a trace every five seconds."""
    executor = await selling(night)
    refuse(night, first(4), ConnectionResetError)
    caplog.set_level(logging.INFO)
    await executor.async_stop_now()
    rows = await night.seconds(30)
    assert rows[-1].power_w == 0
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in said if record.name != "asyncio"] == [
        "Garage did not take 0 W: ConnectionResetError('busy')"
    ]


@pytest.mark.parametrize("night", [{"shape": "sigenergy"}], indirect=True)
async def test_promise_2_a_mode_of_the_makers_that_discharges_is_ended_at_the_floor(
    night: Night,
) -> None:
    """Promise 2: of such a mode nobody told us where it goes; the meter does."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(plan=plan(MORNING, (EVENING, 0, 0), least=0)))
    await night.seconds(300, stride=2)
    night.box.soc_pct = 24.0
    night.box.self_consumes_w = -3_000.0
    night.box.by_hand("mode", "Self consumption")
    rows = await night.seconds(60)
    assert rows[-1].holder == "owner"
    assert discharging(rows[-1:]), "the owner's own choice is left as it is"
    rows = await night.seconds(4_000, stride=2)
    assert night.box.soc_pct >= 20
    assert discharging(rows[-10:]) == []


async def test_promise_1_a_car_that_may_have_been_exchanged_unseen_is_not_discharged(
    night: Night,
) -> None:
    """Promise 1: while neither plug could be read for an hour a guest may have taken the place."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders())
    night.box.plugs_silent = True
    await night.seconds(3_600, stride=10)
    night.box.plugs_silent = False
    await night.seconds(5)
    executor.async_take(replace(executor.memory.orders, lease=lease(60)))
    rows = await night.seconds(20)
    assert discharging(rows) == []
    assert rows[-1].reason == "unknown_car"
    executor.async_name_car(CAR)
    assert discharging(await night.seconds(10))


async def test_a_car_that_was_unlinked_hides_no_other_from_the_plan(night: Night) -> None:
    """It was still thought to be plugged in, so that nobody could say which one stood there."""
    old = ChargerExecutor(
        night.hass, subentry(), {CAR: CAR_MAPPING, "veh_red": CAR_MAPPING | {"soc_entity": ""}}
    )
    await old.async_start()
    night.executor = old
    await night.plug_in()
    old.async_name_car("veh_red")
    await night.end()
    executor = await night.start()
    executor.async_take(orders(plan=charge()))
    rows = await night.seconds(20)
    assert rows[-1].power_w == pytest.approx(6_900, abs=100)


async def test_promise_4_a_stop_that_comes_before_the_memory_is_read_ends_the_deal_in_it(
    night: Night,
) -> None:
    """Promise 4: and it wipes nothing else from the disk."""
    await selling(night, plan=charge())
    await night.end()
    made = ChargerExecutor(night.hass, subentry(), {CAR: CAR_MAPPING})
    read, reading = asyncio.Event(), Store.async_load

    async def slowly(store: Store[Any]) -> Any:
        await read.wait()
        return await reading(store)

    with patch.object(Store, "async_load", slowly):
        starting = asyncio.create_task(made.async_start())
        stopping = asyncio.create_task(async_stop_discharging(made, {}))
        await asyncio.sleep(0)
        read.set()
        await asyncio.gather(starting, stopping)
    night.executor = made
    assert made.memory.orders.stopped == ("com_1",)
    assert made.memory.orders.plan is not None
    await night.seconds(130)
    made.async_take(replace(made.memory.orders, lease=lease(60)))
    assert discharging(await night.seconds(20)) == []


async def test_promise_4_home_assistant_that_ends_while_it_begins_forgets_no_stop(
    night: Night,
) -> None:
    """Promise 4: an update restarts it twice, and the agent has not heard of the stop yet."""
    executor = await selling(night, plan=charge())
    await executor.async_stop_now()
    await night.end()
    made = ChargerExecutor(night.hass, subentry(), {CAR: CAR_MAPPING})
    read, reading = asyncio.Event(), Store.async_load

    async def slowly(store: Store[Any]) -> Any:
        await read.wait()
        return await reading(store)

    with patch.object(Store, "async_load", slowly):
        starting = asyncio.create_task(made.async_start())
        await asyncio.sleep(0)
        ending = asyncio.create_task(made.async_shut_down())
        await asyncio.sleep(0)
        read.set()
        await asyncio.gather(starting, ending)
    executor = await night.start()
    assert executor.memory.orders.plan is not None
    executor.async_resume()
    executor.async_take(replace(executor.memory.orders, lease=lease(60)))
    assert discharging(await night.seconds(20)) == []
    assert executor.verdict.reason == "stopped"


@pytest.mark.parametrize("crash", [True, False], ids=["a crash", "a restart"])
async def test_promise_4_after_a_crash_in_a_deal_a_charger_that_is_away_makes_us_say_unplug(
    night: Night, hass_storage: dict[str, Any], *, crash: bool
) -> None:
    """Promise 4: nobody has set zero since, and it may discharge on where it cannot be told."""
    await selling(night)
    on_disk, told = deepcopy(hass_storage), dict(night.box.told)
    await night.end()
    if crash:
        hass_storage.update(on_disk)
        night.box.told |= told
    assert night.box.number is not None
    night.box.number.show_available(yes=False)
    executor = await night.start()
    assert bool(discharging((await night.seconds(10))[3:])) is crash
    assert executor.unplug_hint is crash
    night.box.number.show_available(yes=True)
    rows = await night.seconds(10)
    assert discharging(rows[4:]) == []
    assert not executor.unplug_hint


async def test_a_disk_that_cannot_be_read_keeps_no_charger_from_being_driven(night: Night) -> None:
    with patch.object(Store, "async_load", side_effect=HomeAssistantError("input/output error")):
        executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(plan=charge()))
    rows = await night.seconds(10)
    assert rows[-1].power_w == pytest.approx(6_900, abs=100)
