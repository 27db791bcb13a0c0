"""`owner-api dwell`: tables and JSON from a file of sessions, and problems for a bad one."""

from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
import random

from click.testing import CliRunner
import pytest

from owner_api.dwell_command import dwell
from owner_api.planning import dwell_prior
from owner_api.sessions_csv import CANONICAL_COLUMNS

TRONDHEIM_FILE = Path(__file__).parents[3] / "shared" / "data" / "trondheim_sessions.csv"


def _sessions_file(path: Path, *, users: int, days: int) -> Path:
    """Write drivers who plug in at home in the evening until morning, and at noon for an hour."""
    source = random.Random(3)  # noqa: S311 - test data, not a secret
    rows = [",".join(CANONICAL_COLUMNS)]
    start = datetime(2026, 1, 5, tzinfo=UTC)
    for user in range(users):
        for day in range(days):
            evening = day % 2 == 0
            hour = 18 if evening else 12
            dwell_h = source.uniform(11, 13) if evening else source.uniform(0.5, 1.5)
            plugged = start + timedelta(days=day, hours=hour, minutes=source.randrange(30))
            unplugged = plugged + timedelta(hours=dwell_h)
            ids = f"s{user}-{day},u{user}"
            rows.append(f"{ids},{plugged.isoformat()},{unplugged.isoformat()},7200")
    rows.append("open,u0,2026-06-01T10:00:00Z,,0")
    path.write_text("\n".join(rows))
    return path


def test_evaluate_prints_scores_decisions_and_what_was_skipped(tmp_path: Path) -> None:
    """Two habits a day: the forecast tells them apart, the global quantiles cannot."""
    path = _sessions_file(tmp_path / "s.csv", users=6, days=60)
    result = CliRunner().invoke(dwell, ["evaluate", str(path), "--json"])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert set(answer["scores"]) == {
        "kernel",
        "user_global",
        "user_bins",
        "last_similar",
        "population",
    }
    assert answer["stays"] == 6 * 18
    assert answer["skipped_rows"] == {"still_plugged_in": 1}
    assert answer["gain_over_user_global"] > 0.5
    assert answer["timezone"] == "UTC"
    levels = {(row["method"], row["level"]) for row in answer["decisions"]}
    assert {("kernel", 0.05), ("kernel", 0.1), ("owner_tells", None)} <= levels


def test_evaluate_prints_the_same_for_people(tmp_path: Path) -> None:
    """Tables by default, one line per forecast and per plan."""
    path = _sessions_file(tmp_path / "s.csv", users=6, days=60)
    result = CliRunner().invoke(dwell, ["evaluate", str(path), "--timezone", "Europe/Oslo"])
    assert result.exit_code == 0, result.output
    for words in (
        "Europe/Oslo",
        "user_global",
        "first weeks (",
        "kernel q05",
        "still_plugged_in 1",
    ):
        assert words in result.stdout


def test_one_user_alone_can_be_evaluated_without_a_population(tmp_path: Path) -> None:
    """An owner's own file has no other drivers in it."""
    path = _sessions_file(tmp_path / "s.csv", users=1, days=60)
    result = CliRunner().invoke(dwell, ["evaluate", str(path)])
    assert result.exit_code == 0, result.output
    assert "too few users" in result.stdout


def test_check_fails_with_exit_code_1_where_the_targets_are_missed(tmp_path: Path) -> None:
    """One driver without a population: the tables are printed, the check says no."""
    path = _sessions_file(tmp_path / "s.csv", users=1, days=40)
    report = json.loads(CliRunner().invoke(dwell, ["evaluate", str(path), "--json"]).stdout)
    assert not report["calibrated"]
    assert CliRunner().invoke(dwell, ["evaluate", str(path)]).exit_code == 0
    result = CliRunner().invoke(dwell, ["evaluate", str(path), "--check"])
    assert result.exit_code == 1
    assert "kernel" in result.stdout


@pytest.mark.parametrize("command", [["evaluate"], ["prior", "--source", "a test"]])
@pytest.mark.parametrize(
    ("text", "arguments", "named"),
    [
        ("a,b\n1,2\n", [], "plugged_in_at"),
        (",".join(CANONICAL_COLUMNS), [], "needed"),
        (",".join(CANONICAL_COLUMNS), ["--timezone", "Mars/Olympus"], "IANA"),
    ],
)
def test_a_bad_file_is_a_problem_and_exit_code_2(
    tmp_path: Path, command: list[str], text: str, arguments: list[str], named: str
) -> None:
    """The problem says what would pass."""
    path = tmp_path / "s.csv"
    path.write_text(text)
    result = CliRunner().invoke(dwell, [*command, str(path), *arguments])
    assert result.exit_code == 2
    problem = json.loads(result.stdout)
    assert problem["status"] == 422
    assert named in problem["detail"]


def test_a_band_of_too_few_drivers_is_left_out_of_a_prior(tmp_path: Path) -> None:
    """Four drivers are no population, five are."""
    four = _sessions_file(tmp_path / "4.csv", users=4, days=60)
    six = _sessions_file(tmp_path / "6.csv", users=6, days=60)
    assert CliRunner().invoke(dwell, ["prior", str(four), "--source", "x"]).exit_code == 2
    made = json.loads(CliRunner().invoke(dwell, ["prior", str(six), "--source", "x"]).stdout)
    assert {band["from_hour"] for band in made["bands"]} == {12, 18}


def test_the_shipped_prior_is_what_its_command_derives() -> None:
    """Nothing in the table was typed in."""
    if not TRONDHEIM_FILE.exists():
        pytest.skip(f"needs the Trondheim sessions at {TRONDHEIM_FILE}, kept out of the product")
    shipped = json.loads(Path(dwell_prior.__file__).with_suffix(".json").read_text())
    made = CliRunner().invoke(dwell, ["prior", str(TRONDHEIM_FILE), "--source", shipped["source"]])
    assert json.loads(made.stdout) == shipped
