"""What leaves a batch is durable, and rests on nothing that was lost."""

import asyncio
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
import sqlite3
import tempfile
from typing import Any

from hypothesis import given, settings, strategies as st

from owner_api.store import Store, StoreUnavailableError, Tx
from owner_api.store.batching import BATCH_S, Batches, Commit, Job, Outcome
from owner_api.store.connection import Connection
from tests.fresh_database import lay

from .test_kept_rows import fill


@dataclass
class Letters:
    """A post that keeps what it is given, in the order in which it left."""

    left: list[tuple[list[Outcome], float | None]] = field(default_factory=list)
    # So many that it cannot deliver.
    deaf: int = 0

    def tell(self, outcomes: list[Outcome], _commit: Commit, took_s: float | None) -> None:
        if self.deaf:
            self.deaf -= 1
            raise RuntimeError("the event loop is closed")
        self.left.append((outcomes, took_s))


@dataclass(frozen=True)
class Batch:
    """Commands that share a batch; ``lost``: its COMMIT fails, ``asks``: it needs the database."""

    words: tuple[str, ...]
    lost: bool
    asks: bool


BATCHES = st.lists(
    st.builds(
        Batch,
        words=st.lists(st.sampled_from("abcd"), min_size=1, max_size=5).map(tuple),
        lost=st.booleans(),
        asks=st.booleans(),
    ),
    min_size=2,
    max_size=6,
)


def made(folder: str) -> Path:
    """Return a database with a session and its offers."""
    path = lay(Path(folder) / "owner.db")

    async def make() -> None:
        store = await Store.open(path, synchronous="OFF")
        await store.write(fill)
        await store.close()

    asyncio.run(make())
    return path


def play(connection: Connection, batches: list[Batch]) -> Letters:
    """Run the batches one after another; return what left."""
    letters = Letters()
    # Here no command is slow, however slow the machine is: what shares a batch stays together.
    writer = Batches(connection, letters, clock=lambda: 0.0)

    def work(tx: Tx, word: str, batch: Batch, *, first: bool) -> str:
        row = tx.by_key("offer", "off_1")
        assert row is not None
        if batch.asks:
            stored = tx.one("SELECT state_reason FROM offer WHERE offer_id = 'off_1'")
            assert stored is not None
            assert stored["state_reason"] == row["state_reason"]
        tx.change("offer", "off_1", state_reason=(row["state_reason"] or "") + word)
        if batch.lost and first:
            # Refused by COMMIT itself, as a full disk would be.
            tx.run("PRAGMA defer_foreign_keys = ON")
            tx.run("UPDATE offer SET session_id = 'nowhere' WHERE offer_id = 'off_3'")
        return str((tx.by_key("offer", "off_1") or {})["state_reason"])

    for batch in batches:
        jobs = iter(
            Job(partial(work, word=word, batch=batch, first=not at), word, keep=True)
            for at, word in enumerate(batch.words)
        )
        while (first := next(jobs, None)) is not None:
            writer.run(first, jobs, len(batch.words))
    return letters


