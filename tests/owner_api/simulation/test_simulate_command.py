"""``owner-api simulate``: recorded sessions, the exact JSON, the kept file, the exit codes."""

import json
from pathlib import Path
import sqlite3

from click.testing import CliRunner, Result
import pytest

from owner_api.cli import main
from owner_api.sessions_csv import CANONICAL_COLUMNS
from owner_api.simulation.command import simulate

# More than --fast has time for.
pytestmark = pytest.mark.slow

HEADER = ",".join(CANONICAL_COLUMNS)
ROWS = [
    *(
        f"s{day}{user},{user},2026-03-{day:02}T17:00:00Z,2026-03-{day + 1:02}T06:{minute}:00Z,{wh}"
        for day in (2, 3, 4)
        for user, minute, wh in (("ann", 10, 9_000), ("ben", 25, 14_200), ("cem", 40, 4_000))
    ),
    "short,ann,2026-03-06T12:00:00Z,2026-03-06T12:40:00Z,2500",
    "second-car,ann,2026-03-04T18:00:00Z,2026-03-04T21:00:00Z,11000",
    "still,ben,2026-03-07T12:00:00Z,,800",
    "backwards,cem,2026-03-07T12:00:00Z,2026-03-07T11:00:00Z,800",
]


def run(*arguments: str) -> Result:
    """Run the command as a person would."""
    return CliRunner().invoke(main, ["simulate", *arguments])


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Return a file of recorded sessions, two of them unusable."""
    file = tmp_path / "sessions.csv"
    file.write_text("\n".join([HEADER, *ROWS]), encoding="utf-8")
    return file


def test_recorded_sessions_are_played_counted_and_kept(recording: Path, tmp_path: Path) -> None:
    """Every stay of an hour or more is asked once; the kept file is one closed database."""
    kept = tmp_path / "kept.db"
    result = run("--sessions", str(recording), "--seed", "7", "--json", "--keep", str(kept))
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert set(said) == {
        "seed",
        "sessions",
        "skipped",
        "offers",
        "accepted",
        "delivered_wh",
        "net_minor",
        "violations",
        "violations_total",
        "cars",
    }
    assert said["skipped"] == {"still_plugged_in": 1, "no_duration": 1}
    assert (said["sessions"], said["offers"]) == (11, 10)
    assert said["violations"] == {"1": 0, "2": 0, "3": 0, "4": 0}
    assert 0 < said["accepted"] <= 10
    assert said["delivered_wh"] == sum(car["delivered_wh"] for car in said["cars"]) > 0
    assert not list(tmp_path.glob("kept.db-*"))
    with sqlite3.connect(kept) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        rows = database.execute("SELECT count(*) FROM commitment").fetchone()
    database.close()
    assert rows == (said["accepted"],)


def test_the_same_seed_gives_the_same_figures(recording: Path) -> None:
    """Another seed gives others: nothing is written into the result by hand."""
    first, again, other = (
        json.loads(run("--sessions", str(recording), "--seed", seed, "--json").stdout)
        for seed in ("7", "7", "9")
    )
    assert first == again
    assert first["delivered_wh"] != other["delivered_wh"]


def test_a_broken_promise_is_exit_code_one(recording: Path) -> None:
    """The test-only switch for consent makes the run fail as a check fails."""
    result = run("--sessions", str(recording), "--seed", "4", "--without", "consent")
    assert result.exit_code == 1
    assert "BROKEN promise 1" in result.stdout


def test_a_file_of_another_kind_is_exit_code_two(tmp_path: Path) -> None:
    """The message says which columns would pass."""
    file = tmp_path / "prices.csv"
    file.write_text("hour,price\n1,2\n", encoding="utf-8")
    result = run("--sessions", str(file))
    assert result.exit_code == 2
    assert "session_id" in result.stderr


def test_a_place_that_cannot_keep_the_file_is_refused_before_the_run(tmp_path: Path) -> None:
    """Nobody waits twenty minutes to hear of a missing folder."""
    result = run("--keep", str(tmp_path / "missing" / "kept.db"))
    assert result.exit_code == 2
    assert "is no directory" in result.stderr


def test_the_switches_that_break_promises_are_not_offered_to_people() -> None:
    """They exist for tests only."""
    assert "--without" not in run("--help").output
    assert any(option.name == "without" for option in simulate.params)


def test_both_scenes_in_full_break_no_promise() -> None:
    """Twenty cars on the reference day, ten carry the base station."""
    result = run("--json", "--seed", "11")
    said = json.loads(result.stdout)
    assert result.exit_code == 0
    assert said["violations_total"] == 0
    assert (said["sessions"], said["offers"]) == (30, 30)
    assert len(said["cars"]) == 30
