"""`script/bench planner`: plan and quote against HiGHS, on the same instances in the same run."""

import argparse

from .cases import plan_case, quote_case
from .measure import measure
from .report import case_lines, machine
from .self_test import self_test

MAX_GAP = 1e-9
PLAN_GOAL = 4.0
QUOTE_GOAL = 2.0
REPEATS = 6  # times ten seeds each: 60 runs
EXIT_MISSED = 1


def main() -> int:
    """Run the bench; return 1 when a goal is missed or the bench cannot notice a miss."""
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    planner = commands.add_parser("planner", help=__doc__)
    planner.add_argument("--repeats", type=int, default=REPEATS, help="runs per seed (default 6)")
    planner.add_argument("--self-test", action="store_true", help="only prove that it can fail")
    return _planner(parser.parse_args())


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
            print("", *case_lines(measured, MAX_GAP), sep="\n")
            missed += measured.missed(MAX_GAP)
    print("\nself-test: the bench must notice a planner that is wrong or slow")
    for name, noticed in self_test(cases, MAX_GAP):
        print(f"  {'noticed' if noticed else 'NOT NOTICED'}: {name}")
        if not noticed:
            missed.append(f"self-test: {name} went unnoticed")
    print("", *(missed or ["every goal reached"]), sep="\n")
    return EXIT_MISSED if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
