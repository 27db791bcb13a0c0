"""Run the integration's tests under coverage and judge what they run; `script/coverage`."""

from collections.abc import Mapping
import json
from pathlib import Path
import subprocess
import sys
import tempfile
from typing import Any, Final

from script.lib.run_tests import PARALLEL, ROOT

PACKAGE: Final = "custom_components/v2g_owner"
# What is not run is named beside.
LEAST_PCT: Final = 97.0
# The quality scale's Silver tier asks for it of every module.
LEAST_OF_EACH_PCT: Final = 95.0
# All that an owner walks through: the flow of the entry, those of cars and chargers, their forms.
WHOLE: Final = tuple(
    sorted(
        path.relative_to(ROOT).as_posix()
        for pattern in ("*_flow.py", "*_forms.py", "drivers.py", "subentry_schemas.py")
        for path in (ROOT / PACKAGE).glob(pattern)
    )
)


def too_little(report: Mapping[str, Any]) -> list[str]:
    """Return what misses a limit in a JSON report of coverage, worded for people."""
    files: Mapping[str, Any] = report["files"]
    total = float(report["totals"]["percent_covered"])
    found = []
    if total < LEAST_PCT:
        found.append(f"{PACKAGE}: {total:.2f} % run, {LEAST_PCT:g} % asked for")
    for name, one in sorted(files.items()):
        run = float(one["summary"]["percent_covered"])
        if run < LEAST_OF_EACH_PCT:
            found.append(
                f"{name}: {run:.2f} % run, {LEAST_OF_EACH_PCT:g} % asked for of each module"
            )
    for name in WHOLE:
        if name not in files:
            found.append(f"{name}: not in the report")
        elif missing := files[name]["missing_lines"]:
            found.append(f"{name}: all lines asked for, never run: {missing}")
    return found


def main() -> int:
    """Run the tests and return 1 when one fails or a limit is missed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        command = [sys.executable, "-m", "pytest", "tests/integration", *PARALLEL, "-q"]
        command += [f"--cov={PACKAGE}", f"--cov-report=json:{report}"]
        command += ["--cov-report=term-missing:skip-covered", "--hypothesis-profile", "ci"]
        status = subprocess.run(["nice", *command], cwd=ROOT, check=False).returncode
        found = too_little(json.loads(report.read_text())) if report.exists() else ["no report"]
    print("", *(found or ["every limit of coverage is kept"]), sep="\n", flush=True)
    return 1 if status or found else 0


if __name__ == "__main__":
    sys.exit(main())
