"""A charger that is driven by actions of the owner's: a script entity, and its maker's actions."""

import asyncio
from dataclasses import replace
from datetime import timedelta
import logging
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.script import DATA_SCRIPTS
from homeassistant.util import dt as dt_util
import pytest

from custom_components.v2g_owner.charger_control import ChargerControl
from custom_components.v2g_owner.charger_driver import ChargerDriver

from .charger_world import EVENING, Night, Wallbox, discharging, lease, mapping, orders, plan
from .power_stage import on_stage

# More than --fast has time for.
pytestmark = pytest.mark.slow

# A charger that has actions and no entities.
by_actions = pytest.mark.parametrize(
    "night", [{"shape": "actions"}], indirect=True, ids=["actions"]
)


@by_actions
async def test_the_plan_is_followed_by_the_owners_script(night: Night) -> None:
    """And each power is set once: nothing is left of a script that has run."""
    executor = await night.start()
    await night.plug_in()
    steps = ((EVENING, 0, 0), (EVENING + timedelta(minutes=1), 6_900, 62))
    executor.async_take(orders(plan=plan(EVENING + timedelta(hours=12), *steps)))
    before = len(night.hass.data[DATA_SCRIPTS])
    rows = await night.seconds(90)
    assert rows[-1].power_w == 6_900
    assert [value for _, _, value in night.box.commands] == [0, 6_900]
    night.box.soc_pct = 62
    assert (await night.seconds(10))[-1].power_w == 0
    assert len(night.hass.data[DATA_SCRIPTS]) == before


@by_actions
async def test_promise_3_a_lease_is_obeyed_to_the_second_by_actions(night: Night) -> None:
    """Promise 3: the script sets it, the maker's action ends it."""
    executor = await night.start()
    await night.plug_in()
    given = lease(40)
    executor.async_take(orders(lease=given))
    out = discharging(await night.seconds(70))
    assert len(out) > 35
    assert max(row.at for row in out) <= given.until + timedelta(seconds=2)


@by_actions
async def test_promise_4_unplugging_and_stop_run_the_stop_actions(night: Night) -> None:
    """Promise 4: zero in five seconds, and a deal that was stopped stays so."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(300)))
    await night.seconds(10)
    await executor.async_stop_now()
    assert discharging((await night.seconds(20))[5:]) == []
    executor.async_resume()
    executor.async_take(replace(executor.memory.orders, lease=lease(300, commitment_id="com_2")))
    assert discharging(await night.seconds(10))
    night.box.plug(connected=False)
    gone = await night.seconds(10)
    assert discharging(gone[2:]) == []
    assert night.box.told["number"] == 0


@by_actions
async def test_promise_4_actions_that_fail_make_us_say_unplug_and_are_logged_once(
    night: Night, caplog: pytest.LogCaptureFixture
) -> None:
    """Promise 4: tried again every five seconds, told once, and told when it works again."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(600)))
    await night.seconds(10)
    caplog.set_level(logging.INFO)
    caplog.clear()
    night.box.broken = True
    await executor.async_stop_now()
    await night.seconds(12)
    assert executor.unplug_hint
    night.box.broken = False
    rows = await night.seconds(12)
    assert not executor.unplug_hint
    assert rows[-1].power_w == 0
    said = [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("custom_components.v2g_owner")
    ]
    assert [line for line in said if "did not take 0 W" in line] == said[:1]
    assert said[-1] == "Garage takes commands again"


@by_actions
async def test_a_power_that_was_not_taken_is_tried_again_after_a_minute_until_it_is(
    night: Night,
) -> None:
    """Actions show nothing that could tell: a cloud away for a moment must not cost the night."""
    executor = await night.start()
    await night.plug_in()
    night.box.broken = True
    executor.async_take(orders(plan=plan(EVENING + timedelta(hours=12), (EVENING, 6_900, 90))))
    assert (await night.seconds(100))[-1].power_w == 0
    night.box.broken = False
    assert (await night.seconds(60))[-1].power_w == 6_900
    await night.seconds(300, stride=2)
    assert [value for _, _, value in night.box.commands] == [0, 6_900], "and then left alone"


async def test_an_action_that_takes_too_long_is_given_up_and_a_newer_one_wins(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that hangs must not hold up a stop, nor arrive after it."""
    box = Wallbox(hass=hass, shape="actions", answers_after_s=30)
    await box.build()
    driver = ChargerDriver(hass, ChargerControl.read(mapping("actions")), "Garage")
    hung = driver.async_set(-6_900, dt_util.utcnow())
    await asyncio.sleep(0.05)
    await driver.async_set(0, dt_util.utcnow())
    await asyncio.wait([hung])
    assert hung.cancelled()
    assert [value for _, _, value in box.commands] == [0]
    assert driver.watch.accepted_zero_at is not None
    monkeypatch.setattr("custom_components.v2g_owner.charger_driver._CALL_TIMEOUT_S", 0.05)
    await driver.async_set(-6_900, dt_util.utcnow())
    await asyncio.sleep(0.05)
    assert [value for _, _, value in box.commands] == [0]


async def test_promise_4_a_charger_slower_than_we_wait_takes_a_zero_that_is_asked_for_again(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 4: the call on its way was given up each time, so that none arrived."""
    box = Wallbox(hass=hass)
    await box.build()
    driver = ChargerDriver(hass, ChargerControl.read(mapping("wallbox")), "Garage")
    await driver.async_put(-6_900)
    box.answers_after_s = 0.6
    monkeypatch.setattr("custom_components.v2g_owner.charger_driver._ANSWER_S", 0.1)
    await driver.async_put(0)
    assert driver.watch.accepted_zero_at is None
    for _ in range(4):
        await asyncio.sleep(0.2)
        driver.async_set(0, dt_util.utcnow())
    assert box.told["number"] == 0
    assert driver.watch.accepted_zero_at is not None
    driver.async_cancel()


async def test_promise_4_a_real_deal_by_actions_is_kept_and_stopped(
    evening: FrozenDateTimeFactory,
    socket_enabled: None,
    tmp_path: Any,
    hass_storage: dict[str, Any],
) -> None:
    """Promise 4: a real API, the owner's script, restart and stop, held to every promise."""
    async with on_stage(evening, tmp_path, hass_storage, shape="actions") as stage:
        await stage.sell()
        await stage.deliver()
        await stage.seconds(10)
        await stage.stop_home()
        away = await stage.seconds(8)
        assert {row.ordered_w for row in away} == {0}
        await stage.boot()
        await stage.deliver()
        await stage.stop_now()
        stopped = await stage.seconds(30)
        assert [row for row in stopped[5:] if row.power_w < 0] == []
        assert (await stage.shown())["state"] == "revoked"
        stage.hold()
