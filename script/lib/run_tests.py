"""Run the lanes of tests that script/test asks for and add up their outcomes."""

import argparse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
import json
import os
from pathlib import Path
import subprocess
import sys
import tempfile
from typing import IO

ROOT = Path(__file__).parents[2]

# Each worker loads Home Assistant anew, about 8 s: more than four cost more than they bring.
WORKERS = str(min(4, os.process_cpu_count() or 1))

# Far above any test here; only a hang meets it, and then the run still ends with its counts.
TEST_TIMEOUT_S = 900


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """Tests that share one pytest process; ``beside``: it runs while the other lanes do."""

    name: str
    paths: tuple[str, ...]
    args: tuple[str, ...]
    fast: bool
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """How many tests ended which way."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Add up two runs."""
        return Counts(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    def __str__(self) -> str:
        """Say it in the words that runners close with."""
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


# The Home Assistant plugin forbids sockets and threads that outlive a test: right for the
# integration, wrong for a server tested over real sockets.
WITHOUT_HOME_ASSISTANT = ("-p", "no:homeassistant")
PARALLEL = ("-n", WORKERS, "--dist", "worksteal")

LANES = (
    Lane(
        name="owner_api",
        # Beside the package's own: what holds the repository and its papers together.
        paths=("tests/owner_api", *sorted(f"tests/{p.name}" for p in ROOT.glob("tests/test_*.py"))),
        args=(*WITHOUT_HOME_ASSISTANT, *PARALLEL),
        fast=True,
    ),
    Lane(name="integration", paths=("tests/integration",), args=PARALLEL, fast=True),
    # Three at a time: each starts a Home Assistant of its own. Its times are real, so that it
    # mostly waits, and the other lanes can use what it leaves. What shares one stays together.
    Lane(
        name="e2e",
        paths=("tests/e2e",),
        args=(*WITHOUT_HOME_ASSISTANT, "-n", "3", "--dist", "loadgroup"),
        fast=False,
        beside=True,
    ),
)


def has_tests(path: Path) -> bool:
    """Tell whether pytest would find a test module there."""
    return path.is_file() or any(path.rglob("test_*.py"))


def run(lane: Lane, *, fast: bool, output: IO[str] | None = None) -> Counts:
    """Run one lane; a run that breaks without a failed test counts as one failure."""
    paths = [path for path in lane.paths if has_tests(ROOT / path)]
    print(f"\n== {lane.name}: {' '.join(paths) or 'no tests yet'}", file=output, flush=True)
    if not paths:
        return Counts()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Path(folder) / "outcomes.json"
        command = [sys.executable, "-m", "pytest", *lane.args, *paths]
        command += ["-p", "script.lib.outcomes", "--outcomes", str(outcomes)]
        command += ["--timeout", str(TEST_TIMEOUT_S), "--durations", "5"]
        # The same examples each time, without a deadline: a gate must not turn on luck or on a busy
        # machine. A plain pytest run keeps exploring.
        command += ["--hypothesis-profile", "ci"]
        command += ["-m", "not slow"] if fast else []
        if not lane.beside:
            command = ["nice", *command]
        status = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
        ).returncode
        counts = Counts(**json.loads(outcomes.read_text())) if outcomes.exists() else Counts()
    if status and not counts.failed:
        found = (
            f"{lane.name}: pytest ended with {status} and no failed test: counted as one failure"
        )
        print(found, file=output, flush=True)
        return counts + Counts(failed=1)
    return counts


def run_beside(lane: Lane, *, fast: bool) -> Callable[[], Counts]:
    """Start a lane and return what waits for its end, shows what it printed and its counts."""
    output = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by finish
    pool = ThreadPoolExecutor(max_workers=1)
    running = pool.submit(run, lane, fast=fast, output=output)

    def finish() -> Counts:
        with output, pool:
            counts = running.result()
            output.seek(0)
            print(output.read(), flush=True)
        return counts

    return finish


def main() -> int:
    """Run the lanes named on the command line, all of them by default."""
    parser = argparse.ArgumentParser(prog="script/test")
    parser.add_argument("--fast", action="store_true", help="no slow tests, nothing end to end")
    parser.add_argument("lanes", nargs="*", metavar="LANE", help=", ".join(x.name for x in LANES))
    asked = parser.parse_args()
    if unknown := set(asked.lanes) - {lane.name for lane in LANES}:
        parser.error(f"no such lane: {', '.join(sorted(unknown))}")

    lanes = [x for x in LANES if x.name in asked.lanes or not asked.lanes]
    if asked.fast:
        lanes = [x for x in lanes if x.fast]
    total = Counts()
    finishes = [run_beside(lane, fast=asked.fast) for lane in lanes if lane.beside]
    for lane in lanes:
        if not lane.beside:
            total += run(lane, fast=asked.fast)
    for finish in finishes:
        total += finish()
    if not total.passed:
        print("no test passed, so nothing was shown")
    print(f"\n{total}", flush=True)
    return 0 if total.passed and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main())
