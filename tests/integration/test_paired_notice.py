"""A device that was paired with the account is told to the owner, once, and whenever it was."""

import asyncio
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.v2g_owner.const import CONF_DEVICE_ID, DOMAIN
from custom_components.v2g_owner.devices import async_others
from custom_components.v2g_owner.paired_notice import SeenDevices
from custom_components.v2g_owner.snapshot import StreamEvent

from .conftest import PATIENCE_S, Home, until
from .entries import paired_entry, vehicle_subentry
from .owner_world import OwnerWorld
from .test_repairs import submit
from .test_trust import back_up, put_back

# More than --fast has time for.
pytestmark = pytest.mark.slow


def told(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    """Return the notices that are shown, by the device they name."""
    return {
        (issue.translation_placeholders or {})["device"]: issue
        for issue in ir.async_get(hass).issues.values()
        if issue.domain == DOMAIN and issue.translation_key == "device_paired" and issue.active
    }


async def pair(world: OwnerWorld, name: str) -> str:
    """Pair another device, as whoever finds a code does; returns its id."""
    body = {"code": await world.pairing_code(), "device_name": name, "kind": "phone"}
    status, paired = await world.phone.call("POST", "/v1/pair", body)
    assert status == 201
    return str(paired["device_id"])


async def looked(home: Home, *, reload: bool = True) -> None:
    """Wait until the list of devices was looked at once more."""
    if reload:
        assert await home.hass.config_entries.async_reload(home.entry.entry_id)
    await until(lambda: home.entry.runtime_data.coordinator.stream_connected)
    await home.hass.async_block_till_done(wait_background_tasks=False)
    await until(lambda: not looking(home))


async def seen(home: Home) -> set[str]:
    """Return what is on disk, as after a restart."""
    return await SeenDevices(home.hass, home.entry.entry_id).async_load() or set()


def looking(home: Home) -> list[Any]:
    """Return the looks that are under way; nothing public tells of them."""
    tasks = home.entry._background_tasks
    return [task for task in tasks if "devices" in task.get_name()]


async def test_promise_1_a_device_that_was_paired_is_told_by_name_and_put_away_for_good(
    home: Home, world: OwnerWorld, hass_client: Any
) -> None:
    """Promise 1: what is paired may say yes and loosen limits, and nobody was told that it came."""
    await looked(home, reload=False)
    # This very home and the phone from before it are known to whoever paired it.
    assert told(home.hass) == {}

    await pair(world, "Li's *old* phone")
    issue = (await until(lambda: told(home.hass)))[r"Li\'s \*old\* phone"]
    placeholders = issue.translation_placeholders
    assert placeholders is not None
    assert placeholders["name"] == "Li Wei"
    assert ":" in placeholders["paired_at"]
    assert issue.is_fixable

    await looked(home)
    assert len(told(home.hass)) == 1, "not lost with a restart before anybody has read it"

    _form, done = await submit(home.hass, hass_client, issue)
    assert done["type"] == "create_entry"
    assert told(home.hass) == {}
    await looked(home)
    assert told(home.hass) == {}, "nor raised again by one after"
    coordinator = home.entry.runtime_data.coordinator
    replayed = {"display_name": "Li's *old* phone", "device_id": issue.data["device_id"]}  # type: ignore[index]
    again = StreamEvent(seq=coordinator.stream_position + 1, type="device.paired", data=replayed)
    coordinator.async_handle_event(again)
    await looked(home, reload=False)
    assert told(home.hass) == {}, "nor by the event once more"


async def test_a_device_that_was_paired_while_home_assistant_was_off_is_told_and_ends_shut_out(
    home: Home, world: OwnerWorld
) -> None:
    """The stream begins after it; and what is shut out may say nothing any more."""
    await looked(home, reload=False)
    assert await home.hass.config_entries.async_unload(home.entry.entry_id)
    device_id = await pair(world, "Stranger")
    assert await home.hass.config_entries.async_setup(home.entry.entry_id)
    assert set(await until(lambda: told(home.hass))) == {"Stranger"}

    assert (await world.phone.call("DELETE", f"/v1/devices/{device_id}"))[0] == 204
    await until(lambda: not told(home.hass))
    await looked(home)
    assert told(home.hass) == {}


async def test_a_device_that_was_paired_right_after_this_home_is_told_at_the_first_look(
    hass: HomeAssistant, world: OwnerWorld, vehicle_id: str
) -> None:
    """What is known at the first look is what was paired before this home, not what is there."""
    entry = await paired_entry(hass, world, [vehicle_subentry(vehicle_id)])
    await pair(world, "Tablet")
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert set(await until(lambda: told(hass))) == {"Tablet"}


async def test_promise_1_a_device_that_a_restored_agent_lets_in_again_is_told(
    home: Home, world: OwnerWorld, tmp_path: Path
) -> None:
    """Promise 1: it was shut out after the backup; the restored agent takes its yes again."""
    await looked(home, reload=False)
    api = home.entry.runtime_data.coordinator.api
    (phone_id,) = await async_others(api, home.entry.data[CONF_DEVICE_ID])
    await back_up(world, tmp_path / "backup")
    await looked(home, reload=False)
    assert phone_id in await seen(home)
    await api.delete(f"/v1/devices/{phone_id}")
    async with asyncio.timeout(PATIENCE_S):
        while phone_id in await seen(home):  # noqa: ASYNC110 - as ``until``
            await asyncio.sleep(0.01)

    await put_back(world, tmp_path / "backup", reason="the disk broke")
    assert set(await until(lambda: told(home.hass))) == {"Phone"}
