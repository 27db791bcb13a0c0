"""Copies of a database that a server keeps to its own connection, as older SQLites need it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
import socket
import sqlite3
import time

import pytest

from owner_api.store import Store, StoreClosedError, Tx
from owner_api.store.copying import check, copy_own

from .http_bench import until
from .test_cli import ask, run, served
from .test_store_migrations import downgrade_to

# More than --fast has time for.
pytestmark = pytest.mark.slow


@pytest.fixture(name="old_sqlite")
def _old_sqlite(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Serve as with the SQLite of most distributions: one connection, and nobody else's."""
    with monkeypatch.context() as patch:
        patch.setattr("owner_api.store.store.several_connections_are_safe", lambda _version: False)
        yield


@pytest.fixture(name="small_pieces")
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy in many pieces, so that something else happens between two of them."""
    monkeypatch.setattr("owner_api.store.copying._PIECE_PAGES", 1)


def put(number: int, size: int = 10) -> Callable[[Tx], None]:
    """Return a command that adds a note."""
    return lambda tx: tx.insert("meta", key=f"note-{number:06}", value="x" * size)


def notes(tx: Tx) -> set[str]:
    """Return the notes that are there."""
    return {row["key"] for row in tx.all("SELECT key FROM meta WHERE key LIKE 'note-%'")}


@pytest.mark.usefixtures("old_sqlite")
def test_a_backup_of_a_running_server_ends_also_where_it_shares_its_file_with_nobody(
    tmp_path: Path,
) -> None:
    """Promise 5: it waited for ever, and the nights went by without a backup."""
    database, copy = tmp_path / "owner.db", tmp_path / "copy.db"
    assert run("db", "upgrade", "--database", database).exit_code == 0
    with served(database):
        added = ask("owner", "add", "Li Wei", "--database", database)
        made = ask("backup", copy, "--database", database)
        assert made["keys"] == f"{database}.keys"
        assert ask("db", "check", "--database", database)["sound"] is True
        found = ask("ledger", "verify", "--database", database)
        assert found["findings"] == 0
        assert run("backup", copy, "--database", database).exit_code == 3
    assert [path.name for path in tmp_path.glob(".*")] == []
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT owner_id FROM owner").fetchall() == [(added["owner_id"],)]


def test_a_restored_database_has_one_name_whatever_that_is(tmp_path: Path) -> None:
    """A second name, left over from the copying, kept it from ever being served."""
    database, copy = tmp_path / "owner.db", tmp_path / "copy [1].db"
    restored = tmp_path / "owner [2].db"
    assert run("db", "upgrade", "--database", database).exit_code == 0
    assert run("backup", copy, "--database", database).exit_code == 0
    assert run("restore", copy, "--database", restored).exit_code == 0
    assert copy.stat().st_nlink == restored.stat().st_nlink == 1
    assert [path.name for path in tmp_path.glob(".*")] == []
    with served(restored):
        ask("owner", "add", "Li Wei", "--database", restored)


def test_a_schema_that_only_a_newer_program_knows_is_called_so_and_not_restored(
    tmp_path: Path,
) -> None:
    """The check sent its reader to an upgrade, and a restore put down what nobody could serve."""
    newer, restored = tmp_path / "newer.db", tmp_path / "owner.db"
    assert run("db", "upgrade", "--database", newer).exit_code == 0
    with closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for arguments, code in (
        (("db", "check", "--database", newer), 1),
        (("db", "upgrade", "--database", newer), 3),
        (("restore", newer, "--database", restored), 3),
    ):
        told = run(*arguments)
        assert told.exit_code == code
        assert "use a newer program" in told.output
        assert "see db upgrade" not in told.output
    assert not restored.exists()


def test_an_erasure_names_the_copies_in_which_an_upgrade_has_kept_the_person(
    tmp_path: Path,
) -> None:
    database = tmp_path / "owner [1].db"
    at = ("--database", database)
    owners = [str(ask("owner", "add", name, *at)["owner_id"]) for name in ("Li Wei", "Chen Jie")]
    assert ask("owner", "erase", owners[1], "--yes", *at)["still_in"] == []
    downgrade_to(database, "0010")
    assert run("db", "upgrade", *at).exit_code == 0
    kept = tmp_path / "owner [1].db.before-0010"
    told = run("owner", "erase", owners[0], "--yes", *at)
    assert told.exit_code == 0
    assert str(kept) in told.output
    assert b"Li Wei" not in database.read_bytes()
    assert b"Li Wei" in kept.read_bytes()


@pytest.mark.usefixtures("small_pieces")
async def test_a_server_goes_on_writing_while_its_only_connection_makes_a_copy(
    tmp_path: Path,
) -> None:
    store = await Store.open(tmp_path / "owner.db", synchronous="OFF", single_connection=True)
    for number in range(50):
        await store.write(put(number, 200_000))
    copying = asyncio.create_task(store.copy(tmp_path / "copy.db"))
    written = 50
    while not copying.done():
        await store.write(put(written))
        written += 1
        await asyncio.sleep(0)
    await copying
    assert written > 51
    assert check(tmp_path / "copy.db").sound
    kept = await store.read(notes)
    await store.close()
    copy = await Store.open(tmp_path / "copy.db")
    found = await copy.read(notes)
    await copy.close()
    # One state of the database: all until some write, and none after it.
    assert sorted(found) == sorted(kept)[: len(found)]
    assert len(found) >= 50


@pytest.mark.usefixtures("small_pieces")
async def test_a_copy_that_is_under_way_at_the_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "owner.db", synchronous="OFF", single_connection=True)
    for number in range(50):
        await store.write(put(number, 200_000))
    copying = asyncio.create_task(store.copy(tmp_path / "copy.db"))
    await until((tmp_path / "copy.db").exists)
    await store.close()
    with pytest.raises(StoreClosedError):
        await copying
    assert not (tmp_path / "copy.db").exists()


async def test_what_a_killed_server_leaves_of_a_copy_is_gone_with_the_next_start(
    tmp_path: Path,
) -> None:
    """A hidden part of the database stayed for ever, with whoever was erased since."""
    left = {".owner.db.0123456789abcdef", ".owner.db.0123456789abcdef-journal"}
    others = {".other.db.0123456789abcdef", ".owner.db.mine", "owner.db.before-0001"}
    for name in left | others:
        (tmp_path / name).write_bytes(b"")
    store = await Store.open(tmp_path / "owner.db")
    await store.close()
    found = {path.name for path in await asyncio.to_thread(lambda: list(tmp_path.iterdir()))}
    assert not found & left
    assert others <= found


@pytest.mark.usefixtures("old_sqlite")
def test_a_backup_that_is_interrupted_leaves_no_copy_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody's data stood in a hidden file that no erasure named."""

    def slowly(connection: sqlite3.Connection, target: Path, goes_on: Callable[[], bool]) -> None:
        copy_own(connection, target, goes_on)
        time.sleep(0.5)

    monkeypatch.setattr("owner_api.store.writer.copy_own", slowly)
    # The address of a socket is short.
    monkeypatch.chdir(tmp_path)
    database = tmp_path / "owner.db"
    assert run("db", "upgrade", "--database", database).exit_code == 0
    body = b'{"command": "copy", "arguments": {}}'
    request = b"POST / HTTP/1.1\r\nHost: server\r\nContent-Length: %d\r\n\r\n" % len(body)

    def copies(*, there: bool) -> bool:
        return any(tmp_path.glob(".owner.db.*")) is there

    with served(database):
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect("owner.db.control")
            asked.sendall(request + body)
            assert _comes(lambda: copies(there=True))
        assert _comes(lambda: copies(there=False))


def _comes(true: Callable[[], bool]) -> bool:
    """Wait a while for something to become true; return whether it has."""
    until_s = time.monotonic() + 5
    while not (found := true()) and time.monotonic() < until_s:
        time.sleep(0.02)
    return found
