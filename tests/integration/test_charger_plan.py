"""Owners see what their charger will do next, and the recorder is spared it."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import State
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.v2g_owner.const import DOMAIN

from .charger_world import EVENING, SOC
from .power_stage import Stage, on_stage

# More than --fast has time for.
pytestmark = pytest.mark.slow


def controlled_by(stage: Stage) -> State:
    """Return who controls the charger, as owners see it."""
    registry = er.async_get(stage.hass)
    key = f"{stage.charger_id}_controlled_by"
    found = registry.async_get_entity_id("sensor", DOMAIN, key)
    state = stage.hass.states.get(found or "")
    assert state is not None
    return state


async def test_the_charging_to_come_is_shown_and_comes_true(
    evening: FrozenDateTimeFactory,
    socket_enabled: None,
    tmp_path: Path,
    hass_storage: dict[str, Any],
) -> None:
    """From when to when, how fast, how far; a new leave time makes a new plan at once."""
    wishes: dict[str, Any] = {"soc_min_departure_pct": 75, "soc_target_departure_pct": 75}
    async with on_stage(evening, tmp_path, hass_storage, **wishes) as stage:
        state = controlled_by(stage)
        assert state.state_info is not None
        assert "plan" in state.state_info["unrecorded_attributes"]
        leaving = await stage.leave_in(hours=6)
        plan = controlled_by(stage).attributes["plan"]
        assert plan, "15 points are to be charged"
        first, last = plan[0], plan[-1]
        assert datetime.fromisoformat(last["end"]) <= leaving
        assert last["up_to_pct"] >= 75
        start = datetime.fromisoformat(first["start"])
        await stage.hop(max(stage.now, start) + timedelta(minutes=10))
        assert stage.box.real_w == pytest.approx(first["power_w"], abs=250)
        assert controlled_by(stage).state == "plan"
        await stage.hop(leaving)
        assert stage.box.soc_pct >= 75
        assert controlled_by(stage).attributes["plan"] in (None, [])


async def test_a_car_that_falls_silent_is_charged_as_was_planned_and_no_further(
    evening: FrozenDateTimeFactory,
    socket_enabled: None,
    tmp_path: Path,
    hass_storage: dict[str, Any],
) -> None:
    """A plan made anew from its last word would charge the same energy again, until it leaves."""
    wishes: dict[str, Any] = {"soc_min_departure_pct": 75, "soc_target_departure_pct": 75}
    async with on_stage(evening, tmp_path, hass_storage, **wishes) as stage:
        leaving = await stage.leave_in(hours=10)
        stage.box.soc_silent = True
        await stage.hop(leaving - timedelta(minutes=1))
        assert 75 <= stage.box.soc_pct <= 80


async def test_a_silent_car_is_charged_no_further_after_home_assistant_was_started_anew(
    evening: FrozenDateTimeFactory,
    socket_enabled: None,
    tmp_path: Path,
    hass_storage: dict[str, Any],
) -> None:
    """What was charged before the restart is charged, though only this home knows of it."""
    wishes: dict[str, Any] = {"soc_min_departure_pct": 75, "soc_target_departure_pct": 75}
    async with on_stage(evening, tmp_path, hass_storage, **wishes) as stage:
        leaving = await stage.leave_in(hours=10)
        stage.box.soc_silent = True
        charged_at = EVENING + timedelta(hours=5)
        await stage.hop(charged_at)
        assert 75 <= stage.box.soc_pct <= 80
        told = stage.hass.states.get(SOC)
        assert told is not None
        await stage.stop_home()
        await stage.boot()
        # Its sensor shows again what it had shown, and nobody has measured it.
        stage.hass.states.async_set(SOC, told.state, told.attributes)
        await stage.hop(leaving - timedelta(minutes=1))
        assert 75 <= stage.box.soc_pct <= 80
