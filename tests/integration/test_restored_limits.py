"""A car whose limits a restored backup brought back: the repair that shows and confirms them."""

import asyncio
from pathlib import Path
from typing import Any

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.v2g_owner import repair_limits
from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.limits_kept import KeptLimits

from .conftest import PATIENCE_S, Home, until
from .owner_world import OwnerWorld
from .test_repairs import raised, submit
from .test_trust import back_up, put_back
from .test_whose_form_loosens import li_alone, token_of, wish

__all__ = ["li_alone"]

# More than --fast has time for.
pytestmark = pytest.mark.slow

KEY = "limits_unconfirmed"
RULE = {"name": "Evenings", "min_price_per_kwh": "1.0000"}


async def keeps(home: Home, vehicle_id: str, revision: int) -> None:
    """Wait until the home has these limits on disk."""
    kept = KeptLimits(home.hass, home.entry.entry_id)
    async with asyncio.timeout(PATIENCE_S):
        while (  # noqa: ASYNC110 - as ``until``
            await kept.async_load()
        ).get(vehicle_id, {}).get("revision") != revision:
            await asyncio.sleep(0.01)


async def limits(world: OwnerWorld, vehicle_id: str) -> Any:
    return await world.phone.get(f"/v1/vehicles/{vehicle_id}/preferences")


async def asked(home: Home) -> ir.IssueEntry:
    """Wait for the repair."""
    return await until(lambda: raised(home.hass, KEY))  # type: ignore[return-value]


async def turned_back(
    home: Home, world: OwnerWorld, vehicle_id: str, folder: Path, **tightened: Any
) -> ir.IssueEntry:
    """Let a rule answer, back up, tighten, and restore; return the repair."""
    await wish(home, world, vehicle_id, consent_mode="rules", rules=[RULE], soc_floor_pct=20)
    await back_up(world, folder)
    await until(lambda: home.entry.runtime_data.coordinator.stream_connected)
    assert raised(home.hass, KEY) is None
    changed = await wish(home, world, vehicle_id, **tightened) if tightened else None
    if changed:
        await keeps(home, vehicle_id, changed["revision"])
    await put_back(world, folder, reason="the disk broke")
    return await asked(home)


async def test_promise_1_limits_that_a_backup_brought_back_are_shown_and_this_homes_put_back(
    home: Home, world: OwnerWorld, vehicle_id: str, tmp_path: Path, hass_client: Any
) -> None:
    """Promise 1: the owner had raised the floor and withdrawn the rule; the backup knew neither."""
    tightened = {"soc_floor_pct": 45, "consent_mode": "ask", "rules": []}
    issue = await turned_back(home, world, vehicle_id, tmp_path / "backup", **tightened)
    assert issue.translation_placeholders == {"name": "Blue car"}
    assert (await limits(world, vehicle_id))["soc_floor_pct"] == 20
    form, done = await submit(home.hass, hass_client, issue, take="here")
    told = form["description_placeholders"]["limits"]
    for line in (
        "- **Battery floor: 20 %** (this home last saw: 45 %)",
        "- **Who answers offers: My rules** (this home last saw: Ask me)",
        "- Guaranteed when leaving: 50 %",
        "1. Evenings",
        "There is no rule yet.",
    ):
        assert line in told, told
    assert done["type"] == "create_entry"
    now = await limits(world, vehicle_id)
    assert (now["soc_floor_pct"], now["consent_mode"], now["rules"]) == (45, "ask", [])
    assert now["unconfirmed_since"] is None
    await until(lambda: raised(home.hass, KEY) is None)
    await keeps(home, vehicle_id, now["revision"])


async def test_the_backups_limits_are_taken_where_the_owner_chooses_them_and_rules_answer_again(
    home: Home, world: OwnerWorld, vehicle_id: str, tmp_path: Path, hass_client: Any
) -> None:
    member = await world.join(vehicle_id)
    issue = await turned_back(home, world, vehicle_id, tmp_path / "backup", soc_floor_pct=45)
    session_id = await world.plug_in(member)
    await world.offer(session_id)
    await home.reaches("sensor", vehicle_id, "last_offer_reason", KEY)
    form, done = await submit(home.hass, hass_client, issue, take="backup")
    assert "Joined parks: East Gate Park" in form["description_placeholders"]["limits"]
    assert done["type"] == "create_entry"
    now = await limits(world, vehicle_id)
    assert (now["soc_floor_pct"], now["unconfirmed_since"]) == (20, None)
    # From here on these are what the home goes by.
    await keeps(home, vehicle_id, now["revision"])
    assert (await world.offer(session_id))["state"] == "accepted"


