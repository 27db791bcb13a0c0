"""A stop pressed while this home does not know the deals: its agent was away when it began."""

from contextlib import nullcontext
from datetime import timedelta
from typing import Any

from homeassistant.core import Context
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.control_model import Orders, UnheardStop
from custom_components.v2g_owner.executor_word import is_stopped_unheard
from custom_components.v2g_owner.models import Park
from custom_components.v2g_owner.models_deal import Commitment, Decision

from .charger_world import EVENING
from .power_stage import Stage

# More than --fast has time for.
pytestmark = pytest.mark.slow


@pytest.fixture
async def stage(stage: Stage) -> Stage:
    """Let the car stand there for as long as the home takes to see it."""
    await stage.seconds(3)
    return stage


async def restart_alone(stage: Stage) -> None:
    """Restart Home Assistant while its agent is away."""
    await stage.stop_home()
    await stage.stop_api()
    await stage.boot()
    assert stage.entry is not None
    assert stage.entry.runtime_data.coordinator.alone


async def press(stage: Stage, which: str) -> None:
    """Press one of the buttons, or turn the switch, that a person sees while the agent is away."""
    platform, key, device_id = {
        "stop now": ("button", "stop_now", stage.charger_id),
        "charge now": ("switch", "charge_now", stage.charger_id),
        "stop the car": ("button", "stop", stage.vehicle_id),
        "stop everything": ("button", "stop", stage.world.owner_id),
    }[which]
    entity_id = er.async_get(stage.hass).async_get_entity_id(platform, DOMAIN, f"{device_id}_{key}")
    assert entity_id is not None
    user = MockUser(id="li", name="Li", is_owner=True).add_to_hass(stage.hass)
    act = {"button": "press", "switch": "turn_on"}[platform]
    told = pytest.raises(HomeAssistantError, match="Your agent cannot be reached")
    # What is the charger's own matter is done; of the rest they hear that nobody could be told.
    with told if key == "stop" else nullcontext():
        await stage.hass.services.async_call(
            platform, act, {"entity_id": entity_id}, blocking=True, context=Context(user_id=user.id)
        )


@pytest.mark.parametrize("which", ["stop now", "charge now", "stop the car", "stop everything"])
async def test_promise_4_a_deal_to_come_that_was_stopped_while_the_agent_was_away_does_not_begin(
    stage: Stage, which: str
) -> None:
    """Promise 4: what a person stopped does not begin by itself, though nobody knew of it here."""
    await stage.sell(start_s=900, hours=2)
    await restart_alone(stage)
    await press(stage, which)
    await stage.seconds(5)
    await stage.start_api()
    await stage.seconds(70)
    assert (await stage.shown())["state"] == "revoked"
    await stage.hop(EVENING + timedelta(minutes=20))
    assert min(row.power_w for row in stage.record) >= -50


async def test_promise_4_a_stop_is_kept_where_its_charger_is_linked_anew_while_the_agent_is_away(
    stage: Stage,
) -> None:
    """Promise 4: what the charger kept on disk went with its link, and the deal began."""
    await stage.sell(start_s=900, hours=2)
    await restart_alone(stage)
    await press(stage, "stop now")
    await stage.seconds(5)
    assert stage.entry is not None
    (linked,) = stage.entry.get_subentries_of_type("charger")
    entries = stage.hass.config_entries
    assert entries.async_remove_subentry(stage.entry, linked.subentry_id)
    await stage.seconds(3)
    assert entries.async_add_subentry(stage.entry, linked)
    await stage.seconds(3)
    await stage.start_api()
    await stage.seconds(70)
    assert (await stage.shown())["state"] == "revoked"


async def test_promise_4_a_deal_stopped_by_name_while_its_agent_was_away_does_not_begin(
    stage: Stage,
) -> None:
    """Promise 4: an automation may know the deal that this home does not know of yet."""
    await stage.sell(start_s=900, hours=2)
    await restart_alone(stage)
    with pytest.raises(HomeAssistantError, match="Your agent cannot be reached"):
        await stage.hass.services.async_call(
            DOMAIN, "stop", {"commitment_id": stage.commitment_id}, blocking=True
        )
    await stage.seconds(5)
    await stage.start_api()
    await stage.seconds(70)
    assert (await stage.shown())["state"] == "revoked"


