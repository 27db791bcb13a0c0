"""What an executor makes of sensors, clocks and chargers that tell less than it needs."""

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

from homeassistant.core import Context
import pytest

from .charger_world import (
    EVENING,
    POWER,
    SOC,
    Night,
    Second,
    discharging,
    lease,
    orders,
    plan,
)

# More than --fast has time for.
pytestmark = pytest.mark.slow

MORNING = EVENING + timedelta(hours=12)


async def looking(night: Night, seconds: int) -> list[Second]:
    """Let seconds pass after the clock was set back: a real timer of two seconds does not mind."""
    rows: list[Second] = []
    for _ in range(seconds // 2):
        rows += await night.seconds(2)
        assert night.executor is not None
        night.executor.async_tick()
    return rows


async def test_promise_3_a_state_of_charge_that_was_only_restored_grows_no_younger(
    night: Night,
) -> None:
    """Promise 3: the sensor has shown its old value since the restart and measured nothing."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders())
    night.box.soc_silent = True
    await night.seconds(800)
    told = night.hass.states.get(SOC)
    assert told is not None
    await executor.async_shut_down()
    night.hass.states.async_set(SOC, "unavailable")
    await night.seconds(2)
    night.hass.states.async_set(SOC, told.state, told.attributes)
    executor = await night.start()
    executor.async_take(replace(executor.memory.orders, lease=lease(1_200)))
    rows = await night.seconds(200)
    assert rows[-1].reason == "soc_stale"
    assert max(row.at for row in discharging(rows)) <= told.last_reported + timedelta(minutes=15)


async def test_promise_2_a_discharge_by_hand_is_counted_where_the_meter_is_silent(
    night: Night,
) -> None:
    """Promise 2: with a sensor that repeats itself nothing else says that the battery empties."""
    night.box.soc_pct = 30.4
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(plan=plan(MORNING, (EVENING, 0, 0), least=0)))
    night.box.soc_frozen = night.box.meter_silent = True
    night.hass.states.async_set(POWER, "unavailable")
    data = {"entity_id": "number.wallbox_setting", "value": -30}
    await night.hass.services.async_call(
        "number", "set_value", data, blocking=True, context=Context(user_id="li")
    )
    rows = await night.seconds(4_800, stride=2)
    assert discharging(rows)
    assert min(row.soc_pct for row in rows) >= 20
    assert discharging(rows[-60:]) == []


async def test_promise_3_a_meter_in_a_unit_of_another_kind_is_no_meter(night: Night) -> None:
    """Promise 3: and it keeps nobody from ending the lease."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(60)))
    assert discharging(await night.seconds(20))
    night.box.meter_silent = True
    night.hass.states.async_set(POWER, "-6.9", {"unit_of_measurement": "kVA"})
    rows = await night.seconds(60)
    assert discharging(rows[45:]) == []


@pytest.mark.parametrize("back", [timedelta(minutes=10), timedelta(hours=2)])
async def test_promise_10_a_clock_that_is_set_back_prolongs_no_lease(
    night: Night, back: timedelta
) -> None:
    """Promise 10: the lease lives as long as it was given, and not until the clock is there."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(60)))
    assert discharging(await night.seconds(20))
    night.freezer.tick(-back)
    rows = await looking(night, 120)
    assert discharging(rows[60:]) == []


async def test_promise_3_after_the_clock_was_set_back_a_silent_car_is_still_seen(
    night: Night,
) -> None:
    """Promise 3: what was told before it counts as no younger, and what flows as no less."""
    night.box.soc_pct = 60.4
    executor = await night.start()
    await night.plug_in()
    night.freezer.tick(-timedelta(hours=2))
    night.box.soc_silent = True
    await looking(night, 4)
    executor.async_take(orders(lease=lease(3_600)))
    rows = await looking(night, 1_200)
    assert discharging(rows)
    assert discharging(rows[905:]) == []


async def test_promise_4_after_the_clock_was_set_back_zero_is_asked_for_again(
    night: Night,
) -> None:
    """Promise 4: and the owner is told to unplug."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(600)))
    await night.seconds(20)
    night.box.obeys = False
    await executor.async_stop_now()
    night.freezer.tick(-timedelta(hours=2))
    asked = len(night.box.commands)
    await looking(night, 30)
    assert executor.unplug_hint
    assert len(night.box.commands) - asked >= 4


async def test_promise_3_a_lease_from_before_a_crash_is_none_where_the_clock_starts_behind(
    night: Night, hass_storage: dict[str, Any]
) -> None:
    """Promise 3: a small computer without a clock of its own begins at an hour it remembers."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(60)))
    assert discharging(await night.seconds(10))
    on_disk, told = deepcopy(hass_storage), dict(night.box.told)
    await executor.async_shut_down()
    hass_storage.update(on_disk)
    night.box.told |= told
    night.freezer.tick(-timedelta(hours=1))
    await night.start()
    rows = await night.seconds(120)
    assert discharging(rows[5:]) == []