async def test_promise_1_what_was_seen_is_kept_while_a_set_back_agent_does_not_say_that_it_is(
    home: Home, world: OwnerWorld, vehicle_id: str, tmp_path: Path, hass_client: Any
) -> None:
    """A disk that was rolled back is served on until its operator says so, if they do."""
    await back_up(world, tmp_path / "backup")
    await until(lambda: home.entry.runtime_data.coordinator.stream_connected)
    changed = await wish(home, world, vehicle_id, soc_floor_pct=45)
    await keeps(home, vehicle_id, changed["revision"])
    await put_back(world, tmp_path / "backup")
    assert await home.hass.config_entries.async_reload(home.entry.entry_id)
    assert home.state("number", vehicle_id, "soc_floor_pct").state == "20.0"
    await put_back(world, tmp_path / "backup", reason="the disk was rolled back")
    form, done = await submit(home.hass, hass_client, await asked(home), take="here")
    line = "- **Battery floor: 20 %** (this home last saw: 45 %)"
    assert line in form["description_placeholders"]["limits"]
    assert done["type"] == "create_entry"
    assert (await limits(world, vehicle_id))["soc_floor_pct"] == 45


async def test_where_nothing_newer_was_seen_the_limits_are_confirmed_as_they_are(
    home: Home, world: OwnerWorld, vehicle_id: str, tmp_path: Path, hass_client: Any
) -> None:
    issue = await turned_back(home, world, vehicle_id, tmp_path / "backup")
    # Asked again after a restart of Home Assistant, for as long as nobody has answered.
    assert await home.hass.config_entries.async_reload(home.entry.entry_id)
    issue = await asked(home)
    form, done = await submit(home.hass, hass_client, issue)
    assert form["data_schema"] == []
    assert done["type"] == "create_entry"
    assert (await limits(world, vehicle_id))["unconfirmed_since"] is None


async def test_a_deal_from_before_is_shown_as_one_that_begins_once_the_limits_are_confirmed(
    home: Home, world: OwnerWorld, vehicle_id: str, tmp_path: Path, hass_client: Any
) -> None:
    await wish(home, world, vehicle_id, consent_mode="rules", rules=[RULE], soc_floor_pct=20)
    session_id = await world.plug_in(await world.join(vehicle_id))
    offer = await world.offer(session_id)
    assert offer["state"] == "accepted"
    await world.award(offer["commitment_id"])
    issue = await turned_back(home, world, vehicle_id, tmp_path / "backup")
    form, done = await submit(home.hass, hass_client, issue)
    told = form["description_placeholders"]["limits"]
    assert "- Waits for your answer here: the deal with East Gate Park, " in told
    assert done["type"] == "create_entry"


async def test_promise_1_limits_that_changed_while_they_were_read_are_not_confirmed(
    home: Home, world: OwnerWorld, vehicle_id: str, tmp_path: Path, hass_client: Any
) -> None:
    issue = await turned_back(home, world, vehicle_id, tmp_path / "backup")

    async def loosened() -> None:
        await wish(home, world, vehicle_id, soc_floor_pct=10)

    _, done = await submit(home.hass, hass_client, issue, loosened)
    assert (done["type"], done["reason"]) == ("abort", "still_wrong")
    assert (await limits(world, vehicle_id))["unconfirmed_since"] is not None
    assert raised(home.hass, KEY) is not None


