"""Criterion 3 in small: every covered column, deletes, swaps, forgeries, cuts, forks, rebuilds."""

from contextlib import closing
import json
from pathlib import Path
import shutil
import sqlite3

from click.testing import CliRunner
import pytest

from owner_api.audit.findings import COVERED
from owner_api.cli import main

from .books_world import Books, make_books
from .tamper import Tally, half_blind, run

# More than --fast has time for.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
async def books(tmp_path_factory: pytest.TempPathFactory) -> Books:
    """Return a database with a long log, made once for all these tests."""
    folder: Path = tmp_path_factory.mktemp("books")
    return await make_books(folder, settlements=4, rotations=2)


@pytest.fixture(scope="module")
def tally(books: Books) -> Tally:
    """Return the counts of a short run."""
    return run(books, 3)


def test_promise_6_nothing_that_was_bent_goes_unseen(tally: Tally) -> None:
    assert tally.missed.total() == 0, tally.examples
    assert tally.tried.total() > 250


def test_every_covered_table_was_changed_deleted_from_swapped_and_added_to(tally: Tally) -> None:
    for table in COVERED:
        for kind in ("column", "delete", "swap", "insert"):
            assert tally.tried[f"{kind} {table}"], (kind, table)


def test_a_cut_a_fork_and_a_rebuilt_tree_need_a_kept_checkpoint_and_are_caught_by_it(
    tally: Tally,
) -> None:
    for kind in ("tail of every table", "fork", "rebuild"):
        assert tally.tried[f"{kind}, with --checkpoint"]
        assert tally.tried[f"{kind}, not excluded without --checkpoint"]


def test_promise_6_an_erasure_hides_no_money_no_key_and_no_other_erasure(tally: Tally) -> None:
    for kind in ("books", "key", "erasure"):
        assert tally.tried[f"erasure of {kind}"]


@pytest.mark.parametrize(
    "at", ["", "2026-12-03T05:30f12Z", "2026-12-03T05:30:00", "0001-01-01T00:00:00+23:59"]
)
def test_promise_6_a_time_that_is_none_hides_nothing_behind_it(
    books: Books, tmp_path: Path, at: str
) -> None:
    """The command ended with a trace where it came to such an entry."""
    database = tmp_path / "bent.db"
    shutil.copy(books.database, database)
    with closing(sqlite3.connect(database)) as bent, bent:
        bent.execute("UPDATE ledger_leaf SET at = ? WHERE kind = 'books'", (at,))
        bent.execute("DELETE FROM receipt WHERE position = (SELECT max(position) FROM receipt)")
    told = CliRunner().invoke(main, ["ledger", "verify", "--database", str(database)])
    found = [json.loads(line) for line in told.stdout.splitlines()]
    columns = {(each.get("table"), each.get("column")) for each in found}
    assert told.exit_code == 1
    assert {("ledger_leaf", "at"), ("receipt", None)} <= columns


def test_the_harness_can_fail(books: Books) -> None:
    missed = run(books, 1, half_blind).missed
    for kind in ("delete posting", "insert receipt", "erasure of books"):
        assert missed[kind], (kind, missed)
