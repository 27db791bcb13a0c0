"""The command line on a disk or an address that refuses: the cause, what helps, and exit code 3."""

import errno
import os
from pathlib import Path
import resource
import socket
import subprocess
import sys
from typing import Any

from click.testing import CliRunner
import pytest

from owner_api.cli import main
from owner_api.server import tls
from tests.fresh_database import lay

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from owner_api.cli import main; main()"]


def end(*arguments: object, room: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command where no file may grow beyond ``room`` bytes."""

    def limit() -> None:
        if room is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
        preexec_fn=limit,
    )


@pytest.fixture(name="database")
def _database(tmp_path: Path) -> Path:
    path = lay(tmp_path / "owner.db")
    made = CliRunner().invoke(main, ["owner", "add", "Li Wei", "--database", str(path)])
    assert made.exit_code == 0, made.output
    return path


@pytest.mark.parametrize(
    "command",
    [("owner", "list"), ("owner", "add", "X"), ("park", "add", "P"), ("db", "upgrade")],
    ids=" ".join,
)
def test_without_room_for_the_lock_a_command_says_so_and_not_that_a_check_failed(
    database: Path, command: tuple[str, ...]
) -> None:
    """It ended with a trace and the exit code of a failed check."""
    ended = end(*command, "--database", database, room=0)
    assert ended.returncode == 3, ended.stderr
    assert "full" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_lock_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A folder stands in its place; another user's folder would say the same of itself."""
    (tmp_path / "owner.db.lock").mkdir()
    for command in (("owner", "add", "X"), ("db", "upgrade")):
        ended = CliRunner().invoke(main, [*command, "--database", str(tmp_path / "owner.db")])
        assert ended.exit_code == 3, ended.output
        assert "owner.db.lock: cannot be opened" in ended.output


@pytest.mark.parametrize(
    "command", [("owner", "list"), ("ledger", "verify"), ("db", "check")], ids=" ".join
)
def test_a_disk_without_room_to_read_is_not_taken_for_a_file_without_a_schema(
    database: Path, command: tuple[str, ...]
) -> None:
    """A reader needs room for what it shares with others: told was *schema None*."""
    database.with_name("owner.db.lock").write_text("1234567\n")
    ended = end(*command, "--database", database, room=100)
    assert ended.returncode == 3, ended.stderr
    assert "full" in ended.stderr
    assert "None" not in ended.stderr
    assert "not a database" not in ended.stderr


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    empty = tmp_path / "owner.db"
    empty.touch()
    ended = CliRunner().invoke(main, ["owner", "list", "--database", str(empty)])
    assert ended.exit_code == 3
    assert "nothing is in it; run db upgrade" in ended.output


def test_a_taken_port_and_a_strange_address_say_what_helps(database: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = end("serve", "--database", database, "--listen", f"127.0.0.1:{port}")
    assert ended.returncode == 3
    assert str(port) in ended.stderr
    assert "another program listens there" in ended.stderr
    assert "[Errno" not in ended.stderr
    # TEST-NET-1, which no machine has.
    ended = end("serve", "--database", database, "--listen", "192.0.2.1:8477", "--self-signed")
    assert ended.returncode == 3
    assert "this machine has no such address" in ended.stderr


def test_a_key_that_another_user_owns_is_no_matter_of_the_port(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Served by another user than who made it, the file is what to look at."""

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(tls, "load_p256", refuse)
    asked = ["serve", "--database", str(database), "--listen", "127.0.0.1:0", "--self-signed"]
    ended = CliRunner().invoke(main, asked)
    assert ended.exit_code == 3
    assert f"owner.db.keys/{tls.TLS_FILE}: Permission denied; run this as the user" in ended.output
    assert "port" not in ended.output


def test_a_copy_into_a_folder_that_is_not_there_names_the_folder(
    database: Path, tmp_path: Path
) -> None:
    target = tmp_path / "elsewhere/copy.db"
    ended = CliRunner().invoke(main, ["backup", str(target), "--database", str(database)])
    assert ended.exit_code == 3
    assert f"{target.parent}: no such directory" in ended.output


def test_a_copy_into_a_folder_that_is_closed_to_this_user_names_the_folder(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended with a trace and the exit code of a failed check, as a nightly backup would."""
    target, opened = tmp_path / "closed/copy.db", os.open
    target.parent.mkdir()

    def refuse(path: Path, *more: Any, **named: Any) -> int:
        if Path(path).parent == target.parent:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, *more, **named)

    def closed(path: Path, **_more: bool) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(Path, "unlink", closed)
    ended = CliRunner().invoke(main, ["backup", str(target), "--database", str(database)])
    assert ended.exit_code == 3
    assert f"{target.parent}: no file can be made there (Permission denied)" in ended.output


def test_an_upgrade_of_a_file_that_was_not_there_says_that_it_made_one(tmp_path: Path) -> None:
    """A name mistyped would pass for an upgrade."""
    asked = ["db", "upgrade", "--database", str(tmp_path / "ownr.db")]
    assert "made a new one" in CliRunner().invoke(main, asked).output
    assert "made a new one" not in CliRunner().invoke(main, asked).output
