"""What the recorder keeps of our entities, and what it does not."""

from homeassistant.components.recorder import Recorder, get_instance
from homeassistant.components.recorder.history import get_significant_states
from homeassistant.util import dt as dt_util
import pytest

from .conftest import Home
from .owner_world import OwnerWorld


@pytest.fixture(autouse=True)
def auto_enable_custom_integrations(
    recorder_mock: Recorder, enable_custom_integrations: None
) -> None:
    """Record before anything else is set up, and let Home Assistant find our integration."""


async def test_the_history_keeps_the_energy_of_an_offer_but_not_its_plan(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """A plan of hundreds of steps with each state would fill the disk."""
    hass, begin = home.hass, dt_util.utcnow()
    await world.offer(session_id)
    shown = await home.reaches("sensor", world.owner_id, "next_offer_energy", "6.0")
    assert shown.attributes["plan"]

    await hass.async_block_till_done()
    recorder = get_instance(hass)
    await recorder.async_add_executor_job(recorder.block_till_done)
    kept = await recorder.async_add_executor_job(
        get_significant_states, hass, begin, None, [shown.entity_id]
    )
    states = [each for each in kept[shown.entity_id] if not isinstance(each, dict)]
    assert states[-1].state == "6.0"
    assert all("plan" not in each.attributes for each in states)
    assert "unit_of_measurement" in states[-1].attributes
