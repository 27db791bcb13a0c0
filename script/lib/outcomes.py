"""A pytest plugin for script/test: skips need a written permission, and the counts go into a file.

Loaded with `-p script.lib.outcomes --outcomes FILE`. A plain pytest run is not affected.
"""

from collections.abc import Generator
from dataclasses import dataclass
from functools import cache
import json
from pathlib import Path
import re

import pytest

ALLOWED_SKIPS = Path(__file__).parents[2] / "tests" / "allowed_skips.txt"


@dataclass(frozen=True, kw_only=True, slots=True)
class AllowedSkip:
    """One line of allowed_skips.txt."""

    test: str
    reason: str
    why: str

    def covers(self, nodeid: str, reason: str) -> bool:
        """Tell whether this line allows the test to be skipped for that reason."""
        return _matches(self.test, nodeid) and _matches(self.reason, reason)


def _matches(pattern: str, text: str) -> bool:
    # Not fnmatch: a test id carries its parameters in brackets, which fnmatch reads as a set.
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text, re.DOTALL) is not None


def parse_allowed_skips(text: str) -> tuple[AllowedSkip, ...]:
    """Read the lines of allowed_skips.txt; ValueError names a line without its three parts."""
    allowed = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split("|")]
        if len(parts) != 3 or not all(parts):
            raise ValueError(f"allowed_skips.txt:{number}: wants `test id | reason | why`")
        allowed.append(AllowedSkip(test=parts[0], reason=parts[1], why=parts[2]))
    return tuple(allowed)


@cache
def _allowed() -> tuple[AllowedSkip, ...]:
    return parse_allowed_skips(ALLOWED_SKIPS.read_text(encoding="utf-8"))


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    expected_failure: str | None = getattr(report, "wasxfail", None)
    if expected_failure is not None:
        return expected_failure
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return str(report.longrepr)


def _forbid[R: (pytest.TestReport, pytest.CollectReport)](report: R) -> R:
    """Turn a skip (or an expected failure) that nobody allowed into a failure."""
    if not report.skipped:
        return report
    reason = _reason(report)
    if any(line.covers(report.nodeid, reason) for line in _allowed()):
        return report
    report.outcome = "failed"
    report.longrepr = f"skipped without a line in tests/allowed_skips.txt: {reason}"
    if hasattr(report, "wasxfail"):
        del report.wasxfail
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --outcomes."""
    parser.addoption("--outcomes", metavar="FILE", help="write the counts of this run as JSON")


# tryfirst makes these the outermost wrappers: they see what pytest's own skipping made of a report.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge a test's skip where it happens, so that parallel workers report it as failed."""
    return _forbid((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Judge a whole module's skip, as pytest.importorskip makes one."""
    return _forbid((yield))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the counts; parallel workers leave that to the process that started them."""
    path: str | None = session.config.getoption("--outcomes")
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if path is None or terminal is None or hasattr(session.config, "workerinput"):
        return

    def count(*names: str) -> int:
        return sum(len(terminal.stats.get(name, ())) for name in names)

    counts = {
        "passed": count("passed", "xpassed"),
        "failed": count("failed", "error"),
        "skipped": count("skipped", "xfailed"),
    }
    Path(path).write_text(json.dumps(counts), encoding="utf-8")