@settings(max_examples=25, deadline=None)
@given(BATCHES)
def test_what_leaves_rests_on_nothing_that_was_lost(batches: list[Batch]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(made(folder), isolation_level=None, factory=Connection)
        connection.execute("PRAGMA foreign_keys=ON")
        letters = play(connection, batches)
        text = ""
        asked = [(batch, word) for batch in batches for word in batch.words]
        told = [(each, took_s) for outcomes, took_s in letters.left for each in outcomes]
        for (batch, word), (outcome, took_s) in zip(asked, told, strict=True):
            assert outcome.to == word
            if batch.lost:
                assert isinstance(outcome.error, StoreUnavailableError)
                assert took_s is None
                continue
            assert took_s is not None
            text += word
            assert (outcome.value, outcome.error) == (text, None)
        row = connection.execute("SELECT state_reason FROM offer WHERE offer_id = 'off_1'")
        assert (row.fetchone()[0] or "") == text
        connection.close()


def test_a_batch_that_keeps_nothing_commits_nothing(tmp_path: Path) -> None:
    connection = sqlite3.connect(made(str(tmp_path)), isolation_level=None, factory=Connection)
    letters = Letters()
    writer = Batches(connection, letters)

    def leave(tx: Tx) -> int:
        tx.run("UPDATE offer SET state_reason = 'x'")
        return len(tx.all("SELECT 1 FROM offer WHERE state_reason = 'x'"))

    writer.run(Job(leave, "a", keep=False), iter(()), 1)
    ((outcomes, took_s),) = letters.left
    assert (outcomes[0].value > 0, took_s) == (True, None)
    assert not connection.in_transaction
    kept = connection.execute("SELECT count(*) FROM offer WHERE state_reason = 'x'").fetchone()
    assert kept[0] == 0
    connection.close()


def test_those_who_wait_for_a_lock_of_somebody_else_are_told_together(tmp_path: Path) -> None:
    path = made(str(tmp_path))
    connection = sqlite3.connect(path, isolation_level=None, factory=Connection, timeout=0.1)
    stranger = sqlite3.connect(path, isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    letters = Letters()
    writer = Batches(connection, letters)
    jobs = iter([Job(lambda tx: tx.by_key("offer", "off_1"), at, keep=True) for at in range(20)])
    writer.run(next(jobs), jobs, 20)
    stranger.execute("ROLLBACK")
    stranger.close()
    writer.run(Job(partial(change, word="x"), "x", keep=True), iter(()), 1)
    connection.close()
    lost, kept = (outcomes for outcomes, _ in letters.left)
    assert [each.to for each in lost] == list(range(20))
    assert all(isinstance(each.error, StoreUnavailableError) for each in lost)
    assert (kept[0].value, kept[0].error) == ("x", None)


def test_the_writer_goes_on_where_nobody_can_be_told(tmp_path: Path) -> None:
    connection = sqlite3.connect(made(str(tmp_path)), isolation_level=None, factory=Connection)
    letters = Letters(deaf=1)
    writer = Batches(connection, letters)
    for word in "ab":
        writer.run(Job(lambda tx: tx.by_key("offer", "off_1"), word, keep=True), iter(()), 1)
    connection.close()
    assert [[each.to for each in outcomes] for outcomes, _ in letters.left] == [["b"]]


def test_the_writer_goes_on_after_it_had_no_memory_to_undo_a_batch(tmp_path: Path) -> None:
    class Exhausted(Connection):
        left = 2

        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if sql in ("COMMIT", "ROLLBACK") and self.left:
                self.left -= 1
                raise MemoryError
            return super().execute(sql, *args)

    connection = sqlite3.connect(made(str(tmp_path)), isolation_level=None, factory=Exhausted)
    letters = Letters()
    writer = Batches(connection, letters)
    for word in "ab":
        reason = partial(change, word=word)
        writer.run(Job(reason, word, keep=True), iter(()), 1)
    row = connection.execute("SELECT state_reason FROM offer WHERE offer_id = 'off_1'").fetchone()
    connection.close()
    lost, kept = (outcomes[0] for outcomes, _ in letters.left)
    assert isinstance(lost.error, StoreUnavailableError)
    # Nothing of the first is there: not in the database, and not in the memory.
    assert (kept.value, row[0]) == ("b", "b")


def change(tx: Tx, word: str) -> str:
    """Add a word to what a row says, and return that."""
    row = tx.by_key("offer", "off_1")
    assert row is not None
    tx.change("offer", "off_1", state_reason=(row["state_reason"] or "") + word)
    return str((tx.by_key("offer", "off_1") or {})["state_reason"])


def test_half_of_those_under_way_make_a_batch(tmp_path: Path) -> None:
    """Those who were told come back while the other half is worked on."""
    connection = sqlite3.connect(made(str(tmp_path)), isolation_level=None, factory=Connection)
    letters = Letters()
    writer = Batches(connection, letters, clock=lambda: 0.0)
    jobs = iter([Job(lambda tx: tx.by_key("offer", "off_1"), at, keep=True) for at in range(77)])
    for waiting in (64, 32, 13):
        writer.run(next(jobs), jobs, waiting)
    connection.close()
    # Of 64, then of 32 and the 32 who were told, then eight at least of 13.
    assert [len(outcomes) for outcomes, _ in letters.left] == [32, 32, 13]


def test_slow_commands_do_not_let_the_first_of_a_batch_wait_for_all(tmp_path: Path) -> None:
    connection = sqlite3.connect(made(str(tmp_path)), isolation_level=None, factory=Connection)
    letters, quarters = Letters(), count()
    writer = Batches(connection, letters, clock=lambda: next(quarters) * BATCH_S / 4)
    jobs = iter([Job(lambda tx: tx.by_key("offer", "off_1"), at, keep=True) for at in range(9)])
    while (first := next(jobs, None)) is not None:
        writer.run(first, jobs, 9)
    connection.close()
    assert [[each.to for each in outcomes] for outcomes, _ in letters.left] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8],
    ]
