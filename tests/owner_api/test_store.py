"""The store: what is acknowledged is kept, what fails leaves nothing, numbers have no gaps."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
import errno
from functools import partial
from itertools import count, pairwise
import os
from pathlib import Path
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from owner_api.store import (
    Commit,
    Store,
    StoreClosedError,
    StoreError,
    StoreLockedError,
    StoreUnavailableError,
    StoreVersionError,
    Tx,
    checkpointing,
    connect,
    outbox,
    times,
    upgrading,
)
from tests.fresh_database import lay

AT = datetime(2026, 12, 1, 5, 30, tzinfo=UTC)


class RefusedError(Exception):
    """What a failing command raises."""


def put(key: str, *, fail: bool = False, party: str = "own_a") -> Any:
    """Return a command that writes a note and an event, then perhaps fails."""

    def command(tx: Tx) -> str:
        tx.insert("meta", key=key, value="x")
        tx.emit(party, "noted", AT, {"key": key})
        if fail:
            raise RefusedError(key)
        return key

    return command


def notes(tx: Tx) -> set[str]:
    return {row["key"] for row in tx.all("SELECT key FROM meta WHERE key LIKE 'n%'")}


def sequence(tx: Tx, party: str = "own_a") -> list[int]:
    rows = tx.all("SELECT seq FROM outbox WHERE party_id = ? ORDER BY seq", party)
    return [row["seq"] for row in rows]


async def test_a_write_is_read_back_by_everyone_after_its_answer(store: Store) -> None:
    """Promise 5: what was answered is there for the next reader."""
    assert await store.write(put("n1")) == "n1"
    assert await store.read(notes) == {"n1"}


async def test_a_failed_command_takes_nothing_of_its_neighbours_with_it(store: Store) -> None:
    commands = [put(f"n{at}", fail=at % 3 == 0) for at in range(300)]
    results = await asyncio.gather(*map(store.write, commands), return_exceptions=True)
    refused = {at for at, result in enumerate(results) if isinstance(result, RefusedError)}
    assert refused == set(range(0, 300, 3))
    assert await store.read(notes) == {f"n{at}" for at in range(300) if at % 3}
    assert await store.read(sequence) == list(range(1, 201))


async def test_many_waiting_commands_share_few_commits(store: Store) -> None:
    commits: list[Commit] = []
    store.subscribe(commits.append)
    await asyncio.gather(*(store.write(put(f"n{at}")) for at in range(512)))
    # A commit per command would be 512; the writer takes up to 256 at once.
    assert 2 <= len(commits) <= 100


async def test_a_commit_names_exactly_the_parties_that_have_new_events(store: Store) -> None:
    told: list[Commit] = []
    end = store.subscribe(told.append)
    await store.write(put("n1", party="own_a"))
    await store.write(lambda tx: tx.insert("meta", key="quiet", value="x"))
    with pytest.raises(RefusedError):
        await store.write(put("n2", party="own_b", fail=True))
    heard = [[(event.party_id, event.seq) for event in commit.events] for commit in told]
    assert heard == [[("own_a", 1)]]
    end()
    await store.write(put("n3"))
    assert len(told) == 1


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    plan=st.lists(
        st.tuples(st.sampled_from(["own_a", "own_b"]), st.booleans(), st.sampled_from("-<>nx")),
        max_size=60,
    )
)
def test_every_partys_numbers_run_without_a_gap_whatever_fails(
    plan: list[tuple[str, bool, str]],
) -> None:
    """Also when a command asks for what still waits, before or after its own, or nests badly."""

    def command(at: int, party: str, look: str, *, fail: bool) -> Callable[[Tx], None]:
        def run(tx: Tx) -> None:
            if look == "<":
                tx.all("SELECT seq FROM outbox")
            if look in "nx":
                with suppress(RefusedError), tx.nested():
                    tx.emit("own_b", "nested", datetime.now(UTC), {})
                    if look == "x":
                        tx.all("SELECT seq FROM outbox")
                    raise RefusedError
            put(f"n{at}", party=party)(tx)
            if look == ">":
                tx.all("SELECT seq FROM outbox")
            if fail:
                raise RefusedError

        return run

    async def check(path: Path) -> None:
        store = await Store.open(path, synchronous="OFF")
        told: list[Commit] = []
        store.subscribe(told.append)
        try:
            commands = [
                command(at, party, look, fail=fail) for at, (party, fail, look) in enumerate(plan)
            ]
            await asyncio.gather(*map(store.write, commands), return_exceptions=True)
            for party in ("own_a", "own_b"):
                kept = sum(1 for whose, fail, _ in plan if whose == party and not fail)
                events = [each for commit in told for each in commit.events]
                assert [each for each in events if each.party_id == party] == await store.read(
                    lambda tx, whose=party: outbox.after(tx, whose, 0, 1_000)
                )
                found = await store.read(lambda tx, whose=party: sequence(tx, whose))
                assert found == list(range(1, kept + 1))
                span = await store.read(lambda tx, whose=party: outbox.span(tx, whose))
                assert span.head == kept
        finally:
            await store.close()

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(check(lay(Path(directory) / "owner.db")))


async def test_promise_5_nothing_is_served_while_the_folder_cannot_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 5: a log whose name is lost with the power is every answer in it."""
    synced: list[bool] = []

    def fail(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", fail)
        with pytest.raises(StoreUnavailableError, match="cannot be synced"):
            await Store.open(tmp_path / "owner.db")
    assert synced == [True]
    store = await Store.open(tmp_path / "owner.db")
    await store.write(put("n1"))
    await store.close()


async def test_the_log_of_a_busy_store_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is committed moves on into the database while more is written."""
    monkeypatch.setattr(checkpointing, "PAUSE_S", 0.01)
    monkeypatch.setattr(checkpointing, "LONG_LOG", 64)
    monkeypatch.setattr(checkpointing, "TOO_LONG", 64)
    store = await Store.open(lay(tmp_path / "owner.db"), synchronous="OFF", single_connection=False)
    log, written = tmp_path / "owner.db-wal", 0
    async with asyncio.timeout(60):
        while written < 2_000_000 or log.stat().st_size * 2 > written:
            key = f"n{written}"
            await store.write(lambda tx, key=key: tx.insert("meta", key=key, value="x" * 50_000))
            written += 50_000
    await store.close()
    assert not log.exists()


@pytest.mark.parametrize("apart", [False, True], ids=["a thread writes", "a process writes"])
async def test_a_long_log_waits_for_a_quiet_moment_and_then_begins_anew(
    tmp_path: Path, *, apart: bool
) -> None:
    path, log = lay(tmp_path / "owner.db"), tmp_path / "owner.db-wal"
    long = 4_096 * (checkpointing.LONG_LOG + 512)
    if apart:
        store = await Store.open_apart(path, synchronous="OFF", packages=("tests",))
    else:
        store = await Store.open(path, synchronous="OFF", single_connection=False)
    # In one transaction: nothing of it can be moved before it is all there.
    await store.write(partial(put_much, key="n0", size=long))
    assert log.stat().st_size > long
    # Written from its beginning, the log grows no further.
    async with asyncio.timeout(60):
        grown, at = 0, 1
        while grown < log.stat().st_size:
            await asyncio.sleep(2 * checkpointing.PAUSE_S)
            grown = log.stat().st_size
            await store.write(partial(put_much, key=f"n{at}", size=2 << 20))
            at += 1
    await store.close()


async def test_what_is_moved_under_load_is_flushed_beside_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite leaves it to whoever finds nothing written meanwhile: the writer, who would stop."""
    flushed: list[str] = []

    def note(file: int) -> None:
        flushed.append(str(Path(f"/proc/self/fd/{file}").readlink()))

    monkeypatch.setattr(checkpointing, "PAUSE_S", 0.05)
    # So long that it is moved although commands come one after another.
    monkeypatch.setattr(checkpointing, "TOO_LONG", 64)
    monkeypatch.setattr("owner_api.store.checkpointing.os.fdatasync", note)
    store = await Store.open(lay(tmp_path / "owner.db"), single_connection=False)
    async with asyncio.timeout(60):
        for at in count():
            await store.write(put(f"n{at}"))
            if flushed:
                break
    await store.close()
    assert set(flushed) == {str(store.path)}
    assert not held_open(store.path)


async def test_the_log_is_moved_only_once_nothing_is_committed_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass in the middle of a load would take the disk from every COMMIT."""
    passes: list[int] = []
    plain = checkpointing.checkpoint

    def note(connection: sqlite3.Connection) -> int:
        passes.append(plain(connection))
        return passes[-1]

    monkeypatch.setattr(checkpointing, "PAUSE_S", 0.01)
    monkeypatch.setattr(checkpointing, "checkpoint", note)
    store = await Store.open(lay(tmp_path / "owner.db"), single_connection=False)
    told = [time.monotonic()]
    for at in count():
        await store.write(put(f"n{at}"))
        told.append(time.monotonic())
        if told[-1] > told[0] + 1:
            break
    under_load = len(passes)
    # A slow machine has quiet moments of its own.
    quiet = sum(later - earlier > 0.02 for earlier, later in pairwise(told))
    async with asyncio.timeout(60):
        while len(passes) == under_load:  # noqa: ASYNC110 - tells nobody
            await asyncio.sleep(0.01)
    await store.close()
    assert under_load <= quiet + 1
    assert passes[under_load] >= at


async def test_the_log_is_moved_again_after_the_disk_refused_to_tell_its_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = asyncio.Event()
    asked: list[str] = []

    def quiet(self: checkpointing.Checkpointer, _connection: sqlite3.Connection) -> None:
        assert self is not None
        asked.append("length")
        if len(asked) == 1:
            raise sqlite3.OperationalError("disk I/O error")

    loop, plain = asyncio.get_running_loop(), checkpointing.checkpoint

    def note(connection: sqlite3.Connection) -> int:
        loop.call_soon_threadsafe(moved.set)
        return plain(connection)

    monkeypatch.setattr(checkpointing, "PAUSE_S", 0.01)
    monkeypatch.setattr(checkpointing.Checkpointer, "_wait_for_quiet", quiet)
    monkeypatch.setattr(checkpointing, "checkpoint", note)
    store = await Store.open(lay(tmp_path / "owner.db"), single_connection=False)
    async with asyncio.timeout(60):
        for at in count():
            await store.write(put(f"n{at}"))
            if moved.is_set():
                break
    await store.close()
    assert len(asked) > 1


def held_open(path: Path) -> list[str]:
    """Return which files whose names begin so this process has open."""
    links = (link for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
    return [name for link in links if (name := str(link.readlink())).startswith(str(path))]


def put_much(tx: Tx, key: str, size: int) -> None:
    """Write so many bytes."""
    tx.insert("meta", key=key, value="x" * size)


async def test_a_read_cannot_write(store: Store) -> None:
    with pytest.raises(StoreUnavailableError, match="readonly"):
        await store.read(put("n1"))
    assert await store.read(notes) == set()


async def test_one_connection_serves_reads_too_and_undoes_what_they_write(tmp_path: Path) -> None:
    store = await Store.open(lay(tmp_path / "owner.db"), single_connection=True)
    await store.write(put("n1"))
    await store.read(put("n2"))
    assert await store.read(notes) == {"n1"}
    await store.close()


async def test_a_full_disk_is_told_and_nothing_is_half_kept(store: Store) -> None:
    """Promise 5: no false acknowledgement when the disk refuses, and it goes on afterwards."""

    def pages(tx: Tx) -> int:
        row = tx.one("PRAGMA page_count")
        assert row is not None
        return int(row["page_count"])

    used = await store.write(pages)
    await store.write(lambda tx: tx.one(f"PRAGMA max_page_count={used}"))

    def big(at: int) -> Any:
        return lambda tx: tx.insert("meta", key=f"n{at}", value="x" * 20_000)

    results = await asyncio.gather(
        *(store.write(big(at)) for at in range(20)), return_exceptions=True
    )
    kept = {f"n{at}" for at, result in enumerate(results) if result is None}
    refused = [result for result in results if result is not None]
    assert refused
    assert all(isinstance(result, StoreUnavailableError) for result in refused)
    assert await store.read(notes) == kept
    await store.write(lambda tx: tx.one("PRAGMA max_page_count=1000000"))
    await store.write(put("n99"))
    assert "n99" in await store.read(notes)


async def test_a_caller_who_goes_away_does_not_undo_the_write(store: Store) -> None:
    task = asyncio.create_task(store.write(put("n1")))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.write(put("n2"))
    assert await store.read(notes) == {"n1", "n2"}


async def test_closing_finishes_what_is_queued_and_takes_no_more(tmp_path: Path) -> None:
    path = tmp_path / "owner.db"
    store = await Store.open(path)
    waiting = [asyncio.create_task(store.write(put(f"n{at}"))) for at in range(50)]
    await asyncio.sleep(0)
    await store.close()
    assert sorted(await asyncio.gather(*waiting)) == sorted(f"n{at}" for at in range(50))
    with pytest.raises(StoreClosedError):
        await store.write(put("late"))
    with pytest.raises(StoreClosedError):
        await store.read(notes)
    again = await Store.open(path, create=False)
    assert len(await again.read(notes)) == 50
    await again.close()


async def test_nothing_rests_on_what_somebody_else_has_changed_in_the_file(store: Store) -> None:
    def party(tx: Tx) -> str:
        row = tx.by_key("park", "prk_a")
        assert row is not None
        return str(row["display_name"])

    def name(tx: Tx) -> None:
        tx.run(
            "INSERT INTO park (park_id, display_name, secret_sha256, token_epoch, terms_version,"
            " terms_text, terms_sha256, created_at) VALUES ('prk_a', 'Ours', '', 0, 0, '', '', '')"
        )

    await store.write(name)
    assert await store.write(party) == "Ours"
    await store.write(put("n1"))
    with sqlite3.connect(store.path) as stranger:
        stranger.execute("UPDATE park SET display_name = 'Theirs'")
        stranger.execute("UPDATE stream_head SET seq = 7")
    stranger.close()
    # From then on the file is asked again.
    await store.write(put("n2"))
    assert await store.write(party) == "Theirs"
    assert await store.read(notes) == {"n1", "n2"}
    assert await store.read(lambda tx: outbox.span(tx, "own_a").head) == 8


async def test_a_store_that_cannot_be_opened_whole_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    path = tmp_path / "owner.db"
    await (await Store.open(path)).close()
    with monkeypatch.context() as context:
        context.setattr("owner_api.store.store.Checkpointer", full)
        with pytest.raises(OSError, match="Too many"):
            await Store.open(path, single_connection=False)
    assert not held_open(path)
    store = await Store.open(path)
    await store.write(put("n1"))
    await store.close()


async def test_a_second_store_on_the_same_file_is_refused(store: Store) -> None:
    with pytest.raises(StoreLockedError, match="another process"):
        await Store.open(store.path)


async def test_a_second_store_through_a_link_to_the_file_is_refused(
    store: Store, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "soft.db").symlink_to(store.path)
    with pytest.raises(StoreLockedError, match="another process"):
        await Store.open(elsewhere / "soft.db")
    assert list(elsewhere.iterdir()) == [elsewhere / "soft.db"]
    (elsewhere / "hard.db").hardlink_to(store.path)
    with pytest.raises(StoreError, match="2 names"):
        await Store.open(elsewhere / "hard.db")


async def test_a_second_process_on_the_same_file_is_refused(store: Store) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from owner_api.store import Store\n"
        "asyncio.run(Store.open(Path(sys.argv[1])))"
    )
    other = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program, str(store.path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert other.returncode != 0
    assert "StoreLockedError" in other.stderr


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "owner.db"
    await (await Store.open(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreVersionError, match="newer"):
        await Store.open(path)
    assert upgrading.current(path) == "9999"


async def test_a_missing_file_is_made_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "owner.db"
    with pytest.raises(StoreError, match="no such database"):
        await Store.open(path, create=False)
    assert not path.exists()
    with pytest.raises(StoreError, match="no such directory"):
        await Store.open(tmp_path / "nowhere" / "owner.db")


def test_sqlite_versions_with_the_wal_reset_bug_get_one_connection() -> None:
    safe = connect.several_connections_are_safe
    assert not safe((3, 40, 1))
    assert not safe((3, 51, 2))
    assert safe((3, 51, 3))
    assert safe((3, 50, 7))
    assert not safe((3, 50, 6))
    assert safe((3, 44, 6))


async def test_the_file_is_flushed_at_each_commit_by_default(store: Store) -> None:
    """Promise 5: synchronous=FULL (2), WAL and foreign keys are on."""
    found = await store.write(
        lambda tx: [
            tx.one(f"PRAGMA {name}") for name in ("synchronous", "journal_mode", "foreign_keys")
        ]
    )
    assert found == [{"synchronous": 2}, {"journal_mode": "wal"}, {"foreign_keys": 1}]


async def test_names_that_are_not_names_never_reach_sql(store: Store) -> None:
    with pytest.raises(ValueError, match="no table or column name"):
        await store.write(lambda tx: tx.insert('meta" --', key="n", value="x"))


@given(
    st.datetimes(
        min_value=datetime(2000, 1, 2),  # noqa: DTZ001 - the strategy adds the zone
        max_value=datetime(2099, 12, 30),  # noqa: DTZ001 - as above
        timezones=st.sampled_from(
            [UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-5))]
        ),
    )
)
def test_stored_instants_come_back_and_sort_as_they_happened(instant: datetime) -> None:
    stored = times.encode(instant)
    assert times.decode(stored) == instant
    assert len(stored) == len("2026-12-01T05:30:00.000000Z")
    assert times.encode(instant + timedelta(microseconds=1)) > stored
    assert datetime.fromisoformat(times.render(instant)) == instant


class Frozen(datetime):
    """An instant as a test that stops the clock makes it."""


@pytest.mark.parametrize("microsecond", [0, 5_000, 123_456])
def test_an_instant_of_a_subclass_is_stored_as_any_other(microsecond: int) -> None:
    # Equal instants share what is remembered: each is asked for once.
    stored = f"2026-12-01T05:30:00.{microsecond:06}Z"
    assert times.encode(Frozen(2026, 12, 1, 5, 30, 0, microsecond, UTC)) == stored
    times.encode_utc.cache_clear()
    assert times.encode(datetime(2026, 12, 1, 5, 30, 0, microsecond, UTC)) == stored


@pytest.mark.parametrize("first", [0, 1])
def test_both_times_of_a_repeated_local_hour_are_stored_apart(first: int) -> None:
    """To Python they are equal: the second one was stored as the first."""
    times.encode_utc.cache_clear()
    midnight = datetime(2027, 10, 31, tzinfo=ZoneInfo("Atlantic/Azores"))
    stored = {fold: times.encode(midnight.replace(fold=fold)) for fold in (first, 1 - first)}
    assert stored == {0: "2027-10-31T00:00:00.000000Z", 1: "2027-10-31T01:00:00.000000Z"}


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        times.encode(datetime(2026, 12, 1))  # noqa: DTZ001 - that is the point


async def test_a_slow_command_does_not_hold_back_those_before_it(store: Store) -> None:
    """A batch ends after 25 ms of work, so the first answer does not wait for the last command."""
    commits: list[Commit] = []
    store.subscribe(commits.append)

    def slow(at: int) -> Any:
        def command(tx: Tx) -> None:
            time.sleep(0.03)
            put(f"n{at}")(tx)

        return command

    await asyncio.gather(*(store.write(slow(at)) for at in range(5)))
    assert len(commits) == 5
