"""Play random steps of the whole API and hold the real store against an independent model."""

import argparse
import os
from typing import Final

from script.reliability_lib.report import counts

from .drawing import TRANSITIONS, Transition
from .run import noticed, play_apart, short, table

_PROOF: Final[Transition] = ("offer", "presented", "withdrawn")
_PROOF_STEPS: Final = 30_000
_FULL_RUN: Final = 1_000_000
_LEAST: Final = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--steps", type=int, default=_FULL_RUN)
    parser.add_argument("--seconds", type=float, help="stop the run after this long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes, each with own seeds"
    )
    parser.add_argument("--least", type=int, default=_LEAST, help="times per transition")
    parser.add_argument(
        "--alter-all", action="store_true", help="prove it with each transition altered, not one"
    )


def run(options: argparse.Namespace) -> bool:
    """Play, print the transitions, then play with a wrong model."""
    played = play_apart(options.steps, options.seed, options.workers, seconds=options.seconds)
    missing = short(played, options.least)
    counts(
        "model: state equals model and every currency sums to zero after each step",
        (
            ("processes", options.workers),
            ("steps", played.steps),
            ("worlds", played.worlds),
            ("requests", played.requests),
            ("requests refused, as the model said", played.refused),
            ("requests repeated under their key", played.repeated),
            ("steps per second", round(played.steps / played.seconds)),
            ("diverged", played.diverged or 0),
            (f"transitions taken less than {options.least} times", len(missing)),
        ),
    )
    print("\n".join(table(played, options.least)), flush=True)
    held = played.diverged is None and not missing
    return (options.no_proof or _prove(options)) and held


def _prove(options: argparse.Namespace) -> bool:
    altered = TRANSITIONS if options.alter_all else (_PROOF,)
    overlooked = []
    slowest = 0
    for each in altered:
        found = noticed(each, options.seed, _PROOF_STEPS)
        slowest = max(slowest, found.steps)
        if found.diverged is None:
            overlooked.append(each)
    counts(
        "proof: one transition of the model altered",
        (
            ("models altered", len(altered)),
            ("divergences noticed", len(altered) - len(overlooked)),
            ("steps until the slowest was noticed", slowest),
            ("overlooked", str(overlooked) if overlooked else 0),
        ),
    )
    return not overlooked
