"""All that the agent knows of an owner, as a file, for who has Home Assistant alone."""

import asyncio
import json
from pathlib import Path
from typing import Any

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
import pytest

from .conftest import Home
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow


@pytest.fixture
def folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Return a folder that Home Assistant may write to."""
    found = tmp_path / "share"
    found.mkdir()
    hass.config.allowlist_external_dirs = {str(found)}
    return found


def names(folder: Path) -> list[str]:
    """Return what lies in a folder."""
    return [each.name for each in folder.iterdir()]


async def export(home: Home, path: Path, **options: Any) -> Any:
    """Ask for the export."""
    return await home.act("export_account", {"filename": str(path)}, **options)


async def test_an_owner_with_home_assistant_alone_takes_all_that_is_known_of_them(
    home: Home, world: OwnerWorld, vehicle_id: str, folder: Path
) -> None:
    """Only another device, or the operator, could hand it out."""
    path = folder / "mine.json"
    path.write_text("an older one", encoding="utf-8")
    told = await export(home, path)
    written = path.read_bytes()
    assert told == {"filename": str(path), "bytes": len(written)}
    found = json.loads(written)
    assert world.owner_id in written.decode(), sorted(found)
    assert vehicle_id in written.decode()
    assert names(folder) == ["mine.json"]


async def test_what_cannot_be_whole_leaves_no_file_and_harms_none(
    home: Home, world: OwnerWorld, folder: Path, tmp_path: Path
) -> None:
    path = folder / "mine.json"
    path.write_text("an older one", encoding="utf-8")
    with pytest.raises(ServiceValidationError, match="may not write"):
        await export(home, tmp_path / "elsewhere.json")
    with pytest.raises(ServiceValidationError, match="could not be written"):
        await export(home, folder / "no folder" / "mine.json")
    await world.stop_server()
    with pytest.raises(HomeAssistantError, match="cannot be reached"):
        await export(home, path)
    assert path.read_text(encoding="utf-8") == "an older one"
    assert names(folder) == ["mine.json"]
    await world.start_server()


async def test_two_exports_at_once_harm_neither_each_other_nor_a_file_beside_them(
    home: Home, vehicle_id: str, folder: Path
) -> None:
    """The second emptied and removed what the first was writing, and whatever had that name."""
    path, beside = folder / "mine.json", folder / "mine.json.part"
    beside.write_text("something else", encoding="utf-8")
    done = await asyncio.gather(export(home, path), export(home, path), return_exceptions=True)
    # The agent may send one at a time.
    assert [each for each in done if isinstance(each, dict)], done
    assert not [each for each in done if "could not be written" in str(each)], done
    assert vehicle_id in str(json.loads(path.read_bytes()))
    assert sorted(names(folder)) == ["mine.json", "mine.json.part"]
    assert beside.read_text(encoding="utf-8") == "something else"


async def test_promise_7_only_an_administrator_takes_the_export(
    hass: HomeAssistant, home: Home, folder: Path
) -> None:
    """It says where the cars have been, and when nobody is at home."""
    guest = await hass.auth.async_get_user("anna")
    assert guest is not None
    guest.is_owner = False
    with pytest.raises(Unauthorized):
        await export(home, folder / "mine.json", context=Context(user_id="anna"))
    assert names(folder) == []
