"""An upgrade on a disk without room says so, and leaves the database as it was."""

from pathlib import Path
import resource
import sqlite3
import subprocess

import pytest

from owner_api.store import upgrading
from owner_api.store.copying import check

from .test_cli import COMMAND, ROOT
from .test_store_migrations import upgrade_to

# More than --fast has time for.
pytestmark = pytest.mark.slow


@pytest.fixture(name="old")
def _old(tmp_path: Path) -> Path:
    """Return a database of the first schema with something in it."""
    path = tmp_path / "owner.db"
    upgrade_to(path, "0001")
    old = sqlite3.connect(path)
    old.execute("INSERT INTO meta (key, value) VALUES ('note', ?)", ("x" * 200_000,))
    old.commit()
    old.close()
    return path


@pytest.mark.parametrize("share", [0.5, 1], ids=["for the copy", "for the new tables"])
@pytest.mark.parametrize(
    "command", [("db", "upgrade"), ("serve", "--listen", "127.0.0.1:0")], ids=" ".join
)
def test_an_upgrade_without_room_is_named_and_changes_nothing(
    old: Path, command: tuple[str, ...], share: float
) -> None:
    """It ended with a trace and the exit code of a failed check, or without any reason."""
    room, before = int(old.stat().st_size * share), old.read_bytes()
    ended = subprocess.run(
        [*COMMAND, *command, "--database", str(old)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )
    assert ended.returncode == 3, ended.stderr
    assert f"{old}: not upgraded, and as it was before" in ended.stderr
    # SQLite names the disk's input and output alone.
    assert "full" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert old.read_bytes() == before
    # What has no room must not take any.
    assert upgrading.kept_copies(old) == []
    upgrading.upgrade(old)
    assert check(old).sound
