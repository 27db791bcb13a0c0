"""`script/bench planner|api|home`: how fast we are beside something well known in the same run."""

import argparse
import asyncio
from collections.abc import Coroutine

from .api import bench as api
from .beside_emhass import PYTHON, EmhassError, against_emhass
from .cases import plan_case, quote_case
from .home import bench as home
from .measure import measure
from .report import case_lines, machine
from .self_test import self_test

PLAN_GOAL = 4.0
QUOTE_GOAL = 2.0
REPEATS = 6  # times ten seeds each: 60 runs
EXIT_MISSED = 1


def main() -> int:
    """Run the bench; return 1 when a goal is missed or the bench cannot notice a miss."""
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    planner = commands.add_parser("planner", help="plan and quote against HiGHS")
    planner.add_argument("--repeats", type=int, default=REPEATS, help="runs per seed (default 6)")
    planner.add_argument("--emhass", action="store_true", help="also against EMHASS")
    planner.add_argument("--self-test", action="store_true", help="only prove that it can fail")
    api.add_arguments(commands.add_parser("api", help="the owner API against bare aiohttp"))
    home.add_arguments(
        commands.add_parser("home", help="Home Assistant with 20 vehicles and 20 chargers")
    )
    asked = parser.parse_args()
    if asked.command == "planner":
        return _planner(asked)
    return _measured(api.bench(asked) if asked.command == "api" else home.bench(asked))


def _measured(bench: Coroutine[None, None, list[str]]) -> int:
    print(*machine(), sep="\n")
    missed = asyncio.run(bench)
    print("", *(missed or ["every goal reached"]), sep="\n")
    return EXIT_MISSED if missed else 0


def _planner(asked: argparse.Namespace) -> int:
    print(*machine(), sep="\n")
    cases = [
        plan_case(96, PLAN_GOAL),
        plan_case(576, PLAN_GOAL),
        quote_case(96, QUOTE_GOAL),
        quote_case(576, QUOTE_GOAL),
    ]
    missed = []
    if not asked.self_test:
        for case in cases:
            measured = measure(case, asked.repeats)
            print("", *case_lines(measured), sep="\n")
            missed += measured.missed()
        if asked.emhass:
            missed += _beside_emhass()
    print("\nself-test: the bench must notice a planner that is wrong or slow")
    missed += _unnoticed(self_test(cases))
    print("", *(missed or ["every goal reached"]), sep="\n")
    return EXIT_MISSED if missed else 0


def _beside_emhass() -> list[str]:
    """Print the comparison with EMHASS; return what it misses."""
    print()
    if not PYTHON.exists():
        print("EMHASS is left out: its environment could not be made on this machine")
        return []
    try:
        measured, versions, noticed = against_emhass()
    except EmhassError as error:
        return [f"EMHASS gave no answer: {error}"]
    print(*case_lines(measured), f"  {versions.text}", sep="\n")
    print("  EMHASS solves a wider class (PV, house load, other devices) in every call;")
    print("  the ratio holds for one car's charging plan only")
    return measured.missed() + _unnoticed(noticed)


def _unnoticed(results: list[tuple[str, bool]]) -> list[str]:
    """Print whether each bent planner was noticed; return those that were not."""
    for name, noticed in results:
        print(f"  {'noticed' if noticed else 'NOT NOTICED'}: {name}")
    return [f"self-test: {name} went unnoticed" for name, noticed in results if not noticed]


if __name__ == "__main__":
    raise SystemExit(main())
