"""A batch is worked on while the COMMIT before is under way, and rests on nothing that fails."""

import asyncio
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
import sqlite3
import tempfile
import threading
from typing import Any

from hypothesis import given, settings, strategies as st

from owner_api.store import Store, StoreUnavailableError, Tx
from owner_api.store.batching import BATCH_S, Batches, Commit, Job, Outcome
from owner_api.store.connection import Connection

from .test_kept_rows import fill

# So long (s) a COMMIT waits for the next batch to begin; longer than that takes.
PATIENCE_S = 0.1
LONG = 8


class Slow(Connection):
    """A connection whose COMMITs each wait until a command of the batch after has run."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # By the number of its batch: a command of it has run.
        self.has_run: list[threading.Event] = []
        self.commits = self.met = 0

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            self.commits += 1
            if self.commits < len(self.has_run):
                self.met += self.has_run[self.commits].wait(PATIENCE_S)
        return super().execute(sql, *args)


@dataclass
class Letters:
    """A post that keeps what it is given, in the order in which it left."""

    left: list[tuple[list[Outcome], float | None]] = field(default_factory=list)

    def pack(self, outcomes: list[Outcome], _commit: Commit) -> list[Outcome]:
        return outcomes

    def send(self, packed: list[Outcome], took_s: float | None) -> None:
        self.left.append((packed, took_s))


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
    path = Path(folder) / "owner.db"

    async def make() -> None:
        store = await Store.open(path, synchronous="OFF")
        await store.write(fill)
        await store.close()

    asyncio.run(make())
    return path


def play(connection: Slow, batches: list[Batch]) -> tuple[Letters, int]:
    """Run the batches one after another; return what left, and how often a command was run."""
    letters, runs = Letters(), 0
    # Here no command is slow, however slow the machine is: what shares a batch stays together.
    writer = Batches(connection, letters, clock=lambda: 0.0)
    connection.has_run = [threading.Event() for _ in batches]

    def jobs(number: int, batch: Batch) -> list[Job]:
        def work(tx: Tx, word: str, *, first: bool, meets: bool) -> str:
            nonlocal runs
            runs += 1
            if meets:
                connection.has_run[number].set()
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

        # A long batch is all taken up before the COMMIT before has ended.
        meeting = len(batch.words) - 1 if len(batch.words) > LONG else 0
        return [
            Job(partial(work, word=word, first=not at, meets=at == meeting), word, keep=True)
            for at, word in enumerate(batch.words)
        ]

    for number, batch in enumerate(batches):
        # As a queue: what a batch does not take up waits for the next.
        waiting, left = iter(jobs(number, batch)), len(batch.words)
        while (first := next(waiting, None)) is not None:
            writer.run(first, waiting, left)
    writer.close()
    return letters, runs


def hold(folder: str, batches: list[Batch]) -> tuple[int, int]:
    """Hold what left against a plain run of what was kept; return runs and meetings."""
    connection = sqlite3.connect(
        made(folder), isolation_level=None, check_same_thread=False, factory=Slow
    )
    connection.execute("PRAGMA foreign_keys=ON")
    letters, runs = play(connection, batches)
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
    row = connection.execute("SELECT state_reason FROM offer WHERE offer_id = 'off_1'").fetchone()
    assert (row[0] or "") == text
    connection.close()
    return runs, connection.met


@settings(max_examples=25, deadline=None)
@given(BATCHES)
def test_what_leaves_rests_on_nothing_that_was_lost(batches: list[Batch]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        hold(folder, batches)


def test_a_batch_runs_during_the_commit_before_and_again_when_that_fails(tmp_path: Path) -> None:
    good, lost = (Batch(("a", "b", "c"), lost=lost, asks=False) for lost in (False, True))
    assert hold(str(tmp_path), [good, good, good]) == (9, 2)
    (tmp_path / "owner.db").unlink()
    assert hold(str(tmp_path), [good, lost, good]) == (3 + 3 + 2 * 3, 2)


def test_a_batch_that_asks_the_database_waits_for_the_commit_before(tmp_path: Path) -> None:
    good, asking = (Batch(("a", "b", "c"), lost=False, asks=asks) for asks in (False, True))
    # Its first command has run, up to its question, when the COMMIT before is let go.
    assert hold(str(tmp_path), [good, asking]) == (6, 1)


def test_everybody_of_a_batch_that_runs_again_is_told(tmp_path: Path) -> None:
    """Also where the disk is free by then, so that a batch of half of them would do."""
    lost = Batch(("a", "b", "c"), lost=True, asks=False)
    runs, met = hold(str(tmp_path), [lost, Batch(("d",) * 30, lost=False, asks=False)])
    assert (runs, met) == (3 + 2 * 30, 1)


def test_slow_commands_do_not_let_the_first_of_a_batch_wait_for_all(tmp_path: Path) -> None:
    connection = sqlite3.connect(
        made(str(tmp_path)), isolation_level=None, check_same_thread=False, factory=Connection
    )
    letters, quarters = Letters(), count()
    writer = Batches(connection, letters, clock=lambda: next(quarters) * BATCH_S / 4)
    jobs = iter([Job(lambda tx: tx.by_key("offer", "off_1"), at, keep=True) for at in range(9)])
    while (first := next(jobs, None)) is not None:
        writer.run(first, jobs, 9)
    writer.close()
    connection.close()
    assert [[each.to for each in outcomes] for outcomes, _ in letters.left] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8],
    ]
