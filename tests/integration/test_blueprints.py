"""The blueprints of the repository, loaded as an owner would and run for real."""

from pathlib import Path
import shutil
from typing import Any

from homeassistant.components.blueprint import models
from homeassistant.core import Context, HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml
import pytest
from pytest_homeassistant_custom_component.common import async_mock_service

from .conftest import Home, until
from .owner_world import OwnerWorld

FOLDER = Path(__file__).parents[2] / "blueprints/automation/v2g_owner"


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_blueprint_is_one_that_home_assistant_takes(file: Path) -> None:
    """Its schema, and that every input is used."""
    from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA

    content = load_yaml(str(file))
    assert isinstance(content, dict)
    blueprint = models.Blueprint(
        content, path=str(file), expected_domain="automation", schema=AUTOMATION_BLUEPRINT_SCHEMA
    )
    assert blueprint.validate() is None


@pytest.fixture
async def asked(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> list[Any]:
    """Use the phone blueprint; returns what was sent to the phone."""
    sent = async_mock_service(hass, "notify", "mobile_app_anna")
    # The test plugin's own folder is shared by every test that runs beside this one.
    monkeypatch.setattr(hass.config, "config_dir", str(tmp_path))
    target = tmp_path / "blueprints/automation/v2g_owner"
    await hass.async_add_executor_job(shutil.copytree, FOLDER, target)
    automation = {
        "alias": "Ask me",
        "use_blueprint": {
            "path": "v2g_owner/ask_on_phone.yaml",
            "input": {
                "offers": home.entity_id("event", world.owner_id, "offers"),
                "notifiers": ["mobile_app_anna"],
            },
        },
    }
    assert await async_setup_component(hass, "automation", {"automation": automation})
    await hass.async_block_till_done()
    assert hass.states.get("automation.ask_me") is not None
    return sent


async def test_promise_1_a_tap_on_the_phone_is_the_owners_own_yes_to_that_offer_alone(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    session_id: str,
    asked: list[Any],
    hass_admin_user: Any,
) -> None:
    """Promise 1: no automation needs to be allowed for a person to answer by notification."""
    offer = await world.offer(session_id)
    await until(lambda: asked)
    message = asked[0].data
    assert message["title"] == "East Gate Park: 1.2000 CNY/kWh"
    assert message["message"].startswith("6.0 kWh")
    accept, decline = message["data"]["actions"]
    assert accept["authenticationRequired"] is True
    assert accept["action"] == f"v2g_owner|accept|{offer['offer_id']}|1"
    assert decline["title"] == "Decline"

    hass.bus.async_fire(
        "mobile_app_notification_action",
        {"action": accept["action"], "tag": message["data"]["tag"]},
        context=Context(user_id=hass_admin_user.id),
    )
    await home.reaches("sensor", world.owner_id, "deal_state", "pending_award")
    decision = (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["decision"]
    assert decision["method"] == "tap"
    assert decision["actor"] == {"user": hass_admin_user.id}
    await until(lambda: len(asked) == 2)
    assert asked[1].data["message"] == "clear_notification"
    assert asked[1].data["data"]["tag"] == message["data"]["tag"]


async def test_promise_1_a_tap_that_nobody_made_accepts_nothing(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    session_id: str,
    asked: list[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Promise 1: an automation that fires the event itself is still an automation."""
    offer = await world.offer(session_id)
    await until(lambda: asked)
    action = asked[0].data["data"]["actions"][0]["action"]
    hass.bus.async_fire("mobile_app_notification_action", {"action": action}, context=Context())
    await until(lambda: "may not" in caplog.text)
    caplog.clear()
    assert (await world.phone.get(f"/v1/offers/{offer['offer_id']}"))["state"] == "presented"