@pytest.mark.parametrize("which", ["stop now", "charge now"])
async def test_promise_4_a_stop_counts_while_nobody_knows_yet_that_the_agent_is_away(
    stage: Stage, which: str
) -> None:
    """Promise 4: a network says nothing of being cut, and of the yes by phone in that minute."""
    await stage.cut_network()
    await stage.sell(start_s=900, hours=2)
    assert stage.entry is not None
    assert stage.entry.runtime_data.coordinator.stream_connected
    await press(stage, which)
    await stage.seconds(5)
    await stage.mend_network()
    await stage.seconds(70)
    assert (await stage.shown())["state"] == "revoked"


async def test_a_stop_is_forgotten_once_the_agent_has_told_what_there_was(stage: Stage) -> None:
    """Else it were held, by another clock than the agent's, against what is agreed later."""
    await press(stage, "stop now")
    await stage.seconds(2)
    assert stage.executor.memory.orders.unheard
    await stage.seconds(70)
    assert stage.executor.memory.orders.unheard
    assert stage.entry is not None
    await stage.entry.runtime_data.coordinator.async_refresh()
    await stage.seconds(70)
    assert not stage.executor.memory.orders.unheard


async def test_what_is_sold_after_a_stop_that_the_agent_did_not_hear_begins(stage: Stage) -> None:
    """A stop is about the deals that there are; a yes by phone that comes later is a new word."""
    await restart_alone(stage)
    await press(stage, "stop everything")
    await stage.seconds(5)
    await stage.cut_network()
    await stage.start_api()
    await stage.sell()
    await stage.mend_network()
    await stage.deliver(150)


async def test_a_deal_of_tomorrow_outlives_a_stop_of_the_charger(stage: Stage) -> None:
    """*Stop now* on a charger holds for an hour, and ends what begins by then."""
    await stage.sell(start_s=3 * 3_600, hours=1)
    await restart_alone(stage)
    await press(stage, "stop now")
    await stage.seconds(5)
    await stage.start_api()
    await stage.seconds(70)
    assert (await stage.shown())["state"] == "scheduled"


STOPPED_AT = EVENING + timedelta(minutes=10)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("about", "agreed", "begins", "stopped"),
    [
        ({}, timedelta(), timedelta(days=1), True),
        ({}, SECOND, timedelta(days=1), False),
        ({}, None, timedelta(days=1), True),
        ({"vehicle_id": "veh_1"}, timedelta(), timedelta(), True),
        ({"vehicle_id": "veh_2"}, timedelta(), timedelta(), False),
        ({"commitment_id": "com_1"}, timedelta(), timedelta(), True),
        ({"commitment_id": "com_2"}, timedelta(), timedelta(), False),
        ({"before": STOPPED_AT + timedelta(hours=1)}, timedelta(), timedelta(minutes=59), True),
        ({"before": STOPPED_AT + timedelta(hours=1)}, timedelta(), timedelta(hours=1), False),
    ],
)
def test_promise_4_a_stop_nobody_heard_ends_what_it_was_said_of_and_no_other_deal(
    about: dict[str, Any], agreed: timedelta | None, begins: timedelta, *, stopped: bool
) -> None:
    """Promise 4: agreed before it, of that car or of that name, begun while it holds."""
    begin = STOPPED_AT + begins
    decided_at = None if agreed is None else STOPPED_AT + agreed
    deal = Commitment(
        commitment_id="com_1",
        offer_id="off_1",
        vehicle_id="veh_1",
        park=Park(park_id="prk_1"),
        state="scheduled",
        start_at=begin,
        end_at=begin + timedelta(hours=1),
        committed_energy_wh=5_000,
        decision=Decision(decision="accept", decided_at=decided_at),
    )
    orders = Orders(unheard=(UnheardStop(since=STOPPED_AT, **about),))
    assert is_stopped_unheard(orders, deal) is stopped