async def test_promise_1_a_change_on_its_way_is_not_confirmed_with_the_limits_that_are_put_back(
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    tmp_path: Path,
    hass_client: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Promise 1: what somebody else had loosened just then was confirmed, and shown to none."""
    issue = await turned_back(home, world, vehicle_id, tmp_path / "backup", soc_floor_pct=45)
    await until(lambda: home.entry.runtime_data.coordinator.stream_connected)
    api = home.entry.runtime_data.coordinator.api
    begun, submitted = asyncio.Event(), asyncio.Event()
    patch, check = api.patch, repair_limits.async_check_may_allow
    looser: list[asyncio.Task[None]] = []

    async def on_its_way(*about: Any) -> Any:
        begun.set()
        await submitted.wait()
        return await patch(*about)

    async def checked(*about: Any) -> None:
        await check(*about)
        submitted.set()

    async def loosened() -> None:
        change = home.set("number", vehicle_id, "soc_min_departure_pct", "set_value", value=46)
        looser.append(asyncio.create_task(change))
        await begun.wait()

    monkeypatch.setattr(api, "patch", on_its_way)
    monkeypatch.setattr(repair_limits, "async_check_may_allow", checked)
    _, done = await submit(home.hass, hass_client, issue, loosened, take="here")
    await looser[0]
    assert (done["type"], done["reason"]) == ("abort", "still_wrong")
    now = await limits(world, vehicle_id)
    assert (now["soc_min_departure_pct"], now["soc_floor_pct"]) == (46, 20)
    assert now["unconfirmed_since"] is not None


async def test_what_this_home_saw_can_be_put_back_however_often_its_owner_changes_something_first(
    home: Home, world: OwnerWorld, vehicle_id: str, tmp_path: Path, hass_client: Any
) -> None:
    """The repair itself says to change something else first; after two changes it had forgotten."""
    tightened = {"consent_mode": "ask", "rules": []}
    issue = await turned_back(home, world, vehicle_id, tmp_path / "backup", **tightened)
    await wish(home, world, vehicle_id, soc_floor_pct=30)
    await wish(home, world, vehicle_id, soc_min_departure_pct=60)
    await wish(home, world, vehicle_id, soc_floor_pct=40)
    await home.hass.async_block_till_done(wait_background_tasks=False)
    form, done = await submit(home.hass, hass_client, issue, take="here")
    told = form["description_placeholders"]["limits"]
    assert "- **Who answers offers: My rules** (this home last saw: Ask me)" in told
    # What was changed since is its owner's newest word.
    assert "- Battery floor: 40 %" in told
    assert done["type"] == "create_entry"
    now = await limits(world, vehicle_id)
    assert (now["soc_floor_pct"], now["soc_min_departure_pct"]) == (40, 60)
    assert (now["consent_mode"], now["rules"]) == ("ask", [])
    assert now["unconfirmed_since"] is None


async def test_promise_1_who_may_not_say_yes_for_a_car_confirms_no_limits(
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    tmp_path: Path,
    li_alone: None,
    hass_client: Any,
) -> None:
    issue = await turned_back(home, world, vehicle_id, tmp_path / "backup")

    async def anna() -> Any:
        return await hass_client(await token_of(home.hass, "anna"))

    async def li() -> Any:
        return await hass_client(await token_of(home.hass, "li"))

    _, refused = await submit(home.hass, anna, issue)
    assert (refused["type"], refused["reason"]) == ("abort", "refused")
    assert (await limits(world, vehicle_id))["unconfirmed_since"] is not None
    _, done = await submit(home.hass, li, issue)
    assert done["type"] == "create_entry"
    assert (await limits(world, vehicle_id))["unconfirmed_since"] is None


async def test_a_confirmation_by_phone_ends_the_repair(
    home: Home, world: OwnerWorld, vehicle_id: str, tmp_path: Path
) -> None:
    await turned_back(home, world, vehicle_id, tmp_path / "backup")
    seen = {"revision": (await limits(world, vehicle_id))["revision"]}
    await world.phone.post(f"/v1/vehicles/{vehicle_id}/preferences/confirmation", seen)
    await until(lambda: raised(home.hass, KEY) is None)


async def test_a_car_that_is_deleted_asks_for_no_limits(
    home: Home, world: OwnerWorld, vehicle_id: str, tmp_path: Path
) -> None:
    """Nobody could have answered for it but by opening a repair that says nothing."""
    await turned_back(home, world, vehicle_id, tmp_path / "backup")
    await until(lambda: home.entry.runtime_data.coordinator.stream_connected)
    path = f"/v1/vehicles/{vehicle_id}"
    revision = (await world.phone.get(path))["revision"]
    status, _ = await world.phone.call("DELETE", path, etag=revision)
    assert status == 204
    await until(lambda: vehicle_id not in home.entry.runtime_data.coordinator.data.vehicles)
    await until(lambda: raised(home.hass, KEY) is None)


async def test_promise_1_an_automation_that_may_accept_is_told_why_it_may_not_now(
    home: Home, world: OwnerWorld, vehicle_id: str, tmp_path: Path
) -> None:
    member = await world.join(vehicle_id)
    await wish(home, world, vehicle_id, allow_automations=True)
    await turned_back(home, world, vehicle_id, tmp_path / "backup")
    await world.offer(await world.plug_in(member))
    await home.reaches("sensor", vehicle_id, "last_offer_reason", KEY)
    with pytest.raises(ServiceValidationError) as refused:
        await home.act("accept_offer", context=Context())
    assert "those of a backup" in str(refused.value)


async def test_a_removed_account_keeps_no_limits(home: Home, hass: HomeAssistant) -> None:
    kept = KeptLimits(hass, home.entry.entry_id)
    async with asyncio.timeout(PATIENCE_S):
        while not await kept.async_load():  # noqa: ASYNC110 - as ``until``
            await asyncio.sleep(0.01)
    await hass.config_entries.async_remove(home.entry.entry_id)
    await hass.async_block_till_done()
    assert await KeptLimits(hass, home.entry.entry_id).async_load() == {}
    assert not [each for each in ir.async_get(hass).issues.values() if each.domain == DOMAIN]
